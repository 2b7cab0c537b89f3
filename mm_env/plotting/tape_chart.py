"""The chart of a recorded tape: the mid, the clients' flow, and markouts."""

from __future__ import annotations

from typing import Any

import numpy as np

from mm_env.intervals import half_width
from mm_env.market.tape import Tape
from mm_env.plotting.style import BLUE, Figure, check, figure_of, given_axes, ink, series_style, tidy

_MOST_POINTS = 5_000  # of a line: more than a figure has pixels
_ABREAST = 4  # names of a row of the legend


def plot_tape(tape: Tape, axes: Any = None) -> Figure:
    """The mid less its start and the units that clients bought so far, over the whole tape, and its markouts.

    Args:
        tape: Recorded requests.
        axes: Where to draw, three; default: a new figure.

    Returns:
        The figure, the new one or that of the axes.

    Raises:
        ValueError: Not a tape, or not three axes.
    """
    check(isinstance(tape, Tape), f"tape must be a Tape, got {type(tape).__name__}")
    summary = tape.summary()
    if axes is None:
        axes = Figure(figsize=(7.2, 7.2), layout="constrained").subplots(3)
    price, flow, markouts = given_axes(axes, 3)
    size = 1.0 if tape.paths.size is None else tape.paths.size
    rows = np.arange(0, summary.rows, 1 + summary.rows // _MOST_POINTS)
    for each, values, color, label in (
        (price, tape.paths.change, ink(), "mid less its start,\nprice units"),
        (flow, tape.paths.side * size, BLUE, "bought less sold\nby clients, units"),
    ):
        path = np.cumsum(np.broadcast_to(values, np.shape(tape.paths.side)).T)
        each.plot(rows + 1, path[rows], color=color, lw=0.8)
        each.set_ylabel(label)
        each.set_xlabel("row")
    for number, (name, found) in enumerate(summary.markouts.items()):
        half = [half_width(figure.standard_error) for figure in found.values()]
        style = series_style(number)
        markouts.errorbar(list(found), [figure.value for figure in found.values()], yerr=half, label=name, **style)
    markouts.axhline(0.0, color=ink(), lw=0.8)
    markouts.set_xticks(list(summary.markouts["all"]))
    markouts.set_xlabel("requests after the request")
    markouts.set_ylabel("markout, price units\n(bars: 95 % interval)")
    above: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "ncols": _ABREAST, "borderpad": 0.1}
    markouts.legend(frameon=False, fontsize="small", **above)
    for each in (price, flow, markouts):
        tidy(each)
    price.set_title("Recorded requests", loc="left", fontsize="medium", fontweight="bold")
    return figure_of(price)
