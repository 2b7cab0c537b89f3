"""The law as machine code: traced for a market, and compiled by Numba to a few loops over many lanes.

A loop that writes few rows, each contiguous, is compiled to instructions that serve several lanes at once; one that
writes all of them is not. So the rows are cut into groups with a loop each, made of the lines that its rows need;
lines that several loops need are computed by each, which costs less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from inspect import getsource
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from mm_env.extras import MissingExtraError, pip_line
from mm_env.kernels import scalar_ops
from mm_env.kernels.lane_threads import LaneThreads
from mm_env.kernels.machine_code_cache import kept
from mm_env.kernels.reused_memory import ReusedMemory
from mm_env.kernels.tracing import (
    FLAG,
    REAL,
    SCALAR_OPS,
    WHOLE,
    Traced,
    Tree,
    built,
    defined,
    kind_of,
    leaves,
    lifted,
    needed,
    trace,
)

WORTH_COMPILING = 2.0  # seconds spent in the law as NumPy: about what compiling it takes

_APART = 40, 512  # rows lie so many numbers apart, modulo so many: whole pages apart they would share cache lines
WITHIN: dict[str, Any] = {
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}  # for what machine code alone calls: half to compile
_TILE = 8192  # lanes that every loop serves before any goes on: what the first has read is still near for the next
_ROWS_A_LOOP = 7  # with more, LLVM leaves a loop one lane at a time


class SingleRows:
    """Numbers that a function returns as the rows of one array of single numbers, shape (numbers, lanes)."""

    def __init__(self, numbers: tuple[Any, ...]) -> None:
        self.numbers = numbers

    def __str__(self) -> str:
        return ", ".join(map(str, self.numbers))


class Group(NamedTuple):
    """Numbers whose rows lie side by side in one block of memory."""

    numbers: list[Any]
    dtype: DTypeLike


def as_it_is(tree: Tree) -> Tree:
    """The tree."""
    return tree


class VectorKernel:
    """A pure function of the law's numbers as loops over lanes, compiled when it is first called.

    Args:
        function: Takes and returns trees of numbers; its elementary functions come from `TraceOps`.
        lanes: The length of every array.
        table: A dtype, to get what the function returns as the rows of one array of it, shape (numbers, lanes).
            Default: a tree like the function's, of arrays of shape (lanes,),
            and of numbers that are the same for all lanes.
        stacked: To get every tuple of numbers alone, of several dealers say, as one array of shape (numbers, lanes).
        whole: The dtype of numbers that are whole by what they are made of.
        threads: Who divides the lanes' work. Default: nobody.
        finish: From the tree to what is returned instead, made of its arrays and of views of them, not of their
            numbers: it is called once for all results that are written to the same memory, see `ReusedMemory`.

    Raises:
        ImportError: Numba cannot be imported.
    """

    def __init__(
        self,
        function: Callable[..., Tree],
        lanes: int,
        table: DTypeLike | None = None,
        stacked: bool = False,
        whole: DTypeLike = np.float64,
        threads: LaneThreads | None = None,
        finish: Callable[[Tree], Any] = as_it_is,
    ) -> None:
        if not numba_works():
            raise MissingExtraError(f"compiled=True needs Numba: {pip_line('numba')}")
        self._function = function
        self._lanes = lanes
        self._table = table
        self._stacked = stacked
        self._whole, self._threads, self._finish = whole, threads, finish
        self._stride = lanes if lanes < _APART[1] else lanes + (_APART[0] - lanes) % _APART[1]
        self._flat: Callable[[Tree], tuple[Any, ...]] | None = None
        self._compiled: dict[tuple[type, ...], Callable[..., Tree]] = {}

    def __reduce__(self) -> Any:
        sizes = self._lanes, self._table, self._stacked, self._whole  # machine code cannot be copied, it is made again
        return VectorKernel, (self._function, *sizes, self._threads, self._finish)

    def __call__(self, *arguments: Tree) -> Any:
        """What the function returns."""
        if self._flat is None:
            self._flat = _flattener(arguments)
        numbers = self._flat(arguments)
        kinds = tuple(map(type, numbers))
        compiled = self._compiled.get(kinds)
        if compiled is None:
            compiled = self._compiled[kinds] = self._compile(arguments, numbers)
        return compiled(*numbers)

    def _compile(self, arguments: Tree, numbers: tuple[Any, ...]) -> Callable[..., Tree]:
        """The function from the arguments' numbers, of these kinds, to what is returned."""
        program = trace(self._function, arguments, _each_lane)
        for place in program.used:
            if np.shape(numbers[place]) not in ((), (self._lanes,)):
                raise ValueError(f"argument {place} must have shape ({self._lanes},), got {np.shape(numbers[place])}")
        groups = self._groups(program.result)
        names = [f"block{place}" for place in range(len(groups))]
        rows = [
            (row, f"{name}[{row}]", str(number))
            for name, group in zip(names, groups, strict=True)
            for row, number in enumerate(group.numbers)
        ]
        if self._stacked:
            rows.sort(key=lambda row: row[0])  # a dealer's after another's: they share most of their lines
        read = tuple(f"x{place}" for place in program.used)
        given = ", ".join([*names, *read, "constants"])
        lines, written, constants = lifted(program.lines, [row[2] for row in rows])
        outputs = zip([row[1] for row in rows], written, strict=True)
        shared = self._threads is not None and self._threads.number() > 1
        loops = kernel(tuple(names), read, len(constants), tuple(lines), tuple(outputs), shared)
        tree, types = self._built(program.result, groups)
        cut = [f"{name} = {name}[:, :{self._lanes}]" for name in names if self._stride > self._lanes]
        build = defined(f"build({', '.join(names)})", [*cut, *tree], types)
        blocks = [((len(group.numbers), self._stride), group.dtype) for group in groups]
        memory = ReusedMemory(blocks, lambda *blocks: self._finish(build(*blocks)))
        body = [
            "result = take()",
            f"({', '.join(names)},) = result.blocks",
            f"threads(lambda start, stop: loops(start, stop, {given}))"
            if shared
            else f"loops(0, {self._lanes}, {given})",
            "return give(result)",
        ]
        every = ", ".join(f"x{place}" for place, _ in enumerate(numbers))
        constant = np.array([*map(float, constants)])
        scope = {"take": memory.take, "give": memory.give, "loops": loops, "constants": constant}
        return defined(f"run({every})", body, scope | {"threads": self._threads})

    def _groups(self, result: Tree) -> list[Group]:
        if self._table is not None:
            return [Group([*leaves(result)], self._table)]
        return [*groups_of(result, self._whole, self._stacked)]

    def _built(self, result: Tree, groups: list[Group]) -> tuple[list[str], dict[str, type]]:
        """The lines that build of the blocks what is returned, and the types that they name."""
        if self._table is not None:
            return ["return block0"], {}
        return _stacked_lines(result, len(groups)) if self._stacked else _row_lines(result, self._whole)


