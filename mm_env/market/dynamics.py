"""THE LAW: what one client request does to a dealer's book. Every face of the market calls these functions.

A step, in this order (client side d = +1 buys, -1 sells, 0 nobody came; units, price units):

| event                | effect                                                                           |
|----------------------|----------------------------------------------------------------------------------|
| the dealer quotes    | p = m - mid_error + d * delta: around the mid as he knows it                      |
| the client decides   | accepts iff d * (p - m) <= reservation, rejected whole if abs(q) would exceed limit |
| the trade is booked  | q -= d * v, cash += d * v * p                                                    |
| the dealer hedges    | orders what exceeds k: x = clip(q, -k, k) - q, q counting the orders in flight;  |
|                      | with a target T: where abs(q) > k, x = clip(q, -T, T) - q                        |
| an order executes    | the one now due: q += x; cash -= x * m + c * abs(x) + (eta + kappa / 2) * x^2    |
|                      | and, where x != 0, the ticket fee                                                |
| the price moves      | m += move + kappa * x                                                            |
| the book is marked   | equity = cash + q * m; reward = change of equity - risk penalty                  |

The functions are pure: no randomness, no in-place writes, no branch on data. Their few elementary functions come
from `xp`: with NumPy's the same text serves one row per dealer, or a solver's whole grid of states by broadcasting;
with those of `mm_env.kernels.scalar_ops` it serves one dealer in plain floats, bit for bit the same. Called once with
traced numbers (`mm_env.kernels.tracing`), it becomes the straight code that the environments run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from mm_env.market.numbers import NUMPY, ElementaryFunctions, Flag, Index, Number, size
from mm_env.market.params import MarketParams


class Book(NamedTuple):
    """What the dealer holds, and what the charts show of it."""

    inventory: Number  # q, units; positive is long
    cash: Number  # price units
    mid: Number  # m, price units
    equity: Number  # cash + q * m when last marked, price units
    unrealized_pnl: Number  # q * (m - p) - hedge cost of the last filled trade, price units
    cumulative_hedge: Number  # units hedged so far
    in_flight: tuple[Number, ...] = ()  # hedge orders not yet executed, oldest first, signed units


class Request(NamedTuple):
    """One client request; what the dealer does not see of it stands last."""

    side: Number  # d: +1 the client buys, -1 sells, 0 nobody came
    signed_size: Number  # d * v: units he wants to buy, negative to sell
    tier: Index = 0  # index of the client's tier
    reservation: Number | None = None  # largest distance from the mid that the client accepts; None: any
    mid_error: Number | None = None  # by how much the mid has risen above the one that the dealer knows; None: 0
    informed: Flag = False  # the client knows the next price move


class Decision(NamedTuple):
    """What the dealer decides in one step: his quote, and how much inventory he keeps."""

    distance: Number  # delta, distance from the mid to the quote, price units
    threshold: Number  # k, units: what exceeds it is hedged; the cap means: do not hedge
    max_units: Number | None  # u, units: no more than this is hedged; None: all of the excess
    target: Number | None = None  # T, units: what exceeds k is hedged down to it; None: to k itself

    def map(self, function: Callable[[Any], Any]) -> Decision:
        """The decision with the function applied to each part that is an array, and the others as they are."""
        return Decision._make(part if part is None or np.ndim(part) == 0 else function(part) for part in self)


class Move(NamedTuple):
    """The next price move, what the dealer could know of it when he decided, and what hedging and holding cost."""

    change: Number  # price units
    expected: Number  # E[change | request], price units
    last: Flag  # the episode ends with it
    hedge_cost: Number  # c, price units per unit
    risk_weight: Number  # 0.5 * gamma * variance of the move, price units per unit squared


class TradeResult(NamedTuple):
    """The first half of a step: what the client's decision made of the book."""

    inventory: Number  # q after the trade
    cash: Number
    filled: Flag  # the client traded
    price: Number  # p, at which he was quoted
    spread_pnl: Number


class Step(NamedTuple):
    """What one request led to: the book at the end of the step and the named parts of the reward."""

    book: Book
    filled: Flag  # the client traded
    hedge: Number  # signed units hedged: negative sells
    order: Number  # signed units ordered: hedged now, or `hedge_latency` steps later
    spread_pnl: Number  # price units, as are all below
    hedge_cost: Number  # paid, >= 0
    inventory_pnl: Number
    risk_penalty: Number  # charged, >= 0


class RewardParts(NamedTuple):
    """The named parts of the reward, signed so that their sum is the realised reward; price units."""

    spread_pnl: Number
    hedge_cost: Number  # <= 0
    inventory_pnl: Number
    risk_penalty: Number  # <= 0


