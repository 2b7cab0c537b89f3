"""FlowCursor: where each of N environments stands in the random numbers of its own seed, and what these mean there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.envs.cursors.tape_cursor import TapeCursor
from mm_env.envs.observation import Observations, observation_values, observe
from mm_env.kernels.compiled_source import CompiledSource
from mm_env.kernels.lane_threads import LaneThreads
from mm_env.kernels.one_step import OneStep, flow_of, flow_start, noise_kinds
from mm_env.kernels.tracing import WHOLE, Traced, Tree, kind_of, reals
from mm_env.kernels.vector_kernel import SingleRows, VectorKernel, as_it_is
from mm_env.market.dynamics import Book, Decision, LawStep, Move, Request
from mm_env.market.exogenous_state import NO_REQUEST, ExogenousState, ObservedState
from mm_env.market.flow import prepared
from mm_env.market.numbers import Flag, Number
from mm_env.market.params import MarketParams
from mm_env.market.random_streams import RandomDraws
from mm_env.market.tape import neighbours

_WHOLE = np.int32  # sides, tiers and the like


class FlowKernels(NamedTuple):
    """The machine code of a market's flow for so many lanes, compiled when it is first called."""

    find: VectorKernel  # what a step brings: state, move, and what the flow remembers after it
    look: VectorKernel  # the same, and what is observed
    answer: VectorKernel | None  # what law and flow make of a step, what the flow remembers, and what is observed next

    @classmethod
    def of(
        cls,
        params: MarketParams,
        lanes: int,
        threads: LaneThreads,
        law: LawStep | None = None,
        tell: Callable[[Any], Any] = as_it_is,
    ) -> FlowKernels:
        """Made for a market.

        Args:
            params: The market.
            lanes: How many.
            threads: Who divides their work.
            law: To be traced. Default: there is nothing to `answer`.
            tell: From what the law returns to what `answer` does in its place, as the `finish` of a `VectorKernel`.
        """
        find, look = (
            VectorKernel(partial(function, params=params), lanes, whole=_WHOLE, threads=threads)
            for function in (_found, _observed)
        )
        if law is None:
            return cls(find, look, None)
        function, finish = partial(_answered, law, params=params), partial(_finished, tell)
        return cls(find, look, VectorKernel(function, lanes, whole=_WHOLE, threads=threads, finish=finish))


