"""Evaluation: what one policy is worth in one market, exactly where it can be, else played."""

from __future__ import annotations

from typing import NamedTuple

from baselines.evaluation.scores import objective
from baselines.evaluation.scoring import play_totals
from baselines.solver.optimum import policy_value
from baselines.solver.probing import NotAFunctionError
from mm_env.envs.action import PolicyFunction
from mm_env.market.params import MarketParams


class Evaluation(NamedTuple):
    """The J of a policy, price units; exact where the standard error is 0."""

    objective: float
    standard_error: float

    @classmethod
    def of(cls, policy: PolicyFunction, params: MarketParams, episodes: int, seed: int) -> Evaluation:
        """Compute it; where the policy draws or remembers, play so many episodes of that seed.

        Raises:
            ValueError: The policy gives bad actions.
        """
        if hasattr(policy, "reset"):
            policy.reset(seed)
        try:
            return cls(policy_value(policy, params), 0.0)
        except NotAFunctionError:
            estimate = objective(play_totals(policy, params, episodes, seed))
            return cls(estimate.value, estimate.standard_error)
