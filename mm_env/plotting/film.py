"""Film: charts that fill while an episode is played, a few milliseconds a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.plotting.chart import Chart, draw_empty, update, with_margin
from mm_env.plotting.style import Axes, FigureCanvasAgg, figure_of

FRAME_DPI = 80  # 720 x 576 pixels of 9 x 7.2 inches: both multiples of 16, as video encoders ask
_ROOM = 0.6  # that an axis gets beyond what it must hold, as a share of it: it seldom has to be drawn anew


class Film:
    """Charts drawn whole once; a frame then restores these pixels and draws what moves on them.

    Letters and legends are what takes Matplotlib its time, and these stand still. Where something would leave its
    chart, the axis grows, and all is drawn anew.
    """

    def __init__(self, charts: Sequence[tuple[Axes, Chart]]) -> None:
        self._charts = charts
        self._moving = [(axes, *pair) for axes, chart in charts for pair in draw_empty(axes, chart)]
        figure = figure_of(charts[0][0])
        figure.set_dpi(FRAME_DPI)
        self._canvas: Any = FigureCanvasAgg(figure)
        self._still: Any = None  # the pixels of all that stands still

    def frame(self, played: Any) -> NDArray[np.uint8]:
        """The charts of what was played so far as RGB pixels, shape (576, 720, 3)."""
        for axes, chart in self._charts:
            if chart.span is not None:
                self._make_room(axes, chart.span(played), chart.start)
        if self._still is None:
            self._canvas.draw()
            self._still = self._canvas.copy_from_bbox(self._canvas.figure.bbox)
        self._canvas.restore_region(self._still)
        for axes, artist, series in self._moving:
            update(artist, series, played)
            axes.draw_artist(artist)
        pixels: NDArray[np.uint8] = np.asarray(self._canvas.buffer_rgba())
        return pixels[..., :3].copy()

    def _make_room(self, axes: Axes, span: tuple[float, float], start: tuple[float, float]) -> None:
        """Let the axis hold the span: from the first frame on, with room where it had to grow."""
        low, high = axes.get_ylim() if self._still is not None else with_margin(start, 0.05)
        room = _ROOM * (max(high, span[1]) - min(low, span[0]))
        wanted = span[0] - room if span[0] < low else low, span[1] + room if span[1] > high else high
        if self._still is None or wanted != (low, high):
            axes.set_ylim(*wanted)
            self._still = None