class FlowCursor(TapeCursor):
    """N lanes, each at its step of its seed's random numbers. A kernel makes of them request, move and observation.

    Numbers are drawn for whole episodes ahead and wait in memory until they are needed; what they mean would be several
    times as much to write and to read. While all lanes are together, the law's own loops find it out, and it is written
    down only if somebody asks for it. Needs Numba, and a market that `is_traceable`.
    """

    lanes_per_draw = 128  # their numbers of one step fill whole cache lines
    steps_at_once = 128

    def __init__(self, params: MarketParams, seeds: Sequence[int], kernels: FlowKernels, threads: LaneThreads) -> None:
        self._kernels, self._threads = kernels, threads
        super().__init__(params, seeds)

    def enter(self, params: MarketParams) -> None:
        """Draw from this market at the next episode of every lane, which has to come before anything else."""
        self._params, self._length = params, params.num_trades
        self._source: CompiledSource = CompiledSource(params, self.seeds)
        self._noise: RandomDraws | None = None  # of every lane, time first in memory
        self._liked: NDArray[np.float32] | None = None  # by several dealers, shape (episodes, trades, dealers, N)
        self._drawn: tuple[NDArray[Any], ...] = ()  # what `flow` takes of it, each of shape (episodes, trades, N)
        kinds = (np.bool_, _WHOLE, np.float64)
        memory = [np.zeros(len(self.seeds), kinds[kind_of(start)]) for start in flow_start(params)]
        self._before: Tree = tuple(memory)  # what the flow remembers of the steps before this one
        self._after: Tree | None = None  # and of this one too, once it is known
        self._here: tuple[ExogenousState, Move] | None = None  # what this step brings, once somebody has asked
        self._seen: tuple[Book | None, Any] = None, None  # of which books what is observed, a row for each number

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy: what were views of the random numbers are views of its own again."""
        self.__dict__.update(state)
        if self._noise is not None:
            drawn, logarithms = self._noise, self._logarithms
            self._noise = self._make_room()
            for values, copied in zip(self._noise.arrays(), drawn.arrays(), strict=True):
                values[...] = copied
            for law, copied in logarithms.items():
                self._logarithms[law][...] = copied

    def next_episode(self, which: NDArray[np.bool_]) -> None:
        """Move the lanes that the mask picks to the start of their next episode."""
        self._seen = None, None
        super().next_episode(which)

    def advance(self) -> None:
        """Move every lane to its next trade."""
        if self._after is not None:  # else nobody has answered: every lane begins its next episode now
            self._before = self._after
        super().advance()

    def answer(self, law: Callable[..., Any], book: Book, decision: Decision) -> Any:
        """What the law makes of all books and decisions; while the lanes are together, as the kernels have it."""
        if not isinstance(self.trade, int):
            return super().answer(law, book, decision)
        assert self._kernels.answer is not None
        last, left = self.trade == self._length - 1, self._length - self.trade - 1
        noise, following = self._noise_of(self.trade), self._noise_of(min(self.trade + 1, self._length - 1))
        of_step = noise, self._before, self.trade == 0, last
        answered, self._after, seen = self._kernels.answer(book, decision, *of_step, following, left)
        self._seen = answered[0].book, seen
        return answered

    def look(self, book: Book) -> Observations:
        """What is observed by dealers with these books, shape (N, ...)."""
        if isinstance(self.trade, int) and self.trade == self._length:
            return observe(book, NO_REQUEST, 0, self._params)
        (of, columns), self._seen = self._seen, (None, None)  # it is the caller's now
        if of is not book:
            *found, columns = self._kernels.look(*self._of_step(), self._length - self.trade, book)
            self._keep(*found)
        seen: Observations = columns.T
        return seen

    def preference(self) -> Number:
        """Which of several dealers, whose lanes are together, wins a tie: the largest."""
        return 0.0 if self._liked is None else self._liked[self._episode % self._source.block, self.trade]

    def move(self) -> Move:
        """The price move that follows each lane's request."""
        change, expected, _, hedge_cost, risk_weight = self._brought()[1]
        return Move(change, expected, self.trade == self._length - 1, hedge_cost, risk_weight)

    def _state(self) -> ExogenousState:
        return self._brought()[0]

    def _brought(self) -> tuple[ExogenousState, Move]:
        """What the step brings."""
        if self._here is None:
            self._keep(*self._kernels.find(*self._of_step()))
        assert self._here is not None
        return self._here

    def _keep(self, state: ExogenousState, move: Move, after: Tree) -> None:
        """Remember what the step brings."""
        self._here, self._after = (state, move), after

    def _of_step(self) -> tuple[Tree, Tree, Flag, Flag | None]:
        """What the flow of a step is made of, and where episodes have ended."""
        ended = None if isinstance(self.trade, int) else self.trade == self._length
        return self._noise_of(np.minimum(self.trade, self._length - 1)), self._before, self.trade == 0, ended

    def _noise_of(self, trade: int | NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        """The random numbers of this trade of each lane."""
        index: tuple[Any, ...] = self._episode % self._source.block, trade
        if not isinstance(self.trade, int):
            index = (*index, self._lanes)
        return tuple([values[index] for values in self._drawn])

    def _look(self) -> None:
        """Forget what the trade before brought: whoever asks finds out what this one does."""
        self._shown = self._here = self._after = None

    def _is_new(self) -> bool:
        return not self._drawn

    def _refill_all(self, empty: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        if self._noise is None:
            self._noise = self._make_room()

        def refill(start: int, stop: int) -> None:
            first, last = np.searchsorted(empty, (start, stop))
            super(FlowCursor, self)._refill_all(empty[first:last], numbers)

        self._threads(refill, self.lanes_per_draw)

    def _refill(self, lanes: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        assert self._noise is not None
        self._source.refill(self._noise, lanes, numbers)
        if self._logarithms:
            for some in self._few_steps(neighbours(lanes)):
                found = prepared(self._raw.holding([values[some] for values in self._raw.arrays()]), self._params)
                for law, values in self._logarithms.items():
                    values[some] = found.uniforms[law]

    def _few_steps(self, lanes: Any) -> Iterator[tuple[Any, ...]]:
        """Where the numbers of these lanes are, a few steps at a time: what is made on the way stays in the cache."""
        episodes = max(1, self.steps_at_once // self._length)
        for first in range(0, self._source.block, episodes):
            for start in range(0, self._length, self.steps_at_once):
                yield slice(first, first + episodes), slice(start, start + self.steps_at_once), lanes

    def _make_room(self) -> RandomDraws:
        number = len(self._lanes)
        noise = RandomDraws.sized(self._params, self._source.block * number, None, time_first=True)
        if noise.preference is not None:
            self._liked = self._source.noise_by_lane(noise.preference, number)
        flowing = noise._replace(preference=None)
        self._raw = flowing.holding([self._source.noise_by_lane(values, number) for values in flowing.arrays()])
        names = noise_kinds(self._params).uniforms
        self._logarithms = {name: np.empty(self._raw.move.shape) for name in names if name not in self._raw.uniforms}
        uniforms = self._raw.uniforms | self._logarithms
        self._drawn = self._raw._replace(uniforms={name: uniforms[name] for name in names}).arrays()
        return noise


def _found(
    noise: Tree,
    memory: Tree,
    first: Traced | bool,
    ended: Traced | None,
    params: MarketParams,
) -> Tree:
    """One step of the flow, traced: what the dealer sees, what follows, and what is remembered."""
    paths, over = flow_of(noise, memory, first, params)
    state = paths.state() if ended is None else _hidden(paths.state(), ended, over)
    return state, paths.move(False, params, over.pick), tuple(over.after)


def _observed(
    noise: Tree,
    memory: Tree,
    first: Traced | bool,
    ended: Traced | None,
    left: Any,
    book: Book,
    params: MarketParams,
) -> Tree:
    """The same, and a row for each number that is observed by dealers with these books."""
    found = _found(noise, memory, first, ended, params)
    return *found, SingleRows(observation_values(book, found[0], left, params))


def _answered(
    law: LawStep,
    book: Book,
    decision: Decision,
    noise: Tree,
    memory: Tree,
    first: Traced,
    last: Any,
    following: Tree,
    left: Any,
    params: MarketParams,
) -> Tree:
    """A step of flow and law, traced: what the law makes of it, what the flow remembers, and the next observation."""
    paths, over = flow_of(noise, memory, first, params)
    answered = law(book, paths.state().request, decision, paths.move(last, params, over.pick))
    after = tuple(over.after)
    *_, observation = _observed(following, after, False, None, left, answered[0].book, params)
    return reals(answered), after, observation


def _finished(tell: Callable[[Any], Any], results: Tree) -> Tree:
    """What `_answered` returns, the law's part told."""
    answered, after, observation = results
    return tell(answered), after, observation


def _hidden(state: ExogenousState, ended: Traced, over: OneStep) -> ExogenousState:
    """Nobody's request where the episode has ended, else the state."""

    def shown(now: Any, none: Any) -> Any:
        if not isinstance(now, Traced) or none is None:
            return now
        return over.where(ended, int(none) if now.kind == WHOLE else none, now)

    request, observed = (map(shown, *pair) for pair in zip(state, NO_REQUEST, strict=True))
    return ExogenousState(Request._make(request), ObservedState._make(observed))
