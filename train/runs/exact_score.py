"""ExactScore: what a trained policy is worth, computed rather than played, and what there is to say of it.

PolicyScore: the same where it can be computed, else what it is worth in episodes played.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baselines.evaluation.gap import Gap
from baselines.solver.optimum import policy_value
from mm_env.envs.action import PolicyFunction, hedge_levels
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import UnsolvableError
from mm_env.rollout import play
from train.runs.held_out import FRESH_SEED

PLAYED = 2000  # episodes, where the value is not exact
_ROUNDING = 1e-9  # price units: values that differ by less are equal


class ExactScore(NamedTuple):
    """The exact value of one policy, and where it lies between the rules and the optimum."""

    objective: float  # J, price units
    share: float  # of the gap between the threshold rule and the optimum
    share_beyond: float  # of the gap between the best fixed rule and the optimum; below 0: worse than that rule
    gap: Gap

    @classmethod
    def of(cls, policy: PolicyFunction, params: MarketParams) -> ExactScore | None:
        """Compute it; None where the market cannot be solved, or its hedge levels leave the threshold rule out."""
        if params.rule_threshold not in hedge_levels(params):
            return None
        try:
            gap, objective = Gap.of(params), policy_value(policy, params)
        except UnsolvableError:
            return None
        return cls(objective, *gap.shares(objective), gap)

    @property
    def below_best_rule(self) -> bool:
        """Whether a fixed rule, which needs no learning, does better."""
        return self.objective < self.gap.rule - _ROUNDING


class PolicyScore(NamedTuple):
    """What a policy is worth."""

    objective: float  # J, price units; exact, or the mean of fresh episodes
    standard_error: float  # of it, price units; 0 where it is exact
    exact: ExactScore | None  # None where the market cannot be solved

    @classmethod
    def of(cls, policy: PolicyFunction, params: MarketParams) -> PolicyScore:
        """Compute it; where the market cannot be solved, play episodes that no training saw."""
        exact = ExactScore.of(policy, params)
        if exact is not None:
            return cls(exact.objective, 0.0, exact)
        return cls.of_returns(play(policy, params, PLAYED, seed=FRESH_SEED).reward.sum(axis=-1))

    @classmethod
    def of_returns(cls, returns: NDArray[np.float64]) -> PolicyScore:
        """That of episodes played, by their total rewards; shape (episodes,)."""
        return cls(float(returns.mean()), float(returns.std(ddof=1) / len(returns) ** 0.5), None)
