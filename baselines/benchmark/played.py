"""Played: what the best agents of a benchmark make of the same tapes, as charts and tables of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from baselines.benchmark.agents import Agent
from baselines.benchmark.results import Results, ranked
from baselines.benchmark.suite import EVALUATION_SEED
from baselines.evaluation.scores import SCORES
from baselines.evaluation.totals import Totals
from mm_env.envs.action import PolicyFunction
from mm_env.market.params import MarketParams
from mm_env.pools.ray_pool import spread
from mm_env.registration import market_params
from mm_env.rollout import play_blocks

Load = Callable[[str, MarketParams, int], PolicyFunction]
Played = Mapping[str, Mapping[str, Totals]]  # by market and agent
EPISODES, MOST_AGENTS = 2000, 6
_BINS = 60
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#808080", "#cc79a7", "#e69f00")  # Okabe and Ito's, and the ink
_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
_DASHES = ("solid", "dash", "dashdot", "dot", "longdash", "longdashdot")
_PARTS = {  # of the mean PnL: they sum to it exactly; the sign, and what tells them apart in grey
    "spread": ("spread_pnl", 1.0, ""),
    "inventory": ("inventory_pnl", 1.0, "/"),
    "hedge cost": ("plain_hedge_cost", -1.0, "x"),
    "impact": ("impact_cost", -1.0, "."),
}
FIGURES = ("pnl", "sd", "cvar", "drawdown", "mean_inventory", "turnover", "internalisation")


def played(results: Results, load: Load, workers: int = 1) -> dict[str, dict[str, Totals]]:
    """The best agents of some results, of each the first training seed, on `EPISODES` tapes of every market."""
    agents = [Agent(name, **_source(results, name)) for name in ranked(results)[:MOST_AGENTS]]
    found = dict(spread(partial(_played, agents=agents, load=load), list(results["markets"]), workers))
    return {market: found[market] for market in results["markets"]}


def _source(results: Results, name: str) -> dict[str, Any]:
    agent = results["agents"][name]
    return {"source": agent["source"], "seeds": tuple(agent["seeds"])}


def _played(market: str, agents: Sequence[Agent], load: Load) -> dict[str, Totals]:
    params = market_params(market)
    return {
        agent.name: Totals.gather(
            play_blocks(
                load(agent.policy(market, agent.seeds[0]), params, EVALUATION_SEED), params, EPISODES, EVALUATION_SEED
            )
        )
        for agent in agents
    }


def figures(of_market: Mapping[str, Totals]) -> dict[str, dict[str, Any]]:
    """Plotly's charts of one market, by what they show in words."""
    return {
        "Profit against risk: mean PnL of an episode over its standard deviation.": _risk(of_market),
        "Distribution of the PnL of an episode.": _distribution(of_market),
        "Where the mean PnL comes from.": _attribution(of_market),
    }


def rows(of_market: Mapping[str, Totals]) -> list[list[str]]:
    """A row of figures with their intervals for every agent: what the charts show, as text."""
    return [[name, *(str(SCORES[score].estimate(totals)) for score in FIGURES)] for name, totals in of_market.items()]


def _risk(of_market: Mapping[str, Totals]) -> dict[str, Any]:
    data = []
    for number, (name, totals) in enumerate(of_market.items()):
        mean, sd = SCORES["pnl"].estimate(totals), SCORES["sd"].estimate(totals)
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [sd.value],
                "y": [mean.value],
                "error_x": {"array": [sd.half_width()]},
                "error_y": {"array": [mean.half_width()]},
                "marker": {"size": 11, "symbol": _SYMBOLS[number], "color": COLOURS[number]},
            }
        )
    return _chart(data, "standard deviation of the PnL, price units", "mean PnL, price units")


def _distribution(of_market: Mapping[str, Totals]) -> dict[str, Any]:
    every = np.concatenate([totals.pnl for totals in of_market.values()])
    low, high = np.quantile(every, [0.001, 0.999]).tolist()
    edges = np.linspace(low, high, _BINS + 1)
    data = []
    for number, (name, totals) in enumerate(of_market.items()):
        share = np.histogram(totals.pnl, edges)[0] / len(totals)
        line = {"shape": "hvh", "color": COLOURS[number], "dash": _DASHES[number]}
        middles = ((edges[1:] + edges[:-1]) / 2).round(4).tolist()
        data.append({"type": "scatter", "mode": "lines", "name": name, "x": middles, "y": share.tolist(), "line": line})
    return _chart(data, "PnL of an episode, price units", f"share of {EPISODES:,} episodes")


def _attribution(of_market: Mapping[str, Totals]) -> dict[str, Any]:
    data = []
    for number, (part, (score, sign, pattern)) in enumerate(_PARTS.items()):
        values = [sign * SCORES[score].estimate(totals).value for totals in of_market.values()]
        marker = {"color": COLOURS[number], "pattern": {"shape": pattern}}
        data.append({"type": "bar", "name": part, "x": list(of_market), "y": values, "marker": marker})
    return _chart(data, "", "mean PnL, price units", barmode="relative")


def _chart(data: list[dict[str, Any]], x: str, y: str, **layout: Any) -> dict[str, Any]:
    grid = {"gridcolor": "#8884", "zerolinecolor": "#8888", "automargin": True}
    return {
        "data": data,
        "layout": {
            "xaxis": {"title": {"text": x}, **grid},
            "yaxis": {"title": {"text": y}, **grid},
            "font": {"color": COLOURS[3]},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "legend": {"orientation": "h", "y": -0.25},
            "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
            "height": 420,
            **layout,
        },
    }