@lru_cache(maxsize=1)
def numba_works() -> bool:
    """Whether loops can be compiled: Numba is there, and goes with the NumPy that is."""
    try:
        import_module("numba")
    except ImportError:
        return False
    return True


@lru_cache(maxsize=1)
def elementary() -> dict[str, Any]:
    """The elementary functions as machine code calls them: compiled once in a process."""
    from numba import njit

    return {name: njit(function, **WITHIN) for name, function in SCALAR_OPS.items()}


@lru_cache(maxsize=256)
def kernel(
    blocks: tuple[str, ...],
    arguments: tuple[str, ...],
    constants: int,
    lines: tuple[str, ...],
    outputs: tuple[tuple[str, str], ...],
    shared: bool = False,
) -> Callable[..., None]:
    """The machine code of a program of `lines`, from a lane on to another; markets whose programs read alike share it.

    Args:
        blocks: The names of the arrays that it writes to.
        arguments: The names of the numbers that it reads.
        constants: How many it reads beside these, named k0, k1, ...: the elements of its last argument.
        lines: The program.
        outputs: The row to write and the number to write there, for each of its results.
        shared: Whether several threads run it at once, each for some of the lanes.
    """
    from numba import njit

    loops: dict[str, Callable[..., None]] = {}
    calls = [f"k{place} = constants[{place}]" for place in range(constants)]
    read = [*arguments, *(f"k{place}" for place in range(constants))]
    name = f"loops_{sha256(repr((blocks, read, lines, outputs, shared)).encode()).hexdigest()[:16]}"
    calls += [f"for first in range(start, stop, {_TILE}):", f"    number = min(stop - first, {_TILE})"]
    for rows, body in loop_bodies(lines, outputs):
        parameters = ["first", "number", *(f"row{place}" for place, _ in enumerate(rows)), *read]
        loop = defined(f"{name}_{len(loops)}({', '.join(parameters)})", body, elementary() | {"place": np.uint64})
        loops[loop.__name__] = njit(loop, error_model="numpy", **WITHIN)
        calls.append(f"    {loop.__name__}({', '.join(['first', 'number', *rows, *read])})")
    whole = defined(f"{name}({', '.join(['start', 'stop', *blocks, *arguments, 'constants'])})", calls, loops)
    compiled: Callable[..., None] = njit(whole, error_model="numpy", nogil=shared)
    return kept(compiled, f"{name} {_own_text()}")


