"""ExactScore: what a trained policy is worth, computed rather than played, and what there is to say of it."""

from __future__ import annotations

from typing import NamedTuple

from baselines.evaluation.gap import Gap
from baselines.solver.optimum import policy_value
from mm_env.envs.action import PolicyFunction, hedge_levels
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import UnsolvableError

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
            gap = Gap.of(params)
        except UnsolvableError:
            return None
        objective = policy_value(policy, params)
        return cls(objective, *gap.shares(objective), gap)

    @property
    def below_best_rule(self) -> bool:
        """Whether a fixed rule, which needs no learning, does better."""
        return self.objective < self.gap.rule - _ROUNDING
