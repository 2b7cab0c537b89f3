"""The chart of one figure of several policies with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mm_env.plotting.style import Figure, check_mapping, figure_of, given_axes, series_style, tidy


def plot_intervals(found: Mapping[str, tuple[float, float, float]], quantity: str, axes: Any = None) -> Figure:
    """A row for each name: a value, and a bar from the low to the high end of its interval.

    Args:
        found: Value, low and high by name, the first at the top.
        quantity: What it is, with its unit.
        axes: Where to draw; default: a new figure.

    Returns:
        The figure, the new one or that of the axes.

    Raises:
        ValueError: Nothing to show, or not axes.
    """
    check_mapping("found", found)
    size = (5.4, 1.1 + 0.4 * len(found))
    (ax,) = [Figure(figsize=size, layout="constrained").subplots()] if axes is None else given_axes(axes, 1)
    for row, (value, low, high) in enumerate(found.values()):
        color, bars = series_style(0)["color"], [[value - low], [high - value]]
        ax.errorbar([value], [row], xerr=bars, fmt="o", color=color, ms=5, lw=2.0, capsize=4)
        ax.annotate(f"{value:.4g}", (value, row), (0, 7), textcoords="offset points", ha="center", fontsize="small")
    ax.set_yticks(range(len(found)), list(found))
    ax.set_ylim(len(found) - 0.5, -0.6)
    ax.margins(x=0.12)
    ax.set_xlabel(quantity)
    tidy(ax)
    return figure_of(ax)
