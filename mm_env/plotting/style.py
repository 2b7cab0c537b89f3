"""What all figures share: Matplotlib, colours, axes and checks.

Every chart stays readable in greyscale: what differs in colour differs in dashes, markers or weight as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mm_env.atomic_write import replacing
from mm_env.extras import needed_for

with needed_for("figures"):
    from matplotlib.axes import Axes as Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvasAgg
    from matplotlib.figure import Figure as Figure
    from matplotlib.ticker import MaxNLocator as MaxNLocator

FORMATS = (".png", ".svg", ".pdf")

# Okabe and Ito's palette, which the colour-blind can tell apart, and a red.
BLUE, SKY, GREEN, ORANGE, PURPLE = "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7"
VERMILION, RED, BLACK, GREY = "#D55E00", "#C1121F", "#222222", "#8C8C8C"
SERIES_STYLES = (
    {"color": BLUE, "marker": "o", "linestyle": "-"},
    {"color": VERMILION, "marker": "s", "linestyle": "--"},
    {"color": GREEN, "marker": "^", "linestyle": "-."},
    {"color": BLACK, "marker": "D", "linestyle": ":"},
    {"color": PURPLE, "marker": "v", "linestyle": (0, (8, 2))},
    {"color": ORANGE, "marker": "P", "linestyle": (0, (1, 3))},
    {"color": SKY, "marker": "X", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
)


def tidy(axes: Axes) -> None:
    """No box, a light grid behind."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#DDDDDD", lw=0.6)
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
