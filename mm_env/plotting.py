"""Figures of what was played and of what a policy would do. They read arrays and step no environment.

Every chart stays readable in greyscale: what differs in colour differs in dashes, markers or weight as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env import market
from mm_env.action import PolicyFunction, decisions
from mm_env.episodes import Episodes, Values
from mm_env.files import replacing
from mm_env.market import Request
from mm_env.observation import observe
from mm_env.params import MarketParams

try:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
except ImportError as error:
    raise ImportError("figures need matplotlib: pip install 'mm_env[plot]'") from error

Whole = NDArray[np.int64]

FORMATS = (".png", ".svg", ".pdf")
FRAME_DPI = 80  # 720 x 576 pixels: both multiples of 16, as video encoders ask
MOST_TRADES, MOST_INVENTORIES = 200, 201  # of a heat map: more cells would be thinner than a pixel

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
CLIENTS = {"client buys": 1.0, "client sells": -1.0}


def plot_episode(episodes: Episodes, index: int = 0) -> Figure:
    """Three charts of one episode by trade number: inventory, profit and cumulative hedging.

    An episode in progress fills the charts as far as it has come; the axis of trades always shows all of them.

    Args:
        episodes: Played episodes, or one in progress (fewer steps than `params.num_trades`, or none).
        index: Which of them, from 0.

    Returns:
        The figure, 9 x 7.2 inches; inventory and hedging in units, profit in price units.

    Raises:
        ValueError: Not `Episodes`, or no episode of that number.
    """
    run = _one_episode(episodes, index)
    trades = np.arange(1, run.num_trades + 1)
    figure = Figure(figsize=(9.0, 7.2), dpi=100, facecolor="white")
    figure.subplots_adjust(left=0.095, right=0.985, top=0.955, bottom=0.07, hspace=0.24)
    charts = figure.subplots(3, 1, sharex=True, height_ratios=[1.35, 1.0, 0.8])
    for axes, draw in zip(charts, (_draw_inventory, _draw_pnl, _draw_hedging), strict=True):
        draw(axes, run, trades)
        _tidy(axes)
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=5, frameon=False, fontsize=8.5, borderpad=0.1)
    axes.set_xlim(0.5, run.params.num_trades + 0.5)
    axes.xaxis.set_major_locator(_whole_ticks(5))
    axes.set_xlabel("trade number")
    return figure


def episode_frame(episodes: Episodes) -> NDArray[np.uint8]:
    """`plot_episode` of the first episode as RGB pixels: one frame of its film.

    Returns:
        Shape (576, 720, 3), however many steps the episode has.

    Raises:
        ValueError: Not `Episodes`, or none in it.
    """
    figure = plot_episode(episodes)
    figure.set_dpi(FRAME_DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    pixels: NDArray[np.uint8] = np.asarray(canvas.buffer_rgba())
    return pixels[..., :3].copy()


def plot_policies(policies: Mapping[str, PolicyFunction], params: MarketParams) -> Figure:
    """What each policy chooses, as a heat map over trade number and inventory before the trade.

    The client asks for one unit. There is one row of panels if every policy answers buyers and sellers alike,
    otherwise a row for each. At most 200 trades and 201 inventories are shown, evenly spaced.

    Args:
        policies: By name; from observations of shape (N, observations) to actions of shape (N,). If one has a
            method `reset(seed)`, that is called first.
        params: The market. With `hedge_action="units"` the map shows the units offloaded, else the hedge threshold.

    Returns:
        The figure, one column per policy; units throughout.

    Raises:
        ValueError: No policies, one that is not callable or gives bad actions, or not `MarketParams`.
    """
    _check_mapping("policies", policies)
    _check(isinstance(params, MarketParams), f"params must be MarketParams, got {type(params).__name__}")
    trades, inventories = _grid(params)
    maps = [_choices(name, policy, params, trades, inventories) for name, policy in policies.items()]
    rows = [""] if all(np.array_equal(buys, sells) for buys, sells in maps) else [f"{name}\n" for name in CLIENTS]
    size = (1.6 + 2.7 * len(maps), 0.9 + 2.5 * len(rows))
    figure = Figure(figsize=size, dpi=100, facecolor="white", layout="constrained")
    panels = figure.subplots(len(rows), len(maps), sharex=True, sharey=True, squeeze=False)
    for (row, column), axes in np.ndenumerate(panels):
        image = _draw_map(axes, maps[column][row], trades, inventories, params)
    for axes, name in zip(panels[0], policies, strict=True):
        axes.set_title(name, fontsize=10.5, fontweight="bold")
    for axes, row_name in zip(panels[:, 0], rows, strict=True):
        axes.set_ylabel(f"{row_name}inventory, units")
    for axes in panels[-1]:
        axes.set_xlabel("trade number")
    label = "units offloaded" if params.hedge_action == "units" else "hedge threshold, units"
    figure.colorbar(image, ax=panels, label=label, ticks=_whole_ticks(8), fraction=0.05, pad=0.02)
    return figure


def plot_frontier(series: Mapping[str, Sequence[Episodes]]) -> Figure:
    """Mean PnL per episode against its risk, the standard deviation of PnL per episode; price units.

    The mean leaves out `surprise`, what nobody could foresee: the same expectation with a far smaller interval.

    Args:
        series: By name, the finished episodes of each point, joined by a line in the order given.

    Returns:
        The figure.

    Raises:
        ValueError: No series or points, unfinished or fewer than two episodes.
    """
    _check_mapping("series", series)
    figure = Figure(figsize=(7.2, 4.8), dpi=100, facecolor="white", layout="constrained")
    axes = figure.subplots()
    for number, (name, points) in enumerate(series.items()):
        _check_points(name, points)
        _draw_series(axes, name, points, SERIES_STYLES[number % len(SERIES_STYLES)])
    _tidy(axes)
    axes.margins(0.08)
    axes.set_title("Profit against risk", loc="left", fontsize=10.5, fontweight="bold")
    axes.set_xlabel("standard deviation of PnL per episode, price units")
    axes.set_ylabel("mean PnL per episode, price units\n(foreseeable part; bars: 95 % interval)")
    axes.legend(frameon=False, fontsize=9)
    return figure


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as .png, .svg or .pdf, whole or not at all.

    Raises:
        ValueError: Another ending, or not a figure.
    """
    path = Path(path)
    _check(isinstance(figure, Figure), f"figure must be a matplotlib Figure, got {type(figure).__name__}")
    _check(path.suffix.lower() in FORMATS, f"{path}: figures are saved as {', '.join(FORMATS)}")
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=150)


