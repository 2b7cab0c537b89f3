"""NumPy's random numbers as machine code: PCG64DXSM, normal and uniform single numbers, and bytes, bit for bit.

Lanes are drawn one after another into a small scratch, and turned from there into rows with the lanes side by side.
"""

from __future__ import annotations

import math
from functools import lru_cache
from importlib import import_module
from inspect import getsource
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.kernels.machine_code_cache import kept
from mm_env.market.random_streams import MULTIPLIER, RandomDraws

_LANES = 128  # so many are drawn, some numbers each, and turned: whole lines of the cache are written
_DRAWS = 256  # of each of these lanes: they stay in the cache; and bytes come in whole words
_APART = 16  # further numbers between two lanes: a power of two apart they would share lines of the cache
_RADIUS = 3.6541528853610088  # where the tail of the ziggurat begins
_AREA = 0.00492867323399  # of each of its 256 layers
_STRIPES = 2**23  # a layer is cut into so many


class Columns(NamedTuple):
    """Fill rows of random numbers, given the generators' `states`, shape (lanes, 6), which they move on.

    A state is of two halves, upper first, and so is its increment; a half word may wait: whether, and which. `begun`
    makes states of the origins and leaps of `random_streams`. Each of the others is two functions: one fills an array
    of shape (lanes, draws) lane after lane; the other fills one of shape (draws, blocks, all lanes) for the lanes from
    a given one on, each of which draws all of its first block, then all of its second, and so on.
    """

    begun: Any
    normals: tuple[Any, Any]
    uniforms: tuple[Any, Any]
    side_bytes: tuple[Any, Any]

    def fill(self, states: NDArray[np.uint64], noise: RandomDraws, lanes: int | None = None, first: int = 0) -> None:
        """Fill the noise: all of it where the episodes of a lane are neighbours in memory, the default.

        Args:
            states: Of each lane to fill.
            noise: Where to. With time first in memory, episode e is number e // lanes of lane e % lanes.
            lanes: How many lanes noise with time first has room for.
            first: Which of them is the first to fill.
        """
        for kind, values in noise.in_order():
            along, across = getattr(self, kind)
            if lanes is None or len(values) == 1:
                along(states, values.reshape(len(states), -1))
            else:
                across(states, np.moveaxis(values, 0, -1).reshape(-1, len(values) // lanes, lanes), first)


def ziggurat() -> tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.float32]]:
    """Of each layer of NumPy's ziggurat the width of a stripe, the stripes inside the density, and its height."""
    edges = [0.0] * 255 + [_RADIUS]
    for layer in range(254, 0, -1):
        above = edges[layer + 1]
        edges[layer] = math.sqrt(-2.0 * math.log(_AREA / above + _density(above)))
    base = _AREA / _density(_RADIUS)  # as wide as a layer with the tail's area in it would be
    inside = [_RADIUS / base, 0.0, *(edges[layer - 1] / edges[layer] for layer in range(2, 256))]
    widths = np.array([base, *edges[1:]]) / _STRIPES
    heights = np.array([_density(edge) for edge in edges])
    return (
        widths.astype(np.float32),
        np.rint(np.array(inside) * _STRIPES).astype(np.uint32),
        heights.astype(np.float32),
    )


def _density(x: float) -> float:
    return math.exp(-0.5 * x * x)


