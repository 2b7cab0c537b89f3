"""Charts of what policies would do: hedge thresholds as heat maps, quotes as curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.envs.action import PolicyFunction, decode_actions
from mm_env.envs.observation import observe
from mm_env.market import dynamics
from mm_env.market.dynamics import Decision, Request
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.numbers import Integers, Values, evenly_spaced
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import exogenous_states
from mm_env.plotting.style import BLACK, BLUE, SKY, Axes, Figure, check, check_mapping, tidy, whole_ticks
from mm_env.registration import params_of_market
from mm_env.state_labels import MIRRORED, Panel, distinct_panels, representative_states

MOST_TRADES, MOST_INVENTORIES = 200, 201  # of a heat map: more cells would be thinner than a pixel
_MOST_PANELS, _ABREAST = 8, 3  # for each policy; and how many of them stand side by side where there is but one
_TIMES: Mapping[float, Mapping[str, Any]] = {  # at which quotes are drawn, as a share of the trades; their look
    0.0: {"color": SKY, "lw": 4.0},
    0.5: {"color": BLUE, "lw": 2.2},
    1.0: {"color": BLACK, "lw": 1.0},
}
_DASHES: Mapping[str, Any] = {"ask": "-", "bid": (0, (3, 1.5))}


def plot_policies(policies: Mapping[str, PolicyFunction], params: MarketParams | str) -> Figure:
    """What each policy hedges, as a heat map over trade number and inventory before the trade, no orders in flight.

    There is a row of panels for every kind of request (side, size, tier, side before, regime) that some policy answers
    in its own way, at most 8. Where sellers are answered as buyers with the opposite inventory, buyers stand for both.
    Between the black lines nothing is hedged if the client trades. At most 200 trades and 201 inventories are shown,
    evenly spaced.

    Args:
        policies: By name; from observations of shape (N, observations) to actions of shape (N,). If one has a
            method `reset(seed)`, that is called first.
        params: The market, or the id of a registered one. The map shows the hedge threshold, or, where actions are not
            that alone, the units hedged.

    Returns:
        The figure, one column per policy, or all panels of the only one; units throughout.

    Raises:
        ValueError: No policies, one that is not callable or gives bad actions, or no market.
    """
    params = _checked(policies, params)
    trades, inventories = _grid(params)
    states = _states(params)
    found = [_hedging(_chosen(*item, params, states, trades, inventories), params) for item in policies.items()]
    levels = np.stack([level for level, _ in found])
    every, mirrored = distinct_panels(states, np.concatenate(levels, axis=2), params)
    shown = _thinned(every)
    figure, panels = _panels(list(policies), shown, "trade number", "inventory, units")
    for (policy, panel), axes in panels.items():
        values, hedged = (part[panel.numbers[0]] for part in found[policy])
        image = _draw_map(axes, values, trades, inventories, params)
        _draw_edges(axes, hedged, float(np.asarray(states.request.signed_size)[panel.numbers[0]]), trades, inventories)
    _head(figure, policies, shown, "between the black lines nothing is hedged", *_notes(mirrored, shown, every))
    label = "hedge threshold, units" if params.hedge_action == "threshold" else "units offloaded"
    drawn = list(panels.values())
    figure.colorbar(image, ax=drawn, label=label, ticks=whole_ticks(8), fraction=0.05, pad=0.02)
    return figure


def plot_quotes(policies: Mapping[str, PolicyFunction], params: MarketParams | str) -> Figure:
    """What each policy quotes, over the inventory before the trade: bid and ask at the first, middle and last trade.

    No orders in flight. There is a row of panels for every kind of request (size, tier, side before, regime) that some
    policy answers in its own way, at most 8. Where the cap forbids the trade, nothing is drawn.

    Args:
        policies: As for `plot_policies`.
        params: The market, or the id of a registered one.

    Returns:
        The figure, one column per policy, or all panels of the only one; distances from the mid in price units.

    Raises:
        ValueError: As `plot_policies`, or the spread is fixed, or no client ever comes.
    """
    params = _checked(policies, params)
    check(params.arrival_probability > 0, "arrival_probability must be above 0 for a chart of quotes, got 0")
    check(params.quote_levels > 1, "quote_levels must be above 1 for a chart of quotes, got 1: the spread is fixed")
    trades = np.unique([1 + round(share * (params.num_trades - 1)) for share in _TIMES])
    _, inventories = _grid(params)
    states = _states(params)
    found = [_quoting(_chosen(*item, params, states, trades, inventories), params) for item in policies.items()]
    asks = np.flatnonzero(np.asarray(states.request.side) > 0).tolist()
    bids = [_counterpart(states, ask) for ask in asks]
    both = [np.concatenate([quotes[asks], quotes[bids]], axis=2) for quotes in found]
    every, _ = distinct_panels(_some(states, asks), np.nan_to_num(np.concatenate(both, axis=2), nan=-1e9), params)
    shown = _thinned(every)
    figure, panels = _panels(list(policies), shown, "inventory, units", "from the mid, price units")
    for (policy, panel), axes in panels.items():
        pair = {"ask": found[policy][asks[panel.numbers[0]]], "bid": found[policy][bids[panel.numbers[0]]]}
        _draw_quotes(axes, pair, trades, inventories)
    _head(figure, policies, shown, *_notes(False, shown, every))
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(2, len(panels)) * len(trades),
        frameon=False,
        fontsize=8.5,
    )
    return figure


def _checked(policies: Mapping[str, PolicyFunction], params: MarketParams | str) -> MarketParams:
    """The market, where the policies are some."""
    check_mapping("policies", policies)
    return params_of_market(params)


def _grid(params: MarketParams) -> tuple[Integers, Integers]:
    """Evenly spaced trades up to the last whose hedge executes, where policies change most; inventories around 0."""
    cap, last = params.inventory_limit, max(params.num_trades - params.hedge_latency, 1)
    every = -(-last // MOST_TRADES)
    apart = -(-2 * cap // (MOST_INVENTORIES - 1)) or 1
    return np.arange(last, 0, -every)[::-1], apart * np.arange(-(cap // apart), cap // apart + 1)


def _states(params: MarketParams) -> ExogenousState:
    return _some(exogenous_states(params)[0], representative_states(params))


def _some(states: ExogenousState, picked: Any) -> ExogenousState:
    return states.map(lambda part: part[picked])


def _counterpart(states: ExogenousState, ask: int) -> int:
    """The state that differs from this one in the side alone."""
    (request, observed) = states
    parts = (np.abs(request.signed_size), request.tier, observed.last_side, observed.regime)
    same = [np.asarray(part) == np.asarray(part)[ask] for part in parts]
    return int(np.flatnonzero(np.logical_and.reduce([*same, np.asarray(request.side) < 0]))[0])


class _Chosen(NamedTuple):
    """What a policy decides; parts broadcast to (states, inventories, trades)."""

    book: dynamics.Book
    request: Request
    decision: Decision


def _chosen(
    name: str,
    policy: PolicyFunction,
    params: MarketParams,
    states: ExogenousState,
    trades: Integers,
    inventories: Integers,
) -> _Chosen:
    check(callable(policy), f"policy {name!r} must be callable, got {policy!r}")
    if hasattr(policy, "reset"):
        policy.reset(0)
    shape = (np.size(states.request.side), len(inventories), len(trades))
    book = dynamics.initial_book(params)._replace(inventory=inventories[:, None].astype(np.float64))
    states = states.map(lambda part: part[:, None, None])
    observations = observe(book, states, params.num_trades + 1.0 - trades, params)
    actions = policy(observations.reshape(-1, observations.shape[-1]))
    parts = decode_actions(actions, int(np.prod(shape)), params)
    return _Chosen(book, states.request, parts.map(lambda part: part.reshape(shape)))


def _hedging(chosen: _Chosen, params: MarketParams) -> tuple[Values, NDArray[np.bool_]]:
    """Hedge threshold, or units offloaded; and whether anything is hedged if the client trades."""
    units = np.asarray(dynamics.units_hedged(chosen.book, chosen.request, chosen.decision, params))
    level = chosen.decision.threshold if params.hedge_action == "threshold" else units
    return np.broadcast_to(np.asarray(level, dtype=np.float64), units.shape), units > 0


def _quoting(chosen: _Chosen, params: MarketParams) -> Values:
    """Distance of the quote, NaN where the cap forbids the trade."""
    allowed = dynamics.fits(chosen.book.inventory - chosen.request.signed_size, (), params)
    return np.where(allowed, chosen.decision.distance, np.nan)


def _thinned(panels: Sequence[Panel]) -> list[Panel]:
    return [panels[place] for place in evenly_spaced(len(panels), _MOST_PANELS)]


def _notes(mirrored: bool, shown: Sequence[Panel], every: Sequence[Panel]) -> list[str]:
    left_out = [f"{len(shown)} of {len(every)} kinds of request"] if len(shown) < len(every) else []
    return [*([MIRRORED] if mirrored else []), *left_out]


def _head(figure: Figure, policies: Mapping[str, PolicyFunction], shown: Sequence[Panel], *notes: str) -> None:
    """What holds for all panels, and the policy's name where nothing else tells it."""
    named = [next(iter(policies))] if len(policies) == 1 and shown[0].name else []
    figure.suptitle("\n".join([*named, *(note[0].upper() + note[1:] for note in notes)]), fontsize=9)


