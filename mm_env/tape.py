"""THE WORLD: everything that happens whatever the dealer does. Drawn, replayed, or listed for the solver.

A `Tape` holds whole episodes: sides, sizes, reservation distances and price moves. It is drawn in blocks, in an
order that never depends on an action, so equal seeds give every policy the same market.

Seeds: episode j of seed s is one market, whatever the policy, the batch or the number of workers. The episodes of
a seed come in blocks; block b is drawn by `PCG64DXSM(s).jumped(b)`, so any of them can be reached at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mm_env.market import Move, Number, Request
from mm_env.params import MarketParams
from mm_env.recording import read_table, recorded, require, split_episodes

_BLOCK_TRADES = 2048  # trades drawn per refill of a lane: enough that the jump to it costs little
_JUMP = 210306068529402873165736369884012333109  # numpy's jump of PCG64DXSM: 2^128 / golden ratio, odd
_CHANNELS = ("side", "size", "reservation", "change", "expected")
_LARGEST_MOVE = 1e9
_LARGEST_SIZE = 1_000_000


@dataclass(frozen=True, eq=False)
class Tape:
    """Whole episodes of the world: arrays of shape (num_trades, episodes).

    Attributes:
        side: +1 the client buys, -1 sells, 0 nobody came.
        size: Units of the request; None: one each.
        reservation: Largest distance from the mid that the client accepts, price units; -inf: none. None: any.
        change: Price moves, price units.
        expected: E[change | what the dealer can know], price units; 0.0 where that is always so.
        replayed: Recorded, so that `expected` is unknown and `change` stands in for it.
    """

    side: NDArray[Any]
    size: NDArray[np.float64] | None
    reservation: NDArray[np.float64] | None
    change: NDArray[np.float64]
    expected: Number
    replayed: bool = False

    @property
    def num_trades(self) -> int:
        """Trades per episode."""
        return int(self.side.shape[0])

    @property
    def num_episodes(self) -> int:
        """Episodes on the tape."""
        return int(self.side.shape[1])

    def request(self, trade: int) -> Request:
        """Request number `trade` of every episode."""
        return request_of(*(row(channel, trade) for channel in self.channels()[:3]))

    def move(self, trade: int) -> Move:
        """The price move that follows request number `trade`."""
        last = trade == self.num_trades - 1
        return Move(row(self.change, trade), row(self.expected, trade), last)

    def columns(self, episodes: Any) -> Tape:
        """The tape of the episodes that an index array or a slice picks, each time's row contiguous."""
        picked: list[Any] = [
            np.ascontiguousarray(c[:, episodes], np.float64) if isinstance(c, np.ndarray) else c
            for c in self.channels()
        ]
        return dataclasses.replace(self, **dict(zip(_CHANNELS, picked, strict=True)))

    def channels(self) -> tuple[Any, ...]:
        """What is on the tape: side, size, reservation, change, expected."""
        return tuple(getattr(self, name) for name in _CHANNELS)

    @classmethod
    def draw(cls, params: MarketParams, seed: int, episodes: int, start: int = 0) -> Tape:
        """Episodes `start` to `start + episodes - 1` of `seed`.

        Example:
            >>> params = MarketParams(num_trades=3)
            >>> Tape.draw(params, seed=0, episodes=4).columns(slice(2, 4)).change.tolist() == (
            ...     Tape.draw(params, seed=0, episodes=2, start=2).change.tolist())
            True
        """
        worlds = Worlds(params, [seed])
        first, stop = start // worlds.block, -(-(start + episodes) // worlds.block)
        drawn = worlds.draw([0] * (stop - first), range(first, stop))
        begin = start - first * worlds.block
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
        accepts = np.where(side == 0, -np.inf, np.inf)
        side, size, accepts, change = (np.ascontiguousarray(a.T) for a in (side, size, accepts, change))
        return cls(side, size, accepts, change, expected=change, replayed=True)

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


def row(channel: Any, index: Any) -> Any:
    """What a channel holds at one time: its row, or the constant that serves every time."""
    return channel[index] if isinstance(channel, np.ndarray) else channel


def request_of(side: Number, size: Number | None, reservation: Number | None) -> Request:
    """The request that the tape's first three channels make."""
    return Request(side, side if size is None else side * size, reservation)


class Worlds:
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
        self._streams = [] if replay is not None else [_Stream(seed) for seed in seeds]
        self._noise: _Noise | None = None

    def draw(self, lanes: Sequence[int], numbers: Sequence[int]) -> Tape:
        """Block number `numbers[i]` of lane `lanes[i]`, for every i: `block` neighbouring columns each.

        What is returned is overwritten by the next draw: fresh memory would cost more than the random numbers.
        """
        if self._replay is not None:
            starts = np.array([self._seeds[lane] for lane in lanes], dtype=object)
            rows = (starts + np.asarray(numbers)) % self._replay.num_episodes
            return self._replay.columns(rows.astype(np.int64))
        noise = self._noise = _Noise.sized(self._params, self.block * len(lanes), self._noise)
        for i, (lane, number) in enumerate(zip(lanes, numbers, strict=True)):
            self._streams[lane].fill(number, noise, slice(i * self.block, (i + 1) * self.block))
        return _shape(noise, self._params)


