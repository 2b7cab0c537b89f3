"""The frontier of mean PnL against risk: what the fixed thresholds reach, and what is possible."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from baselines.policies.threshold import ThresholdPolicy
from baselines.solver.optimum import solve
from mm_env.envs.action import PolicyFunction, hedge_levels
from mm_env.episodes import Episodes
from mm_env.market.numbers import evenly_spaced
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import UnsolvableError
from mm_env.registration import params_of_market
from mm_env.rollout import play

_POINTS = 11  # at most, along each curve


def frontier(
    policies: Mapping[str, PolicyFunction], params: MarketParams | str, episodes: int = 2000, seed: int = 0
) -> dict[str, list[Episodes]]:
    """Play the fixed thresholds, the optimum over a range of risk aversions, and some policies, on the same tapes.

    Args:
        policies: Drawn as one point each, by name.
        params: The market, or the id of one; its risk aversion is the middle of the range, from a hundredth to a
            hundred times it.
        episodes: Per point.
        seed: Of the episodes.

    Returns:
        Series of episodes for `mm_env.plotting.plot_frontier`; without the optimum where the market cannot be solved.
    """
    params = params_of_market(params)
    levels = hedge_levels(params).astype(int)
    picked = levels[evenly_spaced(len(levels), _POINTS)]
    aversions = np.minimum((params.risk_aversion or 0.01) * np.logspace(-2, 2, _POINTS), 1e9)
    series: dict[str, list[PolicyFunction]] = {"fixed thresholds": [ThresholdPolicy(int(k), params) for k in picked]}
    with suppress(UnsolvableError):
        optima = [solve(params.replace(risk_aversion=float(aversion))).policy for aversion in aversions]
        series["optimum over risk aversions"] = [*optima]
    series |= {name: [policy] for name, policy in policies.items()}
    return {name: [play(policy, params, episodes, seed) for policy in row] for name, row in series.items()}
