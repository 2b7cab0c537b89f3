"""What the charts of an episode show: each line, mark and background as a function of the steps played so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.episodes import Episodes
from mm_env.market.numbers import Integers, Values
from mm_env.market.params import MarketParams
from mm_env.plotting.chart import Series, midsteps
from mm_env.plotting.style import BLUE, GREEN, ORANGE, PURPLE, RED, SKY, VERMILION, ink, paper

Points = tuple[Any, Any]
_HOLLOW = {"color": GREEN, "marker": "o", "ms": 5, "mew": 1.3}


def trades(run: Episodes) -> Integers:
    """The numbers of the trades so far, from 1."""
    return np.arange(1, run.num_trades + 1)


def inventory_series(params: MarketParams) -> list[Series]:
    """Inventory, triggers, and marks of clients, hedges, orders and informed clients where the market has them."""
    late, informed = params.hedge_latency > 0, params.informed_fraction > 0
    hedge = {**_HOLLOW, "mfc": GREEN if late else paper()}
    series = [
        _line("inventory", "inventory", color=BLUE, lw=1.2, drawstyle="steps-mid"),
        *limit_series(params),
        *trigger_series(trigger_points, _trigger, "hedge trigger"),
        *(_orders() if late else ()),
        _marks("hedge", lambda run: run.hedge[0] != 0, _inventory, **hedge),
    ]
    if params.quote_levels == 1:  # else the chart of quotes shows them
        series.insert(1, _marks("accepted", lambda run: run.filled[0], _inventory, marker=".", color=BLUE, ms=4.5))
        series.append(_marks("rejected", _rejected, _inventory, marker="x", color=ink(), ms=6, mew=1.5))
    if informed:
        look = {"marker": "v", "color": VERMILION, "ms": 6, "mec": ink()}
        series.append(_marks("informed client", lambda run: run.filled[0] & run.informed[0], _inventory, **look))
    return series


def limit_series(params: MarketParams) -> list[Series]:
    """The most that the dealer may hold, above zero and below."""
    limit, ends = params.inventory_limit, (0.5, params.num_trades + 0.5)
    look: dict[str, Any] = {"color": RED, "linestyle": (0, (8, 3)), "lw": 1.6, "zorder": 1.5}
    names = {1.0: f"limit ±{limit:g}", -1.0: ""}
    return [Series(name, _always((ends, (sign * limit,) * 2)), look) for sign, name in names.items()]


def trigger_series(points: Callable[[Any, float], Points], told: Callable[[Any], str], name: str = "") -> list[Series]:
    """Beyond which inventory a policy hedges, above zero and below."""
    look: dict[str, Any] = {"color": ORANGE, "linestyle": (0, (2.5, 2)), "lw": 1.6, "zorder": 1.5}
    look["drawstyle"] = "steps-mid"
    above = Series(name, lambda played: points(played, 1.0), look, told)
    return [above, Series("", lambda played: points(played, -1.0), look)]


def pnl_series(params: MarketParams) -> list[Series]:
    """Equity, and the unrealised PnL of the last filled trade, after hedge cost."""
    return [
        _line("equity (all trades so far)", "equity", color=SKY, alpha=0.75, lw=2.6),
        _line("unrealized (last filled trade)", "unrealized_pnl", color=BLUE, lw=1.2),
    ]


def hedging_series(params: MarketParams) -> list[Series]:
    """Units hedged so far, as a line above an area."""
    return [
        Series("", _below_hedged, {"color": GREEN, "alpha": 0.2}, area=True),
        _line("units hedged so far", "cumulative_hedge", color=GREEN, lw=1.6, drawstyle="steps-mid"),
    ]


def quote_series(params: MarketParams) -> list[Series]:
    """How far from the mid each client was quoted; hollow where he did not trade."""
    looks: Mapping[str, tuple[float, dict[str, Any]]] = {
        "ask": (1.0, {"marker": "^", "color": BLUE, "ms": 4.5}),
        "bid": (-1.0, {"marker": "v", "color": PURPLE, "ms": 4.5}),
    }
    series = []
    for name, (side, look) in looks.items():
        series.append(_marks(f"{name}, filled", _quoted(side, True), _distance, **look))
        series.append(_marks(f"{name}, refused", _quoted(side, False), _distance, **look, mfc=paper()))
    return series


def regime_series(params: MarketParams, named: bool) -> list[Series]:
    """A background behind the trades of every regime but the calmest, darker where the price moves more."""
    order = np.argsort(params.volatilities, kind="stable")[1:].tolist()
    return [
        Series(
            f"volatility {params.volatilities[regime]:g}" if named else "",
            _stretches_of(regime),
            {"color": ink(), "alpha": 0.08 + 0.16 * place / len(order), "zorder": 0},
            area=True,
            whole_height=True,
        )
        for place, regime in enumerate(order)
    ]


def _always(points: Points) -> Callable[[Any], Points]:
    return lambda played: points


def _stretches_of(regime: int) -> Callable[[Episodes], list[NDArray[np.float64]]]:
    return lambda run: [_behind(*stretch) for stretch in _stretches(run.regime[0] == regime)]


def _line(name: str, quantity: str, **look: Any) -> Series:
    return Series(name, lambda run: (trades(run), getattr(run, quantity)[0]), look)


def _marks(
    name: str, where: Callable[[Episodes], NDArray[np.bool_]], height: Callable[[Episodes], Values], **look: Any
) -> Series:
    """Marks at the trades that are picked; the legend counts them."""

    def points(run: Episodes) -> Points:
        picked = where(run)
        return trades(run)[picked], height(run)[picked]

    def counted(run: Episodes) -> str:
        return f"{name} ({np.count_nonzero(where(run))})"

    return Series(name, points, {"linestyle": "none", **look}, counted)


def _inventory(run: Episodes) -> Any:
    return run.inventory[0]


def _distance(run: Episodes) -> Any:
    return run.distance[0]


def _rejected(run: Episodes) -> Any:
    return (run.request[0] != 0) & ~run.filled[0]


def _quoted(side: float, filled: bool) -> Callable[[Episodes], NDArray[np.bool_]]:
    return lambda run: (np.sign(run.request[0]) == side) & (run.filled[0] == filled)


def trigger_points(run: Episodes, sign: float) -> Points:
    """The trigger from trade to trade; right across the chart if it was the same at every one of them."""
    level = sign * np.where(run.threshold[0] < run.params.inventory_limit, run.threshold[0], np.nan)
    if np.isnan(level).all():
        return (), ()
    if len(np.unique(level)) == 1:
        return (0.5, run.params.num_trades + 0.5), (level[0], level[0])
    return trades(run), level


def _trigger(run: Episodes) -> str:
    known = run.threshold[0][run.threshold[0] < run.params.inventory_limit]
    if len(known) == 0:
        return "no hedge trigger"
    if len(known) == run.num_trades and known.min() == known.max():
        return f"hedge trigger ±{known[0]:g}"
    return f"hedge trigger {known.min():g} to {known.max():g}"


def _orders() -> list[Series]:
    """The inventory once every order in flight has executed, and where orders were placed."""
    look = {**_HOLLOW, "mfc": paper()}
    line: dict[str, Any] = {"color": ink(), "lw": 0.8, "drawstyle": "steps-mid"}
    return [
        Series("with orders in flight", lambda run: (trades(run), _position(run)), line),
        _marks("ordered", lambda run: run.order[0] != 0, _position, **look),
    ]


def _position(run: Episodes) -> Values:
    position: Values = run.inventory[0] + np.cumsum(run.order[0] - run.hedge[0])
    return position


def _below_hedged(run: Episodes) -> list[Any]:
    """The area below the line of units hedged, as one polygon."""
    if run.num_trades == 0:
        return []
    x, y = midsteps(trades(run), run.cumulative_hedge[0])
    return [np.column_stack([np.r_[x[0], x, x[-1]], np.r_[0.0, y, 0.0]])]


def _behind(start: int, stop: int) -> NDArray[np.float64]:
    """A rectangle behind the trades from one number on and before another, as high as the chart."""
    left, right = start + 0.5, stop + 0.5
    return np.array([[left, 0.0], [left, 1.0], [right, 1.0], [right, 0.0]])


def _stretches(where: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First place and the one after the last of every stretch where it holds."""
    turns = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in turns.reshape(-1, 2)]