def loop_bodies(
    lines: Sequence[str], outputs: Sequence[tuple[str, str]]
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """The rows that each loop writes, which it knows as row0, row1, ..., and its lines."""
    for start in range(0, len(outputs), _ROWS_A_LOOP):
        rows, numbers = zip(*outputs[start : start + _ROWS_A_LOOP], strict=True)
        writes = [f"row{place}[i] = {number}" for place, number in enumerate(numbers)]
        body = ["i = place(first) + place(lane)", *needed(lines, numbers), *writes]
        yield rows, ["for lane in range(number):", *(f"    {line}" for line in body)]


@lru_cache(maxsize=1)
def _own_text() -> str:
    """What makes the loops out of a program, as text."""
    return "".join(map(getsource, (import_module(__name__), scalar_ops)))


def _each_lane(place: int, number: Any) -> str:
    """The text for an argument's number: of this lane, where there is one for each."""
    return f"x{place}[i]" if isinstance(number, np.ndarray) else f"x{place}"


def _flattener(tree: Tree) -> Callable[[Tree], tuple[Any, ...]]:
    """`leaves` of trees of this shape, several times faster; of another shape, a `ValueError`."""
    names = [f"x{place}" for place, _ in enumerate(leaves(tree))]
    pattern = built(_plain(tree), iter(names), {})
    return defined("flat(tree)", [f"{pattern} = tree", f"return ({', '.join(names)},)"], {})


def groups_of(tree: Tree, whole: DTypeLike = np.float64, constants: bool = False) -> Iterator[Group]:
    """The numbers of a tree that are rows, in groups: those of one dtype that stand side by side in a tuple.

    Args:
        tree: What a traced function returns.
        whole: The dtype of whole numbers.
        constants: Give rows to the numbers that are the same for all lanes, and one to each of several that are alike.
    """
    yield from _own_groups(tree, whole, constants)
    for part in tree:
        if isinstance(part, tuple):
            yield from groups_of(part, whole, constants)


def _own_groups(tree: Tree, whole: DTypeLike, constants: bool = False) -> Iterator[Group]:
    """The groups of a tuple's own numbers."""
    numbers = [part for part in tree if isinstance(part, Traced) or (constants and np.isscalar(part))]
    numbers = numbers if constants else list({str(number): number for number in numbers}.values())
    dtypes = {REAL: np.float64, WHOLE: whole, FLAG: np.bool_}
    for dtype in dict.fromkeys(dtypes.values()):
        group = [number for number in numbers if dtypes[kind_of(number)] is dtype]
        if group:
            yield Group(group, dtype)
    for part in tree:
        if isinstance(part, SingleRows):
            yield Group([*part.numbers], np.float32)


def _row_lines(tree: Tree, whole: DTypeLike) -> tuple[list[str], dict[str, type]]:
    """The lines from blocks, with a row for each number of a group, to the tree of those rows; the types they name."""
    blocks: list[str] = []
    unpacked: list[str] = []

    def texts(tree: Tree) -> Iterator[str]:
        """The text of each leaf."""
        named: dict[str, str] = {}
        for numbers, dtype in _own_groups(tree, whole):
            block = f"block{len(blocks)}"
            blocks.append(block)
            if dtype is np.float32:
                named[", ".join(map(str, numbers))] = block
                continue
            rows = [f"{block}_{row}" for row, _ in enumerate(numbers)]
            unpacked.append(f"({', '.join(rows)},) = {block}")
            named |= zip(map(str, numbers), rows, strict=True)
        for part in tree:
            if isinstance(part, tuple):
                yield from texts(part)
            else:
                yield named.get(str(part), str(part))

    types: dict[str, Any] = {}
    returned = built(tree, texts(tree), types)
    return [*unpacked, f"return {returned}"], types


def _stacked_lines(tree: Tree, groups: int) -> tuple[list[str], dict[str, type]]:
    """The lines to the tree with each block in the place of the numbers that are its rows; the types they name."""

    def one_for_several(tree: Tree) -> Tree:
        parts = [one_for_several(part) if leaves_below(part) else None for part in tree]
        return type(tree)._make(parts) if hasattr(tree, "_make") else tuple(parts)

    def leaves_below(part: Tree) -> bool:
        return part == () or isinstance(part[0], tuple)

    names = [f"block{place}" for place in range(groups)]
    types: dict[str, Any] = {}
    returned = built(one_for_several(tree), iter(names), types)
    return [f"return {returned}"], types


def _plain(tree: Tree) -> Tree:
    """The tree without the names of its tuples."""
    return tuple(_plain(part) if isinstance(part, tuple) else part for part in tree)