def check_tape(tape: object, params: MarketParams) -> None:
    """Raise `ValueError` unless `tape` is a tape whose episodes are as long as the market's."""
    if not isinstance(tape, Tape):
        raise ValueError(f"tape must be a Tape, as Tape.replay or Tape.read returns, got {tape!r}")
    if tape.num_trades != params.num_trades:
        raise ValueError(
            f"the tape has {tape.num_trades} trades an episode, the market num_trades={params.num_trades}: "
            f"pass num_trades={tape.num_trades}"
        )


def largest_size(tape: Tape | None) -> float:
    """The largest request that can come, units: of a recorded tape, or of drawn episodes (None)."""
    return 1.0 if tape is None or tape.size is None else float(tape.size.max())


class _Noise(NamedTuple):
    """Raw random numbers of n episodes, each of shape (n, num_trades), in the order they are drawn.

    A mechanism that is turned off draws nothing; what is always on comes first. So turning one off leaves the
    base market's numbers as they are.
    """

    move: NDArray[np.float32]  # standard normal
    side: NDArray[np.uint8]  # one byte: the client buys if it is below 256 * buy_probability
    tie: NDArray[np.float32] | None  # uniform on [0, 1): decides where the byte alone does not
    arrival: NDArray[np.float32] | None  # uniform on [0, 1)
    change: NDArray[np.float64]  # not random: where the price moves are written

    @classmethod
    def sized(cls, params: MarketParams, episodes: int, former: _Noise | None) -> _Noise:
        """Memory for so many episodes: the former block's, if it is as large."""
        shape = (episodes, params.num_trades)
        if former is not None and former.move.shape == shape:
            return former
        tie = np.empty(shape, np.float32) if (256 * params.buy_probability) % 1 else None
        arrival = np.empty(shape, np.float32) if params.arrival_probability < 1 else None
        return cls(np.empty(shape, np.float32), np.empty(shape, np.uint8), tie, arrival, np.empty(shape))


class _Stream:
    """The random numbers of one seed, block after block."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._bits = np.random.PCG64DXSM(seed)
        self._origin = self._bits.state
        self._generator = np.random.Generator(self._bits)

    def __reduce__(self) -> Any:
        return _Stream, (self._seed,)  # a block is reached from its seed; copies of the two objects may part

    def fill(self, block: int, noise: _Noise, rows: slice) -> None:
        """Write block number `block` into `rows` of the noise."""
        self._bits.state = self._origin
        self._bits.advance(block * _JUMP % 2**128)
        self._generator.standard_normal(out=noise.move[rows], dtype=np.float32)
        sides = noise.side[rows]
        words = self._bits.random_raw(-(-sides.size // 8)).astype("<u8", copy=False)
        sides[...] = words.view(np.uint8)[: sides.size].reshape(sides.shape)
        for uniform in (noise.tie, noise.arrival):
            if uniform is not None:
                self._generator.random(out=uniform[rows], dtype=np.float32)


def _shape(noise: _Noise, params: MarketParams) -> Tape:
    """Turn raw random numbers into what they mean in this market. Views with time first, not yet contiguous."""
    cut = 256 * params.buy_probability
    buys = noise.side < int(cut)
    if noise.tie is not None:
        buys |= (noise.side == int(cut)) & (noise.tie < cut % 1)
    side = 2 * buys.view(np.int8) - 1
    reservation = None
    if noise.arrival is not None:
        came = noise.arrival < params.arrival_probability
        side *= came
        reservation = np.where(came, np.inf, -np.inf).T
    change = np.multiply(noise.move, params.price_volatility, out=noise.change, dtype=np.float64)
    return Tape(side=side.T, size=None, reservation=reservation, change=change.T, expected=0.0)


class Outcomes(NamedTuple):
    """The support of one request, as `Worlds.draw` samples it: arrays of shape (outcomes,)."""

    probability: NDArray[np.float64]
    request: Request
    expected: NDArray[np.float64]  # E[change | request], price units


def outcomes(params: MarketParams) -> Outcomes:
    """Every request, its probability (which may be 0) and the price move to expect after it.

    Example:
        >>> outcomes(MarketParams(arrival_probability=0.5)).probability.tolist()
        [0.25, 0.25, 0.5]
    """
    came, buys = params.arrival_probability, params.buy_probability
    side = np.array([1.0, -1.0, 0.0])
    probability = np.array([came * buys, came * (1.0 - buys), 1.0 - came])
    request = Request(side, side, np.where(side == 0, -np.inf, np.inf))
    return Outcomes(probability, request, np.zeros_like(side))
