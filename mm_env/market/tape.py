"""Tape: everything that happens whatever the dealer does, as whole episodes, drawn or replayed.

A `Tape` holds whole episodes: sides, sizes, reservation distances and price moves. It is drawn in blocks, in an
order that never depends on an action, so equal seeds give every policy the same market.

Seeds: episode j of seed s is one market, whatever the policy, the batch or the number of workers. The episodes of
a seed come in blocks; block b is drawn by `PCG64DXSM(s).jumped(b)`, so any of them can be reached at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from mm_env.market.dynamics import Move, Request
from mm_env.market.exogenous_state import ExogenousState, ObservedState
from mm_env.market.flow import carry_forward, simulate
from mm_env.market.market_paths import MarketPaths
from mm_env.market.params import DealersParams, MarketParams
from mm_env.market.random_streams import RandomDraws, RandomStreams
from mm_env.market.recordings import read_table, recorded, require, split_episodes
from mm_env.market.validation import fields_on_tape

_BLOCK_TRADES = 2048  # trades drawn per refill of a lane: enough that the jump to it costs little
_LARGEST_MOVE = 1e9
_LARGEST_SIZE = 1_000_000

Record = TypeVar("Record", Request, ObservedState, Move)


@dataclass(frozen=True, eq=False)
class Tape:
    """Episodes of the market: requests, price moves and what the dealer sees beside them.

    Attributes:
        paths: What happens: arrays of shape (num_trades, episodes), or one value where it is always that.
        replayed: Recorded, so that `expected` is unknown and `change` stands in for it.
        drawn_in: The market that it was drawn in; None if it was recorded.
    """

    paths: MarketPaths
    replayed: bool = False
    drawn_in: MarketParams | None = None

    @property
    def num_trades(self) -> int:
        """Trades per episode."""
        return int(np.shape(self.paths.side)[0])

    @property
    def num_episodes(self) -> int:
        """Episodes on the tape."""
        return int(np.shape(self.paths.side)[1])

    def state(self, trade: int) -> ExogenousState:
        """Request number `trade` of every episode, and what the dealer sees beside it."""
        return self.paths.at(trade).state()

    def move(self, trade: int, params: MarketParams) -> Move:
        """The price move that follows request number `trade`."""
        return self.paths.at(trade).move(trade == self.num_trades - 1, params)

    def episode(self, column: int, params: MarketParams) -> tuple[list[Request], list[ObservedState], list[Move]]:
        """Every request of one episode, what is seen beside it, and the price move after it, in plain numbers."""
        one = self.columns([column]).paths.map(np.ravel)
        last = np.arange(1, self.num_trades + 1) == self.num_trades
        request, observed = one.state()
        number = self.num_trades
        return _steps(request, number), _steps(observed, number), _steps(one.move(last, params), number)

    def columns(self, episodes: Any) -> Tape:
        """The tape of the episodes that an index array or a slice picks, each time's row contiguous."""
        picked = self.paths.map(lambda values: np.ascontiguousarray(values[..., episodes]))
        return dataclasses.replace(self, paths=picked)

    @classmethod
    def draw(cls, params: MarketParams, seed: int, episodes: int, start: int = 0) -> Tape:
        """Episodes `start` to `start + episodes - 1` of `seed`.

        Example:
            >>> params = MarketParams(num_trades=3)
            >>> Tape.draw(params, seed=0, episodes=4).columns(slice(2, 4)).paths.change.tolist() == (
            ...     Tape.draw(params, seed=0, episodes=2, start=2).paths.change.tolist())
            True
        """
        source = EpisodeSource(params, [seed])
        first, stop = start // source.block, -(-(start + episodes) // source.block)
        drawn = source.draw([0] * (stop - first), range(first, stop))
        begin = start - first * source.block
        return drawn.columns(slice(begin, begin + episodes))

    @classmethod
    def replay(cls, sides: ArrayLike, price_moves: ArrayLike, sizes: ArrayLike | None = None) -> Tape:
        """A recorded tape: what clients asked for and how the price moved.

        Args:
            sides: Client sides, +1 buy, -1 sell, 0 no request; shape (T,) or (N, T) for N episodes.
            price_moves: The move of the mid after each request, price units; same shape.
            sizes: Units of each request, whole numbers >= 1; same shape. Default: 1.

        Raises:
            ValueError: A wrong type or shape, or a value that is not finite or not allowed.

        Example:
            >>> Tape.replay(sides=[+1, -1, 0], price_moves=[0.1, -0.2, 0.0]).num_trades
            3
        """
        side = recorded("sides", sides)
        change = recorded("price_moves", price_moves)
        size = np.ones_like(side) if sizes is None else recorded("sizes", sizes, unless=side == 0)
        for name, values in (("price_moves", change), ("sizes", size)):
            if values.shape != side.shape:
                raise ValueError(f"{name} must have the shape of sides {side.shape}, got {values.shape}")
        require("sides", side, np.isin(side, (-1.0, 0.0, 1.0)), "-1, 0 or 1")
        require(
            "price_moves",
            change,
            np.abs(change) <= _LARGEST_MOVE,
            f"at most {_LARGEST_MOVE:g} in size",
        )
        whole = (size >= 1) & (size <= _LARGEST_SIZE) & (size == np.round(size))
        require("sizes", size, whole, f"whole numbers from 1 to {_LARGEST_SIZE}")
        last_side, deviation = np.zeros_like(side), np.zeros_like(change)
        last_side[:, 1:] = carry_forward(side, side != 0)[:, :-1]
        deviation[:, 1:] = change.cumsum(axis=1)[:, :-1]
        paths = MarketPaths(
            side,
            change,
            expected=change,
            size=size,
            reservation=np.where(side == 0, -np.inf, np.inf),
            observed=ObservedState(last_side=last_side, deviation=deviation),
        )
        return cls(paths.map(lambda values: np.ascontiguousarray(values.T)), replayed=True)

    @classmethod
    def read(cls, path: str | Path) -> Tape:
        """A recorded tape from a CSV or Parquet file: columns sides, price_moves and, optionally, sizes and episode.

        Rows are in time order. A column `episode` splits them into episodes of equal length. Needs pandas
        (and pyarrow for Parquet).

        Raises:
            ValueError: The file cannot be read or does not hold such a table.
        """
        table = read_table(Path(path))
        if len(table) == 0:
            raise ValueError(f"{path}: no rows")
        for name in ("sides", "price_moves"):
            if name not in table.columns:
                raise ValueError(f"{path}: no column '{name}'; found {', '.join(map(str, table.columns))}")
        rows = [table] if "episode" not in table.columns else split_episodes(table, path)
        columns = [name for name in ("sides", "price_moves", "sizes") if name in table.columns]
        try:
            return cls.replay(**{name: np.stack([r[name].to_numpy() for r in rows]) for name in columns})
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def tape_of(tape: Tape | str | Path | None) -> Tape | None:
    """The tape in a file, or the tape itself."""
    return Tape.read(tape) if isinstance(tape, str | Path) else tape


