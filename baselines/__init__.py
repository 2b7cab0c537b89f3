"""Rules that need no learning, the exact optimum, and the figures to compare them by."""

from baselines.evaluation.comparison import Comparison, compare, gap_ends
from baselines.evaluation.scores import SCORES, Estimate, share_of_gap
from baselines.evaluation.totals import Totals
from baselines.policies.registry import POLICIES, Policy, make_policy
from baselines.policies.threshold import ThresholdPolicy
from baselines.solver.fixed_rules import best_rule, threshold_values
from baselines.solver.optimum import Solution, policy_value, solve

__all__ = [
    "POLICIES",
    "SCORES",
    "Comparison",
    "Estimate",
    "Policy",
    "Solution",
    "ThresholdPolicy",
    "Totals",
    "best_rule",
    "compare",
    "gap_ends",
    "make_policy",
    "policy_value",
    "share_of_gap",
    "solve",
    "threshold_values",
]
