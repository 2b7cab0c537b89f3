"""Played: what the best agents of a benchmark make of the same tapes, market by market, as the report draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from baselines.benchmark.agents import Agent
from baselines.benchmark.policy_maps import policy_maps
from baselines.benchmark.results import Results, ranked
from baselines.benchmark.suite import EVALUATION_SEED
from baselines.evaluation.scores import SCORES, mean
from baselines.evaluation.totals import Totals
from baselines.policies.band import BandPolicy
from baselines.policies.threshold import ThresholdPolicy
from baselines.solver.optimum import solve
from mm_env.envs.action import PolicyFunction, hedge_levels
from mm_env.episodes import Episodes
from mm_env.market.numbers import Values, evenly_spaced
from mm_env.market.params import MarketParams
from mm_env.pools.ray_pool import spread
from mm_env.registration import market_params
from mm_env.rollout import play, play_blocks

Load = Callable[[str, MarketParams, int], PolicyFunction]
Policies = Mapping[str, PolicyFunction]
Played = Mapping[str, Mapping[str, Any]]  # by market, what `market_data` tells of it
EPISODES, MOST_AGENTS = 2000, 6
_BINS = 60
_POINTS = 6  # of each curve of the frontier
_PARTS = {  # of the mean PnL: they sum to it exactly
    "spread": ("spread_pnl", 1.0),
    "inventory": ("inventory_pnl", 1.0),
    "hedge cost": ("plain_hedge_cost", -1.0),
    "impact": ("impact_cost", -1.0),
}
FIGURES = (
    "pnl",
    "sd",
    "var",
    "cvar",
    "drawdown",
    "mean_inventory",
    "time_at_cap",
    "half_life",
    "turnover",
    "internalisation",
    "fill_rate",
    "rejection_rate",
)


def played(results: Results, load: Load, workers: int = 1) -> dict[str, dict[str, Any]]:
    """The best agents of some results, of each the first training seed, on `EPISODES` tapes of every market."""
    markets = list(results["markets"])
    agents = [Agent.recorded(name, results["agents"][name], markets) for name in ranked(results)[:MOST_AGENTS]]
    found = dict(spread(partial(_played, agents=agents, load=load), markets, workers))
    return {market: found[market] for market in markets}


def _played(market: str, agents: Sequence[Agent], load: Load) -> dict[str, Any]:
    params = market_params(market)
    policies = {
        agent.name: load(agent.policy(market, agent.seeds[market][0]), params, EVALUATION_SEED) for agent in agents
    }
    return market_data(policies, params, EPISODES)


def market_data(policies: Policies, params: MarketParams, episodes: int) -> dict[str, Any]:
    """What there is to see of some policies in one market, as JSON keeps it.

    Returns:
        agents: by name "pnl" and "sd" with half-widths, "shares" of the episodes between "edges", "parts" of the mean.
        frontier: by series, points of sd, mean and its half-width, price units.
        tape: the first episode, trade by trade. maps: of `policy_maps`. figures and differences: rows of text.
    """
    totals = {name: _totals(policy, params, episodes) for name, policy in policies.items()}
    curves = {name: [_totals(each, params, episodes) for each in row] for name, row in _curves(params).items()}
    edges = _edges(totals)
    return {
        "edges": edges.round(6).tolist(),
        "agents": {name: _agent(its, edges) for name, its in totals.items()},
        "frontier": {
            name: [_point(its) for its in row]
            for name, row in {**curves, **{name: [its] for name, its in totals.items()}}.items()
        },
        "tape": {name: _steps(play(policy, params, 1, EVALUATION_SEED)) for name, policy in policies.items()},
        "maps": policy_maps(policies, params),
        "limit": params.inventory_limit,
        "figures": [[name, *(str(SCORES[score].estimate(its)) for score in FIGURES)] for name, its in totals.items()],
        "differences": list(_differences(totals)),
    }


def _totals(policy: PolicyFunction, params: MarketParams, episodes: int) -> Totals:
    return Totals.gather(play_blocks(policy, params, episodes, EVALUATION_SEED))


def _edges(totals: Mapping[str, Totals]) -> Values:
    """Of the bins that PnL is counted in: nearly all of it, whoever earns it."""
    every = np.concatenate([its.pnl for its in totals.values()])
    low, high = np.quantile(every, [0.001, 0.999]).tolist()
    return np.linspace(low, high, _BINS + 1)


def _agent(totals: Totals, edges: Values) -> dict[str, Any]:
    ends = {name: SCORES[name].estimate(totals) for name in ("pnl", "sd")}
    return {
        **{name: [estimate.value, estimate.half_width()] for name, estimate in ends.items()},
        "shares": (np.histogram(totals.pnl, edges)[0] / len(totals)).tolist(),
        "parts": {part: sign * SCORES[name].estimate(totals).value for part, (name, sign) in _PARTS.items()},
    }


def _curves(params: MarketParams) -> dict[str, list[PolicyFunction]]:
    """Fixed thresholds, bands down to half of them, and the optimum over a range of risk aversions."""
    levels = hedge_levels(params).astype(int)
    picked = levels[evenly_spaced(len(levels), _POINTS)].tolist()
    halves = [int(levels[np.searchsorted(levels, level / 2)]) for level in picked]
    aversions = [params.risk_aversion * factor for factor in np.logspace(-2, 2, _POINTS).tolist()]
    return {
        "fixed thresholds": [ThresholdPolicy(level, params) for level in picked],
        "fixed bands, to half": [BandPolicy(level, half, params) for level, half in zip(picked, halves, strict=True)],
        "optimum over risk aversions": [solve(params.replace(risk_aversion=each)).policy for each in aversions],
    }


def _point(totals: Totals) -> list[float]:
    """Risk, and the mean without what nobody could foresee, which has the same expectation and a smaller interval."""
    foreseen = mean(totals.pnl - totals.unexpected_pnl)
    return [SCORES["sd"].estimate(totals).value, foreseen.value, foreseen.half_width()]


def _steps(run: Episodes) -> dict[str, Any]:
    """The seed's three charts of one episode: inventory with its triggers, PnL and hedging."""
    trigger = np.where(run.threshold[0] < run.params.inventory_limit, run.threshold[0], np.nan)
    return {
        "inventory": run.inventory[0].astype(int).tolist(),
        "trigger": [None if np.isnan(level) else int(level) for level in trigger.tolist()],
        "equity": run.equity[0].round(4).tolist(),
        "unrealized": run.unrealized_pnl[0].round(4).tolist(),
        "hedged": run.cumulative_hedge[0].astype(int).tolist(),
        "hedges": np.flatnonzero(run.hedge[0]).tolist(),
        "rejected": np.flatnonzero((run.request[0] != 0) & ~run.filled[0]).tolist(),
    }


def _differences(totals: Mapping[str, Totals]) -> list[list[str]]:
    """What the others have more than the first, on the same tapes: paired intervals."""
    (_, first), *others = totals.items()
    ends = {score: SCORES[score].estimate(first) for score in FIGURES}
    return [[name, *(str(SCORES[score].estimate(its) - ends[score]) for score in FIGURES)] for name, its in others]
