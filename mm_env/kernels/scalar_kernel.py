"""ScalarKernel: the law traced for one environment, and run as straight Python."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

from mm_env.kernels import scalar_ops
from mm_env.kernels.tracing import Program, Tree, built, defined, leaves, trace
from mm_env.market.numbers import ElementaryFunctions

Function = TypeVar("Function", bound=Callable[..., Any])

_NAME = re.compile(r"\b[xt]\d+\b")  # of a value in a program
_LONGEST = 200  # characters of an expression in another: parentheses may not stand in each other without end

FLOATS = cast(ElementaryFunctions, scalar_ops)  # the law's `xp` for one dealer, whose numbers are all floats


def straight(function: Function) -> Function:
    """The same function, run as straight Python: a `ScalarKernel` of the function's own type."""
    return cast(Function, ScalarKernel(function))


class ScalarKernel:
    """A pure function of the law's numbers as straight Python for plain numbers, made when it is first called.

    Args:
        function: Takes and returns trees of numbers; its elementary functions come from `TraceOps`.
            Which of the arguments are None must not change from call to call.
    """

    def __init__(self, function: Callable[..., Tree]) -> None:
        self._function = function
        self._run: Callable[..., Tree] | None = None

    def __call__(self, *arguments: Tree) -> Tree:
        """What the function returns."""
        if self._run is None:
            self._run = self._made(arguments)
        return self._run(*arguments)

    def __reduce__(self) -> Any:
        return ScalarKernel, (self._function,)  # generated code cannot be pickled, it is made again

    def _made(self, arguments: Tree) -> Callable[..., Tree]:
        program = trace(self._function, arguments)
        names, loads = inputs(program, arguments)
        types: dict[str, type] = {}
        returned = built(program.result, map(str, leaves(program.result)), types)
        lines = folded([*loads, *map(_inlined, program.lines), f"return {returned}"])
        return defined(f"kernel({', '.join(names)})", lines, types)


def _inlined(line: str) -> str:
    """An assignment of a program, with the body of the elementary function that it calls in place of the call."""
    found = re.fullmatch(r"(\w+) = (\w+)\((.*)\)", line)
    body = scalar_ops.BODIES.get(found[2]) if found else None
    return f"{found[1]} = {body.format(*found[3].split(', '))}" if found and body else line


def folded(lines: Sequence[str]) -> list[str]:
    """The lines with each value that is read once in the place where it is read: it is not kept, nor made in vain.

    Args:
        lines: Assignments, and last what is returned.
    """
    uses = Counter(name for line in lines for name in _NAME.findall(line.partition(" = ")[2] or line))
    folded_in: dict[str, str] = {}
    kept: list[str] = []
    for line in lines:
        whole = _NAME.sub(lambda found: folded_in.get(found[0], found[0]), line)
        name, _, expression = whole.partition(" = ")
        if uses[name] == 1 and len(expression) < _LONGEST:
            folded_in[name] = f"({expression})" if " " in expression else expression
        else:
            kept.append(whole)
    return kept


def inputs(program: Program, arguments: Tree) -> tuple[list[str], list[str]]:
    """The names of a program's arguments, and the assignments that read out of them the numbers that it needs."""
    names = [f"a{place}" for place in range(len(arguments))]
    paths = [path for name, tree in zip(names, arguments, strict=True) for path in _paths(tree, name)]
    return names, [f"x{place} = {paths[place]}" for place in program.used]


def _paths(tree: Tree, path: str) -> Iterator[str]:
    """Where each number of a tree is found."""
    if not isinstance(tree, tuple):
        yield path
        return
    for place, part in enumerate(tree):
        yield from _paths(part, f"{path}[{place}]")
