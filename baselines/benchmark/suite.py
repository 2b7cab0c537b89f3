"""SUITES: which markets an agent is scored in, and what his score is measured against. A suite never changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from baselines.policies.threshold import ThresholdPolicy
from baselines.solver.fixed_rules import best_rule
from baselines.solver.optimum import last_solution, policy_value
from mm_env.registration import market_params

# Of the tapes that policies without an exact value play: far from those that training draws, and from held-out ones.
EVALUATION_SEED = int.from_bytes(b"benchmark", "big")


class Suite(NamedTuple):
    """Markets that agents are compared in.

    Attributes:
        scored: Ids of the markets that the score is made of.
        shown: Ids of those that are reported beside it.
        episodes: Played where a policy has no exact value.
    """

    scored: tuple[str, ...]
    shown: tuple[str, ...]
    episodes: int

    @property
    def markets(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.scored, *self.shown)


SUITES: Mapping[str, Suite] = {
    "v1": Suite(
        scored=(
            "mm_env/Imbalance-v0",
            "mm_env/CostlyHedge-v0",
            "mm_env/VolatilityRegimes-v0",
            "mm_env/AdverseSelection-v0",
            "mm_env/Latency-v0",
            "mm_env/DynamicSpread-v0",
            "mm_env/FXDealer-v0",
            "mm_env/TicketFee-v0",
        ),
        shown=("mm_env/Hedging-v0",),
        episodes=20_000,
    )
}


def find_suite(name: str) -> Suite:
    """The suite of that name.

    Raises:
        ValueError: There is none.
    """
    if name not in SUITES:
        raise ValueError(f"no suite {name!r}; suites are {', '.join(SUITES)}")
    return SUITES[name]


def chosen_markets(suite: str, markets: Sequence[str]) -> list[str]:
    """These markets of a suite, in its order; all where none is named.

    Raises:
        ValueError: There is no such suite, or a market is not of it.
    """
    its = find_suite(suite).markets
    for market in markets:
        if market not in its:
            raise ValueError(f"{market} is not in suite {suite!r}, which has {', '.join(its)}")
    return [market for market in its if not markets or market in markets]


class Scale(NamedTuple):
    """The exact J that a market's scores are measured against, price units."""

    optimum: float  # score 1
    rule: float  # the best fixed rule: score 0
    threshold: int  # of that rule, units
    distance: float  # of its quotes, price units
    usual: float  # the market's own threshold rule, at the market's spread
    never: float  # never hedging, at the market's spread

    @classmethod
    def of(cls, market: str) -> Scale:
        """Compute it."""
        params = market_params(market)
        rule = best_rule(params)
        fixed = (params.rule_threshold, params.inventory_limit)
        usual, never = (policy_value(ThresholdPolicy(threshold, params), params) for threshold in fixed)
        return cls(last_solution(params).value, rule.value, rule.threshold, rule.distance, usual, never)

    def score(self, objective: float) -> float:
        """Where a J lies: 0 is the best fixed rule, 1 the optimum, below 0 worse than a rule.

        Example:
            >>> Scale(optimum=3.0, rule=2.0, threshold=2, distance=0.05, usual=1.0, never=0.0).score(2.5)
            0.5
        """
        return (objective - self.rule) / (self.optimum - self.rule)

    def to_dict(self) -> dict[str, Any]:
        """By name."""
        return self._asdict()
