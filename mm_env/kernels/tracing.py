"""The law traced: called once with numbers that are not there yet, it becomes a straight list of operations.

The law is pure and branches on no data, so each `Traced` number can write down what is done with it. No equation stands
here: a new one in `dynamics.py`, or a new column of the observation, is traced like the others. They are made of
+ - * / & |, comparisons, `abs`, and `where`, `maximum`, `minimum` of the law's `xp`. One environment runs the
list as plain Python, a `ScalarKernel`; many run it as machine code, a `VectorKernel`. Both give the same
numbers as the law itself, bit for bit, several times faster.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from mm_env.kernels import scalar_ops

Tree = Any  # nested tuples of numbers, named or not, as the law takes and returns them; returned, dictionaries as well

SCALAR_OPS = {name: getattr(scalar_ops, name) for name in ("where", "maximum", "minimum", "floor", "single")}


_CONSTANT = re.compile(r"(?<![\w.])(?![01]\.0(?![\w.]))\d+(?:\.\d+(?:e[+-]?\d+)?|e[+-]?\d+)(?![\w.])")

FLAG, WHOLE, REAL = range(3)  # the kinds of numbers


class Traced:
    """A number that is not there yet: what is done with it becomes a line of a program."""

    __array_ufunc__ = None  # NumPy's functions are not for it: a law or a column that calls one fails at once

    def __init__(self, text: str, lines: dict[str, str], kind: int = REAL) -> None:
        self.text = text
        self.lines = lines  # from each expression to the name of its value, in the order of computing
        self.kind = kind  # FLAG, WHOLE or REAL

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        raise TypeError(f"the law may not branch on data, here on {self.text}: use xp.where")


def kind_of(number: Any) -> int:
    """The kind of a number, traced or not."""
    return (
        number.kind if isinstance(number, Traced) else {"b": FLAG, "i": WHOLE, "u": WHOLE}.get(_code_of(number), REAL)
    )


def _code_of(number: Any) -> str:
    return str(np.asarray(number).dtype.kind)


def _operation(
    template: str, kind: int | None = None, least: int = WHOLE, skipped: int = 0, mixed: bool = False
) -> Callable[..., Traced]:
    """What writes down an operation, and returns its value.

    Args:
        template: The expression, where the operands' texts stand for {0}, {1}, ...
        kind: Of the value. Default: the largest of `least` and of the operands' after the first `skipped`.
        least: See `kind`.
        skipped: See `kind`.
        mixed: Write a whole constant beside a real number as a real one: Python computes with two of a kind faster.
    """

    def write(*operands: Any) -> Traced:
        lines = next(operand.lines for operand in operands if isinstance(operand, Traced))
        if mixed and REAL in map(kind_of, operands):
            operands = tuple(float(operand) if type(operand) is int else operand for operand in operands)
        found = max(least, *map(kind_of, operands[skipped:])) if kind is None else kind
        return Traced(lines.setdefault(template.format(*operands), f"t{len(lines)}"), lines, found)

    return write


_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*"}
_LOGIC = {"and": "&", "or": "|"}
_COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
for _name, _sign in _COMPARISONS.items():
    setattr(Traced, f"__{_name}__", _operation(f"{{0}} {_sign} {{1}}", FLAG, mixed=True))
for _name, _sign in _ARITHMETIC.items():
    setattr(Traced, f"__{_name}__", _operation(f"{{0}} {_sign} {{1}}", mixed=True))
    setattr(Traced, f"__r{_name}__", _operation(f"{{1}} {_sign} {{0}}", mixed=True))
for _name, _sign in _LOGIC.items():
    setattr(Traced, f"__{_name}__", _operation(f"{{0}} {_sign} {{1}}", FLAG))
    setattr(Traced, f"__r{_name}__", _operation(f"{{1}} {_sign} {{0}}", FLAG))
for _name, _template in {"neg": "-{0}", "abs": "abs({0})"}.items():
    setattr(Traced, f"__{_name}__", _operation(_template))
for _name, _template in {"truediv": "{0} / {1}", "rtruediv": "{1} / {0}"}.items():
    setattr(Traced, f"__{_name}__", _operation(_template, REAL, mixed=True))
for _name, _template in {"invert": "not {0}"}.items():
    setattr(Traced, f"__{_name}__", _operation(_template, FLAG))


def operation_of(name: str, kind: int | None = None) -> Any:
    """What calls a function of `scalar_ops.py`, or writes the call down where a number is traced."""
    function = SCALAR_OPS[name]
    places = ", ".join(f"{{{place}}}" for place in range(function.__code__.co_argcount))
    write = _operation(f"{name}({places})", kind, FLAG, skipped=int(name == "where"))

    def call(*operands: Any) -> Any:
        return (write if any(isinstance(operand, Traced) for operand in operands) else function)(*operands)

    return staticmethod(call)


class TraceOps:
    """The law's `xp` while it is traced."""

    where = operation_of("where")
    maximum = operation_of("maximum")
    minimum = operation_of("minimum")


