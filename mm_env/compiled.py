"""The law as machine code: traced for a market, and compiled by Numba to one loop over many lanes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mm_env.traced import ELEMENTARY, Traced, Tree, built, defined, leaves, trace

_APART = 40, 512  # rows lie so many numbers apart, modulo so many: whole pages apart they would share cache lines


class _Compiled(NamedTuple):
    """The loop for one kind of arguments."""

    kernel: Callable[..., None]  # of the number of lanes, the rows and flags to write, and the arguments that matter
    used: list[int]  # which of the arguments' numbers matter
    rows: int  # numbers returned
    flags: int  # bools returned
    tree: Callable[[NDArray[Any], NDArray[np.bool_]], Tree]  # of rows and flags


class Loop:
    """A pure function of the law's numbers as one loop over lanes, compiled when it is first called.

    Args:
        function: Takes and returns trees of numbers; its elementary functions come from `Elementary`.
        lanes: The length of every array.
        dtype: Of the numbers returned.

    Raises:
        ImportError: Numba is not installed.
    """

    def __init__(self, function: Callable[..., Tree], lanes: int, dtype: DTypeLike = np.float64) -> None:
        if not numba_installed():
            raise ImportError("compiled=True needs Numba: pip install 'mm_env[fast]'")
        self._arguments = function, lanes, dtype
        self._function = function
        self._lanes = lanes
        self._dtype = np.dtype(dtype)
        self._stride = lanes + (_APART[0] - lanes) % _APART[1]
        self._flat: Callable[[Tree], tuple[Any, ...]] | None = None
        self._compiled: dict[tuple[type, ...], _Compiled] = {}

    def __reduce__(self) -> Any:
        return Loop, self._arguments  # machine code cannot be copied, it is made again

    def __call__(self, *arguments: Tree) -> Tree:
        """What the function returns, each number an array of shape (lanes,)."""
        compiled, rows, flags = self._run(arguments)
        return compiled.tree(rows, flags)

    def rows(self, *arguments: Tree) -> NDArray[Any]:
        """The numbers that the function returns, one after the other: shape (numbers, lanes)."""
        return self._run(arguments)[1]

    def _run(self, arguments: Tree) -> tuple[_Compiled, NDArray[Any], NDArray[np.bool_]]:
        if self._flat is None:
            self._flat = _flattener(arguments)
        numbers = self._flat(arguments)
        kinds = tuple(map(type, numbers))
        if kinds not in self._compiled:
            self._compiled[kinds] = self._compile(arguments)
        compiled = self._compiled[kinds]
        rows = np.empty((compiled.rows, self._stride), self._dtype)
        flags = np.empty((compiled.flags, self._lanes), np.bool_)
        compiled.kernel(self._lanes, rows, flags, *[numbers[place] for place in compiled.used])
        return compiled, rows[:, : self._lanes], flags

    def _compile(self, arguments: Tree) -> _Compiled:
        program = trace(self._function, arguments, _each_lane)
        rows = [str(number) for number in leaves(program.result) if not _is_flag(number)]
        flags = [str(number) for number in leaves(program.result) if _is_flag(number)]
        body = [
            *program.lines,
            *(f"rows[{place}, i] = {text}" for place, text in enumerate(rows)),
            *(f"flags[{place}, i] = {text}" for place, text in enumerate(flags)),
        ]
        inputs = ", ".join(f"x{place}" for place in program.used)
        signature = f"loop(lanes, rows, flags, {inputs})"
        return _Compiled(kernel(signature, tuple(body)), program.used, len(rows), len(flags), _filler(program.result))


def numba_installed() -> bool:
    """Whether loops can be compiled."""
    return find_spec("numba") is not None


@lru_cache(maxsize=256)
def kernel(signature: str, body: tuple[str, ...]) -> Callable[..., None]:
    """The machine code of a loop; markets whose loops read alike share it."""
    from numba import njit

    elementary = {name: njit(function) for name, function in ELEMENTARY.items()}
    loop = defined(signature, ["for i in range(lanes):", *(f"    {line}" for line in body)], elementary)
    compiled: Callable[..., None] = njit(loop, error_model="numpy")
    return compiled


def _each_lane(place: int, number: Any) -> str:
    """The text for an argument's number: of this lane, where there is one for each."""
    return f"x{place}[i]" if isinstance(number, np.ndarray) else f"x{place}"


def _is_flag(number: Any) -> bool:
    return isinstance(number, Traced) and number.is_flag


def _flattener(tree: Tree) -> Callable[[Tree], tuple[Any, ...]]:
    """`leaves` of trees of this shape, several times faster; of another shape, a `ValueError`."""
    names = [f"x{place}" for place, _ in enumerate(leaves(tree))]
    pattern = built(_plain(tree), iter(names), {})
    return defined("flat(tree)", [f"{pattern} = tree", f"return ({', '.join(names)},)"], {})


def _filler(tree: Tree) -> Callable[[NDArray[Any], NDArray[np.bool_]], Tree]:
    """A tree of this shape of the rows and flags that were computed."""
    names = [f"{'flag' if _is_flag(number) else 'row'}{place}" for place, number in enumerate(leaves(tree))]
    unpacked = [
        f"({''.join(name + ', ' for name in names if name.startswith(kind))}) = {kind}s" for kind in ("row", "flag")
    ]
    types: dict[str, Any] = {}
    returned = built(tree, iter(names), types)
    return defined("tree(rows, flags)", [*unpacked, f"return {returned}"], types)


def _plain(tree: Tree) -> Tree:
    """The tree without the names of its tuples."""
    return tuple(_plain(part) if isinstance(part, tuple) else part for part in tree)
