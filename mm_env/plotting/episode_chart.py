"""The charts of one episode: what the dealer held, earned, hedged and quoted, trade by trade."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.episodes import Episodes
from mm_env.market.params import MarketParams
from mm_env.market.validation import is_whole
from mm_env.plotting.chart import Chart, add_legend, draw
from mm_env.plotting.episode_series import hedging_series, inventory_series, pnl_series, quote_series, regime_series
from mm_env.plotting.film import Film
from mm_env.plotting.style import (
    GREY,
    Axes,
    Figure,
    MaxNLocator,
    check,
    check_mapping,
    figure_of,
    given_axes,
    tidy,
    whole_ticks,
)

_LEFT, _RIGHT = 0.86, 0.14  # inches beside each chart


def plot_episode(
    episodes: Episodes | Mapping[str, Episodes] | Sequence[Episodes],
    index: int = 0,
    title: str | None = None,
    axes: Any = None,
) -> Figure:
    """Three charts of one episode by trade number: inventory, profit and cumulative hedging; quotes in a fourth.

    The limits are red dashed lines, the hedge triggers of the policy that was played orange ones: they follow it where
    it changes from trade to trade, and where it never hedges, or chooses units, there are none. What a market does not
    have is not drawn: the fourth chart where the spread is fixed, marks for informed clients, orders in flight
    (hollow where ordered, full where executed), a background for higher volatility. An episode in progress fills the
    charts as far as it has come; the axis of trades always shows all of them.

    Args:
        episodes: Played episodes, or one in progress (fewer steps than `params.num_trades`, or none). Several, by name
            or in a list, such as those of two policies on one tape, are drawn side by side.
        index: Which of them, from 0.
        title: What was played, above the charts.
        axes: Where to draw, one for each chart from the top to the bottom, of several episodes row by row. Default: a
            new figure, 9 x 7.2 inches; of several names, 5.2 inches wide for each.

    Returns:
        The figure, the new one or that of the axes; inventory and hedging in units, profit and quotes in price units.

    Raises:
        ValueError: Not `Episodes`, no episode of that number, episodes of different markets, or not as many axes.
    """
    runs = {name: one_episode(played, index) for name, played in named(episodes).items()}
    params = next(iter(runs.values())).params
    check(all(run.params == params for run in runs.values()), "episodes side by side must be of one market")
    charts = episode_charts(params)
    grid = _new_grid(len(charts), len(runs)) if axes is None else given_axes(axes, len(charts) * len(runs))
    columns = np.reshape(np.asarray(grid, dtype=object), (len(charts), len(runs))).T
    for column, run in zip(columns, runs.values(), strict=True):
        for each, chart in zip(column, charts, strict=True):
            draw(each, chart, run)
            tidy(each)
        number_trades(column, params)
    for row in columns.T:
        _share_limits(row)
    figure = figure_of(columns[0][0])
    if axes is None:
        _finish(figure, columns, list(runs), title)
    else:
        for each in columns.flat:
            add_legend(each)
        _name_columns(columns, list(runs), title)
    return figure


def telling_episode(played: Iterable[Episodes]) -> int:
    """Which of the episodes that several policies played alike shows most of what there is to see.

    The first in which most policies hedge at least five times, and in which most have to reject a client: both count
    the same.
    """
    seen: Any = 0
    for run in played:
        rejected = (run.request != 0) & ~run.filled
        seen = seen + (np.count_nonzero(run.hedge, axis=1) >= 5) + rejected.any(axis=1)
    return int(np.argmax(seen))


def episode_film(params: MarketParams, title: str | None = None) -> Film:
    """Frames of `plot_episode` while an episode of this market is played: only what moves is drawn anew.

    The legend names what is shown, and counts nothing; axes grow with what they must hold.

    Args:
        params: The market; where quotes are fixed, or clients uninformed, nothing of it is shown.
        title: What is played, above the charts.
    """
    charts = episode_charts(params)
    grid = _new_grid(len(charts), 1)
    film = Film(list(zip(grid, charts, strict=True)))
    for axes in grid:
        tidy(axes)
    number_trades(grid, params)
    _finish(figure_of(grid[0]), np.asarray([grid], dtype=object), [""], title)
    return film


def episode_frame(episodes: Episodes) -> NDArray[np.uint8]:
    """The charts of the first episode as RGB pixels: one frame of its film.

    Returns:
        Shape (576, 720, 3), however many steps the episode has.

    Raises:
        ValueError: Not `Episodes`, or none in it.
    """
    return episode_film(one_episode(episodes, 0).params).frame(episodes)


def episode_charts(params: MarketParams) -> list[Chart]:
    """What there is to see of an episode of this market, from the top to the bottom."""
    money, hedged = usual(params), (0.0, max(4.0, float(params.inventory_limit)))
    charts = [
        Chart("Inventory", "inventory, units", inventory_series(params), _inventory_frame(params)),
        Chart("Unrealized PnL and equity", "PnL, price units", pnl_series(params), _pnl_frame, _pnl_span, money),
        Chart("Cumulative hedging", "hedged, units", hedging_series(params), _hedging_frame, _hedging_span, hedged),
    ]
    if params.quote_levels > 1:
        charts.append(Chart("Quoted distance", "price units", quote_series(params), _quote_frame(params)))
    first, *others = (regime_series(params, told) for told in (True, *[False] * (len(charts) - 1)))
    return [
        chart._replace(series=[*chart.series, *regimes])
        for chart, regimes in zip(charts, [first, *others], strict=True)
    ]


def number_trades(column: Sequence[Axes], params: MarketParams) -> None:
    """The axes of trades of charts one above the other, shown below the last."""
    for axes in column:
        axes.set_xlim(0.5, params.num_trades + 0.5)
        axes.xaxis.set_major_locator(whole_ticks(5))
    column[-1].set_xlabel("trade number")


def inventory_frame(axes: Axes, params: MarketParams) -> None:
    """From one limit of inventory to the other, with some room beyond."""
    reach = 1.12 * max(params.inventory_limit, 1)
    axes.set_ylim(-reach, reach)
    axes.yaxis.set_major_locator(whole_ticks(5))


def one_episode(episodes: Episodes, index: int) -> Episodes:
    """One of them, or a `ValueError` that says what there is."""
    check(isinstance(episodes, Episodes), f"episodes must be Episodes, got {type(episodes).__name__}")
    allowed = f"a whole number below the number of episodes, {len(episodes)}"
    check(is_whole(index) and 0 <= index < len(episodes), f"index must be {allowed}, got {index!r}")
    return episodes[index : index + 1]


def named(episodes: Any) -> Mapping[str, Episodes]:
    """Episodes by name: those of a list by their place, a single one by none."""
    if isinstance(episodes, list | tuple):
        episodes = {str(place): played for place, played in enumerate(episodes, start=1)}
    if not isinstance(episodes, Mapping):
        return {"": episodes}
    check_mapping("episodes", episodes)
    return episodes


def _new_grid(charts: int, columns: int) -> list[Axes]:
    """Axes of a new figure, row by row: the chart of inventory the highest."""
    figure = Figure(figsize=(9.0 if columns == 1 else 5.2 * columns, 7.2))
    heights = [1.35, 1.0, 0.8, 0.8][:charts]
    return list(figure.subplots(charts, columns, sharex=True, squeeze=False, height_ratios=heights).flat)


def _finish(figure: Figure, columns: NDArray[Any], names: list[str], title: str | None) -> None:
    """Put the charts of a new figure where there is room for their labels, legends and titles."""
    width = figure.get_figwidth()
    wspace = (_LEFT + _RIGHT) / (width / len(names) - _LEFT - _RIGHT)
    figure.subplots_adjust(left=_LEFT / width, right=1.0 - _RIGHT / width, bottom=0.07, wspace=wspace)
    rows = np.array([[add_legend(axes) for axes in column] for column in columns]).max(axis=0)
    top = _add_titles(figure, names, title, 0.98 - 0.025 * float(rows[0]))
    figure.subplots_adjust(top=top, hspace=0.24 if len(rows) == 3 and rows[1:].max() == 1 else 0.34)


def _inventory_frame(params: MarketParams) -> Callable[[Axes], None]:
    return lambda axes: inventory_frame(axes, params)


def usual(params: MarketParams) -> tuple[float, float]:
    """A span of PnL that an episode seldom leaves far behind: a third of the rule's threshold held throughout."""
    reach = params.rule_threshold / 3 * max(params.volatilities) * params.num_trades**0.5
    reach = max(reach, params.spread * params.num_trades / 3)
    return -reach, reach