def written(template: str, *operands: Any) -> Traced:
    """A number that is traced by this text, where the operands' own stand for {0}, {1}, ..."""
    return _operation(template, REAL)(*operands)


class Program(NamedTuple):
    """A traced function of trees of numbers: number n of its arguments is named xn."""

    lines: list[str]  # the operations that the result is made of, in order, as assignments
    result: Tree  # what is returned, of `Traced` numbers and constants

    @property
    def used(self) -> list[int]:
        """Which of the arguments' numbers it reads."""
        texts = [*self.lines, *map(str, leaves(self.result))]
        return sorted({int(number) for text in texts for number in re.findall(r"\bx(\d+)\b", text)})


def needed(lines: Sequence[str], results: Iterable[str]) -> list[str]:
    """Those of a program's lines that these results are made of, in order."""
    names, kept = set(_names(" ".join(results))), []
    for line in reversed(lines):
        name, expression = line.split(" = ", 1)
        if name in names:
            names.update(_names(expression))
            kept.append(line)
    return kept[::-1]


def lifted(lines: Sequence[str], results: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Lines and results with names for their constants, k0, k1, ..., and these: for programs that differ by them alone.

    0.0 and 1.0 stay: something may be left out because of them.
    """
    constants: dict[str, str] = {}

    def named(text: str) -> str:
        return _CONSTANT.sub(lambda found: constants.setdefault(found[0], f"k{len(constants)}"), text)

    return [*map(named, lines)], [*map(named, results)], [*constants]


def _names(text: str) -> list[str]:
    """The names of a program's own values that a text mentions."""
    return re.findall(r"\bt\d+\b", text)


def trace(function: Callable[..., Tree], arguments: Tree, text: Callable[[int, Any], str] = "x{}".format) -> Program:
    """Call the function with traced numbers instead of the arguments' own; those that are None stay None.

    Args:
        function: Pure; its elementary functions come from `TraceOps`.
        arguments: Like those that the program will be run with.
        text: From the place of a number among the arguments', and the number, to the text that stands for it.
    """
    lines: dict[str, str] = {}
    numbers = (
        None if number is None else Traced(text(place, number), lines, kind_of(number))
        for place, number in enumerate(leaves(arguments))
    )
    result = function(*like(arguments, numbers))
    written_down = [f"{name} = {expression}" for expression, name in lines.items()]
    return Program(needed(written_down, map(str, leaves(result))), result)


def leaves(tree: Tree) -> Iterator[Any]:
    """The numbers of a tree, in order."""
    for part in tree:
        if isinstance(part, tuple):
            yield from leaves(part)
        elif isinstance(part, dict):
            yield from leaves(part.values())
        else:
            yield part


def like(tree: Tree, numbers: Iterator[Any]) -> Tree:
    """A tree of the same shape with other numbers."""
    parts = [like(part, numbers) if isinstance(part, tuple) else next(numbers) for part in tree]
    return type(tree)._make(parts) if hasattr(tree, "_make") else tuple(parts)


def reals(tree: Tree) -> Tree:
    """The tree with its traced whole numbers as real ones."""

    def real(number: Any) -> Any:
        return Traced(number.text, number.lines) if isinstance(number, Traced) and number.kind == WHOLE else number

    return like(tree, map(real, leaves(tree)))


def built(tree: Tree, texts: Iterator[str], types: dict[str, type]) -> str:
    """The source text that builds a tree of this shape, given texts for its numbers; adds the types that it names."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{name!r}: {next(texts)}" for name in tree) + "}"
    parts = [built(part, texts, types) if isinstance(part, tuple | dict) else next(texts) for part in tree]
    text = f"({', '.join(parts)},)" if parts else "()"
    if type(tree) is tuple:
        return text
    types[type(tree).__name__] = type(tree)
    return f"new({type(tree).__name__}, {text})"


def defined(signature: str, body: list[str], scope: dict[str, Any]) -> Callable[..., Any]:
    """The function of that signature and body, seeing what is in scope."""
    made: dict[str, Callable[..., Any]] = {}
    exec(
        _code("\n    ".join([f"def {signature}:", *body])),
        {"__name__": __name__, "inf": math.inf, "nan": math.nan, "new": tuple.__new__, **scope},
        made,
    )
    (function,) = made.values()
    return function


@lru_cache(maxsize=256)
def _code(source: str) -> Any:
    return compile(source, "<traced>", "exec")
