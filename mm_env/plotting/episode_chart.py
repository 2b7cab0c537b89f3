"""The charts of one episode: what the dealer held, earned, hedged and quoted, trade by trade."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.episodes import Episodes
from mm_env.market.numbers import Integers, Values
from mm_env.market.validation import is_whole
from mm_env.plotting.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    VERMILION,
    Axes,
    Figure,
    FigureCanvasAgg,
    MaxNLocator,
    check,
    check_mapping,
    tidy,
    whole_ticks,
)

FRAME_DPI = 80  # 720 x 576 pixels: both multiples of 16, as video encoders ask
_ENTRIES = 5  # of a legend, in one row


def plot_episode(episodes: Episodes | Mapping[str, Episodes], index: int = 0, title: str | None = None) -> Figure:
    """Three charts of one episode by trade number: inventory, profit and cumulative hedging; quotes in a fourth.

    The limits are red dashed lines, the hedge triggers of the policy that was played orange ones: they follow it where
    it changes from trade to trade, and where it never hedges, or chooses units, there are none. What a market does not
    have is not drawn: the fourth chart where the spread is fixed, marks for informed clients, orders in flight
    (hollow where ordered, full where executed), a background for higher volatility. An episode in progress fills the
    charts as far as it has come; the axis of trades always shows all of them.

    Args:
        episodes: Played episodes, or one in progress (fewer steps than `params.num_trades`, or none). Several by name,
            such as those of two policies on one tape, are drawn side by side.
        index: Which of them, from 0.
        title: What was played, above the charts.

    Returns:
        The figure, 9 x 7.2 inches, as wide again for every further name; inventory and hedging in units, profit and
        quotes in price units.

    Raises:
        ValueError: Not `Episodes`, no episode of that number, or episodes of different markets.
    """
    if isinstance(episodes, Mapping):
        check_mapping("episodes", episodes)
    named = episodes if isinstance(episodes, Mapping) else {"": episodes}
    runs = {name: one_episode(played, index) for name, played in named.items()}
    params = next(iter(runs.values())).params
    check(all(run.params == params for run in runs.values()), "episodes side by side must be of one market")
    draws, heights = [_draw_inventory, _draw_pnl, _draw_hedging], [1.35, 1.0, 0.8]
    if params.quote_levels > 1:
        draws, heights = [*draws, _draw_quotes], [*heights, 0.8]
    figure = Figure(figsize=(9.0 * len(runs), 7.2), dpi=100, facecolor="white")
    charts = figure.subplots(len(draws), len(runs), sharex=True, squeeze=False, height_ratios=heights)
    for column, run in zip(charts.T, runs.values(), strict=True):
        for axes, draw in zip(column, draws, strict=True):
            draw(axes, run, np.arange(1, run.num_trades + 1))
            _shade_regimes(axes, run)
            tidy(axes)
        _name_regimes(column[0], run)
        column[-1].set_xlim(0.5, params.num_trades + 0.5)
        column[-1].xaxis.set_major_locator(whole_ticks(5))
        column[-1].set_xlabel("trade number")
    for row in charts:
        _share_limits(row)
    rows = max(_add_legend(axes) for axes in charts.flat)
    top = _add_titles(figure, list(runs), title, 0.955 if rows == 1 else 0.93)
    hspace = 0.24 if len(draws) == 3 else 0.34
    left, right, wspace = 0.095 / len(runs), 1.0 - 0.015 / len(runs), 0.12
    figure.subplots_adjust(left=left, right=right, top=top, bottom=0.07, hspace=hspace, wspace=wspace)
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


def episode_frame(episodes: Episodes) -> NDArray[np.uint8]:
    """`plot_episode` of the first episode as RGB pixels: one frame of its film.

    Returns:
        Shape (576, 720, 3), however many steps the episode has.

    Raises:
        ValueError: Not `Episodes`, or none in it.
    """
    return figure_frame(plot_episode(episodes))


def figure_frame(figure: Figure) -> NDArray[np.uint8]:
    """A figure of 9 x 7.2 inches as RGB pixels, shape (576, 720, 3)."""
    figure.set_dpi(FRAME_DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    pixels: NDArray[np.uint8] = np.asarray(canvas.buffer_rgba())
    return pixels[..., :3].copy()


def _draw_inventory(axes: Axes, run: Episodes, trades: Integers) -> None:
    inventory, limit = run.inventory[0], run.params.inventory_limit
    rejected = (run.request[0] != 0) & ~run.filled[0]
    late = run.params.hedge_latency > 0
    axes.plot(trades, inventory, color=BLUE, lw=1.4, drawstyle="steps-mid", label="inventory")
    draw_pair(axes, limit, "inventory limit", color=RED, linestyle=(0, (8, 3)))
    _draw_trigger(axes, run, trades)
    if late:
        _draw_orders(axes, run, trades)
    hedge = {"marker": "o", "mfc": GREEN if late else "white", "color": GREEN, "ms": 5, "mew": 1.3}
    _mark(axes, trades, inventory, run.hedge[0] != 0, "hedge", **hedge)
    if run.params.quote_levels == 1:  # else the chart of quotes shows them
        _mark(axes, trades, inventory, rejected, "rejected", marker="x", color=BLACK, ms=6, mew=1.5)
    if run.params.informed_fraction > 0:
        informed = run.filled[0] & run.informed[0]
        _mark(axes, trades, inventory, informed, "informed client", marker="v", color=VERMILION, ms=6, mec=BLACK)
    reach = 1.12 * max(limit, 1)
    axes.set_ylim(-reach, reach)
    axes.yaxis.set_major_locator(whole_ticks(5))
    name_axes(axes, "Inventory", "inventory, units")


def _draw_trigger(axes: Axes, run: Episodes, trades: Integers) -> None:
    """Beyond which inventory the policy hedged, as far as it hedged at all."""
    style: dict[str, Any] = {"color": ORANGE, "linestyle": (0, (2.5, 2)), "lw": 1.6, "zorder": 1.5}
    level = np.where(run.threshold[0] < run.params.inventory_limit, run.threshold[0], np.nan)
    known = level[~np.isnan(level)]
    if len(known) == 0:
        axes.plot([], [], label="no hedge trigger", **style)
    elif len(known) == len(level) and known.min() == known.max():
        draw_pair(axes, known[0], "hedge trigger", **style)
    else:
        changing = f"hedge trigger {known.min():g} to {known.max():g}"
        for values, label in ((level, changing), (-level, "_")):
            axes.plot(trades, values, drawstyle="steps-mid", label=label, **style)


def _draw_orders(axes: Axes, run: Episodes, trades: Integers) -> None:
    """The inventory once every order in flight has executed, and where orders were placed."""
    position = run.inventory[0] + np.cumsum(run.order[0] - run.hedge[0])
    axes.plot(trades, position, color=BLACK, lw=0.8, drawstyle="steps-mid", label="with orders in flight")
    order = {"marker": "o", "mfc": "white", "color": GREEN, "ms": 5, "mew": 1.3}
    _mark(axes, trades, position, run.order[0] != 0, "ordered", **order)


def _draw_pnl(axes: Axes, run: Episodes, trades: Integers) -> None:
    axes.axhline(0.0, color=GREY, lw=0.8)
    axes.plot(trades, run.equity[0], color=SKY, alpha=0.75, lw=2.6, label="equity (all trades so far)")
    unrealized = "unrealized PnL (last filled trade, after hedge cost)"
    axes.plot(trades, run.unrealized_pnl[0], color=BLUE, lw=1.2, label=unrealized)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    name_axes(axes, "Unrealized PnL and equity", "PnL, price units")


def _draw_hedging(axes: Axes, run: Episodes, trades: Integers) -> None:
    hedged = run.cumulative_hedge[0]
    axes.fill_between(trades, hedged, step="mid", color=GREEN, alpha=0.2, lw=0)
    axes.plot(trades, hedged, color=GREEN, lw=1.6, drawstyle="steps-mid", label="units hedged so far")
    top = max(4.0, float(hedged.max(initial=0.0)))
    axes.set_ylim(-0.04 * top, 1.12 * top)
    axes.yaxis.set_major_locator(whole_ticks(4))
    name_axes(axes, "Cumulative hedging", "hedged, units")


def _draw_quotes(axes: Axes, run: Episodes, trades: Integers) -> None:
    """How far from the mid each client was quoted; hollow where he did not trade."""
    params, side, filled = run.params, np.sign(run.request[0]), run.filled[0]
    looks = {"ask": (1.0, {"marker": "^", "color": BLUE}), "bid": (-1.0, {"marker": "v", "color": PURPLE})}
    for name, (of, look) in looks.items():
        asked = side == of
        _mark(axes, trades, run.distance[0], asked & filled, f"{name}, filled", ms=4.5, **look)
        _mark(axes, trades, run.distance[0], asked & ~filled, f"{name}, refused", ms=4.5, mfc="white", **look)
    span = (params.quote_levels - 1) * params.tick
    axes.set_ylim(params.lowest_quote - 0.08 * span, params.lowest_quote + 1.08 * span)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    name_axes(axes, "Quoted distance", "price units")


def _shade_regimes(axes: Axes, run: Episodes) -> None:
    """A background behind the trades of every regime but the calmest, darker where the price moves more."""
    for regime, shade in _shades(run).items():
        for start, stop in _runs(run.regime[0] == regime):
            axes.axvspan(start + 0.5, stop + 0.5, color=shade, lw=0, zorder=0)


def _name_regimes(axes: Axes, run: Episodes) -> None:
    for regime, shade in _shades(run).items():
        axes.fill_between([], [], color=shade, lw=0, label=f"volatility {run.params.volatilities[regime]:g}")


def _shades(run: Episodes) -> dict[int, str]:
    """A grey for every regime but the calmest."""
    order = np.argsort(run.params.volatilities, kind="stable")[1:]
    return {int(regime): f"{0.92 - 0.16 * place / len(order):.3f}" for place, regime in enumerate(order)}


def _runs(where: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First place and the one after the last of every stretch where it holds."""
    turns = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in turns.reshape(-1, 2)]


