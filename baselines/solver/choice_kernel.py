"""The functions of `choice.py` as machine code: the same numbers bit for bit, many times faster.

Nothing of the market stands here: rewards, states and quotes are what the law made of them, as arrays.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from inspect import getsource
from typing import Any

import numpy as np

from baselines.solver.choice import TIE, Choice, Trades, Wholes
from mm_env.kernels.machine_code_cache import kept
from mm_env.market.numbers import Values


def second_half(reward: Values, after: Wholes, continuation: Values, out: Values) -> None:
    """`choice.second_half`, compiled."""
    _compiled()[0](reward, after, np.ascontiguousarray(continuation), out)


def choose(no_trade: Values, trades: Trades, highest: bool) -> Choice:
    """`choice.choose`, compiled."""
    states, quotes = len(no_trade), trades.quotes
    value, hedge, quote = np.empty(states), np.empty(states, np.int16), np.empty(states, np.int16)
    lines = quotes.breaks, quotes.chance[quotes.lines], quotes.spread[quotes.lines], quotes.lines
    _compiled()[1](no_trade, trades.fits, trades.after, *lines, highest, TIE, value, hedge, quote)
    return value, hedge, quote


@lru_cache(maxsize=1)
def _compiled() -> tuple[Any, Any]:
    from numba import njit

    @njit(error_model="numpy")
    def solver_second_half(reward: Any, after: Any, continuation: Any, worth: Any) -> None:
        states, levels = worth.shape
        for state in range(states):
            for level in range(levels):
                worth[state, level] = reward[state, level] + continuation[after[state, level]]

    @njit(forceinline=True)
    def line_at(x: Any, breaks: Any, line: Any) -> Any:
        """`np.searchsorted(breaks, x)`, from a guess that is near."""
        while line < len(breaks) and breaks[line] < x:
            line += 1
        while line > 0 and breaks[line - 1] >= x:
            line -= 1
        return line

    @njit(error_model="numpy")
    def solver_choose(
        no_trade: Any,
        fits: Any,
        after: Any,
        breaks: Any,
        chance: Any,
        spread: Any,
        quotes: Any,
        highest: Any,
        tie: Any,
        value: Any,
        hedge: Any,
        quote: Any,
    ) -> None:
        states, levels = no_trade.shape
        sums, sizes, row = np.zeros(levels), np.zeros(levels), np.empty(levels)
        for state in range(states):
            stays, trades = no_trade[state], no_trade[after[state]]
            if not fits[state]:
                for level in range(levels):
                    row[level] = stays[level] + 0.0
            elif len(breaks) == 0:
                for level in range(levels):
                    row[level] = stays[level] + chance[0] * (spread[0] + (trades[level] - stays[level]))
            else:
                line = 0
                for level in range(levels):
                    gain = trades[level] - stays[level]
                    line = line_at(gain, breaks, line)
                    row[level] = stays[level] + chance[line] * (spread[line] + gain)
            for level in range(levels):  # a loop of its own: LLVM packs it
                sums[level] += row[level]
                sizes[level] = max(sizes[level], abs(row[level]))
            best, where = row[0], 0
            for level in range(1, levels):
                better = row[level] >= best if highest else row[level] > best
                best, where = (row[level], level) if better else (best, where)
            value[state], hedge[state] = best, where
        common = 0
        for level in range(levels):
            if sums[level] > sums[common] or (highest and sums[level] == sums[common]):
                common = level
        line, allowed = 0, tie * sizes.max()
        for state in range(states):
            gain = no_trade[after[state], common] - no_trade[state, common]
            line = line_at(gain, breaks, line)
            worth = chance[line] * (spread[line] + gain) if fits[state] else 0.0
            worth = no_trade[state, common] + worth
            if worth >= value[state] - allowed:
                value[state], hedge[state] = worth, common
            else:
                level = hedge[state]
                line = line_at(no_trade[after[state], level] - no_trade[state, level], breaks, line)
            quote[state] = quotes[line]

    text = getsource(import_module(__name__))
    return kept(solver_second_half, "second_half" + text), kept(solver_choose, "choose" + text)
