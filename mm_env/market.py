"""THE LAW: what one client request does to a dealer's book. Every face of the market calls these functions.

A step, in this order (client side d = +1 buys, -1 sells, 0 nobody came; units, price units):

| event                | effect                                                                       |
|----------------------|------------------------------------------------------------------------------|
| the dealer quotes    | p = m + d * delta                                                            |
| the client decides   | accepts iff delta <= reservation, and is rejected whole if abs(q) > limit    |
| the trade is booked  | q -= d * v, cash += d * v * p                                                |
| the dealer hedges    | x = clip(q, -k, k) - q, what exceeds k; q += x; cash -= x * m + c * abs(x)   |
| the price moves      | m += move                                                                    |
| the book is marked   | equity = cash + q * m; reward = change of equity - risk penalty              |

The functions are pure: no randomness, no in-place writes, no branch on data. Their few elementary functions come
from `xp`: with `xp = numpy` the same text serves one row per dealer, or a solver's whole grid of states by
broadcasting; with `xp = mm_env.scalar` it serves one dealer in plain floats, bit for bit the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mm_env.params import MarketParams

Number = Any  # a float, or an array of float64: the law serves both, all arguments broadcasting together
Flag = Any  # a bool, or an array of bool


class Book(NamedTuple):
    """What the dealer holds, and what the charts show of it."""

    inventory: Number  # q, units; positive is long
    cash: Number  # price units
    mid: Number  # m, price units
    equity: Number  # cash + q * m when last marked, price units
    unrealized_pnl: Number  # q * (m - p) - hedge cost of the last filled trade, price units
    cumulative_hedge: Number  # units hedged so far


class Request(NamedTuple):
    """One client request. `reservation` is private to the client."""

    side: Number  # d: +1 the client buys, -1 sells, 0 nobody came
    wanted: Number  # d * v: units he wants to buy, negative to sell
    reservation: Number | None  # largest distance from the mid that he accepts, price units; None: any


class Decision(NamedTuple):
    """What the dealer decides in one step: his quote, and how much inventory he keeps."""

    distance: Number  # delta, distance from the mid to the quote, price units
    threshold: Number  # k, units: what exceeds it is hedged; the cap means: do not hedge
    max_units: Number | None  # u, units: no more than this is hedged; None: all of the excess


class Move(NamedTuple):
    """The next price move, and what the dealer could know of it when he decided."""

    change: Number  # price units
    expected: Number  # E[change | request], price units
    last: Flag  # the episode ends with it


class Step(NamedTuple):
    """What one request led to: the book at the end of the step and the named parts of the reward."""

    book: Book
    filled: Flag  # the client traded
    hedge: Number  # x, signed units hedged: negative sells
    spread_pnl: Number  # price units, as are all below
    hedge_cost: Number  # paid, >= 0
    inventory_pnl: Number
    risk_penalty: Number  # charged, >= 0


def step(book: Book, request: Request, decision: Decision, move: Move, params: MarketParams, xp: Any = np) -> Step:
    """Play one request: quote, trade, hedge, let the price move, mark."""
    q, cash, m, _, unrealized_pnl, cumulative_hedge = book

    edge = quote(request, decision)
    price = m + edge
    filled, sold = trade(q, request, decision, params)
    spread_pnl = sold * edge
    q = q - sold
    cash = cash + sold * price

    kept = hedge_excess(q, decision, xp)
    hedge = kept - q
    units = abs(hedge)
    hedge_cost = hedging_cost(units, params)
    q = kept
    cash = cash - hedge * m - hedge_cost

    m = m + move.change
    if params.liquidate_at_end:
        charge = xp.where(move.last, hedging_cost(abs(q), params), 0.0)
        hedge_cost = hedge_cost + charge
        cash = cash - charge

    equity = cash + q * m
    unrealized_pnl = xp.where(filled, q * (m - price) - hedge_cost, unrealized_pnl)
    inventory_pnl = q * move.change
    risk_penalty = params.risk_weight * (q * q)

    after = Book(q, cash, m, equity, unrealized_pnl, cumulative_hedge + units)
    return Step(after, filled, hedge, spread_pnl, hedge_cost, inventory_pnl, risk_penalty)


def opening(params: MarketParams) -> Book:
    """The book before the first request: flat, no cash, at the starting price."""
    return Book(0.0, 0.0, params.starting_price, 0.0, 0.0, 0.0)


def untouched(book: Book) -> Step:
    """A step in which nothing happened: what there is to report after a reset."""
    return Step(book, False, 0.0, 0.0, 0.0, 0.0, 0.0)


def quote(request: Request, decision: Decision) -> Number:
    """The quoted price less the mid: d * delta. The client buys above the mid and sells below it."""
    return request.side * decision.distance


def trade(inventory: Number, request: Request, decision: Decision, params: MarketParams) -> tuple[Flag, Number]:
    """Fill the client whole or not at all. Return whether he trades, and the signed units sold to him."""
    filled = abs(inventory - request.wanted) <= params.inventory_limit
    if request.reservation is not None:
        filled = filled & (decision.distance <= request.reservation)
    return filled, filled * request.wanted


def hedge_excess(inventory: Number, decision: Decision, xp: Any) -> Number:
    """Trade away what exceeds the threshold: what is kept, clip(q, -k, k), but no more than u hedged; units."""
    kept = clip(inventory, decision.threshold, xp)
    return kept if decision.max_units is None else inventory + clip(kept - inventory, decision.max_units, xp)


def units_hedged(inventory: Number, request: Request, decision: Decision, params: MarketParams, xp: Any) -> Number:
    """How many units a dealer with this inventory would hedge after this request."""
    _, sold = trade(inventory, request, decision, params)
    held = inventory - sold
    return abs(held - hedge_excess(held, decision, xp))


def clip(value: Number, bound: Number, xp: Any) -> Number:
    """`value` within -bound and bound."""
    return xp.minimum(xp.maximum(value, -bound), bound)


def hedging_cost(units: Number, params: MarketParams) -> Number:
    """What hedging `units` >= 0 costs beyond their value at the mid: c * units."""
    return params.hedge_cost_per_unit * units


def expected_pnl(step: Step, move: Move) -> Number:
    """E[inventory_pnl | what the dealer could know] = q * E[change | request], price units."""
    return step.book.inventory * move.expected


def realised_reward(step: Step, move: Move) -> Number:
    """spread_pnl - hedge_cost + inventory_pnl - risk_penalty: the change of equity less the penalty."""
    return step.spread_pnl - step.hedge_cost + step.inventory_pnl - step.risk_penalty


def expected_reward(step: Step, move: Move) -> Number:
    """The realised reward with inventory_pnl replaced by its expectation given what the dealer can know."""
    return step.spread_pnl - step.hedge_cost + expected_pnl(step, move) - step.risk_penalty


REWARDS = {"realised": realised_reward, "expected": expected_reward}
