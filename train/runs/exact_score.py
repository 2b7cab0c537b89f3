"""ExactScore: what a trained policy is worth, computed rather than played, and what there is to say of it.

PolicyScore: the same where it can be computed, else what it is worth in episodes played.
"""

from __future__ import annotations

from typing import NamedTuple

from baselines.evaluation.comparison import gap_ends
from baselines.evaluation.gap import Gap
from baselines.evaluation.scores import objective
from baselines.evaluation.scoring import play_totals
from baselines.solver.optimum import policy_value
from mm_env.envs.action import PolicyFunction, hedge_levels
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import UnsolvableError
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

    objective: float  # J, price units; exact, or of fresh episodes
    standard_error: float  # of it, price units; 0 where it is exact
    exact: ExactScore | None  # None where it cannot be computed

    @classmethod
    def of(cls, policy: PolicyFunction, params: MarketParams) -> PolicyScore:
        """Compute it; where the market cannot be solved, play episodes that no training saw."""
        exact = ExactScore.of(policy, params)
        return cls.played(policy, params) if exact is None else cls(exact.objective, 0.0, exact)

    @classmethod
    def played(cls, policy: PolicyFunction, params: MarketParams) -> PolicyScore:
        """Play episodes that no training saw; also for a policy that remembers.

        Where the optimum is known it plays the same episodes: J is its exact value and the paired difference.
        """
        found = objective(play_totals(policy, params, PLAYED, FRESH_SEED))
        ends = gap_ends(params, PLAYED, FRESH_SEED)
        if ends is None:
            return cls(found.value, found.standard_error, None)
        less = found - objective(ends[1])
        return cls(Gap.of(params).optimum + less.value, less.standard_error, None)
