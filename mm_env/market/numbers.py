"""The types of the market's numbers: one for a single dealer, arrays for many."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Number: TypeAlias = float | NDArray[np.floating[Any]]  # the law serves both; all its arguments broadcast together
Index: TypeAlias = int | NDArray[np.integer[Any]]
Flag: TypeAlias = bool | NDArray[np.bool_]


def evenly_spaced(number: int, most: int) -> NDArray[np.intp]:
    """At most so many of the places 0 to number - 1, evenly spaced, the first and the last among them.

    Example:
        >>> evenly_spaced(7, 3).tolist(), evenly_spaced(2, 3).tolist()
        ([0, 3, 6], [0, 1])
    """
    return np.unique(np.linspace(0, number - 1, min(most, number)).round().astype(np.intp))


def size(value: Number) -> Number:
    """The absolute value: `abs`, whose own type is lost where a number may be an array."""
    return value.__abs__()


class ElementaryFunctions(Protocol):
    """The functions that the law takes from its `xp` argument: NumPy's, or those of `mm_env.kernels`."""

    def where(self, condition: Flag, yes: Number, no: Number, /) -> Number:
        """`yes` where the condition holds, else `no`."""
        ...

    def maximum(self, a: Number, b: Number, /) -> Number:
        """The larger of two numbers."""
        ...

    def minimum(self, a: Number, b: Number, /) -> Number:
        """The smaller of two numbers."""
        ...


NUMPY = cast(ElementaryFunctions, np)  # its functions take more types than the law passes
