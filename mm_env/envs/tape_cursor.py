"""TapeCursor: where each of N environments stands on the tape of its own seed, refilled several episodes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.kernels.compiled_source import CompiledSource
from mm_env.market.dynamics import Move, Request
from mm_env.market.exogenous_state import NO_REQUEST, ExogenousState, ObservedState
from mm_env.market.market_paths import MarketPaths
from mm_env.market.numbers import Number
from mm_env.market.params import MarketParams
from mm_env.market.tape import EpisodeSource, Tape

_LANES_PER_DRAW = 16  # drawn together: what is made on the way stays in the processor's cache, and is not fresh memory


class TapeCursor:
    """N lanes on their tapes. Together, as lanes are unless reset one by one, a row of the tape is a plain view.

    Attributes:
        trade: Requests answered in this episode: one int for lanes that are together, else of shape (N,).
    """

    def __init__(
        self, params: MarketParams, seeds: Sequence[int], replay: Tape | None = None, compiled: bool = False
    ) -> None:
        self._seeds, self._replay, self._compiled = seeds, replay, compiled
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

    def compile(self) -> None:
        """Draw by machine code from now on: the same numbers."""
        if not self._compiled:
            self._compiled = True
            self._source = self._make_source()

    def _make_source(self) -> EpisodeSource:
        kind = CompiledSource if self._compiled else EpisodeSource
        return kind(self._params, self._seeds, self._replay)

    def next_episode(self, which: NDArray[np.bool_]) -> None:
        """Move the lanes that the mask picks to the start of their next episode."""
        episode = np.where(which, self._episode + 1, self._episode)
        trade = np.where(which, 0, self.trade)
        empty = np.flatnonzero(which & ((episode % self._source.block == 0) | (self._paths is None)))
        for start in range(0, len(empty), _LANES_PER_DRAW):
            lanes = empty[start : start + _LANES_PER_DRAW]
            self._refill(lanes, episode[lanes] // self._source.block)
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

    def _refill(self, lanes: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        drawn = self._source.rows(lanes.tolist(), numbers.tolist())
        if self._paths is None:
            self._paths = drawn.map(lambda values: np.empty((*values.shape[:-1], len(self._lanes)), values.dtype))
            self._flattened = self._paths.flattened()
            self._arrays = tuple(i for i, values in enumerate(self._flattened) if isinstance(values, np.ndarray))
        neighbours = lanes[-1] - lanes[0] == len(lanes) - 1  # as always but for resets by mask: a slice is faster
        where: Any = slice(lanes[0], lanes[-1] + 1) if neighbours else lanes
        for values, new in zip(self._flattened, drawn.flattened(), strict=True):
            if isinstance(values, np.ndarray):
                values[..., where] = new
