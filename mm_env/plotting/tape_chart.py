"""The chart of a recorded tape: the mid, the clients' flow, and markouts."""

from __future__ import annotations

import numpy as np

from mm_env.intervals import half_width
from mm_env.market.tape import Tape
from mm_env.plotting.style import BLACK, BLUE, SERIES_STYLES, Figure, check, tidy

_MOST_POINTS = 5_000  # of a line: more than a figure has pixels


def plot_tape(tape: Tape) -> Figure:
    """The mid less its start and the units that clients bought so far, over the whole tape, and its markouts.

    Raises:
        ValueError: Not a tape.
    """
    check(isinstance(tape, Tape), f"tape must be a Tape, got {type(tape).__name__}")
    summary = tape.summary()
    figure = Figure(figsize=(7.2, 7.2), dpi=100, facecolor="white", layout="constrained")
    price, flow, markouts = figure.subplots(3)
    size = 1.0 if tape.paths.size is None else tape.paths.size
    rows = np.arange(0, summary.rows, 1 + summary.rows // _MOST_POINTS)
    for axes, values, color, label in (
        (price, tape.paths.change, BLACK, "mid less its start,\nprice units"),
        (flow, tape.paths.side * size, BLUE, "bought less sold\nby clients, units"),
    ):
        path = np.cumsum(np.broadcast_to(values, np.shape(tape.paths.side)).T)
        axes.plot(rows + 1, path[rows], color=color, lw=0.8)
        axes.set_ylabel(label)
        axes.set_xlabel("row")
    for number, (name, found) in enumerate(summary.markouts.items()):
        half = [half_width(figure.standard_error) for figure in found.values()]
        style = SERIES_STYLES[number % len(SERIES_STYLES)]
        markouts.errorbar(list(found), [figure.value for figure in found.values()], yerr=half, label=name, **style)
    markouts.axhline(0.0, color=BLACK, lw=0.8)
    markouts.set_xticks(list(summary.markouts["all"]))
    markouts.set_xlabel("requests after the request")
    markouts.set_ylabel("markout, price units\n(bars: 95 % interval)")
    markouts.legend(frameon=False, fontsize=9)
    for axes in (price, flow, markouts):
        tidy(axes)
    price.set_title("Recorded requests", loc="left", fontsize=10.5, fontweight="bold")
    return figure