Paid = TypeVar("Paid")  # what a reward is: a float for one dealer, an array for many; or `RewardParts` of these
Reward: TypeAlias = Callable[[Step, Move, MarketParams], Paid]
LawStep: TypeAlias = Callable[[Book, Request, Decision, Move], tuple[Step, Any]]  # `rewarded_step` of one market


def step(
    book: Book, request: Request, decision: Decision, move: Move, params: MarketParams, xp: ElementaryFunctions = NUMPY
) -> Step:
    """Play one request: quote and trade, then hedge, let the price move, and mark."""
    return hedge_and_mark(book, quote_and_trade(book, request, decision, params), decision, move, params, xp)


def rewarded_step(
    book: Book,
    request: Request,
    decision: Decision,
    move: Move,
    reward: Reward[Paid],
    params: MarketParams,
    xp: ElementaryFunctions = NUMPY,
) -> tuple[Step, Paid]:
    """Play one request; return the step and its reward, one of `REWARDS`."""
    played = step(book, request, decision, move, params, xp)
    return played, reward(played, move, params)


def quote_and_trade(book: Book, request: Request, decision: Decision, params: MarketParams) -> TradeResult:
    """The first half of a step: quote, and trade if the client accepts."""
    q, cash, m = book.inventory, book.cash, book.mid
    edge = quote(request, decision)
    price = m + edge
    filled, sold = trade(q, book.in_flight, request, decision, params)
    return TradeResult(q - sold, cash + sold * price, filled, price, spread_earned(sold, edge))


def hedge_and_mark(
    book: Book,
    traded: TradeResult,
    decision: Decision,
    move: Move,
    params: MarketParams,
    xp: ElementaryFunctions = NUMPY,
) -> Step:
    """The second half: hedge what exceeds the threshold, let the price move, and mark what is held."""
    q, cash, m, in_flight = traded.inventory, traded.cash, book.mid, book.in_flight

    position = net_position(q, in_flight) if in_flight else q
    kept = hedge_excess(position, decision, xp)
    order = kept - position
    hedge, in_flight = (in_flight[0], (*in_flight[1:], order)) if in_flight else (order, ())
    units = size(hedge)
    hedge_cost = hedging_cost(units, move.hedge_cost, params)
    q = q + hedge if in_flight else kept
    cash = cash - hedge * m - hedge_cost

    change = move.change
    if params.permanent_impact:
        change = change + params.permanent_impact * hedge
    m = m + change
    if params.liquidate_at_end:
        charge = xp.where(move.last, hedging_cost(size(q), move.hedge_cost, params), 0.0)
        hedge_cost = hedge_cost + charge
        cash = cash - charge

    equity = cash + q * m
    unrealized_pnl = xp.where(traded.filled, q * (m - traded.price) - hedge_cost, book.unrealized_pnl)
    inventory_pnl = q * change
    risk_penalty = move.risk_weight * (q * q)

    after = Book(q, cash, m, equity, unrealized_pnl, book.cumulative_hedge + units, in_flight)
    return Step(after, traded.filled, hedge, order, traded.spread_pnl, hedge_cost, inventory_pnl, risk_penalty)


def initial_book(params: MarketParams) -> Book:
    """The book before the first request: flat, no cash, no orders, at the starting price."""
    return Book(0.0, 0.0, params.starting_price, 0.0, 0.0, 0.0, (0.0,) * params.hedge_latency)


def reset_where(which: Flag, book: Book, params: MarketParams, xp: ElementaryFunctions = NUMPY) -> Book:
    """The opening book where `which` holds, elsewhere the book as it is."""
    fresh = initial_book(params)
    orders = (xp.where(which, a, b) for a, b in zip(fresh.in_flight, book.in_flight, strict=True))
    numbers = (name for name in Book._fields if name != "in_flight")
    values = {name: xp.where(which, getattr(fresh, name), getattr(book, name)) for name in numbers}
    return Book(**values, in_flight=tuple(orders))


