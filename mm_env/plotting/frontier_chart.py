"""The chart of mean PnL against its risk, a series of points for each kind of policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mm_env.episodes import Episodes
from mm_env.intervals import half_width
from mm_env.plotting.style import SERIES_STYLES, Axes, Figure, check, check_mapping, tidy


def plot_frontier(series: Mapping[str, Sequence[Episodes]]) -> Figure:
    """Mean PnL per episode against its risk, the standard deviation of PnL per episode; price units.

    The mean leaves out `unexpected_pnl`, what nobody could foresee: the same expectation with a far smaller interval.

    Args:
        series: By name, the finished episodes of each point, joined by a line in the order given.

    Returns:
        The figure.

    Raises:
        ValueError: No series or points, unfinished or fewer than two episodes.
    """
    check_mapping("series", series)
    figure = Figure(figsize=(7.2, 4.8), dpi=100, facecolor="white", layout="constrained")
    axes = figure.subplots()
    for number, (name, points) in enumerate(series.items()):
        _check_points(name, points)
        _draw_series(axes, name, points, SERIES_STYLES[number % len(SERIES_STYLES)])
    tidy(axes)
    axes.margins(0.08)
    axes.set_title("Profit against risk", loc="left", fontsize=10.5, fontweight="bold")
    axes.set_xlabel("standard deviation of PnL per episode, price units")
    axes.set_ylabel("mean PnL per episode, price units\n(foreseeable part; bars: 95 % interval)")
    axes.legend(frameon=False, fontsize=9)
    return figure


def _draw_series(axes: Axes, name: str, points: Sequence[Episodes], style: Mapping[str, Any]) -> None:
    risk, mean, half = np.transpose([_risk_and_mean(episodes) for episodes in points])
    look = {**style, "ms": 6, "lw": 1.4, "ecolor": (style["color"], 0.45), "elinewidth": 1.2, "capsize": 3}
    if len(points) == 1:
        look["linestyle"] = "none"
    axes.errorbar(risk, mean, yerr=half, label=name, **look)


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
