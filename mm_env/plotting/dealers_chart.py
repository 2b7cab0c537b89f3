"""The charts of one episode of several dealers: what each held and earned, trade by trade."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.episodes import Episodes
from mm_env.market.params import MarketParams
from mm_env.plotting.chart import Chart, Series, draw
from mm_env.plotting.episode_chart import inventory_frame, named, number_trades, one_episode, usual
from mm_env.plotting.episode_series import limit_series, trades, trigger_points, trigger_series
from mm_env.plotting.film import Film
from mm_env.plotting.style import (
    Axes,
    Figure,
    MaxNLocator,
    check_mapping,
    figure_of,
    given_axes,
    series_style,
    tidy,
)

Runs = Mapping[str, Episodes]


def plot_dealers(episodes: Runs | Sequence[Episodes], index: int = 0, axes: Any = None) -> Figure:
    """Inventory and equity of every dealer in one episode; limits as red dashed lines.

    Where all dealers hedge beyond one and the same inventory, it is drawn as orange dashed lines.

    Args:
        episodes: Played episodes or one in progress, by dealer or in a list, as of `play_dealers`.
        index: Which of them, from 0.
        axes: Where to draw, two; default: a new figure, 9 x 7.2 inches.

    Returns:
        The figure, the new one or that of the axes; inventory in units, equity in price units.

    Raises:
        ValueError: No dealers, not `Episodes`, no episode of that number, or not two axes.
    """
    runs = {name: one_episode(played, index) for name, played in named(episodes).items()}
    params = next(iter(runs.values())).params
    grid = _new_grid() if axes is None else given_axes(axes, 2)
    for each, chart in zip(grid, dealers_charts(params, list(runs)), strict=True):
        draw(each, chart, runs)
    _finish(grid, params)
    return figure_of(grid[0])


def dealers_film(params: MarketParams, names: Sequence[str]) -> Film:
    """Frames of `plot_dealers` while an episode of these dealers is played: only what moves is drawn anew."""
    grid = _new_grid()
    film = Film(list(zip(grid, dealers_charts(params, names), strict=True)))
    _finish(grid, params)
    return film


def dealers_frame(episodes: Runs) -> NDArray[np.uint8]:
    """The charts of the first episode as RGB pixels, shape (576, 720, 3).

    Raises:
        ValueError: As of `plot_dealers`.
    """
    check_mapping("episodes", episodes)
    runs = {name: one_episode(played, 0) for name, played in episodes.items()}
    return dealers_film(next(iter(runs.values())).params, list(runs)).frame(runs)


def dealers_charts(params: MarketParams, names: Sequence[str]) -> list[Chart]:
    """What there is to see of several dealers: inventories above, profits below."""
    looks = {name: _look(number) for number, name in enumerate(names)}
    inventories = [
        Series(name, _of(name, "inventory"), {**look, "drawstyle": "steps-mid"}, _trades_won(name))
        for name, look in looks.items()
    ]
    inventories += [*limit_series(params), *trigger_series(_trigger, _trigger_told)]
    equities = [Series("", _of(name, "equity"), look) for name, look in looks.items()]
    return [
        Chart("Inventory", "inventory, units", inventories, lambda axes: inventory_frame(axes, params)),
        Chart("Equity", "PnL, price units", equities, _equity_frame, _equity_span, usual(params)),
    ]


def _look(number: int) -> dict[str, Any]:
    style = series_style(number)
    return {"color": style["color"], "linestyle": style["linestyle"], "lw": 1.3}


def _of(name: str, quantity: str) -> Callable[[Runs], Any]:
    return lambda runs: (trades(runs[name]), getattr(runs[name], quantity)[0])


def _trades_won(name: str) -> Callable[[Runs], str]:
    return lambda runs: f"{name} ({np.count_nonzero(runs[name].filled)} won)"


def _trigger(runs: Runs, sign: float) -> Any:
    """Of all dealers, at all times; nothing where they differ."""
    levels = np.unique([run.threshold for run in runs.values()])
    return trigger_points(next(iter(runs.values())), sign) if len(levels) == 1 else ((), ())


def _trigger_told(runs: Runs) -> str:
    level = np.asarray(_trigger(runs, 1.0)[1])
    return f"hedge trigger ±{level[0]:g}" if level.size else ""


def _equity_frame(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _equity_span(runs: Runs) -> tuple[float, float]:
    seen = [run.equity[0] for run in runs.values()]
    return float(np.min(seen, initial=0.0)), float(np.max(seen, initial=0.0))


def _new_grid() -> list[Axes]:
    figure = Figure(figsize=(9.0, 7.2))
    grid: list[Axes] = list(figure.subplots(2, 1, sharex=True))
    figure.subplots_adjust(left=0.095, right=0.985, top=0.9, bottom=0.07, hspace=0.16)
    return grid


def _finish(grid: Sequence[Axes], params: MarketParams) -> None:
    for axes in grid:
        tidy(axes)
    legend: dict[str, Any] = {"ncols": 3, "frameon": False, "fontsize": "small", "borderpad": 0.1}
    grid[0].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), **legend)
    number_trades(grid, params)
