"""Channels: what a tape holds of each step, and the request and the price move that are made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mm_env.market.dynamics import Flag, Move, Number, Request
from mm_env.market.params import MarketParams


class MarketPaths(NamedTuple):
    """What happens at each step: arrays with any axes, one of them time, or one value where it is always that."""

    side: Number  # +1 the client buys, -1 sells, 0 nobody came; a drawn one takes a byte
    change: Number  # price move, price units
    expected: Number = 0.0  # E[change | what the dealer can know], price units
    size: Number | None = None  # units of the request; None: one
    tier: Number = 0  # index of the client's tier
    last_side: Number = 0.0  # side of the client before
    regime: Number = 0  # index of the volatility regime
    deviation: Number = 0.0  # mid less starting price, price units
    reservation: Number | None = None  # largest distance accepted, price units; -inf: none. None: any
    mid_error: Number | None = None  # mid less the one the dealer knows, price units; None: 0
    informed: Flag = False  # the client knew the price move
    preference: Number = 0.0  # which of several dealers wins a tie: the largest; a further axis of dealers

    def map(self, function: Callable[[Any], Any]) -> MarketPaths:
        """The function of every channel that is an array, the others as they are."""
        return MarketPaths(*(function(c) if isinstance(c, np.ndarray) else c for c in self))

    def at(self, index: Any) -> MarketPaths:
        """What there is at one place in time."""
        return self.map(lambda channel: channel[index])

    def request(self) -> Request:
        """The request that the channels make."""
        wanted = self.side if self.size is None else self.side * self.size
        return Request(
            self.side,
            wanted,
            self.tier,
            self.last_side,
            self.regime,
            self.deviation,
            reservation=self.reservation,
            mid_error=self.mid_error,
            informed=self.informed,
        )

    def move(self, last: Flag, params: MarketParams) -> Move:
        """The price move that they make; `last`: the episode ends with it."""
        hedge_cost, risk_weight = (
            of_regime(params.hedge_costs, self.regime),
            of_regime(params.risk_weights, self.regime),
        )
        return Move(self.change, self.expected, last, hedge_cost, risk_weight)


def of_regime(values: tuple[float, ...], regime: Number) -> Number:
    """The value of each regime asked for."""
    return np.take(values, regime) if isinstance(regime, np.ndarray) else values[regime]
