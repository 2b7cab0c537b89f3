"""Charts of what policies would do: hedge thresholds as heat maps, quotes as curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mm_env.envs.action import PolicyFunction
from mm_env.market import dynamics
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.numbers import Integers, Values, evenly_spaced
from mm_env.market.params import MarketParams
from mm_env.plotting.style import (
    BLACK,
    BLUE,
    SKY,
    Axes,
    Figure,
    check,
    check_mapping,
    figure_of,
    given_axes,
    ink,
    paper,
    series_style,
    tidy,
    whole_ticks,
)
from mm_env.policy_map import Chosen, chosen, edges_of, hedging, map_grid, map_states, some_states
from mm_env.registration import params_of_market
from mm_env.state_labels import MIRRORED, Panel, distinct_panels

MOST_TRADES, MOST_INVENTORIES = 200, 201  # of a heat map: more cells would be thinner than a pixel
_MOST_PANELS, _ABREAST = 8, 3  # for each policy; and how many of them stand side by side where there is but one
_TIMES: Mapping[float, Mapping[str, Any]] = {  # at which quotes are drawn, as a share of the trades; their look
    0.0: {"color": SKY, "lw": 4.0},
    0.5: {"color": BLUE, "lw": 2.2},
    1.0: {"color": BLACK, "lw": 1.0},
}
_DASHES: Mapping[str, Any] = {"ask": "-", "bid": (0, (3, 1.5))}


def plot_policies(policies: Mapping[str, PolicyFunction], params: MarketParams | str, axes: Any = None) -> Figure:
    """What policies hedge, by trade number and inventory before the trade, no orders in flight.

    There is a chart for every kind of request (side, size, tier, side before, regime) that some policy answers in its
    own way, at most 8. Where sellers are answered as buyers with the opposite inventory, buyers stand for both. Of
    several policies, lines show between which inventories each hedges nothing if the client trades. One alone is
    drawn as a map as well: its colours tell the hedge threshold, or, where actions are not that alone, the units
    hedged; where nothing is hedged there is no colour. At most 200 trades and 201 inventories are shown, evenly spaced.

    Args:
        policies: By name; from observations of shape (N, observations) to actions of shape (N,). If one has a
            method `reset(seed)`, that is called first.
        params: The market, or the id of a registered one.
        axes: Where to draw, one for each chart; default: a new figure.

    Returns:
        The figure, the new one or that of the axes; units throughout.

    Raises:
        ValueError: No policies, one that is not callable or gives bad actions, no market, or not as many axes.
    """
    params = _checked(policies, params)
    trades, inventories = map_grid(params, MOST_TRADES, MOST_INVENTORIES)
    states = map_states(params)
    found = [hedging(chosen(*item, params, states, trades, inventories), params) for item in policies.items()]
    told = [hedged if len(found) > 1 else level for level, hedged in found]  # what has to differ
    every, mirrored = distinct_panels(states, np.concatenate(told, axis=2).astype(np.float64), params)
    shown = _thinned(every)
    wanted = [float(np.asarray(states.request.signed_size)[panel.numbers[0]]) for panel in shown]
    if len(found) > 1:
        grid = _column(shown, axes)
        bands = [
            [edges_of(h[p.numbers[0]], w, inventories) for _, h in found] for p, w in zip(shown, wanted, strict=True)
        ]
        _draw_bands(grid, list(policies), bands, trades, params)
        figure = figure_of(grid[0])
        if axes is None:
            _head(figure, policies, shown, "nothing is hedged between the lines", *_notes(mirrored, shown, every))
            _legend_below(figure, grid[0], 2)
        else:
            grid[0].legend(frameon=False, fontsize="small")
        return figure
    grid = _panels(list(policies), shown, "trade number", "inventory, units", axes)
    level, hedged = found[0]
    for each, panel, size in zip(grid, shown, wanted, strict=True):
        seen = np.ma.masked_array(level[panel.numbers[0]], ~hedged[panel.numbers[0]])
        image = _draw_map(each, seen, trades, inventories, params)
        _draw_edges(each, edges_of(hedged[panel.numbers[0]], size, inventories), trades)
        if not hedged[panel.numbers[0]].any():
            each.text(0.5, 0.5, "nothing is hedged", ha="center", va="center", transform=each.transAxes)
    figure = figure_of(grid[0])
    if axes is None:
        lines = ["between the black lines nothing is hedged"] if hedged.any() else []
        _head(figure, policies, shown, *lines, *_notes(mirrored, shown, every))
    if not hedged.any():
        return figure
    label = "hedge threshold, units" if params.hedge_action == "threshold" else "units offloaded"
    figure.colorbar(image, ax=grid, label=label, ticks=whole_ticks(8), fraction=0.05, pad=0.02)
    return figure


def plot_quotes(policies: Mapping[str, PolicyFunction], params: MarketParams | str, axes: Any = None) -> Figure:
    """What each policy quotes, over the inventory before the trade: bid and ask at the first, middle and last trade.

    No orders in flight. There is a row of panels for every kind of request (size, tier, side before, regime) that some
    policy answers in its own way, at most 8. Where the cap forbids the trade, nothing is drawn.

    Args:
        policies: As for `plot_policies`.
        params: The market, or the id of a registered one.
        axes: Where to draw, one for each panel, row by row; default: a new figure.

    Returns:
        The figure, one column per policy, or all panels of the only one; distances from the mid in price units.

    Raises:
        ValueError: As `plot_policies`, or the spread is fixed, or no client ever comes.
    """
    params = _checked(policies, params)
    check(params.arrival_probability > 0, "arrival_probability must be above 0 for a chart of quotes, got 0")
    check(params.quote_levels > 1, "quote_levels must be above 1 for a chart of quotes, got 1: the spread is fixed")
    trades = np.unique([1 + round(share * (params.num_trades - 1)) for share in _TIMES])
    _, inventories = map_grid(params, MOST_TRADES, MOST_INVENTORIES)
    states = map_states(params)
    found = [_quoting(chosen(*item, params, states, trades, inventories), params) for item in policies.items()]
    asks = np.flatnonzero(np.asarray(states.request.side) > 0).tolist()
    bids = [_counterpart(states, ask) for ask in asks]
    both = [np.concatenate([quotes[asks], quotes[bids]], axis=2) for quotes in found]
    every, _ = distinct_panels(some_states(states, asks), np.nan_to_num(np.concatenate(both, axis=2), nan=-1e9), params)
    shown = _thinned(every)
    grid = _panels(list(policies), shown, "inventory, units", "from the mid, price units", axes)
    places = [(panel, quotes) for panel in shown for quotes in found]
    for each, (panel, quotes) in zip(grid, places, strict=True):
        pair = {"ask": quotes[asks[panel.numbers[0]]], "bid": quotes[bids[panel.numbers[0]]]}
        _draw_quotes(each, pair, trades, inventories)
    figure = figure_of(grid[0])
    if axes is not None:
        grid[0].legend(frameon=False, fontsize="small")
        return figure
    _head(figure, policies, shown, *_notes(False, shown, every))
    _legend_below(figure, grid[0], len(trades))
    return figure


def _checked(policies: Mapping[str, PolicyFunction], params: MarketParams | str) -> MarketParams:
    """The market, where the policies are some."""
    check_mapping("policies", policies)
    return params_of_market(params)


def _counterpart(states: ExogenousState, ask: int) -> int:
    """The state that differs from this one in the side alone."""
    (request, observed) = states
    parts = (np.abs(request.signed_size), request.tier, observed.last_side, observed.regime)
    same = [np.asarray(part) == np.asarray(part)[ask] for part in parts]
    return int(np.flatnonzero(np.logical_and.reduce([*same, np.asarray(request.side) < 0]))[0])


def _quoting(chosen: Chosen, params: MarketParams) -> Values:
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
    figure.suptitle("\n".join([*named, *(note[0].upper() + note[1:] for note in notes)]), fontsize="medium")


def _legend_below(figure: Figure, axes: Axes, columns: int) -> None:
    """A legend for all charts of the figure, those of one of them."""
    look: dict[str, Any] = {"ncols": columns, "frameon": False, "fontsize": "small"}
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", **look)


def _panels(policies: Sequence[str], shown: Sequence[Panel], x: str, y: str, axes: Any) -> list[Axes]:
    """A column for each policy and a row for each panel; of one policy, the panels side by side. Row by row."""
    alone = len(policies) == 1
    number = len(shown) * len(policies)
    columns = min(len(shown), _ABREAST) if alone else len(policies)
    grid = _new_panels(number, columns) if axes is None else given_axes(axes, number)
    for place, each in enumerate(grid):
        name = shown[place // len(policies)].name
        if alone:
            each.set_title(name or policies[0], fontweight="bold", fontsize="large")
        elif place < columns:
            each.set_title(policies[place], fontweight="bold", fontsize="large")
        if place % columns == 0:
            each.set_ylabel(y if alone or not name else f"{name}\n{y}")
        if place + columns >= number:
            each.set_xlabel(x)
            each.tick_params(labelbottom=True)
    return grid


def _new_panels(number: int, columns: int) -> list[Axes]:
    rows = -(-number // columns)
    figure = Figure(figsize=(max(4.6, 1.6 + 2.7 * columns), 1.2 + 2.5 * rows), layout="constrained")
    grid = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for unused in grid[number:]:
        figure.delaxes(unused)
    return grid[:number]


def _column(shown: Sequence[Panel], axes: Any) -> list[Axes]:
    """Charts one above the other, narrow enough to be read where there is little room; many in two columns."""
    columns = 1 if len(shown) <= _ABREAST else 2
    if axes is not None:
        grid = given_axes(axes, len(shown))
    else:
        rows = -(-len(shown) // columns)
        figure = Figure(figsize=(3.7 * columns, 1.5 + 2.2 * rows), layout="constrained")
        every = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
        for unused in every[len(shown) :]:
            figure.delaxes(unused)
        grid = every[: len(shown)]
    for place, (each, panel) in enumerate(zip(grid, shown, strict=True)):
        each.set_title(panel.name, fontsize="large", fontweight="bold", loc="left")
        if axes is not None or place % columns == 0:
            each.set_ylabel("inventory, units")
        if axes is not None or place + columns >= len(shown):
            each.set_xlabel("trade number")
            each.tick_params(labelbottom=True)
    return grid


def _draw_map(axes: Axes, values: Values, trades: Integers, inventories: Integers, params: MarketParams) -> Any:
    axes.xaxis.set_major_locator(whole_ticks(5))
    axes.yaxis.set_major_locator(whole_ticks(5))
    extent = (*_edges(trades), *_edges(inventories))
    scale: dict[str, Any] = {"vmin": 0, "vmax": max(1, params.inventory_limit), "cmap": "viridis"}
    return axes.imshow(values, extent=extent, origin="lower", aspect="auto", interpolation="nearest", **scale)


def _draw_edges(axes: Axes, edges: tuple[Values, Values], trades: Integers) -> None:
    """Lines around the inventories at which nothing is hedged: black on white, to be seen on any colour."""
    for edge in edges:
        for color, width in ((paper(), 2.8), (ink(), 1.3)):
            axes.plot(trades, edge, color=color, lw=width, drawstyle="steps-mid", zorder=2.0)


def _draw_bands(
    grid: Sequence[Axes],
    names: Sequence[str],
    bands: Sequence[Sequence[tuple[Values, Values]]],
    trades: Integers,
    params: MarketParams,
) -> None:
    """For each chart, the edges of every policy; the first the widest, so that none hides another."""
    for axes, chart in zip(grid, bands, strict=True):
        for number, (name, edges) in enumerate(zip(names, chart, strict=True)):
            style = series_style(number)
            width = 1.4 + 1.1 * (len(names) - 1 - number)
            look: dict[str, Any] = {"color": style["color"], "linestyle": style["linestyle"], "lw": width}
            idle = all(np.isnan(edge).all() for each in bands for edge in each[number])
            for edge, label in zip(edges, (f"{name} (nothing, ever)" if idle else name, "_"), strict=True):
                axes.plot(trades, edge, drawstyle="steps-mid", label=label, **look)
        axes.xaxis.set_major_locator(whole_ticks(4))
        axes.yaxis.set_major_locator(whole_ticks(5))
        axes.set_xlim(trades[0] - 0.5, trades[-1] + 0.5)
        tidy(axes)
    reach = np.nanmax(np.abs(bands), initial=1.0) if not np.isnan(bands).all() else params.inventory_limit
    for axes in grid:
        axes.set_ylim(-1.08 * reach - 0.5, 1.08 * reach + 0.5)


def _draw_quotes(axes: Axes, quotes: Mapping[str, Values], trades: Integers, inventories: Integers) -> None:
    looks = list(_TIMES.values())[-len(trades) :]
    for number, (trade, look) in enumerate(zip(trades, looks, strict=True)):
        for side, dashes in _DASHES.items():
            color = ink() if look["color"] == BLACK else look["color"]
            style: dict[str, Any] = {"linestyle": dashes, "drawstyle": "steps-mid", **look, "color": color}
            axes.plot(inventories, quotes[side][:, number], label=f"{side}, trade {trade}", **style)
    axes.xaxis.set_major_locator(whole_ticks(5))
    tidy(axes)


def _edges(points: Integers) -> tuple[float, float]:
    """Where the first cell begins and the last one ends, each point in the middle of its cell."""
    half = (points[1] - points[0]) / 2 if len(points) > 1 else 0.5
    return float(points[0] - half), float(points[-1] + half)
