"""MarketPaths: what a tape holds of each step, and the request and the price move that are made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mm_env.market.dynamics import Move, Request
from mm_env.market.exogenous_state import ExogenousState, ObservedState
from mm_env.market.numbers import Flag, Index, Number
from mm_env.market.params import MarketParams

Path: TypeAlias = float | NDArray[Any]  # a quantity over time; whole numbers and flags take a byte each


class MarketPaths(NamedTuple):
    """What happens at each step. A field is an array, one axis of which is time, or one value that is constant."""

    side: Path  # +1 the client buys, -1 he sells, 0 nobody came
    change: Path  # price move, price units
    expected: Path = 0.0  # E[change | what the dealer can know], price units
    size: Path | None = None  # units of the request; None: one
    tier: Index = 0  # index of the client's tier
    reservation: Path | None = None  # largest distance accepted, price units; -inf: none. None: any
    mid_error: Path | None = None  # mid less the one the dealer knows, price units; None: 0
    informed: Flag = False  # the client knew the price move
    preference: Path = 0.0  # which of several dealers wins a tie: the largest; a further axis of dealers
    observed: ObservedState = ObservedState()  # what the dealer sees beside the request

    def flattened(self) -> tuple[Any, ...]:
        """Every path in order, those of the observed state last."""
        return (*self[:-1], *self.observed)

    @classmethod
    def unflattened(cls, values: Sequence[Any]) -> MarketPaths:
        """The paths from what `flattened` returned."""
        return cls._make([*values[:_OWN], ObservedState._make(values[_OWN:])])

    def map(self, function: Callable[[Any], Any]) -> MarketPaths:
        """The paths with the function applied to each one that is an array, and the others as they are."""
        return self.unflattened(
            [function(value) if isinstance(value, np.ndarray) else value for value in self.flattened()]
        )

    def at(self, index: Any) -> MarketPaths:
        """What there is at one place in time."""
        return self.map(lambda values: values[index])

    def state(self) -> ExogenousState:
        """The request that the paths make, and what the dealer sees beside it."""
        signed_size = self.side if self.size is None else self.side * self.size
        request = Request(self.side, signed_size, self.tier, self.reservation, self.mid_error, self.informed)
        return ExogenousState(request, self.observed)

    def move(self, last: Flag, params: MarketParams) -> Move:
        """The price move that the paths make; `last` says whether the episode ends with it."""
        regime = self.observed.regime
        hedge_cost, risk_weight = of_regime(params.hedge_costs, regime), of_regime(params.risk_weights, regime)
        return Move(self.change, self.expected, last, hedge_cost, risk_weight)


_OWN = len(MarketPaths._fields) - 1  # of the paths, those that are not of the observed state


def of_regime(values: tuple[float, ...], regime: Index) -> Number:
    """The value that belongs to each regime."""
    return np.asarray(values)[regime] if isinstance(regime, np.ndarray) else values[regime]
