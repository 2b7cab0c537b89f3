"""Compare policies on the same tapes: one row of scores each, with intervals and paired differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from baselines.policy import make_policy
from baselines.scores import SCORES, Estimate, Totals, objective, share_of_gap
from mm_env.agent_view import PolicyFunction
from mm_env.episodes import Episodes
from mm_env.params import MarketParams
from mm_env.rollout import play_blocks
from mm_env.tape import Tape


RULE, OPTIMUM = "threshold", "optimal"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Policies that played the same tapes.

    Attributes:
        params: The market.
        totals: Per policy, what it made of each episode.
        ends: The totals of the threshold rule and of the exact optimum; None on a recorded tape or where the
            market is too large to solve.
    """

    params: MarketParams
    totals: Mapping[str, Totals]
    ends: tuple[Totals, Totals] | None

    def score(self, policy: str, score: str) -> Estimate:
        """One figure of one policy; `score` is a name of `SCORES` or "share"."""
        if score == "share":
            return self.share(policy)
        return SCORES[score].estimate(self.totals[policy])

    def share(self, policy: str) -> Estimate:
        """The share of the gap between the threshold rule and the optimum that the policy closes."""
        if self.ends is None:
            raise ValueError("the share of the gap needs the exact optimum of the market")
        rule, optimum = (objective(totals) for totals in self.ends)
        return share_of_gap(objective(self.totals[policy]), rule, optimum)

    def difference(self, policy: str, other: str, score: str = "objective") -> Estimate:
        """The paired difference of two policies."""
        return self.score(policy, score) - self.score(other, score)

    def names(self) -> tuple[str, ...]:
        """The scores that this comparison can tell."""
        return (*(("share",) if self.ends is not None else ()), *SCORES)

    def to_dict(self) -> dict[str, Any]:
        """Every figure as {"value": ..., "low": ..., "high": ...}: what `--json` prints."""
        return {
            "market": self.params.to_dict(),
            "episodes": len(next(iter(self.totals.values()))),
            "policies": {
                policy: {name: _figures(self.score(policy, name)) for name in self.names()} for policy in self.totals
            },
        }


def compare(
    policies: Mapping[str, PolicyFunction],
    params: MarketParams,
    episodes: int | None = None,
    seed: int = 0,
    tape: Tape | None = None,
    progress: Callable[[int], None] = lambda episodes: None,
) -> Comparison:
    """Play every policy on the same tapes.

    Args:
        policies: By name.
        params: The market.
        episodes: How many; default 1,000, or all of a recorded tape.
        seed: Of the episodes.
        tape: A recorded tape instead of drawn episodes.
        progress: Called with the number of episodes just played.

    Raises:
        ValueError: No policy, or what `mm_env.play` refuses.

    Example:
        >>> market = MarketParams()
        >>> result = compare({"never": make_policy("never", market)}, market, episodes=2000)
        >>> result.share("never").value < 0  # at these parameters, worse than hedging at 10
        True
    """
    if not policies:
        raise ValueError("compare needs at least one policy")

    played = {
        name: Totals.gather(_counted(play_blocks(policy, params, episodes, seed, tape), progress))
        for name, policy in policies.items()
    }
    return Comparison(params, played, gap_ends(params, episodes, seed) if tape is None else None)


def gap_ends(params: MarketParams, episodes: int | None = None, seed: int = 0) -> tuple[Totals, Totals] | None:
    """What the market's threshold rule and the exact optimum make of the episodes: the two ends of the gap.

    None where the market is too large to solve, or its hedge levels leave the rule out.
    """
    try:
        ends = make_policy(RULE, params), make_policy(OPTIMUM, params)
        rule, optimum = (Totals.gather(play_blocks(policy, params, episodes, seed)) for policy in ends)
    except ValueError:
        return None
    return rule, optimum


def _counted(blocks: Iterable[Episodes], progress: Callable[[int], None]) -> Iterator[Episodes]:
    for block in blocks:
        yield block
        progress(len(block))


def _figures(estimate: Estimate) -> dict[str, float]:
    low, high = estimate.interval()
    return {"value": estimate.value, "low": low, "high": high}
