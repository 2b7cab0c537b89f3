"""WholeEpisodes: what the flow of clients and prices does over time, for arrays of all steps of some episodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mm_env.market.numbers import Values

OverTime: TypeAlias = Any  # a `WholeEpisodes`, or its like for one step at a time: `mm_env.kernels.one_step.OneStep`


class WholeEpisodes:
    """The functions that `flow` is made of, on arrays of shape (episodes, steps): elementary ones, and memories.

    Args:
        steps: Of every episode.
        room: Where price moves may be written: fresh memory costs more than the moves.

    Attributes:
        first: Whether a step is the first of its episode, broadcasts with the arrays.
    """

    where = staticmethod(np.where)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    floor = staticmethod(np.floor)

    def __init__(self, steps: int, room: Values) -> None:
        self.first: Any = np.arange(steps) == 0
        self._room = room

    def scaled(self, normal: NDArray[np.float32], deviation: Any) -> Values:
        """Single numbers times double ones, as double numbers."""
        product: Values = np.multiply(normal, deviation, out=self._room, dtype=np.float64)
        return product

    @staticmethod
    def sign(flags: NDArray[np.bool_]) -> NDArray[np.int8]:
        """+1 where a flag is set, -1 where it is not."""
        signs: NDArray[np.int8] = 2 * flags.view(np.int8) - 1
        return signs

    @staticmethod
    def single(product: Any) -> Any:
        """A product rounded to single precision, as that of a single number and a Python float is."""
        return product

    @staticmethod
    def whole(values: Any) -> NDArray[np.intp]:
        """Whole numbers as such."""
        return np.asarray(values).astype(np.intp)

    @staticmethod
    def pick(values: Any, index: Any) -> Any:
        """Those of a few values that whole numbers pick."""
        return np.asarray(values)[index]

    @staticmethod
    def count_reached(uniform: NDArray[np.float32], edges: Sequence[float]) -> NDArray[np.unsignedinteger[Any]]:
        """How many of the edges, single numbers in ascending order, each number reaches."""
        count = np.zeros(uniform.shape, np.min_scalar_type(len(edges) + 1))
        for edge in edges:
            count += uniform >= edge
        return count

    @staticmethod
    def cycle(steps: Values, number: int) -> NDArray[np.intp]:
        """Where a wheel of so many places stands after each step of at least 0 and less than `number` places."""
        turned = steps.astype(np.uint32)
        np.add.accumulate(turned, axis=1, out=turned)
        return (turned % number).astype(np.intp)

    @staticmethod
    def has_been(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether a flag was set at any step before."""
        before = np.zeros_like(flags)
        np.logical_or.accumulate(flags[:, :-1], axis=1, out=before[:, 1:])
        return before

    @staticmethod
    def latest(side: NDArray[Any], own: NDArray[np.bool_]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """The side at the last step that had one of its own: before each step, and after it; 0 if there was none."""
        after = carry_forward(side, own)
        before = np.zeros_like(after)
        before[:, 1:] = after[:, :-1]
        return before, after

    @staticmethod
    def sum_before(values: Values) -> Values:
        """The sum of all values before each step."""
        total = np.zeros_like(values)
        np.add.accumulate(values[:, :-1], axis=1, out=total[:, 1:])
        return total

    @staticmethod
    def before(values: Values, steps: int) -> Values:
        """What each value was so many steps before; 0 where there was none."""
        former = np.zeros_like(values)
        former[:, steps:] = values[:, :-steps]
        return former

    @staticmethod
    def remembering(function: Callable[[Any, Any], tuple[Any, Any]], values: Values) -> tuple[Values, Values]:
        """A function from a memory and a value to the memory after it and another value, step after step from 0.

        Returns the memory before each step, and the other values.
        """
        memory, found = np.zeros_like(values), np.empty_like(values)
        for step in range(values.shape[1]):
            after, found[:, step] = function(memory[:, step], values[:, step])
            if step + 1 < values.shape[1]:
                memory[:, step + 1] = after
        return memory, found


def carry_forward(side: NDArray[Any], own: NDArray[np.bool_]) -> NDArray[np.int8]:
    """The side at the last step that had one of its own, this one included; 0 before the first. Shape (n, T)."""
    when = np.arange(4, 4 * side.shape[1] + 4, 4)  # leaves two bits for the side, and the latest is the largest
    latest = (when + side.astype(np.int8, copy=False)) * own + 1
    np.maximum.accumulate(latest, axis=1, out=latest)
    return ((latest & 3) - 1).astype(np.int8)
