"""OneStep: what the flow of clients and prices does over time, for one step that is traced; and such a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mm_env.kernels.tracing import REAL, WHOLE, Traced, TraceOps, Tree, operation_of, trace
from mm_env.market.flow import flow, prepared
from mm_env.market.market_paths import MarketPaths
from mm_env.market.params import MarketParams
from mm_env.market.random_streams import RandomDraws


class Reached(Traced):
    """How many of some edges, in ascending order, a number reaches; whether each is reached is known."""

    def __init__(self, count: Traced, edges: Sequence[Traced]) -> None:
        super().__init__(count.text, count.lines, count.kind)
        self.edges = edges


class OneStep(TraceOps):
    """The functions of `WholeEpisodes` on traced numbers of one step, which hands on what the next has to remember.

    Args:
        first: Whether the step is the first of its episode, traced; or False, where it never is.
        memory: What the step before handed on, traced. May be empty: then nothing is remembered, and `start` is found.

    Attributes:
        first: As the argument.
        after: What this step hands on.
        start: What the first step of an episode finds in its place.
    """

    floor = operation_of("floor", REAL)
    single = operation_of("single", REAL)

    def __init__(self, first: Traced | bool, memory: Sequence[Traced]) -> None:
        self.first = first
        self._memory: Iterator[Traced] = iter(memory)
        self.after: list[Any] = []
        self.start: list[Any] = []

    def _recalled(self, *starts: Any) -> tuple[Any, ...]:
        """The next number of the memory, or, at an episode's first step, its start: once for each of these."""
        self.start.append(starts[0])
        before = next(self._memory, starts[0])
        return tuple(before if self.first is False else self.where(self.first, start, before) for start in starts)

    @staticmethod
    def scaled(normal: Any, deviation: Any) -> Any:
        """A single number times a double one, as a double number."""
        return normal * deviation

    @classmethod
    def sign(cls, flag: Any) -> Any:
        """+1 if the flag is set, else -1."""
        return cls.where(flag, 1, -1)

    @staticmethod
    def whole(number: Any) -> Any:
        """A whole number."""
        return number

    @classmethod
    def pick(cls, values: Any, index: Any) -> Any:
        """That of a few values which a whole number picks: compared one by one, it serves several lanes at once."""
        if not isinstance(index, Traced):
            return values[index]
        picked, *others = numbers = [value.item() if hasattr(value, "item") else value for value in values]
        place_of: Any = index
        for place, value in enumerate(others, start=1):
            if not isinstance(index, Reached):
                picked = cls.where(place_of == place, value, picked)
            elif value != numbers[place - 1]:
                picked = cls.where(index.edges[place - 1], value, picked)
        return picked

    @staticmethod
    def count_reached(uniform: Any, edges: Sequence[float]) -> Any:
        """How many of the edges, in ascending order, a number reaches."""
        reached = [uniform >= edge for edge in edges]
        return Reached(sum(reached), reached)

    def cycle(self, steps: Any, number: int) -> Any:
        """Where a wheel of so many places stands after a step of at least 0 and less than `number` places."""
        (before,) = self._recalled(0)
        turned = before + steps
        place = self.where(turned >= number, turned - number, turned)
        place.kind = WHOLE
        self.after.append(place)
        return place

    def has_been(self, flag: Any) -> Any:
        """Whether the flag was set at any step before."""
        (before,) = self._recalled(False)
        self.after.append(before | flag)
        return before

    def latest(self, side: Any, own: Any) -> tuple[Any, Any]:
        """The side at the last step that had one of its own: before this step, and after it; 0 if there was none."""
        (before,) = self._recalled(0)
        after = self.where(own, side, before)
        self.after.append(after)
        return before, after

    def sum_before(self, number: Any) -> Any:
        """The sum of all numbers before this step."""
        before, to_add_to = self._recalled(0.0, -0.0)  # what a first -0.0 is added to without a trace
        self.after.append(to_add_to + number)
        return before

    def before(self, number: Any, steps: int) -> Any:
        """What the number was so many steps before; 0 where there was none."""
        former = [self._recalled(0.0)[0] for _ in range(steps)]
        for later in (*former[1:], number):
            self.after.append(later)
        return former[0]

    def remembering(self, function: Callable[[Any, Any], tuple[Any, Any]], number: Any) -> tuple[Any, Any]:
        """A function from a memory and a number to the memory after it and another number, from 0 at the first step."""
        (before,) = self._recalled(0.0)
        after, found = function(before, number)
        self.after.append(after)
        return before, found


def flow_of(
    noise: Tree, memory: Sequence[Traced], first: Traced | bool, params: MarketParams
) -> tuple[MarketPaths, OneStep]:
    """One step of the flow, traced: what happens, and what it did over time.

    Args:
        noise: The step's random numbers, traced: as `noise_kinds` has them.
        memory: See `OneStep`.
        first: See `OneStep`.
        params: The market.
    """
    over = OneStep(first, memory)
    return flow(noise_kinds(params).holding(noise), params, over), over


def noise_kinds(params: MarketParams) -> RandomDraws:
    """Random numbers of no episodes: which the flow takes in this market, and of which types."""
    return prepared(RandomDraws.sized(params, 0, None), params)._replace(preference=None)


def flow_start(params: MarketParams) -> tuple[Any, ...]:
    """What the first step of an episode finds where later ones find what the flow of this market remembers."""
    found: list[Any] = []

    def look(first: Traced, noise: Tree) -> Tree:
        found.extend(flow_of(noise, (), first, params)[1].start)
        return ()

    trace(look, (True, noise_kinds(params).arrays()))
    return tuple(found)
