"""The robust track: markets whose numbers are drawn anew every episode and hidden from the agent.

Each market of the suite is a mixture of `DRAWS` markets, equally likely, spread evenly over the ranges of `RANGES`. The
agent is made for the market as it is registered, sees what he sees there, and is not told which he is in. His J is the
mean of his exact J in each. It lies between two values that are exact as well:

    score = (J - J_rule) / (J_informed - J_rule)

0 is the fixed rule that is best for the mixture, and 1 the mean of the optima, what he could have who is told the
numbers when an episode begins. Nobody is above that, and who is not told need not be able to reach it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from baselines.benchmark.agents import Agent, read_agents, short
from baselines.benchmark.evaluation import Evaluation
from baselines.benchmark.suite import EVALUATION_SEED, chosen_markets, find_suite
from baselines.solver.fixed_rules import best_rule_of
from baselines.solver.optimum import solve
from mm_env.envs.action import PolicyFunction
from mm_env.market.params import MarketParams
from mm_env.pools.ray_pool import spread
from mm_env.readable import markdown_rows
from mm_env.registration import market_params

Load = Callable[[str, MarketParams, int], PolicyFunction]
DRAWS = 8  # markets of a mixture
_VOLATILITY = {"price_volatility": (0.2, 0.45)}

RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = {  # field and range; `decay` is that of every tier
    "mm_env/Imbalance-v0": {"flow_persistence": (0.7, 0.97), **_VOLATILITY},
    "mm_env/CostlyHedge-v0": {"hedge_cost_per_unit": (0.06, 0.18), **_VOLATILITY},
    "mm_env/VolatilityRegimes-v0": {"regime_persistence": (0.9, 0.995), "hedge_cost_per_unit": (0.03, 0.08)},
    "mm_env/AdverseSelection-v0": {"informed_fraction": (0.02, 0.2), "flow_persistence": (0.2, 0.8)},
    "mm_env/Latency-v0": {"flow_persistence": (0.7, 0.97), **_VOLATILITY},
    "mm_env/DynamicSpread-v0": {"decay": (15.0, 60.0), **_VOLATILITY},
    "mm_env/FXDealer-v0": {"hedge_cost_per_unit": (0.05, 0.2), "price_volatility": (0.3, 0.9)},
    "mm_env/TicketFee-v0": {"hedge_ticket": (0.02, 0.1), **_VOLATILITY},
    "mm_env/Hedging-v0": {"hedge_cost_per_unit": (0.005, 0.05), **_VOLATILITY},
}


def mixture(market: str) -> list[MarketParams]:
    """The markets of which one is drawn every episode: the same every time this is called.

    Example:
        >>> [round(params.hedge_ticket, 3) for params in mixture("mm_env/TicketFee-v0")[:3]]
        [0.025, 0.065, 0.085]
    """
    from scipy.stats import qmc  # here: it takes half a second

    params, ranges = market_params(market), RANGES[market]
    low, high = np.transpose(list(ranges.values()))
    points = qmc.scale(qmc.Sobol(len(ranges), scramble=False).random(DRAWS) + 0.5 / DRAWS, low, high)
    return [_changed(params, dict(zip(ranges, point, strict=True))) for point in points.tolist()]


def _changed(params: MarketParams, changes: dict[str, float]) -> MarketParams:
    decay = changes.pop("decay", None)
    if decay is None:
        return params.replace(**changes)
    return params.replace(**changes, tiers=tuple(replace(tier, decay=decay) for tier in params.tiers))


def robust(
    sources: Sequence[str],
    load: Load,
    suite: str = "v1",
    markets: Sequence[str] = (),
    workers: int = 1,
    ray: str | None = None,
    progress: Callable[[int, int], None] = lambda done, every: None,
) -> dict[str, Any]:
    """Place agents in the mixtures of a suite's markets.

    Args:
        sources: "SOURCE" or "NAME=SOURCE" of each agent: see `Agent`.
        load: Reads a source; picklable where there are several workers.
        suite: A name of `SUITES`.
        markets: Some of its markets. Default: all.
        workers: Processes, unless a cluster is given.
        ray: Address of a cluster to compute on: see `mm_env.pools.ray_pool.on_cluster`. Default: none.
        progress: Called with how many of how many markets are done.

    Returns:
        By market, in the order of the suite: the ranges, the values of the best rule and of who is informed, and of
        each agent J, its standard error (0: exact) and the score, the mean over his training seeds.

    Raises:
        ValueError: What is asked for is not there, or a policy gives bad actions.
    """
    chosen, its = chosen_markets(suite, markets), find_suite(suite)
    agents = read_agents(sources, chosen)
    done: dict[str, dict[str, Any]] = {}
    jobs = partial(_placed, agents=agents, load=load, episodes=its.episodes)
    for market, found in spread(jobs, reversed(chosen), workers, ray):
        done[market] = found
        progress(len(done), len(chosen))
    return {market: done[market] for market in chosen}


def _placed(market: str, agents: Sequence[Agent], load: Load, episodes: int) -> dict[str, Any]:
    """All agents in one market."""
    markets = mixture(market)
    rule = best_rule_of(markets)
    informed = float(np.mean([solve(params).value for params in markets]))
    found = {}
    for agent in agents:
        every = [_value(agent, market, seed, markets, load, episodes) for seed in agent.seeds[market]]
        value = float(np.mean([one.objective for one in every]))
        error = float(np.mean([one.standard_error for one in every]))  # all seeds play the same tapes
        score = (value - rule.value) / (informed - rule.value)
        found[agent.name] = {"objective": value, "standard_error": error, "score": score}
    ranges = {name: list(ends) for name, ends in RANGES[market].items()}
    return {"ranges": ranges, "rule": rule._asdict(), "informed": informed, "agents": found}


def _value(
    agent: Agent, market: str, seed: int, markets: Sequence[MarketParams], load: Load, episodes: int
) -> Evaluation:
    """His mean J over the mixture; what is played there plays as many episodes in each as make up the suite's."""
    policy = load(agent.policy(market, seed), market_params(market), EVALUATION_SEED)
    parts = [Evaluation.of(policy, params, episodes // len(markets), EVALUATION_SEED) for params in markets]
    errors = np.array([part.standard_error for part in parts])
    value = float(np.mean([part.objective for part in parts]))
    return Evaluation(value, float(np.sqrt((errors**2).sum()) / len(parts)))


def markdown(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The scores by market, and what they lie between, as tables."""
    markets = list(found)
    agents = list(next(iter(found.values()))["agents"])
    scores = {agent: [found[market]["agents"][agent]["score"] for market in markets] for agent in agents}
    ranked = sorted(agents, key=lambda agent: -float(np.mean(scores[agent])))
    rows = [[agent, f"{np.mean(scores[agent]):.3f}", *(f"{score:.3f}" for score in scores[agent])] for agent in ranked]
    lines = markdown_rows(["robust score", "mean", *map(short, markets)], rows)
    ends = {"told the numbers": "informed", "best fixed rule of the mixture": "rule"}
    values = [
        [title, *(f"{found[m][name]['value'] if name == 'rule' else found[m][name]:.4f}" for m in markets)]
        for title, name in ends.items()
    ]
    lines += ["", *markdown_rows(["J, price units", *map(short, markets)], values)]
    drawn = [
        [f"`{field}`", short(m), f"{low:g} to {high:g}"]
        for m in markets
        for field, (low, high) in found[m]["ranges"].items()
    ]
    return "\n".join([*lines, "", *markdown_rows(["drawn", "in", "range"], drawn)]) + "\n"
