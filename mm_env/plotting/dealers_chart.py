"""The charts of one episode of several dealers: what each held and earned, trade by trade."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mm_env.episodes import Episodes
from mm_env.plotting.episode_chart import draw_pair, figure_frame, name_axes, one_episode
from mm_env.plotting.style import ORANGE, RED, SERIES_STYLES, Figure, MaxNLocator, check_mapping, tidy, whole_ticks


def plot_dealers(episodes: Mapping[str, Episodes], index: int = 0) -> Figure:
    """Inventory and equity of every dealer in one episode; limits as red dashed lines.

    Where all dealers hedge beyond one and the same inventory, it is drawn as orange dashed lines.

    Args:
        episodes: By dealer, played episodes or one in progress, as of `play_dealers`.
        index: Which of them, from 0.

    Returns:
        The figure, 9 x 7.2 inches; inventory in units, equity in price units.

    Raises:
        ValueError: No dealers, not `Episodes`, or no episode of that number.
    """
    check_mapping("episodes", episodes)
    runs = {name: one_episode(played, index) for name, played in episodes.items()}
    params = next(iter(runs.values())).params
    figure = Figure(figsize=(9.0, 7.2), dpi=100, facecolor="white")
    inventory, equity = figure.subplots(2, 1, sharex=True)
    draw_pair(inventory, params.inventory_limit, "inventory limit", color=RED, linestyle=(0, (8, 3)))
    triggers = np.unique([run.threshold for run in runs.values()])
    if len(triggers) == 1 and triggers[0] < params.inventory_limit:  # of all dealers, at all times
        draw_pair(inventory, triggers[0], "hedge trigger", color=ORANGE, linestyle=(0, (2.5, 2)))
    for number, (name, run) in enumerate(runs.items()):
        style = SERIES_STYLES[number % len(SERIES_STYLES)]
        look = {"color": style["color"], "linestyle": style["linestyle"], "lw": 1.3}
        trades = np.arange(1, run.num_trades + 1)
        won = f"{name} ({np.count_nonzero(run.filled)} trades)"
        inventory.plot(trades, run.inventory[0], drawstyle="steps-mid", label=won, **look)
        equity.plot(trades, run.equity[0], label="_", **look)
    reach = 1.12 * max(params.inventory_limit, 1)
    inventory.set_ylim(-reach, reach)
    inventory.yaxis.set_major_locator(whole_ticks(5))
    equity.yaxis.set_major_locator(MaxNLocator(5))
    name_axes(inventory, "Inventory", "inventory, units")
    name_axes(equity, "Equity", "PnL, price units")
    for axes in (inventory, equity):
        tidy(axes)
    inventory.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False, fontsize=8.5, borderpad=0.1)
    figure.subplots_adjust(left=0.095, right=0.985, top=0.9, bottom=0.07, hspace=0.16)
    equity.set_xlim(0.5, params.num_trades + 0.5)
    equity.xaxis.set_major_locator(whole_ticks(5))
    equity.set_xlabel("trade number")
    return figure


def dealers_frame(episodes: Mapping[str, Episodes]) -> NDArray[np.uint8]:
    """`plot_dealers` of the first episode as RGB pixels, shape (576, 720, 3).

    Raises:
        ValueError: As of `plot_dealers`.
    """
    return figure_frame(plot_dealers(episodes))
