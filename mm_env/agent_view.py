"""What an agent sees and says: observations, actions, and their spaces.

The observation is what keeps the market Markov, scaled to about one. Each of its columns is an entry of
`OBSERVATIONS`. An action is an index into `hedge_levels`: the hedge threshold of this step, or the units to
offload now. Policies go the other way: `read` turns observations into units, `encode` a threshold into an action.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from mm_env import market
from mm_env.market import Book, Decision, Number, Request, Step
from mm_env.params import MarketParams

Observations = NDArray[np.float32]  # (..., observations)
Actions = NDArray[np.int64]  # (...)
PolicyFunction = Callable[[Observations], Actions]

NOBODY = Request(side=0.0, wanted=0.0, reservation=None)  # what is shown after the last trade


class Column(NamedTuple):
    """One number of the observation."""

    name: str
    meaning: str
    low: float
    high: float
    value: Callable[[Book, Request, Number, MarketParams], Number]


OBSERVATIONS = (
    Column(
        "inventory",
        "inventory / inventory_limit",
        -1.0,
        1.0,
        lambda book, request, left, params: book.inventory / (params.inventory_limit or 1),
    ),
    Column(
        "time_left",
        "trades left / num_trades",
        0.0,
        1.0,
        lambda book, request, left, params: left / params.num_trades,
    ),
    Column(
        "request",
        "units the client asks for: > 0 he buys, < 0 he sells, 0 nobody came",
        -1.0,
        1.0,
        lambda book, request, left, params: request.wanted,
    ),
)


_VALUES = tuple(column.value for column in OBSERVATIONS)


class View(NamedTuple):
    """An observation in units again: what a policy's formula is written in."""

    inventory: NDArray[np.float64]  # units, whole
    trades_left: NDArray[np.float64]  # requests still to answer, this one included
    request: Request


def observation_names() -> tuple[str, ...]:
    """The names of the observation's columns, in order."""
    return tuple(column.name for column in OBSERVATIONS)


def observation_space(largest_size: float = 1.0) -> spaces.Box:
    """The space of one observation; `largest_size` is the largest request, units."""
    scale = np.array([largest_size if c.name == "request" else 1.0 for c in OBSERVATIONS])
    low = scale * [column.low for column in OBSERVATIONS]
    high = scale * [column.high for column in OBSERVATIONS]
    return spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)


def action_space(params: MarketParams) -> spaces.Discrete:
    """The space of one action: an index into `hedge_levels`."""
    return spaces.Discrete(len(hedge_levels(params)))


def hedge_levels(params: MarketParams) -> NDArray[np.float64]:
    """The hedge thresholds (or units to offload) that action 0, 1, 2, ... stand for, units.

    Example:
        >>> hedge_levels(MarketParams(inventory_limit=20, hedge_levels=5)).tolist()
        [0.0, 5.0, 10.0, 15.0, 20.0]
    """
    number = params.hedge_levels or params.inventory_limit + 1
    return np.round(np.linspace(0.0, params.inventory_limit, number))


def columns(book: Book, request: Request, trades_left: Number, params: MarketParams) -> list[Number]:
    """The values of the observation's columns: floats, or arrays that broadcast together."""
    return [value(book, request, trades_left, params) for value in _VALUES]


def observe(book: Book, request: Request, trades_left: Number, params: MarketParams) -> Observations:
    """The observations of many dealers, shape (..., observations)."""
    values = columns(book, request, trades_left, params)
    observations = np.empty((len(values), *np.broadcast(*values).shape), dtype=np.float32)
    for row, value in zip(observations, values, strict=True):
        row[...] = value
    return observations.transpose(*range(1, observations.ndim), 0)  # each column lies together: written faster


def read(observations: Observations, params: MarketParams) -> View:
    """Undo `observe`: observations of shape (..., observations) in units."""
    inventory, time_left, request = np.moveaxis(np.asarray(observations, dtype=np.float64), -1, 0)
    return View(
        inventory=np.round(inventory * (params.inventory_limit or 1)),
        trades_left=np.round(time_left * params.num_trades),
        request=Request(np.sign(request), request, None),
    )


def decode(level: Number, params: MarketParams) -> Decision:
    """The decision that a hedge level stands for: a threshold, or units to offload now. Shape (...), units."""
    if params.hedge_action == "units":
        return Decision(params.spread, 0.0, level)
    return Decision(params.spread, level, None)


def encode(threshold: ArrayLike, observations: Observations, params: MarketParams) -> Actions:
    """The action that hedges what exceeds `threshold` (units, at least 0), given what is observed.

    Args:
        threshold: Hedge threshold of each row; above the cap means: do not hedge. Shape (...).
        observations: Shape (..., observations).
        params: The market.

    Returns:
        Actions of shape (...).

    Raises:
        ValueError: `hedge_levels` leaves a threshold out.
    """
    kept = np.minimum(np.asarray(threshold, dtype=np.float64), params.inventory_limit)
    if params.hedge_action == "units":
        inventory, _, request = read(observations, params)
        decision = Decision(distance=params.spread, threshold=kept, max_units=None)
        return np.asarray(market.units_hedged(inventory, request, decision, params, np), dtype=np.int64)
    levels = hedge_levels(params)
    actions = np.searchsorted(levels, kept)
    if not np.array_equal(levels[actions], kept):
        missing = kept[levels[actions] != kept].flat[0]
        raise ValueError(f"threshold {missing:g} is not one of the hedge levels {levels.astype(int).tolist()}")
    return np.array(np.broadcast_to(actions, np.shape(observations)[:-1]), dtype=np.int64)


def report(step: Step) -> dict[str, Any]:
    """What `info` tells of a step: the named parts of the reward and the book at its end."""
    book, filled, hedge, spread_pnl, hedge_cost, inventory_pnl, risk_penalty = step
    inventory, _, price, equity, unrealized_pnl, cumulative_hedge = book
    return {
        "spread_pnl": spread_pnl,
        "hedge_cost": hedge_cost,
        "inventory_pnl": inventory_pnl,
        "risk_penalty": risk_penalty,
        "filled": filled,
        "hedge": hedge,
        "inventory": inventory,
        "price": price,
        "equity": equity,
        "unrealized_pnl": unrealized_pnl,
        "cumulative_hedge": cumulative_hedge,
    }


def check_action(action: Any, number: int) -> int:
    """`action` as an int below `number`, or a `ValueError` that says what is allowed."""
    try:
        index = operator.index(action)
    except TypeError:
        index = -1
    if not 0 <= index < number:
        raise ValueError(f"action must be a whole number from 0 to {number - 1}, got {action!r}")
    return index


def check_actions(actions: Any, lanes: int, number: int) -> Actions:
    """`actions` as an integer array of shape (lanes,) with entries below `number`, or a `ValueError`."""
    try:
        array = np.asarray(actions)
    except (ValueError, TypeError, OverflowError):
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "iu" or array.shape != (lanes,):
        raise ValueError(f"actions must be whole numbers of shape ({lanes},), got {array.dtype} of shape {array.shape}")
    whole = array.astype(np.int64, copy=False)
    if np.maximum.reduce(whole.view(np.uint64)) >= number:  # one pass: what is negative becomes huge
        lane = int(np.argmax((array < 0) | (array >= number)))
        raise ValueError(f"actions must be from 0 to {number - 1}, got {array[lane]} in lane {lane}")
    return whole