def _panels(
    policies: Sequence[str], shown: Sequence[Panel], x: str, y: str
) -> tuple[Figure, dict[tuple[int, Panel], Axes]]:
    """A column for each policy and a row for each panel; of one policy, the panels side by side."""
    alone = len(policies) == 1
    columns = min(len(shown), _ABREAST) if alone else len(policies)
    rows = -(-len(shown) // columns) if alone else len(shown)
    size = (max(5.2, 1.6 + 2.7 * columns), 1.2 + 2.5 * rows)
    figure = Figure(figsize=size, dpi=100, facecolor="white", layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    places = [(0, panel) for panel in shown] if alone else [(i, p) for p in shown for i in range(len(policies))]
    for unused in grid.flat[len(places) :]:
        figure.delaxes(unused)
    for number, ((policy, panel), axes) in enumerate(zip(places, grid.flat, strict=False)):
        if alone:
            axes.set_title(panel.name or policies[0], fontsize=10, fontweight="bold")
        elif number < columns:
            axes.set_title(policies[policy], fontsize=10.5, fontweight="bold")
        if number % columns == 0:
            axes.set_ylabel(y if alone or not panel.name else f"{panel.name}\n{y}")
        if number + columns >= len(places):
            axes.set_xlabel(x)
            axes.tick_params(labelbottom=True)
    return figure, dict(zip(places, grid.flat, strict=False))


def _draw_map(axes: Axes, values: Values, trades: Integers, inventories: Integers, params: MarketParams) -> Any:
    axes.xaxis.set_major_locator(whole_ticks(5))
    axes.yaxis.set_major_locator(whole_ticks(5))
    extent = (*_edges(trades), *_edges(inventories))
    scale: dict[str, Any] = {"vmin": 0, "vmax": max(1, params.inventory_limit), "cmap": "viridis"}
    return axes.imshow(values, extent=extent, origin="lower", aspect="auto", interpolation="nearest", **scale)


def _draw_edges(axes: Axes, hedged: NDArray[np.bool_], wanted: float, trades: Integers, inventories: Integers) -> None:
    """Lines around the inventories at which nothing is hedged: black on white, to be seen on any colour."""
    flat = int(np.abs(inventories - wanted).argmin())  # before a trade that leaves nothing
    half = (inventories[1] - inventories[0]) / 2 if len(inventories) > 1 else 0.5
    above, below = hedged[flat + 1 :], hedged[:flat][::-1]
    for side, sign in ((above, 1.0), (below, -1.0)):
        steps = np.where(side.any(axis=0), side.argmax(axis=0), np.nan) if len(side) else np.full(len(trades), np.nan)
        edge = inventories[flat] + sign * half * (2.0 * steps + 1.0)
        for color, width in (("white", 2.8), (BLACK, 1.3)):
            axes.plot(trades, edge, color=color, lw=width, drawstyle="steps-mid", zorder=2.0)


def _draw_quotes(axes: Axes, quotes: Mapping[str, Values], trades: Integers, inventories: Integers) -> None:
    looks = list(_TIMES.values())[-len(trades) :]
    for number, (trade, look) in enumerate(zip(trades, looks, strict=True)):
        for side, dashes in _DASHES.items():
            style: dict[str, Any] = {"linestyle": dashes, "drawstyle": "steps-mid", **look}
            axes.plot(inventories, quotes[side][:, number], label=f"{side}, trade {trade}", **style)
    axes.xaxis.set_major_locator(whole_ticks(5))
    tidy(axes)


def _edges(points: Integers) -> tuple[float, float]:
    """Where the first cell begins and the last one ends, each point in the middle of its cell."""
    half = (points[1] - points[0]) / 2 if len(points) > 1 else 0.5
    return float(points[0] - half), float(points[-1] + half)
