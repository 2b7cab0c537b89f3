"""The law as JavaScript: what the tracer writes down is valid in both languages, and is printed as it stands."""

from __future__ import annotations

from collections.abc import Callable

from mm_env.kernels.scalar_kernel import inputs
from mm_env.kernels.tracing import Tree, trace

# What the traced lines name that JavaScript spells otherwise; the functions are those of `scalar_ops.py`.
PRELUDE = """\
const True = true, False = false, inf = Infinity, nan = NaN, abs = Math.abs;
const where = (condition, yes, no) => condition ? yes : no;
const maximum = (a, b) => a > b ? a : b;
const minimum = (a, b) => a < b ? a : b;
"""


def javascript(name: str, function: Callable[..., Tree], arguments: Tree) -> str:
    """A pure function of the law's numbers as the source of a JavaScript function, to stand behind `PRELUDE`.

    JavaScript's numbers are double ones with the same arithmetic, so that it returns the same to the last bit; flags
    may come back as 0 or 1.

    Args:
        name: Of the function.
        function: Takes and returns trees of numbers; its elementary functions come from `TraceOps`.
        arguments: Like those that it will be called with: tuples are nested arrays there, None is null.
    """
    program = trace(function, arguments)
    names, loads = inputs(program, arguments)
    body = [*(f"const {line};" for line in [*loads, *program.lines]), f"return {_array(program.result)};"]
    return "\n  ".join([f"function {name}({', '.join(names)}) {{", *body]) + "\n}\n"


def _array(tree: Tree) -> str:
    """The text of the nested array that holds a tree's numbers."""
    return f"[{', '.join(map(_array, tree))}]" if isinstance(tree, tuple) else str(tree)