def _pnl_frame(axes: Axes) -> None:
    axes.axhline(0.0, color=GREY, lw=0.8, zorder=1.5)
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _pnl_span(run: Episodes) -> tuple[float, float]:
    """The lowest and the highest profit, zero among them."""
    seen = [run.equity[0], run.unrealized_pnl[0]]
    return float(np.min(seen, initial=0.0)), float(np.max(seen, initial=0.0))


def _hedging_frame(axes: Axes) -> None:
    axes.yaxis.set_major_locator(whole_ticks(4))


def _hedging_span(run: Episodes) -> tuple[float, float]:
    return 0.0, max(4.0, float(run.cumulative_hedge[0].max(initial=0.0)))


def _quote_frame(params: MarketParams) -> Callable[[Axes], None]:
    span = (params.quote_levels - 1) * params.tick

    def frame(axes: Axes) -> None:
        axes.set_ylim(params.lowest_quote - 0.08 * span, params.lowest_quote + 1.08 * span)
        axes.yaxis.set_major_locator(MaxNLocator(4))

    return frame


def _share_limits(row: NDArray[Any]) -> None:
    """Let charts that stand side by side have the limits that hold all of them."""
    low, high = zip(*(axes.get_ylim() for axes in row), strict=True)
    for axes in row:
        axes.set_ylim(min(low), max(high))


def _add_titles(figure: Figure, names: list[str], title: str | None, top: float) -> float:
    """Write what was played above the charts; return where these begin."""
    height, left = 0.032, _LEFT / figure.get_figwidth()
    if names != [""]:
        for place, name in enumerate(names):
            x = place / len(names) + left
            y = 0.985 - height * (title is not None)
            figure.text(x, y, name, va="top", fontsize="large", fontweight="bold")
    if title is not None:
        figure.text(left, 0.985, title, va="top")
    return top - height * ((names != [""]) + (title is not None))


def _name_columns(columns: Any, names: list[str], title: str | None) -> None:
    """Write what was played into the first chart's title: axes that are given have a layout of their own."""
    for column, name in zip(columns, names, strict=True):
        words = [word for word in (title, name, column[0].get_title(loc="left")) if word]
        column[0].set_title(": ".join(words), loc="left", y=1.0, fontsize="medium", fontweight="bold")
