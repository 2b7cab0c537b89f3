"""Where each of N environments stands on the tape of its own seed, refilled several episodes at a time.

A `TapeCursor` reads a tape of what happens; a `FlowCursor` one of random numbers, and finds out what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.envs.observation import Observations, observation_values, observe
from mm_env.kernels.compiled_source import CompiledSource
from mm_env.kernels.lane_threads import LaneThreads
from mm_env.kernels.one_step import OneStep, flow_of, flow_start, noise_kinds
from mm_env.kernels.tracing import WHOLE, Traced, Tree, kind_of
from mm_env.kernels.vector_kernel import SingleRows, VectorKernel
from mm_env.market.dynamics import Book, Move, Request
from mm_env.market.exogenous_state import NO_REQUEST, ExogenousState, ObservedState
from mm_env.market.flow import prepared
from mm_env.market.market_paths import MarketPaths
from mm_env.market.numbers import Number
from mm_env.market.params import MarketParams
from mm_env.market.random_streams import RandomDraws
from mm_env.market.tape import EpisodeSource, Tape, neighbours

_WHOLE = np.int32  # sides, tiers and the like


class TapeCursor:
    """N lanes on their tapes. Together, as lanes are unless reset one by one, a row of the tape is a plain view.

    Attributes:
        seeds: Of each lane.
        trade: Requests answered in this episode: one int for lanes that are together, else of shape (N,).
    """

    lanes_per_draw = 16  # what is made on the way stays in the processor's cache, and is not fresh memory

    def __init__(
        self, params: MarketParams, seeds: Sequence[int], replay: Tape | None = None, compiled: bool = False
    ) -> None:
        self.seeds, self._replay, self._compiled = seeds, replay, compiled
        self._lanes = np.arange(len(seeds))
        self.enter(params)
        self._episode: int | NDArray[np.int64] = -1  # of the seed, counted from 0
        self.trade: int | NDArray[np.int64] = self._length

    def enter(self, params: MarketParams) -> None:
        """Draw from this market at the next episode of every lane, which has to come before anything else."""
        self._params = params
        self._length = params.num_trades
        self._source = self._make_source()
        self._paths: MarketPaths | None = None  # each of shape (episodes, trades, N), or a value
        self._flattened: tuple[Any, ...] = ()
        self._arrays: tuple[int, ...] = ()  # which of them are arrays

    def following(self, former: TapeCursor) -> TapeCursor:
        """This one, where another with the same seeds stands; every lane has to begin an episode next."""
        self._episode = former._episode
        return self

    def compile(self) -> None:
        """Draw by machine code from now on: the same numbers."""
        if not self._compiled:
            self._compiled = True
            self._source = self._make_source()

    def _make_source(self) -> EpisodeSource:
        kind = CompiledSource if self._compiled else EpisodeSource
        return kind(self._params, self.seeds, self._replay)

    def next_episode(self, which: NDArray[np.bool_]) -> None:
        """Move the lanes that the mask picks to the start of their next episode."""
        if isinstance(self._episode, int) and isinstance(self.trade, int) and which.all():
            self._episode, self.trade = self._episode + 1, 0
            if self._episode % self._source.block == 0 or self._is_new():
                self._refill_all(self._lanes, np.full(len(self._lanes), self._episode // self._source.block))
            self._look()
            return
        episode = np.where(which, self._episode + 1, self._episode)
        trade = np.where(which, 0, self.trade)
        empty = np.flatnonzero(which & ((episode % self._source.block == 0) | self._is_new()))
        self._refill_all(empty, episode // self._source.block)
        together = (episode == episode[0]).all() and (trade == trade[0]).all()
        self._episode = int(episode[0]) if together else episode
        self.trade = int(trade[0]) if together else trade
        self._look()

    def advance(self) -> None:
        """Move every lane to its next trade."""
        self.trade = self.trade + 1
        self._look()

    def ended(self) -> NDArray[np.bool_] | None:
        """Which lanes have answered the last request of their episode, shape (N,); None if none has."""
        if isinstance(self.trade, int):
            return np.ones(len(self._lanes), np.bool_) if self.trade == self._length else None
        ended = self.trade == self._length
        return ended if ended.any() else None

    def state(self) -> ExogenousState:
        """The request each lane has to answer, and what it sees beside it; nobody's where the episode has ended."""
        if isinstance(self.trade, int) and self.trade == self._length:
            return NO_REQUEST
        state = self._now.state()
        if isinstance(self.trade, int):
            return state
        under_way = self.trade < self._length

        def shown(now: Any, none: Any) -> Any:
            if not isinstance(now, np.ndarray) or none is None:
                return now
            return np.where(under_way, now, now.dtype.type(none))  # of one dtype, as 0 times -1 is -0.0 of floats alone

        request, observed = (map(shown, *pair) for pair in zip(state, NO_REQUEST, strict=True))
        return ExogenousState(Request._make(request), ObservedState._make(observed))

    def preference(self) -> Number:
        """Which of several dealers wins a tie: the largest."""
        return self._now.preference

    def move(self) -> Move:
        """The price move that follows each lane's request."""
        return self._now.move(self.trade == self._length - 1, self._params)

    def _look(self) -> None:
        """Read what the tape holds of each lane's trade; of the last one where the episode has ended."""
        index: tuple[Any, ...] = (self._episode % self._source.block, self.trade)
        if not isinstance(self.trade, int):
            index = (index[0], np.minimum(self.trade, self._length - 1), self._lanes)
        elif self.trade >= self._length:
            return
        assert self._paths is not None
        now = list(self._flattened)
        for place in self._arrays:
            now[place] = now[place][index]
        self._now = MarketPaths.unflattened(now)

    def _is_new(self) -> bool:
        """Whether nothing has been drawn."""
        return self._paths is None

    def _refill_all(self, empty: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        """Draw for these lanes the blocks of these numbers, of which there is one for every lane."""
        for start in range(0, len(empty), self.lanes_per_draw):
            lanes = empty[start : start + self.lanes_per_draw]
            self._refill(lanes, numbers[lanes])

    def _refill(self, lanes: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        drawn = self._source.rows(lanes.tolist(), numbers.tolist())
        if self._paths is None:
            self._paths = drawn.map(lambda values: np.empty((*values.shape[:-1], len(self._lanes)), values.dtype))
            self._flattened = self._paths.flattened()
            self._arrays = tuple(i for i, values in enumerate(self._flattened) if isinstance(values, np.ndarray))
        where = neighbours(lanes)
        for values, new in zip(self._flattened, drawn.flattened(), strict=True):
            if isinstance(values, np.ndarray):
                values[..., where] = new


class FlowCursor(TapeCursor):
    """N lanes, each at its step of its seed's random numbers. A kernel makes of them request, move and observation.

    Numbers are drawn for whole episodes ahead and wait in memory until they are needed; what they mean would be several
    times as much to write and to read. Needs Numba, and a market that `is_traceable`.
    """

    lanes_per_draw = 128  # their numbers of one step fill whole cache lines
    steps_at_once = 128

    def __init__(self, params: MarketParams, seeds: Sequence[int], threads: LaneThreads) -> None:
        self._threads = threads
        super().__init__(params, seeds)

    def enter(self, params: MarketParams) -> None:
        """Draw from this market at the next episode of every lane, which has to come before anything else."""
        self._params, self._length = params, params.num_trades
        self._source: CompiledSource = CompiledSource(params, self.seeds)
        self._noise: RandomDraws | None = None  # of every lane, time first in memory
        self._liked: NDArray[np.float32] | None = None  # by several dealers, shape (episodes, trades, dealers, N)
        self._drawn: tuple[NDArray[Any], ...] = ()  # what `flow` takes of it, each of shape (episodes, trades, N)
        self._kernel = VectorKernel(partial(_step, params=params), len(self.seeds), whole=_WHOLE, threads=self._threads)
        kinds = (np.bool_, _WHOLE, np.float64)
        memory = [np.zeros(len(self.seeds), kinds[kind_of(start)]) for start in flow_start(params)]
        self._before: Tree = tuple(memory)  # what the flow remembers of the steps before this one
        self._found: tuple[ExogenousState, Move | None, Tree] = NO_REQUEST, None, self._before

    def advance(self) -> None:
        """Move every lane to its next trade."""
        self.trade = self.trade + 1
        self._before = self._found[2]

    def look(self, book: Book) -> Observations:
        """Find out what the step brings, and return what is observed by dealers with these books, shape (N, ...)."""
        columns: Observations | None = self.find(book)
        return observe(book, NO_REQUEST, 0, self._params) if columns is None else columns.T

    def find(self, book: Book | None) -> Any:
        """Find out what the step brings. Return a row for each number that is observed by dealers with these books.

        None where there is no step, or no book.
        """
        together, left = isinstance(self.trade, int), self._length - self.trade
        if together and not left:
            self._found = NO_REQUEST, None, self._before
            return None
        index: tuple[Any, ...] = (self._episode % self._source.block, self.trade)
        if not together:
            index = (index[0], np.minimum(self.trade, self._length - 1), self._lanes)
        noise = tuple([values[index] for values in self._drawn])
        ended = None if together else self.trade == self._length
        *self._found, columns = self._kernel(noise, self._before, self.trade == 0, ended, left, book)
        return columns

    def preference(self) -> Number:
        """Which of several dealers, whose lanes are together, wins a tie: the largest."""
        return 0.0 if self._liked is None else self._liked[self._episode % self._source.block, self.trade]

    def state(self) -> ExogenousState:
        """The request each lane has to answer, and what it sees beside it, as `look` found them."""
        return self._found[0]

    def move(self) -> Move:
        """The price move that follows each lane's request."""
        assert self._found[1] is not None
        change, expected, _, hedge_cost, risk_weight = self._found[1]
        return Move(change, expected, self.trade == self._length - 1, hedge_cost, risk_weight)

    def _look(self) -> None:
        """Nothing: `look` needs the books."""

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


def _step(
    noise: Tree, memory: Tree, first: Traced, ended: Traced | None, left: Any, book: Book | None, params: MarketParams
) -> Tree:
    """One step of the flow, traced: what the dealer sees, what follows, what is remembered, and the observation."""
    paths, over = flow_of(noise, memory, first, params)
    state = paths.state() if ended is None else _hidden(paths.state(), ended, over)
    observation = None if book is None else SingleRows(observation_values(book, state, left, params))
    return state, paths.move(False, params, over.pick), tuple(over.after), observation


def _hidden(state: ExogenousState, ended: Traced, over: OneStep) -> ExogenousState:
    """Nobody's request where the episode has ended, else the state."""

    def shown(now: Any, none: Any) -> Any:
        if not isinstance(now, Traced) or none is None:
            return now
        return over.where(ended, int(none) if now.kind == WHOLE else none, now)

    request, observed = (map(shown, *pair) for pair in zip(state, NO_REQUEST, strict=True))
    return ExogenousState(Request._make(request), ObservedState._make(observed))
