"""Compare policies on the same tapes: one row of scores each, with intervals and paired differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from baselines.evaluation.scores import MAIN_SCORES, SCORES, Estimate, objective, share_of_gap
from baselines.evaluation.scoring import play_totals
from baselines.evaluation.totals import Totals
from baselines.policies.threshold import ThresholdPolicy
from baselines.solver.optimum import OptimalPolicy, solve
from mm_env.envs.action import PolicyFunction, hedge_levels
from mm_env.extras import needed_for
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape
from mm_env.market.transition_law import UnsolvableError
from mm_env.market.validation import suggestion
from mm_env.pools.worker_pool import in_order
from mm_env.readable import ReadableTable
from mm_env.registration import params_of_market

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(ReadableTable):
    """Policies that played the same tapes.

    Attributes:
        params: The market.
        totals: Per policy, what it made of each episode.
        ends: The totals of the threshold rule and of the exact optimum; None on a recorded tape or where the
            market cannot be solved.
    """

    params: MarketParams
    totals: Mapping[str, Totals]
    ends: tuple[Totals, Totals] | None

    def score(self, policy: str, score: str) -> Estimate:
        """One figure of one policy; `score` is a name of `SCORES` or "share".

        Raises:
            ValueError: No such policy or score.
        """
        if score == "share":
            return self.share(policy)
        if score not in SCORES:
            raise ValueError(f"no score {score!r}; {suggestion(score, self.names())}")
        return SCORES[score].estimate(self._of(policy))

    def share(self, policy: str) -> Estimate:
        """The share of the gap between the threshold rule and the optimum that the policy closes."""
        if self.ends is None:
            raise ValueError("the share of the gap needs the exact optimum of the market")
        rule, optimum = (objective(totals) for totals in self.ends)
        return share_of_gap(objective(self._of(policy)), rule, optimum)

    def _of(self, policy: str) -> Totals:
        if policy not in self.totals:
            raise ValueError(f"no policy {policy!r} was compared; {suggestion(policy, list(self.totals))}")
        return self.totals[policy]

    def difference(self, policy: str, other: str, score: str = "objective") -> Estimate:
        """The paired difference of two policies."""
        return self.score(policy, score) - self.score(other, score)

    def names(self) -> tuple[str, ...]:
        """The scores that this comparison can tell."""
        return (*(("share",) if self.ends is not None else ()), *SCORES)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """The main scores with their 95 % intervals: a header, and a row for each policy."""
        columns = [name for name in MAIN_SCORES if name in self.names()]
        rows = [[policy, *(str(self.score(policy, name)) for name in columns)] for policy in self.totals]
        return ["policy", *columns], rows

    def head(self) -> str:
        """How many episodes were played, and in which market."""
        episodes = len(next(iter(self.totals.values())))
        return f"{episodes:,} episodes, 95 % intervals, {self.params!r}"

    def plot(self, score: str = "objective", axes: Any = None) -> Figure:
        """One score of every policy with its 95 % interval, as `mm_env.plotting.plot_intervals` draws it.

        Raises:
            ValueError: No such score, or not axes.
        """
        from mm_env.plotting import plot_intervals

        found = {policy: self.score(policy, score) for policy in self.totals}
        rows = {policy: (estimate.value, *estimate.interval()) for policy, estimate in found.items()}
        unit = "share of the gap" if score == "share" else SCORES[score].unit
        return plot_intervals(rows, f"{score}, {unit}; bars: 95 % interval", axes)

    def to_dataframe(self) -> pd.DataFrame:
        """A row for every policy and score: policy, score, unit, value, and low and high of its 95 % interval.

        Needs pandas.
        """
        with needed_for("tables"):
            import pandas as pd
        units = {"share": "share", **{name: score.unit for name, score in SCORES.items()}}
        rows = [
            {"policy": policy, "score": name, "unit": units[name], **self.score(policy, name).to_dict()}
            for policy in self.totals
            for name in self.names()
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Every figure, and its paired difference to the first policy, with 95 % interval: what `--json` prints."""
        first = next(iter(self.totals))
        return {
            "market": self.params.to_dict(),
            "episodes": len(self.totals[first]),
            "policies": {
                policy: {name: self.score(policy, name).to_dict() for name in self.names()} for policy in self.totals
            },
            f"less {first}": {
                policy: {name: self.difference(policy, first, name).to_dict() for name in self.names()}
                for policy in self.totals
                if policy != first
            },
        }


def compare(
    policies: Mapping[str, PolicyFunction],
    params: MarketParams | str,
    episodes: int | None = None,
    seed: int = 0,
    tape: Tape | None = None,
    progress: Callable[[int], None] = lambda episodes: None,
    workers: int = 1,
) -> Comparison:
    """Play every policy on the same tapes.

    Args:
        policies: By name.
        params: The market, or the id of a registered one.
        episodes: How many; default 1,000, or all of a recorded tape.
        seed: Of the episodes.
        tape: A recorded tape instead of drawn episodes.
        progress: Called with the number of episodes just played.
        workers: Processes, a policy each at a time; what they need of the policies says `pools.worker_pool.at_once`.

    Raises:
        ValueError: No policy, or what `mm_env.play` refuses; policies that cannot be sent to workers.

    Example:
        >>> market = MarketParams()
        >>> result = compare({"never": ThresholdPolicy(20, market)}, market, episodes=2000)
        >>> result.share("never").value < 0  # at these parameters, worse than hedging at 10
        True
    """
    if not policies:
        raise ValueError("compare needs at least one policy")
    params = params_of_market(params)

    play = partial(play_totals, params=params, episodes=episodes, seed=seed, tape=tape)
    tell = partial(play, progress=progress) if workers == 1 else play
    played = {}
    for name, totals in zip(policies, in_order(tell, policies.values(), workers), strict=True):
        played[name] = totals
        if workers > 1:
            progress(len(totals))
    if tape is not None:
        return Comparison(params, played, None)
    known = [(policy, played[name]) for name, policy in policies.items()]
    return Comparison(params, played, gap_ends(params, episodes, seed, known))


def gap_ends(
    params: MarketParams | str,
    episodes: int | None = None,
    seed: int = 0,
    known: Iterable[tuple[PolicyFunction, Totals]] = (),
) -> tuple[Totals, Totals] | None:
    """What the market's threshold rule and the exact optimum make of the episodes: the two ends of the gap.

    None where the market cannot be solved, or its hedge levels leave the rule out. What is `known` of these
    policies on these episodes is not played again.
    """
    params = params_of_market(params)
    rule = ThresholdPolicy(params.rule_threshold, params)
    if rule.threshold not in hedge_levels(params):
        return None
    optima = [policy for policy, _ in known if isinstance(policy, OptimalPolicy) and policy.params == params]
    try:
        optimum = optima[0] if optima else solve(params).policy
    except UnsolvableError:
        return None

    def totals(end: PolicyFunction) -> Totals:
        found = [totals for policy, totals in known if policy is end or policy == rule == end]
        return found[0] if found else play_totals(end, params, episodes, seed)

    return totals(rule), totals(optimum)