@lru_cache(maxsize=1)
def columns() -> Columns:
    """The machine code. Needs Numba."""
    from llvmlite import ir
    from numba import njit, types
    from numba.extending import intrinsic

    u32, u64, f32 = np.uint32, np.uint64, np.float32
    one, half = u64(1), u64(32)
    multiplier, low_half = u64(MULTIPLIER), u64(0xFFFFFFFF)
    widths, inside, heights = ziggurat()
    radius, inverse_radius = f32(_RADIUS), f32(1.0 / _RADIUS)
    unit = f32(2.0**-24)

    def high_product(_context: Any, _a: Any, _b: Any) -> Any:
        """The upper half of a product of two words."""

        def generate(_context: Any, builder: Any, _signature: Any, operands: Any) -> Any:
            wide = ir.IntType(128)
            a, b = (builder.zext(operand, wide) for operand in operands)
            return builder.trunc(builder.lshr(builder.mul(a, b), wide(64)), ir.IntType(64))

        return types.uint64(types.uint64, types.uint64), generate

    upper_half: Any = intrinsic(high_product)  # as a decorator it hides from mypy what is called

    @njit(forceinline=True)
    def product(high: Any, low: Any, other_high: Any, other_low: Any) -> Any:
        """The product of two numbers of 128 bits, modulo 2^128, as its halves."""
        return upper_half(low, other_low) + high * other_low + low * other_high, low * other_low

    @njit(forceinline=True)
    def word(state: Any) -> Any:
        """The next 64 random bits of PCG64DXSM, and the state after them."""
        high, low, inc_high, inc_low, waits, waiting = state
        bits = high ^ (high >> half)
        bits *= multiplier
        bits ^= bits >> u64(48)
        bits *= low | one
        next_low = low * multiplier + inc_low
        carry = one if next_low < inc_low else u64(0)
        next_high = high * multiplier + upper_half(low, multiplier) + inc_high + carry
        return bits, (next_high, next_low, inc_high, inc_low, waits, waiting)

    @njit(forceinline=True)
    def half_word(state: Any) -> Any:
        """The next 32 random bits: of a word the lower half, then the upper one, which waits."""
        high, low, inc_high, inc_low, waits, waiting = state
        if waits:
            return u32(waiting), (high, low, inc_high, inc_low, u64(0), waiting)
        bits, (high, low, inc_high, inc_low, _, _) = word(state)
        return u32(bits & low_half), (high, low, inc_high, inc_low, one, bits >> half)

    @njit(forceinline=True)
    def uniform(state: Any) -> Any:
        """A number on [0, 1)."""
        bits, state = half_word(state)
        return f32(np.int32(bits >> u32(8))) * unit, state  # signed whole numbers become floats several times faster

    @njit(forceinline=True)
    def candidate(state: Any) -> Any:
        """A layer of the ziggurat, a stripe of it, and the number there, which may be beyond the density."""
        bits, state = half_word(state)
        layer, stripe = bits & u32(0xFF), (bits >> u32(9)) & u32(0x7FFFFF)
        minus = np.int32((bits >> u32(7)) & u32(2))
        sign = f32(1) - f32(minus)  # a factor: a branch would be guessed wrong half the time
        return layer, stripe, sign * (f32(np.int32(stripe)) * widths[layer]), state

    @njit
    def tail(stripe: Any, state: Any) -> Any:
        """A normal number beyond the ziggurat."""
        while True:
            u, state = uniform(state)
            beyond = -inverse_radius * f32(math.log1p(-u))
            u, state = uniform(state)
            height = -f32(math.log1p(-u))
            if height + height > beyond * beyond:
                x = radius + beyond
                return (-x if (stripe >> u32(8)) & u32(1) else x), state

    @njit
    def decided(layer: Any, stripe: Any, x: Any, state: Any) -> Any:
        """The candidate if the density allows it, or another: one normal number in a hundred needs this."""
        while stripe >= inside[layer]:
            if layer == 0:
                return tail(stripe, state)
            u, state = uniform(state)
            if (heights[layer - 1] - heights[layer]) * u + heights[layer] < math.exp(-0.5 * np.float64(x) * x):
                break
            layer, stripe, x, state = candidate(state)
        return x, state

    @njit(forceinline=True)
    def normal(state: Any) -> Any:
        """A standard normal number."""
        layer, stripe, x, state = candidate(state)
        return (x, state) if stripe < inside[layer] else decided(layer, stripe, x, state)

    def begun(origins: Any, leaps: Any) -> Any:
        """The states of generators after their leaps, shape (lanes, 6)."""
        states = np.zeros((len(origins), 6), np.uint64)
        for lane in range(len(origins)):
            s, o, leap = states[lane], origins[lane], leaps[lane]
            high, low = product(leap[0], leap[1], o[0], o[1])
            more_high, more_low = product(leap[2], leap[3], o[2], o[3])
            s[1] = low + more_low
            s[0] = high + more_high + (one if s[1] < low else u64(0))
            s[2], s[3] = o[2], o[3]
        return states

    def numbers(number: Any) -> Any:
        """What fills an array with numbers that are drawn one at a time."""

        def fill(states: Any, out: Any) -> None:
            for lane in range(len(out)):
                s = states[lane]
                state = (s[0], s[1], s[2], s[3], s[4], s[5])
                for draw in range(out.shape[1]):
                    out[lane, draw], state = number(state)
                s[0], s[1], s[2], s[3], s[4], s[5] = state

        return fill

    def side_bytes(states: Any, out: Any) -> None:
        """Fill an array with the bytes of whole words, lowest first."""
        words = np.empty((1, -(-out.shape[1] // 8)), np.uint64)
        for lane in range(len(out)):
            words_of(states[lane : lane + 1], words)
            for draw in range(out.shape[1]):
                out[lane, draw] = np.uint8(words[0, draw // 8] >> u64(8 * (draw % 8)))

    def side_bytes_across(states: Any, out: Any, first: int) -> None:
        """Fill columns with the bytes of whole words, which lie side by side until they are taken apart."""
        draws, blocks, _ = out.shape
        for start in range(0, len(states), _LANES):
            lanes = min(_LANES, len(states) - start)
            for done in range(0, draws * blocks, _DRAWS):
                number = min(_DRAWS, draws * blocks - done)
                words = np.empty((-(-number // 8), lanes), np.uint64)
                words_of(states[start : start + lanes], words.T)
                for place in range(number):
                    block, draw = divmod(done + place, draws)
                    row, wide, shift = out[draw, block], words[place // 8], u64(8 * (place % 8))
                    for lane in range(lanes):
                        row[u64(first + start) + u64(lane)] = np.uint8(wide[u64(lane)] >> shift)

    text = getsource(import_module(__name__)) + str(MULTIPLIER)

    def named(name: str, function: Any) -> Any:
        """The function compiled, under a name of its own: what comes from the cache is linked by names."""
        function.__name__ = function.__qualname__ = name
        return njit(function, nogil=True)

    def saved(name: str, function: Any) -> Any:
        """The function compiled, unless the cache has it."""
        return kept(named(name, function), f"{name} {text}")

    def both(name: str, number: Any) -> tuple[Any, Any]:
        """What fills an array of such numbers lane after lane, and what fills one where lanes lie side by side."""
        part = named(f"{name}_part", numbers(number))

        def across(states: Any, out: Any, first: int) -> None:
            draws, blocks, _ = out.shape
            scratch = np.empty((_LANES, _DRAWS + _APART), np.float32)
            for start in range(0, len(states), _LANES):
                lanes = min(_LANES, len(states) - start)
                for done in range(0, draws * blocks, _DRAWS):
                    drawn = min(_DRAWS, draws * blocks - done)
                    part(states[start : start + lanes], scratch[:lanes, :drawn])
                    for place in range(drawn):
                        block, draw = divmod(done + place, draws)
                        row = out[draw, block]
                        for lane in range(lanes):
                            row[u64(first + start) + u64(lane)] = scratch[u64(lane), u64(place)]

        return saved(f"{name}_along", numbers(number)), saved(f"{name}_across", across)

    words_of = named("words_part", numbers(word))
    sides = saved("side_bytes_along", side_bytes), saved("side_bytes_across", side_bytes_across)
    return Columns(saved("begun", begun), both("normals", normal), both("uniforms", uniform), sides)
