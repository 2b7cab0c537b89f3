"""What an agent sees: the observation, its space, and the way back to units.

The observation is what keeps the market Markov, scaled to about one. A market shows the columns that it needs, each an
entry of `OBSERVATIONS`. Policies go the other way: `decode_observation` turns them into units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mm_env.market import dynamics
from mm_env.market.dynamics import Book, Request
from mm_env.market.exogenous_state import ExogenousState, ObservedState
from mm_env.market.numbers import Index, Number, Values
from mm_env.market.params import DealersParams, MarketParams

Observations = NDArray[np.float32]  # (..., observations)


class ObservationColumn(NamedTuple):
    """One number of the observation."""

    name: str
    meaning: str
    low: float
    high: float
    value: Callable[[Book, ExogenousState, Number | Index, MarketParams], Number]
    shown: Callable[[MarketParams], bool] = lambda params: True
    bounded: Callable[[MarketParams], bool] = lambda params: True  # else it may be any number


def _in_flight(step: int) -> ObservationColumn:
    return ObservationColumn(
        f"in_flight_{step + 1}",
        f"hedge order that executes {f'after {step} more' if step else 'in this'} step / inventory_limit",
        -1.0,
        1.0,
        lambda book, state, left, params: book.in_flight[step] / (params.inventory_limit or 1),
    )


OBSERVATIONS = (
    ObservationColumn(
        "inventory",
        "inventory / inventory_limit",
        -1.0,
        1.0,
        lambda book, state, left, params: book.inventory / (params.inventory_limit or 1),
    ),
    ObservationColumn(
        "time_left",
        "trades left / num_trades, this one included",
        0.0,
        1.0,
        lambda book, state, left, params: left / params.num_trades,
    ),
    ObservationColumn(
        "request",
        "units the client asks for / the largest request: > 0 he buys, < 0 he sells, 0 nobody came",
        -1.0,
        1.0,
        lambda book, state, left, params: (
            state.request.signed_size / params.largest_size if params.has_sizes else state.request.signed_size
        ),
    ),
    ObservationColumn(
        "side",
        "+1 the client buys, -1 he sells, 0 nobody came",
        -1.0,
        1.0,
        lambda book, state, left, params: state.request.side,
        lambda params: params.has_sizes,
    ),
    ObservationColumn(
        "tier",
        "index of the client's tier / the last index",
        0.0,
        1.0,
        lambda book, state, left, params: state.request.tier / (len(params.tiers) - 1),
        lambda params: len(params.tiers) > 1,
    ),
    ObservationColumn(
        "last_side",
        "side of the client before, 0 at the start",
        -1.0,
        1.0,
        lambda book, state, left, params: state.observed.last_side,
        lambda params: params.remembers_side,
    ),
    ObservationColumn(
        "regime",
        "index of the volatility regime / the last index",
        0.0,
        1.0,
        lambda book, state, left, params: state.observed.regime / (len(params.volatilities) - 1),
        lambda params: len(params.volatilities) > 1,
    ),
    ObservationColumn(
        "deviation",
        "known mid less starting price, own impact apart, price units",
        -np.inf,
        np.inf,
        lambda book, state, left, params: state.observed.deviation,
        lambda params: params.mean_reversion > 0,
    ),
    ObservationColumn(
        "won",
        "+1 won the last trade, -1 another dealer did, 0 there was none",
        -1.0,
        1.0,
        lambda book, state, left, params: state.observed.won,
        lambda params: params.num_dealers > 1,
    ),
    ObservationColumn(
        "best_quote",
        "distance of the last trade's quote from the mid (if late, the one quoted around) / the widest quote",
        -1.0,
        1.0,
        lambda book, state, left, params: state.observed.best_quote / params.widest_quote,
        lambda params: params.num_dealers > 1,
        lambda params: params.view_noise == 0.0,
    ),
)


def _rival(number: int) -> ObservationColumn:
    return ObservationColumn(
        f"rival_{number + 1}",
        "inventory of another dealer / inventory_limit, in the order of the seats after one's own",
        -1.0,
        1.0,
        lambda book, state, left, params: state.observed.rivals[number] / (params.inventory_limit or 1),
    )


class DecodedObservation(NamedTuple):
    """An observation in units again: what a policy's formula is written in."""

    book: Book  # inventory and orders in flight, units; the rest is not shown
    trades_left: Values  # requests still to answer, this one included
    request: Request
    observed: ObservedState

    @property
    def inventory(self) -> Values:
        """Units, whole."""
        return np.asarray(self.book.inventory)

    @property
    def position(self) -> Values:
        """The inventory once every order in flight has executed, units."""
        return np.asarray(dynamics.net_position(self.book.inventory, self.book.in_flight))


