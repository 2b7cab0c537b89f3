"""ExogenousState: what a step shows the dealer besides his own book, whatever he does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mm_env.market.dynamics import Request
from mm_env.market.numbers import Index, Number


class ObservedState(NamedTuple):
    """What the dealer sees beside the request. The law does not read it; it tells him what to expect.

    Each field is a number, or an array that broadcasts with those of the request.
    """

    last_side: Number = 0.0  # side of the client before this one, 0 if there was none
    regime: Index = 0  # index of the volatility regime
    deviation: Number = 0.0  # known mid less starting price, his own impact apart, price units
    won: Number = 0.0  # of several dealers: +1 he won the last trade, -1 another did, 0 there was none
    best_quote: Number = 0.0  # distance of the last trade's quote from the mid (as known), price units
    rivals: tuple[Number, ...] = ()  # inventories of the other dealers, where they are shown, units


class ExogenousState(NamedTuple):
    """The client's request and what the dealer sees beside it."""

    request: Request
    observed: ObservedState = ObservedState()

    def map(self, function: Callable[[Any], Any]) -> ExogenousState:
        """The state with the function applied to each part that is an array, and the others as they are."""
        request, observed = ([function(p) if isinstance(p, np.ndarray) else p for p in record] for record in self)
        return ExogenousState(Request._make(request), ObservedState._make(observed))


NO_REQUEST = ExogenousState(Request(side=0.0, signed_size=0.0))  # what is shown after the last trade
