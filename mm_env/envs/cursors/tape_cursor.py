"""TapeCursor: where each of N environments stands on the tape of its own seed, refilled several episodes at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.kernels.compiled_source import CompiledSource
from mm_env.market.dynamics import Book, Decision, Move, Request
from mm_env.market.exogenous_state import NO_REQUEST, ExogenousState, ObservedState
from mm_env.market.market_paths import MarketPaths
from mm_env.market.numbers import Number
from mm_env.market.params import MarketParams
from mm_env.market.tape import EpisodeSource, Tape, neighbours


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
        self._shown: ExogenousState | None = None  # of this trade, once somebody has asked

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
        if self._shown is None:
            self._shown = self._state()
        return self._shown

    def _state(self) -> ExogenousState:
        """The state of lanes that do not stand at their episodes' end together."""
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

    def answer(self, law: Callable[..., Any], book: Book, decision: Decision) -> Any:
        """What the law makes of the books and decisions of all lanes."""
        return law(book, self.state().request, decision, self.move())

    def preference(self) -> Number:
        """Which of several dealers wins a tie: the largest."""
        return self._now.preference

    def move(self) -> Move:
        """The price move that follows each lane's request."""
        return self._now.move(self.trade == self._length - 1, self._params)

    def _look(self) -> None:
        """Read what the tape holds of each lane's trade; of the last one where the episode has ended."""
        self._shown = None
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
