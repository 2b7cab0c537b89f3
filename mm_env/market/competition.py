"""The rule by which a client chooses among several dealers: the best quote wins, and ties are drawn.

Like the law, the rule branches on no data and takes its elementary functions from `xp`. It is written over sequences
with an entry for each dealer: a number where one environment plays, the rows of an array where many do.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any, TypeAlias

import numpy as np

from mm_env.market.dynamics import Book, Decision, Move, Paid, Request, Reward, Step, initial_book, quote, step, trade
from mm_env.market.exogenous_state import ObservedState
from mm_env.market.numbers import NUMPY, ElementaryFunctions, Flag, Number
from mm_env.market.params import DealersParams, MarketParams

Holding: TypeAlias = tuple[Number, tuple[Number, ...]]  # inventory and the orders in flight, units


def best_quotes(distance: Iterable[Number], able: Iterable[Flag], xp: ElementaryFunctions = NUMPY) -> list[Flag]:
    """Which dealers have the best quote of those who are able to fill the client; several where they tie.

    Args:
        distance: Of each dealer's quote from the true mid, price units.
        able: Whether each dealer is able to fill the client.
        xp: The elementary functions.
    """
    able = list(able)
    offered = [xp.where(can, quoted, math.inf) for can, quoted in zip(able, distance, strict=True)]
    nearest = reduce(xp.minimum, offered)
    return [can & (quoted == nearest) for can, quoted in zip(able, offered, strict=True)]


def winner(tied: Sequence[Flag], preference: Iterable[Number], xp: ElementaryFunctions = NUMPY) -> list[Flag]:
    """Of the dealers who tie, the one of the largest preference; of equal ones the first."""
    rank = [xp.where(can, liked, -1.0) for can, liked in zip(tied, preference, strict=True)]
    top = reduce(xp.maximum, rank)
    taken, *others = (can & (liked == top) for can, liked in zip(tied, rank, strict=True))
    wins: list[Any] = [taken]
    for liked_most in others:
        wins.append(xp.where(taken, False, liked_most))
        taken = taken | wins[-1]
    return wins


def reservations(
    filled: Sequence[Flag], distance: Sequence[Number], preference: Sequence[Number], xp: ElementaryFunctions = NUMPY
) -> list[Number]:
    """The client's reservation distance as it is to each dealer: only with the winner is he willing to trade.

    He takes the quote nearest to his side of the true mid, of those that he accepts and that can fill.
    """
    wins = winner(best_quotes(distance, filled, xp), preference, xp)
    return [xp.where(first, math.inf, -math.inf) for first in wins]


def route_to_best_quote(
    book: Book, request: Request, decision: Decision, preference: Number, params: MarketParams
) -> Request:
    """The request as it goes to each of several dealers; the first axis of what differs between them is theirs."""
    filled, _ = trade(book.inventory, book.in_flight, request, decision, params)
    distance = request.side * quote(request, decision)
    able, quoted, liked = map(list, np.broadcast_arrays(filled, distance, preference))
    return request._replace(reservation=np.array(reservations(able, quoted, liked)))


def seen_of_trade(
    filled: Sequence[Flag], distance: Iterable[Number], xp: ElementaryFunctions = NUMPY
) -> tuple[list[Number], Number]:
    """What dealers see of a trade: whether each won it, another did, or nobody (1, -1, 0), and its distance or 0."""
    someone = reduce(operator.or_, filled)
    won = [xp.where(mine, 1.0, xp.where(someone, -1.0, 0.0)) for mine in filled]
    return won, reduce(operator.add, [mine * quoted for mine, quoted in zip(filled, distance, strict=True)])


def seen_distance(request: Request, decision: Decision, params: MarketParams) -> Number:
    """How far from the mid a quote seems to be; with `quote_latency` from the mid that it was quoted around."""
    return decision.distance if params.quote_latency > 0 else request.side * quote(request, decision)


def requests_by_dealer(
    books: tuple[Book, ...],
    request: Request,
    decisions: tuple[Decision, ...],
    preference: tuple[Number, ...],
    params: MarketParams,
    xp: ElementaryFunctions = NUMPY,
) -> tuple[tuple[Request, ...], tuple[Number, ...], Number]:
    """One request as it comes to each of several dealers, who have an entry each.

    Args:
        books: Theirs.
        request: Its `mid_error` is a tuple where they know different mids.
        decisions: Theirs.
        preference: As of `winner`.
        params: The market.
        xp: The elementary functions.

    Returns:
        Requests with the reservation distance that there is for each dealer, and what all of them see of the trade.
    """
    errors = request.mid_error if isinstance(request.mid_error, tuple) else (request.mid_error,) * len(books)
    asked = [request._replace(mid_error=error) for error in errors]
    dealers = list(zip(books, asked, decisions, strict=True))
    able = [_fills(*dealer, params) for dealer in dealers]
    distance = [to.side * quote(to, decision) for _, to, decision in dealers]
    limits = reservations(able, distance, preference, xp)
    asked = [to._replace(reservation=limit) for to, limit in zip(asked, limits, strict=True)]
    filled = [_fills(book, to, decision, params) for book, to, decision in zip(books, asked, decisions, strict=True)]
    shown = [seen_distance(to, decision, params) for _, to, decision in dealers]
    won, best = seen_of_trade(filled, shown, xp)
    return tuple(asked), tuple(won), best


def _fills(book: Book, request: Request, decision: Decision, params: MarketParams) -> Flag:
    """Whether the dealer fills the client."""
    return trade(book.inventory, book.in_flight, request, decision, params)[0]


def competing_step(
    book: Book,
    rivals: tuple[Holding, ...],
    request: Request,
    decision: Decision,
    preference: tuple[Number, ...],
    move: Move,
    observed: ObservedState,
    rival_decisions: tuple[Decision, ...],
    reward: Reward[Paid],
    params: DealersParams,
    xp: ElementaryFunctions = NUMPY,
) -> tuple[Step, Paid, tuple[Holding, ...], tuple[Number, ...], ObservedState]:
    """Play one request among dealers, as the first of them has it.

    Returns:
        His step and reward, what the others hold, who won the trade, and `observed`, which is what there will be to
        see beside the next request, with what he saw of this trade.
    """
    books, decisions = (book, *(book_of(held, params) for held in rivals)), (decision, *rival_decisions)
    asked, won, best = requests_by_dealer(books, request, decisions, preference, params, xp)
    own, *others = (step(*dealer, move, params, xp) for dealer in zip(books, asked, decisions, strict=True))
    held = tuple(holding(each.book) for each in (own, *others))
    return own, reward(own, move, params), held[1:], won, seen_by(0, observed, won, best, held, params)


def seen_by(
    seat: int,
    observed: ObservedState,
    won: tuple[Number, ...],
    best_quote: Number,
    held: tuple[Holding, ...],
    params: DealersParams,
) -> ObservedState:
    """What the dealer in a seat sees beside a request: the last trade and, where shown, the others' inventories."""
    others = (*held[seat + 1 :], *held[:seat]) if params.transparent else ()
    rivals = tuple(inventory for inventory, _ in others)
    return ObservedState(observed.last_side, observed.regime, observed.deviation, won[seat], best_quote, rivals)


def holding(book: Book) -> Holding:
    """What there is in a book to be seen and to be traded with."""
    return book.inventory, book.in_flight


def book_of(held: Holding, params: MarketParams) -> Book:
    """A book in which so much is held; its cash and what it has earned are left out."""
    inventory, in_flight = held
    return initial_book(params)._replace(inventory=inventory, in_flight=in_flight)
