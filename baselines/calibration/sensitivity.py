"""What errors of the estimates cost: the policy that is optimal for the estimate, in markets that may be true."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from baselines.calibration.estimates import Calibration
from baselines.policies.threshold import ThresholdPolicy
from baselines.solver.fixed_rules import best_rule
from baselines.solver.optimum import policy_value, solve
from mm_env.market.params import MarketParams
from mm_env.market.validation import LARGEST

_LEAST = 1e-6  # a mechanism that is on stays on, so that what is observed stays the same


class Shortfall(NamedTuple):
    """Exact values in one drawn market, price units an episode."""

    optimum: float
    policy: float  # of what is optimal for the estimate
    rule: float  # of the fixed rule that is best for the estimate


def sensitivity(found: Calibration, draws: int, seed: int = 0) -> list[Shortfall]:
    """Play what is best for the estimate in markets drawn from the errors of its numbers; tiers stay as estimated.

    Raises:
        UnsolvableError: The market has no exact optimum.
    """
    random, rule = np.random.default_rng(seed), best_rule(found.params)
    policy, fixed = solve(found.params).policy, ThresholdPolicy(rule.threshold, found.params, rule.distance)
    drawn = (_drawn(found, random) for _ in range(draws))
    return [
        Shortfall(solve(market).value, policy_value(policy, market), policy_value(fixed, market)) for market in drawn
    ]


def _drawn(found: Calibration, random: np.random.Generator) -> MarketParams:
    """A market that the estimates' normal errors leave possible."""
    fields, changes = MarketParams.__dataclass_fields__, dict[str, Any]()
    for name, (value, error) in found.estimates.items():
        field = fields[name.partition("[")[0]]
        unused = field.name in ("tiers", *found.kept) or not getattr(found.params, field.name)
        if unused or not np.isfinite(error):
            continue
        most = field.metadata.get("high", LARGEST)
        drawn = float(np.clip(random.normal(value, error), _LEAST, most))
        changes[field.name] = drawn if field.name == name else (*changes.get(field.name, ()), drawn)
    return found.params.replace(**changes)
