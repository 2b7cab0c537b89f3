"""Charts as tables of what they show: drawn once for a finished episode, or again and again while it is played."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mm_env.plotting.style import Artist, Axes, Line2D, PolyCollection, ScaledTranslation, figure_of

_HANDLE, _LETTER, _BOLD = 0.5, 0.056, 0.09  # widths in inches: an entry's line and gaps, letters of legend and title


class Series(NamedTuple):
    """A line, marks or areas of a chart.

    Attributes:
        name: In the legend; empty for what is not in it.
        points: From what was played so far to x and y; of areas, to a list of polygons of shape (N, 2).
        look: Properties of the artist.
        told: What the legend says of a whole episode, in place of the name.
        area: Whether it is areas. Then x is a number of trades, and where `whole_height`, y a share of the height.
        whole_height: Of areas that reach from the bottom of the chart to its top.
    """

    name: str
    points: Callable[[Any], Any]
    look: Mapping[str, Any]
    told: Callable[[Any], str] | None = None
    area: bool = False
    whole_height: bool = False

    def label(self, played: Any) -> str:
        """The entry of the legend for what was played."""
        return (self.told(played) if self.told is not None else self.name) or "_"


class Chart(NamedTuple):
    """One chart by trade number.

    Attributes:
        title: Above it.
        quantity: At its vertical axis, with the unit.
        series: What it shows, the first drawn first.
        frame: Sets what does not depend on what was played: limits, ticks, a line at zero.
        span: From what was played to the lowest and the highest value that must be seen; None where `frame` says it.
        start: The span of a film's first frame; it grows with what is played.
    """

    title: str
    quantity: str
    series: Sequence[Series]
    frame: Callable[[Axes], None]
    span: Callable[[Any], tuple[float, float]] | None = None
    start: tuple[float, float] = (0.0, 1.0)


def draw(axes: Axes, chart: Chart, played: Any) -> None:
    """Draw all that was played."""
    for series in chart.series:
        update(make_artist(axes, series, series.label(played)), series, played)
    _describe(axes, chart)
    if chart.span is not None:
        axes.set_ylim(*with_margin(chart.span(played), 0.05))


def draw_empty(axes: Axes, chart: Chart) -> list[tuple[Artist, Series]]:
    """Draw what stands still, and return the artists that will move, the lowest first."""
    made = [(make_artist(axes, series, series.name or "_"), series) for series in chart.series]
    for artist, _ in made:
        artist.set_animated(True)
    _describe(axes, chart)
    return sorted(made, key=lambda pair: pair[0].get_zorder())


def make_artist(axes: Axes, series: Series, label: str) -> Artist:
    """The artist of a series that shows nothing yet."""
    if not series.area:
        return axes.plot([], [], label=label, **series.look)[0]
    transform = axes.get_xaxis_transform() if series.whole_height else axes.transData
    areas = PolyCollection([], transform=transform, label=label, lw=0, **series.look)
    axes.add_collection(areas, autolim=False)
    return areas


def update(artist: Artist, series: Series, played: Any) -> None:
    """Let the artist of a series show what was played."""
    points = series.points(played)
    if isinstance(artist, Line2D):
        artist.set_data(*points)
    elif isinstance(artist, PolyCollection):
        artist.set_verts(points)


def with_margin(span: tuple[float, float], share: float) -> tuple[float, float]:
    """A span and so much of its length beyond either end; one of no length gets one."""
    low, high = span
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-9):
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    return low - share * (high - low), high + share * (high - low)


def add_legend(axes: Axes) -> int:
    """Above the chart, beside its title, in as many rows as its width asks for; return how many."""
    labels = axes.get_legend_handles_labels()[1]
    room = axes.bbox.width / figure_of(axes).dpi - _BOLD * len(axes.get_title(loc="left"))
    rows = next((rows for rows in range(1, len(labels)) if _legend_width(labels, rows) < room), max(1, len(labels)))
    style: dict[str, Any] = {"frameon": False, "fontsize": "small", "borderpad": 0.1, "columnspacing": 1.4}
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=-(-len(labels) // rows), **style)
    return rows


def _legend_width(labels: Sequence[str], rows: int) -> float:
    """Of a legend in so many rows, inches: each column is as wide as its longest entry."""
    columns = [labels[start : start + rows] for start in range(0, len(labels), rows)]
    return sum(_HANDLE + _LETTER * max(map(len, column)) for column in columns)


def midsteps(x: Any, y: Any) -> Any:
    """The corners of a line drawn as steps between the points: shape (2, 2 N)."""
    edges = (x[1:] + x[:-1]) / 2
    return np.repeat(np.concatenate([x[:1], edges, x[-1:]]), 2)[1:-1], np.repeat(y, 2)


def _describe(axes: Axes, chart: Chart) -> None:
    # In fixed places, frames do not jump as tick labels grow, and Matplotlib does not spend half its time on layout.
    axes.set_title(chart.title, loc="left", y=1.0, fontsize="medium", fontweight="bold")
    axes.set_ylabel(chart.quantity)
    aside = ScaledTranslation(-0.6, 0.0, figure_of(axes).dpi_scale_trans)
    axes.yaxis.set_label_coords(0.0, 0.5, transform=axes.transAxes + aside)
    chart.frame(axes)
