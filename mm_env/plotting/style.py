"""What all figures share: Matplotlib, colours, axes and checks.

Every chart stays readable in greyscale: what differs in colour differs in dashes, markers or weight as well. Ink, paper
and the sizes of letters are those of Matplotlib's settings, so that style sheets work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mm_env.atomic_write import replacing
from mm_env.extras import needed_for

with needed_for("figures"):
    from matplotlib import rcParams
    from matplotlib.artist import Artist as Artist
    from matplotlib.axes import Axes as Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvasAgg
    from matplotlib.collections import PolyCollection as PolyCollection
    from matplotlib.figure import Figure as Figure
    from matplotlib.lines import Line2D as Line2D
    from matplotlib.patheffects import withStroke as withStroke
    from matplotlib.ticker import MaxNLocator as MaxNLocator
    from matplotlib.transforms import ScaledTranslation as ScaledTranslation

FORMATS = (".png", ".svg", ".pdf")

# Okabe and Ito's palette, which the colour-blind can tell apart, and a red.
BLUE, SKY, GREEN, ORANGE, PURPLE = "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7"
VERMILION, RED, BLACK, GREY = "#D55E00", "#C1121F", "#222222", "#8C8C8C"
SERIES_STYLES: tuple[Mapping[str, Any], ...] = (
    {"color": BLUE, "marker": "o", "linestyle": "-"},
    {"color": VERMILION, "marker": "s", "linestyle": "--"},
    {"color": GREEN, "marker": "^", "linestyle": "-."},
    {"color": BLACK, "marker": "D", "linestyle": ":"},
    {"color": PURPLE, "marker": "v", "linestyle": (0, (8, 2))},
    {"color": ORANGE, "marker": "P", "linestyle": (0, (1, 3))},
    {"color": SKY, "marker": "X", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
)


def ink() -> str:
    """The colour of letters, and of what is drawn in black on white paper."""
    color = rcParams["text.color"]
    return BLACK if color == "black" else str(color)


def paper() -> str:
    """The colour behind the lines of a chart."""
    return str(rcParams["axes.facecolor"])


def series_style(number: int) -> dict[str, Any]:
    """Colour, marker and dashes of the series of this number; after the last they begin again."""
    style = dict(SERIES_STYLES[number % len(SERIES_STYLES)])
    return style | {"color": ink()} if style["color"] == BLACK else style


def given_axes(axes: Axes | Sequence[Axes] | Any, number: int) -> list[Axes]:
    """The axes that somebody drew up himself, one or an array of them, as a list of as many as there are charts.

    Raises:
        ValueError: Not axes, or another number.
    """
    found = list(np.ravel(np.asarray(axes, dtype=object)))
    kinds = all(isinstance(each, Axes) for each in found)
    told = f"{len(found)} of them" if kinds else repr(axes)
    wanted = "Matplotlib Axes" if number == 1 else f"{number} Matplotlib Axes, one for each chart"
    check(kinds and len(found) == number, f"axes must be {wanted}, got {told}")
    return found


def figure_of(axes: Axes) -> Figure:
    """The figure that axes stand in, through figures within figures."""
    figure: Any = axes.figure
    while not isinstance(figure, Figure):
        figure = figure.figure
    return figure


def tidy(axes: Axes) -> None:
    """No box, a light grid behind."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.5, lw=0.6)
    axes.set_axisbelow(True)


def whole_ticks(most: int) -> MaxNLocator:
    """Ticks at whole numbers."""
    return MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], integer=True, min_n_ticks=1)


def check_mapping(name: str, value: Any) -> None:
    """Raise `ValueError` unless it is a mapping with something in it."""
    check(isinstance(value, Mapping) and len(value) > 0, f"{name} must be a mapping with one entry or more")


def check(fine: bool, message: str) -> None:
    """Raise `ValueError` with the message unless all is fine."""
    if not fine:
        raise ValueError(message)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as .png, .svg or .pdf, whole or not at all.

    Raises:
        ValueError: Another ending, or not a figure.
    """
    path = Path(path)
    check(isinstance(figure, Figure), f"figure must be a matplotlib Figure, got {type(figure).__name__}")
    check(path.suffix.lower() in FORMATS, f"{path}: figures are saved as {', '.join(FORMATS)}")
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=150)
