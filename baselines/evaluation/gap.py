"""Gap: the exact values that a policy's exact value is measured against."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from baselines.policies.threshold import ThresholdPolicy
from baselines.solver.fixed_rules import best_rule
from baselines.solver.optimum import last_solution, policy_value
from mm_env.market.params import MarketParams
from mm_env.registration import params_of_market


class Gap(NamedTuple):
    """The exact J of the two rules and of the optimum of one market, price units."""

    threshold: float  # the rule of the seed
    rule: float  # the best fixed rule
    optimum: float

    @classmethod
    def of(cls, params: MarketParams | str) -> Gap:
        """Compute it.

        Raises:
            UnsolvableError: The market is too large to solve or not finite; the message names the field.
            ValueError: The hedge levels leave the market's threshold out.
        """
        return _gap(params_of_market(params))

    def shares(self, objective: float) -> tuple[float, float]:
        """The share closed of the gap from the seed's rule to the optimum, and of that from the best fixed rule.

        NaN where the rule is as good as the optimum.

        Example:
            >>> Gap(threshold=1.0, rule=2.0, optimum=3.0).shares(2.5)
            (0.75, 0.5)
            >>> Gap(threshold=1.0, rule=3.0, optimum=3.0).shares(2.5)
            (0.75, nan)
        """
        least = 1e-9 * abs(self.optimum)  # what rounding makes of no gap
        first, second = (
            (objective - low) / (self.optimum - low) if self.optimum - low > least else math.nan
            for low in (self.threshold, self.rule)
        )
        return first, second


@lru_cache(maxsize=32)
def _gap(params: MarketParams) -> Gap:
    """Solved once a market: every learned policy of it is measured against the same."""
    rule = ThresholdPolicy(params.rule_threshold, params)
    return Gap(policy_value(rule, params), best_rule(params).value, last_solution(params).value)
