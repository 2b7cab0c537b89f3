"""The rule by which a client chooses among several dealers: the best quote wins, and ties are drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mm_env.market.dynamics import Book, Decision, Request, quote, trade
from mm_env.market.numbers import Flag, Number
from mm_env.market.params import MarketParams


def best_quotes(distance: Number, able: Flag) -> NDArray[np.bool_]:
    """Which dealers have the best quote of those who are able to fill the client; several where they tie.

    Args:
        distance: Of each dealer's quote from the true mid, price units; the first axis is the dealers'.
        able: Whether the dealer is able to fill the client; same shape.
    """
    offered = np.where(able, distance, np.inf)
    return np.asarray(able & (offered == offered.min(axis=0)))


def route_to_best_quote(
    book: Book, request: Request, decision: Decision, preference: Number, params: MarketParams
) -> Request:
    """The request as it goes to each of several dealers: only with the winner is the client willing to trade.

    The client takes the quote nearest to his side of the true mid, of those that he accepts and that can fill; between
    equals the larger preference. The first axis of what differs between dealers is theirs.
    """
    filled, _ = trade(book.inventory, book.in_flight, request, decision, params)
    distance = request.side * quote(request, decision)
    tied = best_quotes(distance, filled)
    rank = np.where(tied, preference, -1.0)
    wins = tied & (np.arange(len(rank))[:, None] == rank.argmax(axis=0))
    return request._replace(reservation=np.where(wins, np.inf, -np.inf))