def no_step(book: Book) -> Step:
    """A step in which nothing happened: what there is to report after a reset."""
    return Step(book, False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def quote(request: Request, decision: Decision) -> Number:
    """The quoted price less the mid: d * delta - mid_error. The client buys above the mid and sells below it."""
    edge = request.side * decision.distance
    return edge if request.mid_error is None else edge - request.mid_error


def spread_earned(sold: Number, edge: Number) -> Number:
    """What trading so many signed units at this distance from the known mid earns at once, price units."""
    return sold * edge


def distance_from_mid(request: Request, decision: Decision) -> Number:
    """How far from the true mid the client is quoted: what he compares with his reservation distance."""
    return decision.distance if request.mid_error is None else request.side * quote(request, decision)


def trade(
    inventory: Number, in_flight: tuple[Number, ...], request: Request, decision: Decision, params: MarketParams
) -> tuple[Flag, Number]:
    """Fill the client whole or not at all. Return whether he trades, and the signed units sold to him.

    The cap holds for the inventory now and after each order in flight; the distance is the one from the true mid.
    """
    filled = fits(inventory - request.signed_size, in_flight, params)
    if request.reservation is not None:
        filled = filled & (distance_from_mid(request, decision) <= request.reservation)
    return filled, filled * request.signed_size


def fits(inventory: Number, in_flight: tuple[Number, ...], params: MarketParams) -> Flag:
    """Whether the cap allows an inventory, now and after each order in flight."""
    allowed: Flag = size(inventory) <= params.inventory_limit
    for order in in_flight:
        inventory = inventory + order
        allowed = allowed & (size(inventory) <= params.inventory_limit)
    return allowed


def net_position(inventory: Number, in_flight: tuple[Number, ...]) -> Number:
    """The inventory once every order in flight has executed, units."""
    for order in in_flight:
        inventory = inventory + order
    return inventory


def hedge_excess(position: Number, decision: Decision, xp: ElementaryFunctions) -> Number:
    """What is kept: clip(q, -k, k), or clip(q, -T, T) where abs(q) > k; but no more than u is hedged; units."""
    kept = clip(position, decision.threshold, xp)
    if decision.target is not None:
        kept = xp.where(size(position) > decision.threshold, clip(position, decision.target, xp), position)
    return kept if decision.max_units is None else position + clip(kept - position, decision.max_units, xp)


def units_hedged(
    book: Book, request: Request, decision: Decision, params: MarketParams, xp: ElementaryFunctions = NUMPY
) -> Number:
    """How many units a dealer with this book would order after this request, were its quote accepted."""
    _, sold = trade(book.inventory, book.in_flight, request, decision, params)
    position = net_position(book.inventory - sold, book.in_flight)
    return size(position - hedge_excess(position, decision, xp))


def clip(value: Number, bound: Number, xp: ElementaryFunctions) -> Number:
    """`value` within -bound and bound."""
    return xp.minimum(xp.maximum(value, -bound), bound)


def hedging_cost(units: Number, cost_per_unit: Number, params: MarketParams) -> Number:
    """What hedging `units` >= 0 costs beyond their value at the mid before: c * units + (eta + kappa / 2) * units^2.

    kappa / 2: half of the move it causes. So hedging to and fro earns nothing by moving the price. An order of any
    size costs the ticket fee as well.
    """
    cost = cost_per_unit * units
    quadratic = params.hedge_impact + 0.5 * params.permanent_impact
    if quadratic:
        cost = cost + quadratic * (units * units)
    return cost + (units > 0.0) * params.hedge_ticket if params.hedge_ticket else cost


def expected_pnl(step: Step, move: Move, params: MarketParams) -> Number:
    """E[inventory_pnl | what the dealer could know] = q * (E[change | request] + kappa * x), price units."""
    change = move.expected
    if params.permanent_impact:
        change = change + params.permanent_impact * step.hedge
    return step.book.inventory * change


def realised_reward(step: Step, move: Move, params: MarketParams) -> Number:
    """spread_pnl - hedge_cost + inventory_pnl - risk_penalty: the change of equity less the penalty."""
    return step.spread_pnl - step.hedge_cost + step.inventory_pnl - step.risk_penalty


def expected_reward(step: Step, move: Move, params: MarketParams) -> Number:
    """The realised reward with inventory_pnl replaced by its expectation given what the dealer can know."""
    return step.spread_pnl - step.hedge_cost + expected_pnl(step, move, params) - step.risk_penalty


def reward_parts(step: Step, move: Move, params: MarketParams) -> RewardParts:
    """The realised reward as the vector of its named parts, for agents of several objectives."""
    return RewardParts(step.spread_pnl, -step.hedge_cost, step.inventory_pnl, -step.risk_penalty)


def cap_cost(step: Step, params: MarketParams) -> Number:
    """1 where the inventory is at the cap at the end of the step, else 0: what agents under a constraint keep low."""
    return (size(step.book.inventory) >= params.inventory_limit) * 1.0


REWARDS: Mapping[str, Reward[Any]] = {
    "realised": realised_reward,
    "expected": expected_reward,
    "vector": reward_parts,
}