def _draw_inventory(axes: Axes, run: Episodes, trades: Whole) -> None:
    inventory, limit, trigger = run.inventory[0], run.params.inventory_limit, run.params.hedge_threshold
    rejected = (run.request[0] != 0) & ~run.filled[0]
    axes.plot(trades, inventory, color=BLUE, lw=1.4, drawstyle="steps-mid", label="inventory")
    _draw_pair(axes, limit, "inventory limit", color=RED, linestyle=(0, (8, 3)))
    _draw_pair(axes, trigger, "hedge trigger", color=ORANGE, linestyle=(0, (2.5, 2)))
    _mark(axes, trades, inventory, run.hedge[0] != 0, "hedge", marker="o", mfc="white", color=GREEN, ms=5, mew=1.3)
    _mark(axes, trades, inventory, rejected, "rejected", marker="x", color=BLACK, ms=6, mew=1.5)
    reach = 1.12 * max(limit, min(trigger, 2 * limit), 1)  # a trigger far beyond the cap would flatten the chart
    axes.set_ylim(-reach, reach)
    axes.yaxis.set_major_locator(_whole_ticks(5))
    _name(axes, "Inventory", "inventory, units")


def _draw_pnl(axes: Axes, run: Episodes, trades: Whole) -> None:
    axes.axhline(0.0, color=GREY, lw=0.8)
    axes.plot(trades, run.equity[0], color=SKY, alpha=0.75, lw=2.6, label="equity (all trades so far)")
    unrealized = "unrealized PnL (last filled trade, after hedge cost)"
    axes.plot(trades, run.unrealized_pnl[0], color=BLUE, lw=1.2, label=unrealized)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    _name(axes, "Unrealized PnL and equity", "PnL, price units")


def _draw_hedging(axes: Axes, run: Episodes, trades: Whole) -> None:
    hedged = run.cumulative_hedge[0]
    axes.fill_between(trades, hedged, step="mid", color=GREEN, alpha=0.2, lw=0)
    axes.plot(trades, hedged, color=GREEN, lw=1.6, drawstyle="steps-mid", label="units hedged so far")
    top = max(4.0, float(hedged.max(initial=0.0)))
    axes.set_ylim(-0.04 * top, 1.12 * top)
    axes.yaxis.set_major_locator(_whole_ticks(4))
    _name(axes, "Cumulative hedging", "hedged, units")


def _draw_pair(axes: Axes, level: float, label: str, **style: Any) -> None:
    axes.axhline(level, label=f"{label} ±{level:g}", lw=1.6, zorder=1.5, **style)
    axes.axhline(-level, label="_", lw=1.6, zorder=1.5, **style)


def _mark(axes: Axes, x: Whole, y: Values, where: NDArray[np.bool_], label: str, **style: Any) -> None:
    axes.plot(x[where], y[where], linestyle="none", label=f"{label} ({np.count_nonzero(where)})", **style)


def _name(axes: Axes, title: str, quantity: str) -> None:
    # In fixed places, frames do not jump as tick labels grow, and Matplotlib does not spend half its time on layout.
    axes.set_title(title, loc="left", y=1.0, fontsize=10.5, fontweight="bold")
    axes.set_ylabel(quantity)
    axes.yaxis.set_label_coords(-0.075, 0.5)


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#DDDDDD", lw=0.6)
    axes.set_axisbelow(True)