def largest_size(tape: Tape | None) -> float | None:
    """The largest request of a recorded tape, units; None without one."""
    return None if tape is None or tape.paths.size is None else float(np.max(tape.paths.size))


def _steps(whole: Record, number: int) -> list[Record]:
    """Turn one record of arrays over time into a list of records of plain numbers, one for each step."""
    if not any(isinstance(field, np.ndarray) for field in whole):
        return [whole] * number
    fields = (field.tolist() if isinstance(field, np.ndarray) else repeat(field, number) for field in whole)
    return list(map(partial(tuple.__new__, type(whole)), zip(*fields, strict=True)))  # what `_make` does, faster


class EpisodeSource:
    """Where the episodes of several lanes come from: the world of each lane's seed, or a recorded tape.

    Attributes:
        block: Episodes that one `draw` gives each lane.
    """

    def __init__(self, params: MarketParams, seeds: Sequence[int], replay: Tape | None = None) -> None:
        if replay is not None:
            check_tape(replay, params)
        self._params = params
        self._replay = replay
        self._seeds = list(seeds)
        self.block = max(1, _BLOCK_TRADES // params.num_trades) if replay is None else 1
        self._streams = RandomStreams([] if replay is not None else seeds)
        self._noise: RandomDraws | None = None

    def draw(self, lanes: Sequence[int], numbers: Sequence[int]) -> Tape:
        """Block number `numbers[i]` of lane `lanes[i]`, for every i: `block` neighbouring columns each.

        What is returned is overwritten by the next draw: fresh memory would cost more than the random numbers.
        """
        if self._replay is not None:
            starts = np.array([self._seeds[lane] for lane in lanes], dtype=object)
            rows = (starts + np.asarray(numbers)) % self._replay.num_episodes
            return self._replay.columns(rows.astype(np.int64))
        noise = self._noise = RandomDraws.sized(self._params, self.block * len(lanes), self._noise)
        for i, (lane, number) in enumerate(zip(lanes, numbers, strict=True)):
            self._streams.fill(lane, number, noise, slice(i * self.block, (i + 1) * self.block))
        return Tape(simulate(noise, self._params), drawn_in=self._params)


def check_tape(tape: object, params: MarketParams) -> None:
    """Raise `ValueError` unless `tape` is a tape that tells all that the market needs, in episodes as long."""
    if not isinstance(tape, Tape):
        raise ValueError(f"tape must be a Tape, as Tape.replay or Tape.read returns, got {tape!r}")
    if tape.num_trades != params.num_trades:
        raise ValueError(
            f"the tape has {tape.num_trades} trades an episode, the market num_trades={params.num_trades}: "
            f"pass num_trades={tape.num_trades}"
        )
    for name in fields_on_tape(DealersParams):
        if tape.drawn_in is not None and getattr(tape.drawn_in, name) != getattr(params, name):
            drawn, asked = getattr(tape.drawn_in, name), getattr(params, name)
            raise ValueError(f"the tape was drawn in a market with {name}={drawn!r}, this one has {asked!r}")
    unknown = {
        "quote_levels": params.quote_levels > 1,
        "quote_latency": params.quote_latency > 0,
        "volatility_regimes": params.volatility_regimes is not None,
        "tiers": len(params.tiers) > 1 or not params.accepts_any,
    }
    for name, is_on in unknown.items():
        if tape.replayed and is_on:
            raise ValueError(f"a recorded tape does not tell what {name}={getattr(params, name)!r} needs")
