"""The best hedge and quote in every state, for one exogenous state. `choice_kernel.py` has the same as machine code."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from baselines.solver.quote_envelope import QuoteEnvelope
from mm_env.market.numbers import Integers, Values

TIE = 1e-12  # actions whose values differ by less, relative to the values, are equally good

Wholes: TypeAlias = NDArray[np.integer[Any]]
Choice: TypeAlias = tuple[Values, Wholes, Wholes]  # value, hedge level and quote level in every state


class Trades(NamedTuple):
    """What a request can lead to before the hedge."""

    fits: NDArray[np.bool_]  # whether the cap allows it in each state, shape (states,)
    after: Wholes  # number of the state after it; where the cap does not allow it, of the same
    quotes: QuoteEnvelope


def second_half(reward: Values, after: Wholes, continuation: Values, out: Values) -> None:
    """Reward and value to come of every hedge level, shape (states, levels); continuation of shape (states,)."""
    np.add(reward, continuation[after], out=out)


def choose(no_trade: Values, trades: Trades, highest: bool) -> Choice:
    """The best hedge level and quote in every state.

    Args:
        no_trade: What every hedge level is worth where nobody trades, shape (states, levels).
        trades: What the request leads to.
        highest: Of equally good hedge levels take the highest, else the lowest.
    """
    gain = no_trade[trades.after] - no_trade
    gains = no_trade + np.where(trades.fits[:, None], trades.quotes.worth(gain), 0.0)
    hedge = len(gains[0]) - 1 - _best(gains[:, ::-1]) if highest else _best(gains)
    states = np.arange(len(hedge))
    return gains[states, hedge], hedge, trades.quotes.best(gain[states, hedge])


def _best(gains: Values) -> Integers:
    """The best hedge level in every state; of several, the one that does best summed over states, then the first."""
    common = int(gains.sum(axis=0).argmax())
    as_good = gains[:, common] >= gains.max(axis=1) - TIE * np.abs(gains).max()
    return np.asarray(np.where(as_good, common, gains.argmax(axis=1)))