def _whole_ticks(most: int) -> MaxNLocator:
    return MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], integer=True, min_n_ticks=1)


def _grid(params: MarketParams) -> tuple[Whole, Whole]:
    """Evenly spaced trades up to the last one, where policies change most, and inventories around 0."""
    cap = params.inventory_limit
    every = -(-params.num_trades // MOST_TRADES)
    apart = -(-2 * cap // (MOST_INVENTORIES - 1)) or 1
    return np.arange(params.num_trades, 0, -every)[::-1], apart * np.arange(-(cap // apart), cap // apart + 1)


def _choices(
    name: str, policy: PolicyFunction, params: MarketParams, trades: Whole, inventories: Whole
) -> list[Values]:
    """What the policy does for a client who buys and one who sells: each (inventories, trades), units."""
    _check(callable(policy), f"policy {name!r} must be callable, got {policy!r}")
    if hasattr(policy, "reset"):
        policy.reset(0)
    q, trade = np.meshgrid(inventories.astype(np.float64), trades, indexing="ij")
    left = params.num_trades + 1 - trade.ravel()
    requests = [Request(side, side) for side in CLIENTS.values()]
    return [_choice(policy, params, q.ravel(), request, left).reshape(q.shape) for request in requests]


def _choice(policy: PolicyFunction, params: MarketParams, q: Values, request: Request, left: Whole) -> Values:
    book = market.opening(params)._replace(inventory=q)
    decision = decisions(policy(observe(book, request, left, params)), len(q), params)
    if params.hedge_action == "threshold":
        return np.asarray(decision.threshold, dtype=np.float64)
    return np.asarray(market.units_hedged(book, request, decision, params, np), dtype=np.float64)


def _draw_map(axes: Axes, values: Values, trades: Whole, inventories: Whole, params: MarketParams) -> Any:
    axes.xaxis.set_major_locator(_whole_ticks(5))
    axes.yaxis.set_major_locator(_whole_ticks(5))
    extent = (*_edges(trades), *_edges(inventories))
    scale: dict[str, Any] = {"vmin": 0, "vmax": max(1, params.inventory_limit), "cmap": "viridis"}
    return axes.imshow(values, extent=extent, origin="lower", aspect="auto", interpolation="nearest", **scale)


def _edges(points: Whole) -> tuple[float, float]:
    """Where the first cell begins and the last one ends, each point in the middle of its cell."""
    half = (points[1] - points[0]) / 2 if len(points) > 1 else 0.5
    return float(points[0] - half), float(points[-1] + half)


def _draw_series(axes: Axes, name: str, points: Sequence[Episodes], style: Mapping[str, Any]) -> None:
    risk, mean, error = np.transpose([_risk_and_mean(episodes) for episodes in points])
    look = {**style, "ms": 6, "lw": 1.4, "ecolor": (style["color"], 0.45), "elinewidth": 1.2, "capsize": 3}
    if len(points) == 1:
        look["linestyle"] = "none"
    axes.errorbar(risk, mean, yerr=1.96 * error, label=name, **look)


def _risk_and_mean(episodes: Episodes) -> tuple[float, float, float]:
    """Standard deviation of the PnL, its mean and the standard error of that, price units."""
    foreseen = episodes.pnl - episodes.surprise.sum(axis=1)
    error = foreseen.std(ddof=1) / len(foreseen) ** 0.5
    return float(episodes.pnl.std(ddof=1)), float(foreseen.mean()), float(error)


def _one_episode(episodes: Episodes, index: int) -> Episodes:
    _check(isinstance(episodes, Episodes), f"episodes must be Episodes, got {type(episodes).__name__}")
    whole = isinstance(index, int | np.integer) and not isinstance(index, bool)
    allowed = f"a whole number below the number of episodes, {len(episodes)}"
    _check(whole and 0 <= index < len(episodes), f"index must be {allowed}, got {index!r}")
    return episodes[index : index + 1]


def _check_points(name: str, points: Sequence[Episodes]) -> None:
    listed = isinstance(points, Sequence) and all(isinstance(point, Episodes) for point in points)
    _check(listed and len(points) > 0, f"series {name!r} must be a list of Episodes with one entry or more")
    for point in points:
        played, trades = point.num_trades, point.params.num_trades
        _check(played == trades, f"series {name!r}: its episodes stop after {played} of {trades} trades")
        _check(len(point) > 1, f"series {name!r}: a standard deviation needs 2 episodes or more, got {len(point)}")


def _check_mapping(name: str, value: Any) -> None:
    _check(isinstance(value, Mapping) and len(value) > 0, f"{name} must be a mapping with one entry or more")


def _check(fine: bool, message: str) -> None:
    if not fine:
        raise ValueError(message)
