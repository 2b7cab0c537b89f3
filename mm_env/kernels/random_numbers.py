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

_SCRATCH_LANES = 8
_RADIUS = 3.6541528853610088  # where the tail of the ziggurat begins
_AREA = 0.00492867323399  # of each of its 256 layers
_STRIPES = 2**23  # a layer is cut into so many


class Columns(NamedTuple):
    """Fill rows of random numbers, given the generators' `states`, which they move on.

    Every function takes the states, shape (lanes, 6), and an array of shape (draws, blocks, lanes) to fill: each lane
    draws all of its first block, then all of its second, and so on.
    """

    normals: Any
    uniforms: Any
    side_bytes: Any

    def fill(self, states: NDArray[np.uint64], noise: RandomDraws) -> None:
        """Fill all of the noise, time first in memory; episode e is number e // lanes of lane e % lanes."""
        for kind, values in noise.in_order():
            rows = np.moveaxis(values, 0, -1).reshape(-1, len(values) // len(states), len(states))
            getattr(self, kind)(states, rows)


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

    text = getsource(import_module(__name__)) + str(MULTIPLIER)

    def column(number: Any, dtype: Any) -> Any:
        """What fills an array with numbers that are drawn one at a time."""

        def fill(states: Any, out: Any) -> None:
            draws, blocks, lanes = out.shape
            scratch = np.empty((_SCRATCH_LANES, blocks, draws), dtype)
            for start in range(0, lanes, _SCRATCH_LANES):
                width = min(_SCRATCH_LANES, lanes - start)
                for lane in range(width):
                    s = states[start + lane]
                    state = (s[0], s[1], s[2], s[3], s[4], s[5])
                    for block in range(blocks):
                        for draw in range(draws):
                            scratch[lane, block, draw], state = number(state)
                    s[0], s[1], s[2], s[3], s[4], s[5] = state
                turn(scratch, width, out, start)

        fill.__name__ = fill.__qualname__ = f"fill_{number.__name__}"
        return kept(njit(fill), fill.__name__ + text)

    @njit
    def turn(scratch: Any, width: int, out: Any, start: int) -> None:
        """Write the scratch's lanes side by side."""
        draws, blocks, _ = out.shape
        for block in range(blocks):
            for draw in range(draws):
                for lane in range(width):
                    out[draw, block, start + lane] = scratch[lane, block, draw]

    @njit
    def side_bytes(states: Any, out: Any) -> None:
        """Fill an array with the bytes of whole words, lowest first."""
        draws, blocks, lanes = out.shape
        scratch = np.empty((_SCRATCH_LANES, blocks, draws), np.uint8)
        for start in range(0, lanes, _SCRATCH_LANES):
            width = min(_SCRATCH_LANES, lanes - start)
            for lane in range(width):
                s = states[start + lane]
                state = (s[0], s[1], s[2], s[3], s[4], s[5])
                flat = scratch[lane].reshape(-1)
                bits = u64(0)
                for place in range(flat.size):
                    if place % 8 == 0:
                        bits, state = word(state)
                    flat[place] = np.uint8(bits & u64(0xFF))
                    bits >>= u64(8)
                s[0], s[1], s[2], s[3], s[4], s[5] = state
            turn(scratch, width, out, start)

    return Columns(column(normal, np.float32), column(uniform, np.float32), kept(side_bytes, "side_bytes" + text))
