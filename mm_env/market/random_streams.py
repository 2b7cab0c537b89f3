"""The random numbers of the world, block after block of each seed, in an order that never depends on an action."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mm_env.market.params import MarketParams

_JUMP = 210306068529402873165736369884012333109  # numpy's jump of PCG64DXSM: 2^128 / golden ratio, odd
MULTIPLIER = 0xDA942042E4DD58B5  # of PCG64DXSM: a step takes its state to multiplier * state + inc, modulo the period
_SEED_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645  # of the step from a seed to the first state
_PERIOD = 2**128
_WORD = 2**64
_POOL_START, _POOL_MULTIPLIER = 0x43B0D7E5, 0x931E8875  # of SeedSequence's hash of a seed into its pool,
_WORDS_START, _WORDS_MULTIPLIER = 0x8B51F9DD, 0x58F38DED  # and of the pool into the words of a state
_MANY_SEEDS = 8  # are seeded sooner together than one by one
_EIGHT_BYTES = np.dtype("<u8")


class RandomDraws(NamedTuple):
    """Raw random numbers of n episodes, arrays of shape (n, num_trades), in the order they are drawn.

    A mechanism that is turned off draws nothing; what is always on comes first. So turning one off leaves the
    base market's numbers as they are.
    """

    move: NDArray[np.float32]  # standard normal
    side: NDArray[np.uint8]  # one byte: a client who knows nothing buys if it is below 256 * buy_probability
    uniforms: dict[str, NDArray[np.floating[Any]]]  # on [0, 1), of the mechanisms that are on
    jump: NDArray[np.float32] | None  # standard normal
    preference: NDArray[np.float32] | None  # uniform on [0, 1), a further axis of dealers: who wins a tie
    view: NDArray[np.float32] | None  # standard normal, of each dealer
    change: NDArray[np.float64]  # not random: where the price moves are written

    @classmethod
    def sized(
        cls, params: MarketParams, episodes: int, former: RandomDraws | None, time_first: bool = False
    ) -> RandomDraws:
        """Memory for so many episodes: the former block's, if it is as large.

        Args:
            params: The market.
            episodes: How many.
            former: What this returned before for the same market and the same `time_first`; None: nothing yet.
            time_first: Whether the episodes of one step lie side by side in memory, instead of the steps of an episode.
        """
        if former is not None and len(former.move) == episodes:
            return former

        def empty(dtype: DTypeLike, *axes: int) -> NDArray[Any]:
            steps = (params.num_trades, *axes)
            return (
                np.moveaxis(np.empty((*steps, episodes), dtype), -1, 0)
                if time_first
                else np.empty((episodes, *steps), dtype)
            )

        return cls(
            move=empty(np.float32),
            side=empty(np.uint8),
            uniforms={name: empty(np.float32) for name in _uniforms(params)},
            jump=empty(np.float32) if params.jump_probability > 0 else None,
            preference=empty(np.float32, params.num_dealers) if params.num_dealers > 1 else None,
            view=empty(np.float32, params.num_dealers) if params.view_noise > 0 else None,
            change=empty(np.float64),
        )

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All that are random."""
        return tuple([values for _, values in self.in_order()])

    def holding(self, numbers: Sequence[Any]) -> RandomDraws:
        """The same with other numbers in the places of the `arrays`."""
        rest = iter(numbers)
        move, side = next(rest), next(rest)
        uniforms = {name: next(rest) for name in self.uniforms}
        last = {name: next(rest) for name in ("jump", "preference", "view") if getattr(self, name) is not None}
        return self._replace(move=move, side=side, uniforms=uniforms, **last)

    def in_order(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """The arrays in the order in which they are drawn, each after its kind: normals, side_bytes or uniforms."""
        yield "normals", self.move
        yield "side_bytes", self.side
        yield from (("uniforms", uniform) for uniform in self.uniforms.values())
        for kind, values in (("normals", self.jump), ("uniforms", self.preference), ("normals", self.view)):
            if values is not None:
                yield kind, values


def _uniforms(params: MarketParams) -> Iterator[str]:
    """The mechanisms that need a uniform number at each step, in the order of drawing."""
    needed = {
        "tie": (256 * params.buy_probability) % 1 > 0,  # decides the side where the byte alone does not
        "arrival": params.arrival_probability < 1,
        "repeat": params.flow_persistence > 0,
        "informed": params.informed_fraction > 0,
        "kind": sum(len(tier.sizes) for tier in params.tiers) > 1,  # tier and size
        "reservation": not params.accepts_any,
        "regime": len(params.volatilities) > 1,
        "jump": params.jump_probability > 0,
    }
    return (name for name, is_needed in needed.items() if is_needed)


class RandomStreams:
    """The random numbers of several seeds. Block b of a seed is drawn by `PCG64DXSM(seed).jumped(b)`.

    One generator, that stays in the processor's cache, serves all seeds: it is set to where a block begins.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._seeds = list(seeds)
        self._origins = _origins(self._seeds)
        self._bits = np.random.PCG64DXSM(0)
        self._generator = np.random.Generator(self._bits)

    def __reduce__(self) -> Any:
        return RandomStreams, (
            self._seeds,
        )  # a block is reached from its seed; copies of the generator's parts may part

    def fill(self, seed: int, block: int, noise: RandomDraws, rows: slice) -> None:
        """Write block number `block` of seed number `seed` into `rows` of the noise."""
        state, inc = _jumped(self._origins[seed], block)
        self._bits.state = {
            "bit_generator": "PCG64DXSM",
            "state": {"state": state, "inc": inc},
            "has_uint32": 0,
            "uinteger": 0,
        }
        for kind, values in noise.in_order():
            out = values[rows]
            if kind == "normals":
                self._generator.standard_normal(out=out, dtype=np.float32)
            elif kind == "uniforms":
                self._generator.random(out=out, dtype=np.float32)
            else:
                sides = out.reshape(-1)
                words = self._bits.random_raw(-(-sides.size // 8)).astype(_EIGHT_BYTES, copy=False)
                sides[:] = words.view(np.uint8)[: sides.size]

    @cached_property
    def origins(self) -> NDArray[np.uint64]:
        """Where block 0 of every seed begins, shape (seeds, 4): halves of state, upper first, and increment."""
        return _halves([number for origin in self._origins for number in (origin["state"], origin["inc"])])


def leaps(blocks: Sequence[int]) -> NDArray[np.uint64]:
    """What takes a generator from block 0 to these, shape (n, 4): halves of a factor, upper first, and of a summand.

    Block b begins in the state factor * state + summand * increment, modulo the generator's period, of block 0.
    """
    known, places = np.unique(np.asarray(blocks), return_inverse=True)
    return _halves([number for block in known.tolist() for number in _leap(block)])[places]


def _halves(numbers: Sequence[int]) -> NDArray[np.uint64]:
    """Pairs of numbers of 128 bits, shape (pairs, 4): the halves of each, the upper one first."""
    words = np.frombuffer(b"".join(number.to_bytes(16, "big") for number in numbers), ">u8")
    return words.astype(np.uint64).reshape(-1, 4)


def _origins(seeds: Sequence[int]) -> list[Any]:
    """The states of `PCG64DXSM(seed)` for every seed: what `SeedSequence` does, to all of them at once."""
    if len(seeds) < _MANY_SEEDS or max(seeds) >= _PERIOD:
        return [np.random.PCG64DXSM(seed).state["state"] for seed in seeds]
    numbers = np.frombuffer(b"".join(seed.to_bytes(16, "little") for seed in seeds), "<u4").reshape(-1, 4)
    pool, constant = list(numbers.T.astype(np.uint32)), _POOL_START
    for target, source in [(i, i) for i in range(4)] + [(j, i) for i in range(4) for j in range(4) if i != j]:
        hashed, constant = _hashed(pool[source], constant, _POOL_MULTIPLIER)
        pool[target] = hashed if source == target else _mixed(pool[target], hashed)
    words, constant = [], _WORDS_START
    for place in range(8):
        word, constant = _hashed(pool[place % 4], constant, _WORDS_MULTIPLIER)
        words.append(word)
    origins: list[Any] = []
    for high, low, sequence_high, sequence_low in np.stack(words, axis=-1).astype("<u4").view(_EIGHT_BYTES).tolist():
        inc = ((sequence_high * _WORD + sequence_low) * 2 + 1) % _PERIOD
        origins.append({"state": ((inc + high * _WORD + low) * _SEED_MULTIPLIER + inc) % _PERIOD, "inc": inc})
    return origins


def _hashed(values: NDArray[np.uint32], constant: int, multiplier: int) -> tuple[NDArray[np.uint32], int]:
    """The hash of `SeedSequence`, and its next constant."""
    following = constant * multiplier % 2**32
    hashed: NDArray[np.uint32] = (values ^ np.uint32(constant)) * np.uint32(following)
    hashed ^= hashed >> np.uint32(16)
    return hashed, following


def _mixed(a: NDArray[np.uint32], b: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """What `SeedSequence` makes of two words of its pool."""
    mixed: NDArray[np.uint32] = a * np.uint32(0xCA01F9DD) - b * np.uint32(0x4973F715)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def _jumped(origin: Mapping[str, int], block: int) -> tuple[int, int]:
    """State and increment of `PCG64DXSM.jumped(block)`, an order of magnitude faster."""
    factor, summand = _leap(block)
    return (factor * origin["state"] + summand * origin["inc"]) % _PERIOD, origin["inc"]


@lru_cache(maxsize=1024)
def _leap(blocks: int) -> tuple[int, int]:
    """After so many jumps the generator's state is the first times what it was, plus the second times `inc`."""
    if blocks < 2:
        return (1, 0) if blocks == 0 else _ONE_JUMP
    last = blocks & -blocks  # of blocks in a row all but one leap is known
    (a, b), (c, d) = _leap(blocks - last or last // 2), _leap(last if blocks > last else last // 2)
    return a * c % _PERIOD, (b * c + d) % _PERIOD


def _repeated(factor: int, summand: int, times: int) -> tuple[int, int]:
    """The map x -> factor x + summand, applied so many times, modulo the period: by squaring."""
    whole, shift = 1, 0
    while times:
        if times % 2:
            whole, shift = whole * factor % _PERIOD, (shift * factor + summand) % _PERIOD
        factor, summand = factor * factor % _PERIOD, (summand * factor + summand) % _PERIOD
        times //= 2
    return whole, shift


_ONE_JUMP = _repeated(MULTIPLIER, 1, _JUMP)
