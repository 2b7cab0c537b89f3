"""League: dealers with different policies in one market, each from every seat, on the same tapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from baselines.evaluation.scores import SCORES, Estimate, mean, ratio
from baselines.evaluation.totals import Totals
from mm_env.envs.action import PolicyFunction
from mm_env.envs.dealers_market import play_dealers_blocks
from mm_env.market.params import DealersParams
from mm_env.market.validation import suggestion
from mm_env.pools.worker_pool import in_order
from mm_env.readable import ReadableTable
from mm_env.registration import params_of_dealers


class LeagueScore(NamedTuple):
    """One figure of a dealer, of his totals and those of all dealers."""

    unit: str
    summary: str
    estimate: Callable[[Totals, Totals], Estimate]


def _own(name: str) -> LeagueScore:
    score = SCORES[name]
    return LeagueScore(score.unit, score.summary, lambda own, every: score.estimate(own))


LEAGUE_SCORES: Mapping[str, LeagueScore] = {
    "objective": _own("objective"),
    "pnl": _own("pnl"),
    "sd": _own("sd"),
    "spread_pnl": _own("spread_pnl"),
    "hedge_cost": _own("hedge_cost"),
    "mean_inventory": _own("mean_inventory"),
    "win_rate": LeagueScore(
        "share", "trades won / trades of all dealers", lambda own, every: ratio(own.fills, every.fills)
    ),
    "market_share": LeagueScore(
        "share",
        "units traded with clients / those of all dealers",
        lambda own, every: ratio(own.client_volume, every.client_volume),
    ),
    "lost": LeagueScore(
        "trades",
        "trades that another dealer won, per episode",
        lambda own, every: mean(every.fills - own.fills),
    ),
}


MAIN_SCORES = ("objective", "pnl", "sd", "spread_pnl", "hedge_cost", "win_rate", "market_share", "lost")  # of tables


@dataclass(frozen=True, eq=False, repr=False)
class League(ReadableTable):
    """Policies that played each other.

    Attributes:
        params: The market.
        totals: Per policy, what it made of each episode, averaged over the seats it had.
        market: What all dealers made together.
    """

    params: DealersParams
    totals: Mapping[str, Totals]
    market: Totals

    def score(self, policy: str, score: str) -> Estimate:
        """One figure of one policy; `score` is a name of `LEAGUE_SCORES`.

        Raises:
            ValueError: No such policy or score.
        """
        if policy not in self.totals:
            raise ValueError(f"no dealer {policy!r} played; {suggestion(policy, list(self.totals))}")
        if score not in LEAGUE_SCORES:
            raise ValueError(f"no score {score!r}; {suggestion(score, list(LEAGUE_SCORES))}")
        return LEAGUE_SCORES[score].estimate(self.totals[policy], self.market)

    def difference(self, policy: str, other: str, score: str = "objective") -> Estimate:
        """The paired difference of two policies."""
        return self.score(policy, score) - self.score(other, score)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """The main scores with their 95 % intervals: a header, and a row for each policy."""
        rows = [[policy, *(str(self.score(policy, name)) for name in MAIN_SCORES)] for policy in self.totals]
        return ["policy", *MAIN_SCORES], rows

    def head(self) -> str:
        """How many episodes were played, and in which market."""
        return f"{len(self.market):,} episodes, 95 % intervals, {self.params!r}"

    def to_dict(self) -> dict[str, Any]:
        """Every figure with its 95 % interval: what `--json` prints."""
        first = next(iter(self.totals))
        return {
            "market": self.params.to_dict(),
            "episodes": len(self.totals[first]),
            "policies": {
                policy: {name: self.score(policy, name).to_dict() for name in LEAGUE_SCORES} for policy in self.totals
            },
        }


def league(
    policies: Mapping[str, PolicyFunction],
    params: DealersParams | str,
    episodes: int = 1000,
    seed: int = 0,
    progress: Callable[[int], None] = lambda episodes: None,
    workers: int = 1,
) -> League:
    """Let policies compete: every episode is played once for each rotation of the seats.

    Args:
        policies: By name, one for each of `params.num_dealers`.
        params: The market of K dealers, or an id: `mm_env/Dealers-v0` has three.
        episodes: How many; each is played K times.
        seed: Of the episodes.
        progress: Called with the number of episodes just played.
        workers: Processes, a rotation of the seats each at a time: the same figures for any number.

    Raises:
        ValueError: Not K policies, or what `play_dealers` refuses.
    """
    params, names = params_of_dealers(params), list(policies)
    found: dict[str, list[Totals]] = {name: [] for name in names}
    turns = [names[turn:] + names[:turn] for turn in range(len(names))]
    play = partial(_seated, policies=dict(policies), params=params, episodes=episodes, seed=seed)
    tell = partial(play, progress=progress) if workers == 1 else play
    for seats, played in zip(turns, in_order(tell, turns, workers), strict=True):
        for name, part in zip(seats, played, strict=True):
            found[name].append(part)
        if workers > 1:
            progress(episodes)
    totals = {name: Totals.average(of_seats) for name, of_seats in found.items()}
    return League(params, totals, Totals.summed(list(totals.values())))


def _seated(
    seats: Sequence[str],
    policies: Mapping[str, PolicyFunction],
    params: DealersParams,
    episodes: int,
    seed: int,
    progress: Callable[[int], None] = lambda episodes: None,
) -> list[Totals]:
    """What each seat makes of the episodes, with these policies in the seats."""
    parts: list[list[Totals]] = [[] for _ in seats]
    for block in play_dealers_blocks([policies[name] for name in seats], params, episodes, seed):
        for part, played in zip(parts, block, strict=True):
            part.append(Totals.of(played))
        progress(len(block[0]))
    return [Totals.joined(part) for part in parts]