@lru_cache(maxsize=256)
def observation_columns(params: MarketParams) -> tuple[ObservationColumn, ...]:
    """The columns that this market shows."""
    shown = tuple(column for column in OBSERVATIONS if column.shown(params))
    shown += tuple(_in_flight(step) for step in range(params.hedge_latency))
    if isinstance(params, DealersParams) and params.transparent:
        shown += tuple(_rival(number) for number in range(params.num_dealers - 1))
    return shown


def observation_names(params: MarketParams | None = None) -> tuple[str, ...]:
    """The names of the observation's columns, in order; by default those of the seed's market.

    Example:
        >>> observation_names(MarketParams(hedge_latency=1))
        ('inventory', 'time_left', 'request', 'in_flight_1')
    """
    return tuple(column.name for column in observation_columns(params or MarketParams()))


def observation_space(params: MarketParams, largest_size: float | None = None) -> spaces.Box:
    """The space of one observation; `largest_size` is the largest request of a recorded tape, units."""
    larger = max(1.0, (largest_size or 1.0) / params.largest_size)
    columns = observation_columns(params)
    scales = {column.name: 1.0 if column.bounded(params) else np.inf for column in columns} | {"request": larger}
    scale = np.array([scales[column.name] for column in columns])
    low, high = (scale * [getattr(column, end) for column in columns] for end in ("low", "high"))
    return spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)


def observation_values(
    book: Book, state: ExogenousState, trades_left: Number | Index, params: MarketParams
) -> tuple[Number, ...]:
    """The numbers of the observation, in order."""
    return tuple(column.value(book, state, trades_left, params) for column in observation_columns(params))


def values_of_parts(
    book: Book, request: Request, observed: ObservedState, trades_left: Number | Index, params: MarketParams
) -> tuple[Number, ...]:
    """`observation_values` of a state that is not yet put together."""
    return observation_values(book, ExogenousState(request, observed), trades_left, params)


def observe(book: Book, state: ExogenousState, trades_left: Number | Index, params: MarketParams) -> Observations:
    """The observations of many dealers, shape (..., observations)."""
    values = observation_values(book, state, trades_left, params)
    observations = np.empty((len(values), *np.broadcast(*values).shape), dtype=np.float32)
    for row, value in zip(observations, values, strict=True):
        row[...] = value
    return observations.transpose(*range(1, observations.ndim), 0)  # each column lies together: written faster


def decode_observation(observations: Observations, params: MarketParams) -> DecodedObservation:
    """Undo `observe`: observations of shape (..., observations) in units."""
    columns = np.moveaxis(np.asarray(observations, dtype=np.float64), -1, 0)
    seen: Mapping[str, Values] = dict(zip(observation_names(params), columns, strict=True))
    limit = params.inventory_limit or 1
    inventory, trades_left = np.round(seen["inventory"] * limit), np.round(seen["time_left"] * params.num_trades)
    wanted = np.round(seen["request"] * params.largest_size)
    orders = tuple(np.round(seen[_in_flight(step).name] * limit) for step in range(params.hedge_latency))
    none = np.zeros_like(inventory)
    request = Request(
        side=np.sign(wanted),
        signed_size=wanted,
        tier=_index(seen.get("tier", none), len(params.tiers)),
    )
    observed = ObservedState(
        last_side=seen.get("last_side", none),
        regime=_index(seen.get("regime", none), len(params.volatilities)),
        deviation=seen.get("deviation", none),
        won=seen.get("won", none),
        best_quote=seen.get("best_quote", none) * params.widest_quote,
        rivals=tuple(np.round(seen[name] * limit) for name in seen if name.startswith("rival_")),
    )
    return DecodedObservation(
        dynamics.initial_book(params)._replace(inventory=inventory, in_flight=orders), trades_left, request, observed
    )


def _index(share: Values, number: int) -> NDArray[np.intp]:
    return np.round(share * (number - 1)).astype(np.intp)