def _add_legend(axes: Axes) -> int:
    """Above the chart, in one row or two; return how many."""
    entries = len(axes.get_legend_handles_labels()[1])
    rows = -(-entries // _ENTRIES)
    style: dict[str, Any] = {"frameon": False, "fontsize": 8.5, "borderpad": 0.1}
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=-(-entries // rows), **style)
    return rows


def draw_pair(axes: Axes, level: float, label: str, **style: Any) -> None:
    """A line at a level above and one as far below zero."""
    look = {"lw": 1.6, "zorder": 1.5} | style
    axes.axhline(level, label=f"{label} ±{level:g}", **look)
    axes.axhline(-level, label="_", **look)


def _share_limits(row: NDArray[Any]) -> None:
    """Let charts that stand side by side have the limits that hold all of them."""
    low, high = zip(*(axes.get_ylim() for axes in row), strict=True)
    for axes in row:
        axes.set_ylim(min(low), max(high))


def _add_titles(figure: Figure, names: list[str], title: str | None, top: float) -> float:
    """Write what was played above the charts; return where these begin."""
    height = 0.032
    if names != [""]:
        for place, name in enumerate(names):
            x = (place + 0.095) / len(names)
            figure.text(x, 0.985 - height * (title is not None), name, va="top", fontsize=12, fontweight="bold")
    if title is not None:
        figure.text(0.095 / len(names), 0.985, title, va="top", fontsize=11)
    return top - height * ((names != [""]) + (title is not None))


def _mark(axes: Axes, x: Integers, y: Values, where: NDArray[np.bool_], label: str, **style: Any) -> None:
    axes.plot(x[where], y[where], linestyle="none", label=f"{label} ({np.count_nonzero(where)})", **style)


def name_axes(axes: Axes, title: str, quantity: str) -> None:
    """Title and unit, in fixed places."""
    # In fixed places, frames do not jump as tick labels grow, and Matplotlib does not spend half its time on layout.
    axes.set_title(title, loc="left", y=1.0, fontsize=10.5, fontweight="bold")
    axes.set_ylabel(quantity)
    axes.yaxis.set_label_coords(-0.075, 0.5)


def one_episode(episodes: Episodes, index: int) -> Episodes:
    """One of them, or a `ValueError` that says what there is."""
    check(isinstance(episodes, Episodes), f"episodes must be Episodes, got {type(episodes).__name__}")
    allowed = f"a whole number below the number of episodes, {len(episodes)}"
    check(is_whole(index) and 0 <= index < len(episodes), f"index must be {allowed}, got {index!r}")
    return episodes[index : index + 1]
