"""The chart of mean PnL against its risk, a series of points for each kind of policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mm_env.episodes import Episodes
from mm_env.intervals import half_width
from mm_env.market.numbers import Values
from mm_env.plotting.style import (
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
    withStroke,
)

_NEAR = 0.06  # of the axes: points that are nearer hide one another
_INSET = (0.44, 0.1, 0.53, 0.46)  # where these are shown apart, as shares of the axes: below the curve


def plot_frontier(series: Mapping[str, Sequence[Episodes]], axes: Any = None) -> Figure:
    """Mean PnL per episode against its risk, the standard deviation of PnL per episode; price units.

    The mean leaves out `unexpected_pnl`, what nobody could foresee: the same expectation with a far smaller interval.
    Series of one point have their name beside it; where such points lie together, an inset shows them apart.

    Args:
        series: By name, the finished episodes of each point, joined by a line in the order given.
        axes: Where to draw; default: a new figure.

    Returns:
        The figure, the new one or that of the axes.

    Raises:
        ValueError: No series or points, unfinished or fewer than two episodes, or not axes.
    """
    check_mapping("series", series)
    for name, points in series.items():
        _check_points(name, points)
    (ax,) = [Figure(figsize=(5.4, 4.6), layout="constrained").subplots()] if axes is None else given_axes(axes, 1)
    found = {name: np.transpose([_risk_and_mean(episodes) for episodes in points]) for name, points in series.items()}
    _draw(ax, found)
    tidy(ax)
    ax.margins(0.08)
    ax.set_title("Profit against risk", loc="left", fontsize="medium", fontweight="bold")
    ax.set_xlabel("standard deviation of PnL per episode, price units")
    ax.set_ylabel("mean PnL per episode, price units\n(foreseeable part; bars: 95 % interval)")
    figure = figure_of(ax)
    handles, labels = ax.get_legend_handles_labels()
    curves = [place for place, label in enumerate(labels) if found[label].shape[1] > 1]
    if curves:
        where: Any = (figure, {"loc": "outside lower center", "ncols": 2}) if axes is None else (ax, {"loc": "best"})
        look: dict[str, Any] = {"frameon": False, "fontsize": "small", **where[1]}
        where[0].legend([handles[i] for i in curves], [labels[i] for i in curves], **look)
    _name_points(ax, found)
    return figure


def _draw(axes: Axes, found: Mapping[str, Values]) -> None:
    for number, (name, (risk, mean, half)) in enumerate(found.items()):
        style = series_style(number)
        look = {**style, "ms": 5, "lw": 1.4, "ecolor": (style["color"], 0.45), "elinewidth": 1.2, "capsize": 3}
        if len(risk) == 1:  # hollow: what lies below is seen
            look |= {"linestyle": "none", "ms": 8, "mfc": "none", "mew": 1.8, "zorder": 3}
        axes.errorbar(risk, mean, yerr=half, label=name, **look)


def _name_points(axes: Axes, found: Mapping[str, Values]) -> None:
    """Write names beside single points, in an inset where they lie together."""
    single = {name: values[:2, 0] for name, values in found.items() if values.shape[1] == 1}
    low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
    places = {name: (point - low) / (high - low) for name, point in single.items()}
    together = [
        name for name, at in places.items() if any(_near(at, places[other]) for other in places if other != name)
    ]
    _write_names(axes, {name: point for name, point in single.items() if name not in together})
    if not together:
        return
    inset = axes.inset_axes(_INSET)
    place: Any = inset.get_axes_locator()
    inset.apply_aspect(place(inset, None))  # now, for names are placed by where points are
    _draw(inset, found)
    middle = places[together[0]]
    inside = [name for name in together if np.abs(places[name] - middle).max() < 2 * _NEAR]
    points = np.array([found[name][:, 0] for name in inside])
    reach = points[:, 2].max() + np.ptp(points[:, 1])
    room = max(np.ptp(points[:, 0]), 0.01 * (high[0] - low[0])), max(reach, 0.01 * (high[1] - low[1]))
    inset.set_xlim(points[:, 0].min() - 0.6 * room[0], points[:, 0].max() + 0.6 * room[0])
    inset.set_ylim(points[:, 1].min() - 1.3 * room[1], points[:, 1].max() + 1.3 * room[1])
    inset.tick_params(labelsize="x-small")
    axes.indicate_inset_zoom(inset, edgecolor=ink())
    _write_names(inset, {name: single[name] for name in inside})
    _write_names(axes, {name: single[name] for name in together if name not in inside})


def _near(one: Values, other: Values) -> bool:
    return bool(np.abs(one - other).max() < _NEAR)


def _write_names(axes: Axes, points: Mapping[str, Values]) -> None:
    """Beside each point, above or below it where no other name is, and to the side where there is room."""
    left, right = axes.get_xlim()
    written: list[tuple[float, float, float]] = []  # middle and half the width of the names, points
    higher = sorted(points, key=lambda name: (points[name][1], points[name][0]))[len(points) // 2 :]
    for name, point in points.items():
        share = (point[0] - left) / (right - left)
        align = "left" if share < 0.3 else "right" if share > 0.7 else "center"
        x, y = axes.transData.transform(point) * 72.0 / figure_of(axes).dpi
        half = 2.5 * len(name)
        x += {"left": half, "right": -half, "center": 0.0}[align]
        offsets = (10, -18, 21, -29, 32) if name in higher else (-18, 10, -29, 21, -40)
        free = [up for up in offsets if all(abs(x - u) > half + w or abs(y + up - v) > 10.0 for u, v, w in written)]
        up = (free or offsets)[0]
        written.append((x, y + up, half))
        at: Any = point
        halo = [withStroke(linewidth=2.5, foreground=paper())]
        look: dict[str, Any] = {"fontsize": "small", "zorder": 4, "path_effects": halo}
        axes.annotate(name, at, (0, up), textcoords="offset points", ha=align, **look)


def _risk_and_mean(episodes: Episodes) -> tuple[float, float, float]:
    """Standard deviation of the PnL, its mean and the half-width of the mean's interval, price units."""
    foreseen = episodes.pnl - episodes.unexpected_pnl.sum(axis=1)
    error = foreseen.std(ddof=1) / len(foreseen) ** 0.5
    return float(episodes.pnl.std(ddof=1)), float(foreseen.mean()), half_width(error, len(foreseen))


def _check_points(name: str, points: Sequence[Episodes]) -> None:
    listed = isinstance(points, Sequence) and all(isinstance(point, Episodes) for point in points)
    check(listed and len(points) > 0, f"series {name!r} must be a list of Episodes with one entry or more")
    for point in points:
        played, trades = point.num_trades, point.params.num_trades
        check(played == trades, f"series {name!r}: its episodes stop after {played} of {trades} trades")
        check(len(point) > 1, f"series {name!r}: a standard deviation needs 2 episodes or more, got {len(point)}")
