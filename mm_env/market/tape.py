"""Tape: everything that happens whatever the dealer does, as whole episodes, drawn or replayed.

A `Tape` holds whole episodes: sides, sizes, reservation distances and price moves. It is drawn in blocks, in an
order that never depends on an action, so equal seeds give every policy the same market.

Seeds: episode j of seed s is one market, whatever the policy, the batch or the number of workers. The episodes of
a seed come in blocks; block b is drawn by `PCG64DXSM(s).jumped(b)`, so any of them can be reached at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mm_env.market.dynamics import Move, Request
from mm_env.market.exogenous_state import ExogenousState, ObservedState
from mm_env.market.flow import reservations_given, simulate
from mm_env.market.market_paths import MarketPaths, check_replay, check_tiers
from mm_env.market.params import DealersParams, MarketParams
from mm_env.market.random_streams import RandomDraws, RandomStreams
from mm_env.market.recordings.arrays import recorded, require
from mm_env.market.recordings.recording import LARGEST_MOVE, LARGEST_SIZE, Recording, read_recording
from mm_env.market.recordings.summary import Summary, summarise
from mm_env.market.recordings.table import write_table
from mm_env.market.validation import fields_on_tape
from mm_env.market.whole_episodes import carry_forward
from mm_env.readable import Readable

_BLOCK_TRADES = 2048  # trades drawn per refill of a lane: enough that the jump to it costs little

Record = TypeVar("Record", Request, ObservedState, Move)


@dataclass(frozen=True, eq=False, repr=False)
class Tape(Readable):
    """Episodes of the market: requests, price moves and what the dealer sees beside them.

    Attributes:
        paths: What happens: arrays of shape (num_trades, episodes), or one value where it is always that.
        replayed: Recorded, so that `expected` is unknown and `change` stands in for it.
        drawn_in: The market that it was drawn in; None if it was recorded.
        recording: How the file or data frame that it was read from was understood, and what else that tells.
    """

    paths: MarketPaths
    replayed: bool = False
    drawn_in: MarketParams | None = None
    recording: Recording | None = None

    def facts(self) -> list[tuple[str, str]]:
        """How long it is, and where it is from."""
        origin = ("replayed", "True") if self.replayed else ("drawn_in", repr(self.drawn_in))
        return [("episodes", f"{self.num_episodes:,}"), ("trades", f"{self.num_trades:,}"), origin]

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

    def episode(
        self, column: int, params: MarketParams, start: int = 0, stop: int | None = None
    ) -> tuple[list[Request], list[ObservedState], list[Move]]:
        """Requests of one episode, what is seen beside them, and the price moves after them, in plain numbers.

        All of them, or those from number `start` to the one before `stop`.
        """
        trades = range(self.num_trades)[start:stop]
        one = self.paths.map(lambda values: np.ascontiguousarray(values[start:stop, ..., column]))
        last = np.array(trades) == self.num_trades - 1
        request, observed = one.state()
        number = len(trades)
        return _steps(request, number), _steps(observed, number), _steps(one.move(last, params), number)

    def columns(self, episodes: Any) -> Tape:
        """The tape of the episodes that an index array or a slice picks, each time's row contiguous."""
        picked = self.paths.map(lambda values: np.ascontiguousarray(values[..., episodes]))
        return dataclasses.replace(self, paths=picked, recording=None)

    def summary(self) -> Summary:
        """What the tape holds, in numbers with standard errors: buys, persistence, volatility, sizes, markouts.

        Example:
            >>> toxic = Tape.draw(MarketParams(informed_fraction=1.0), seed=0, episodes=50).summary()
            >>> toxic.clients, toxic.markouts["all"][1].value < -0.2  # -0.3 * sqrt(2 / pi)
            (5000, True)
        """
        shape = np.shape(self.paths.side)
        size = 1.0 if self.paths.size is None else self.paths.size
        moves, sizes, tier = (np.broadcast_to(values, shape).T for values in (self.paths.change, size, self.paths.tier))
        return summarise(np.asarray(self.paths.side, np.float64).T, moves, sizes, tier, self.recording)

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
            np.abs(change) <= LARGEST_MOVE,
            f"at most {LARGEST_MOVE:g} in size",
        )
        whole = (size >= 1) & (size <= LARGEST_SIZE) & (size == np.round(size))
        require("sizes", size, whole, f"whole numbers from 1 to {LARGEST_SIZE}")
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
    def read(
        cls,
        source: Any,
        *,
        columns: Mapping[str, str | None] = MappingProxyType({}),
        sort: bool = False,
        separator: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        true: str | None = None,
    ) -> Tape:
        """A recorded tape from a file or a data frame of client requests, one a row, in time order.

        Columns are found by name, whatever its case, spaces and punctuation: sides and price_moves, and where they are
        there sizes, episode, time, tier, accepted, quote, reservation and regime. `request`, signed units, may stand
        for sides and sizes; `mid`, or `bid` and `ask`, may stand for price_moves. The mid of a row is the one at its
        request, so the move of a request is the next request's mid less its own; the last request of an episode has
        none and is left out.
        Needs pandas, and pyarrow for Parquet, Feather and foreign data frames.

        Args:
            source: The path of a .csv, .tsv or .txt file (also packed: .gz, ...), a .parquet or .feather file, or a
                data frame of pandas or of any library that Arrow or the dataframe interchange protocol can read. The
                index of a frame counts as columns. "example": a thousand requests that ship.
            columns: The column of what is not found by its name: `{"sizes": "qty"}`; None goes without.
            sort: Sort the rows of each episode by time, those of one time as they stand. Without it rows that run
                backwards are refused.
            separator: Between the cells of text; None: whichever of tab, semicolon, bar and comma the header has.
            decimal: The decimal mark, "." or ","; None: the one that the cells leave no doubt about.
            encoding: Of text; None: UTF-8, or UTF-16 with a byte order mark.
            true: What the client does where a side is true, "buy" or "sell".

        Warns:
            TapeWarning: Columns that are not used, rows that repeat others, a tape without a buy or a sell, a mid that
                never moves.

        Raises:
            ValueError: The file cannot be read or does not hold such a table: the message names file, row, column and
                what stands there. The header of a text file is row 1.
            ImportError: pandas, or pyarrow where it is needed, is missing.
        """
        found = read_recording(source, columns, sort, separator, decimal, encoding, true)
        tape = cls.replay(found.sides, found.price_moves, found.sizes)
        paths = tape.paths
        if found.tier is not None:
            paths = paths._replace(tier=np.ascontiguousarray(found.tier.T.astype(np.uint8)))
        if found.regime is not None:
            regime = np.ascontiguousarray(found.regime.T.astype(np.intp))
            paths = paths._replace(observed=paths.observed._replace(regime=regime))
        if found.reservation is not None:
            paths = paths.with_reservations(np.ascontiguousarray(found.reservation.T))
        return dataclasses.replace(tape, paths=paths, recording=found)

    def with_reservations(self, params: MarketParams, seed: int = 0) -> Tape:
        """The same recording with what it does not tell: the widest quote that each client would have accepted.

        It is drawn from the law of his tier in the market, given that he accepted the recorded quote or refused it,
        where `quote` and `accepted` were recorded. So any quote can be tried on the tape, and the recorded one has the
        recorded outcome.

        Args:
            params: The market, as `mm-env calibrate` makes it from the recording.
            seed: Of the draws.

        Raises:
            ValueError: The tape tells already, or has tiers that the market has not.

        Example:
            >>> tape = Tape.replay(sides=[1, -1], price_moves=[0.1, 0.2])
            >>> drawn = tape.with_reservations(MarketParams(tiers=[{"decay": 30.0}], num_trades=2))
            >>> bool((drawn.paths.reservation >= 0.05).all())  # the spread, which everyone accepts
            True
        """
        if not self.replayed or self.paths.tells_reservations:
            raise ValueError("the tape tells the widest quote that each client would have accepted")
        check_tiers(self.paths, params)
        found, uniform = self.recording, np.random.default_rng(seed).random(np.shape(self.paths.side))
        outcomes = None
        if found is not None and found.quote is not None and found.accepted is not None:
            outcomes = found.quote.T, found.accepted.T
        drawn = reservations_given(uniform, self.paths.tier, outcomes, params)
        return dataclasses.replace(self, paths=self.paths.with_reservations(drawn))

    def shown_in(self, params: MarketParams) -> Tape:
        """A recorded tape without what the market has not: regimes, and clients who may refuse."""
        return dataclasses.replace(self, paths=self.paths.shown_in(params)) if self.replayed else self

    def write(self, path: str | Path) -> None:
        """Write sides, price moves, sizes and what else was recorded as what `read` reads, a row for each request.

        Whether drawn clients accept is not written, since it takes a quote to tell, but the widest that they would.
        Needs pandas.

        Raises:
            ValueError: The path ends in nothing that `read` reads.
        """
        found, shape = self.recording, np.shape(self.paths.side)
        size = 1.0 if self.paths.size is None else self.paths.size
        columns: dict[str, Any] = {"sides": self.paths.side, "price_moves": self.paths.change, "sizes": size}
        if self.num_episodes > 1:
            columns = {"episode": np.arange(self.num_episodes), **columns}
        told = {"tier": self.paths.tier, "regime": self.paths.observed.regime}
        columns |= {name: values for name, values in told.items() if np.ndim(values)}
        if self.paths.tells_reservations:
            columns["reservation"] = self.paths.reservation
        if found is not None:
            kept = {name: getattr(found, name) for name in ("time", "accepted", "quote")}
            columns |= {name: values.T for name, values in kept.items() if values is not None}
            if found.tier is not None:
                columns["tier"] = np.array(found.tiers)[found.tier.T]
            if self.num_episodes > 1:
                columns["episode"] = np.array(found.episodes)
        write_table({name: np.broadcast_to(values, shape).T.ravel() for name, values in columns.items()}, Path(path))


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
            replay = replay.shown_in(params)
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
        self._noise = self._draws(lanes, numbers)
        return Tape(simulate(self._noise, self._params), drawn_in=self._params)

    def _draws(self, lanes: Sequence[int], numbers: Sequence[int]) -> RandomDraws:
        """The random numbers of these blocks, one block after another."""
        noise = RandomDraws.sized(self._params, self.block * len(lanes), self._noise)
        for i, (lane, number) in enumerate(zip(lanes, numbers, strict=True)):
            self._streams.fill(lane, number, noise, slice(i * self.block, (i + 1) * self.block))
        return noise

    def rows(self, lanes: Sequence[int], numbers: Sequence[int]) -> MarketPaths:
        """What `draw` draws as arrays of shape (block, num_trades, ..., lanes)."""

        def by_lane(values: Any) -> Any:
            steps = values.shape[:-1]
            episodes = np.moveaxis(values, -1, 0).reshape(len(lanes), self.block, *steps)
            return np.moveaxis(episodes, 0, -1)

        return self.draw(lanes, numbers).paths.map(by_lane)


def neighbours(lanes: NDArray[np.int64]) -> Any:
    """Lanes as an index: neighbours, as they are but for resets by mask, as a slice, which is faster."""
    return slice(lanes[0], lanes[-1] + 1) if lanes[-1] - lanes[0] == len(lanes) - 1 else lanes


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
    if tape.replayed:
        check_replay(tape.paths, params)
