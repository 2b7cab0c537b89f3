"""Insights: what the seed says of hedging, sentence by sentence, measured; a sentence is one entry of SENTENCES."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from baselines.evaluation.scores import SCORES, Estimate, mean
from baselines.evaluation.totals import Totals
from baselines.policies.registry import make_policy
from mm_env.episodes import Episodes
from mm_env.readable import markdown_rows
from mm_env.registration import market_params
from mm_env.rollout import play_blocks

HEADER = ("market", "policy", "figure", "policy's", "against", "its", "difference", "holds")
_NEVER, _ALWAYS, _RULE = "never", "threshold:0", "threshold:10"


class Setting(NamedTuple):
    """A market, which of its episodes count, and two policies that play them."""

    market: str
    policy: str
    against: str
    changes: tuple[tuple[str, float], ...] = ()
    one_sided: bool = False  # only where the clients' requests alone would take the inventory beyond the cap

    @property
    def said(self) -> str:
        """The market in words."""
        changed = "".join(f", {name} {value:g}" for name, value in self.changes)
        return self.market + changed + (", one-sided episodes" if self.one_sided else "")


class Claim(NamedTuple):
    """What a sentence says of a figure: that the policy has more of it than the other one, or less."""

    figure: str
    sign: int  # +1: more, -1: less


class Sentence(NamedTuple):
    """A sentence of the seed, and where it is put to the test."""

    text: str
    reading: str  # what is measured
    settings: Sequence[Setting]
    claims: Sequence[Claim]


def expected_pnl(totals: Totals) -> Estimate:
    """Mean PnL, with the part of it that nobody could foresee (mean zero) as a control variate."""
    return mean(totals.pnl - totals.unexpected_pnl)


FIGURES: Mapping[str, Callable[[Totals], Estimate]] = {
    "mean PnL": expected_pnl,
    "sd": SCORES["sd"].estimate,
    "CVaR 5 %": SCORES["cvar"].estimate,
    "drawdown": SCORES["drawdown"].estimate,
    "clients rejected": SCORES["rejection_rate"].estimate,
    "time at the cap": SCORES["time_at_cap"].estimate,
    "largest abs(q)": SCORES["max_inventory"].estimate,
    "hedge cost": SCORES["hedge_cost"].estimate,
}
_COSTS = (0.01, 0.05, 0.1)  # of a unit hedged; the spread earns 0.05
_THRESHOLDS = (15, 10, 5, 2, 0)
_RISK = [
    Setting(market, f"threshold:{threshold}", _NEVER)
    for market in ("mm_env/Hedging-v0", "mm_env/Imbalance-v0", "mm_env/VolatilityRegimes-v0", "mm_env/CostlyHedge-v0")
    for threshold in _THRESHOLDS
]
_FRONTIER = [
    Setting(market, f"threshold:{threshold}", _NEVER, (("hedge_cost_per_unit", cost),))
    for market in ("mm_env/Hedging-v0", "mm_env/Imbalance-v0")
    for cost in _COSTS
    for threshold in _THRESHOLDS
] + [setting for setting in _RISK if "Costly" in setting.market]
_CROWDED = [
    Setting(market, _RULE, _NEVER, one_sided=one_sided)
    for market in ("mm_env/Hedging-v0", "mm_env/Imbalance-v0", "mm_env/Latency-v0")
    for one_sided in (True, False)
]

SENTENCES: Sequence[Sentence] = (
    Sentence(
        "Market makers cannot passively absorb client flow without risk.",
        "Never to hedge, against hedging every unit at once: the spread of the PnL, its worst 5 %, and how long the "
        "inventory stands at the cap, where clients of one side are turned away.",
        [Setting(market, _NEVER, _ALWAYS) for market in ("mm_env/Hedging-v0", "mm_env/Imbalance-v0")],
        [Claim("sd", 1), Claim("CVaR 5 %", -1), Claim("time at the cap", 1)],
    ),
    Sentence(
        "Dynamic hedging acts as a circuit breaker against large inventory swings.",
        "Threshold 10 against never hedging, in all episodes and in those with a large imbalance: where the clients' "
        "requests alone, all filled and nothing hedged, would take the inventory beyond the cap.",
        _CROWDED,
        [
            Claim("clients rejected", -1),
            Claim("time at the cap", -1),
            Claim("largest abs(q)", -1),
            Claim("drawdown", -1),
        ],
    ),
    Sentence(
        "While hedging reduces directional risk ...",
        "Fixed thresholds against never hedging. What a hedge costs changes nothing in this.",
        _RISK,
        [Claim("sd", -1)],
    ),
    Sentence(
        "... it incurs real cost ...",
        "Fixed thresholds against never hedging, over what a hedge costs: what is paid for hedging in an episode.",
        _FRONTIER,
        [Claim("hedge cost", 1)],
    ),
    Sentence(
        "... and impacts net profitability.",
        "The same: the mean PnL. Hedging makes room for clients whom the cap would reject, and each of them pays the "
        "spread, so that a cheap hedge can pay for itself, and does where clients come in one-sided runs.",
        _FRONTIER,
        [Claim("mean PnL", -1)],
    ),
)


@dataclass(frozen=True, eq=False)
class Finding:
    """One figure of one setting.

    Attributes:
        setting: The market and the two policies.
        claim: What the sentence says of the figure.
        policy: The policy's figure.
        against: The other one's, on the same episodes.
    """

    setting: Setting
    claim: Claim
    policy: Estimate
    against: Estimate

    @property
    def difference(self) -> Estimate:
        """The paired difference."""
        return self.policy - self.against

    @property
    def holds(self) -> str:
        """Whether the 95 % interval of the difference lies on the side that the sentence says: yes, no, not shown."""
        low, high = sorted(self.claim.sign * end for end in self.difference.interval())
        return "yes" if low > 0 else "no" if high < 0 else "not shown"

    def row(self) -> list[str]:
        """What to print below `HEADER`."""
        setting = self.setting
        mine, theirs, difference = map(str, (self.policy, self.against, self.difference))
        return [setting.said, setting.policy, self.claim.figure, mine, setting.against, theirs, difference, self.holds]

    def to_dict(self) -> dict[str, Any]:
        """Names and figures with 95 % intervals, for JSON."""
        figures = {name: getattr(self, name).to_dict() for name in ("policy", "against", "difference")}
        setting = self.setting
        named = {"market": setting.said, "policy_name": setting.policy, "against_name": setting.against}
        return {**named, "figure": self.claim.figure, "claimed_sign": self.claim.sign, **figures, "holds": self.holds}


def insights(
    episodes: int, seed: int = 0, advance: Callable[[int], None] = lambda played: None
) -> list[tuple[Sentence, list[Finding]]]:
    """Put every sentence of `SENTENCES` to the test; all policies of a market play the same episodes.

    Args:
        episodes: To play in each market, at least 400: fewer have no interval of CVaR.
        seed: Of the episodes.
        advance: Told of each policy that has played a market.
    """
    played: dict[tuple[Any, ...], Totals] = {}
    for market, changes, policy in plays():
        params = market_params(market, **dict(changes))
        blocks = list(play_blocks(make_policy(policy, params), params, episodes, seed))
        one_sided = np.concatenate([beyond_the_cap(block) for block in blocks])
        totals = Totals.gather(blocks)
        played[market, changes, policy, False] = totals
        played[market, changes, policy, True] = totals[one_sided]
        advance(1)

    def estimate(setting: Setting, policy: str, figure: str) -> Estimate:
        return FIGURES[figure](played[setting.market, setting.changes, policy, setting.one_sided])

    return [
        (
            sentence,
            [
                Finding(
                    setting,
                    claim,
                    estimate(setting, setting.policy, claim.figure),
                    estimate(setting, setting.against, claim.figure),
                )
                for setting in sentence.settings
                for claim in sentence.claims
            ],
        )
        for sentence in SENTENCES
    ]


def plays() -> list[tuple[str, tuple[tuple[str, float], ...], str]]:
    """Every market, its changes and the policy to play there, once each."""
    every = (setting for sentence in SENTENCES for setting in sentence.settings)
    pairs = ((setting, policy) for setting in every for policy in (setting.policy, setting.against))
    return list(dict.fromkeys((setting.market, setting.changes, policy) for setting, policy in pairs))


def beyond_the_cap(episodes: Episodes) -> Any:
    """The episodes in which the requests alone would take the inventory beyond the cap; shape (episodes,)."""
    wanted = np.abs(np.cumsum(episodes.request, axis=1)).max(axis=1)
    return wanted > episodes.params.inventory_limit


def verdict(findings: Sequence[Finding]) -> str:
    """In how many of the rows a sentence holds, and where it does not."""
    said = [f"Holds in {sum(found.holds == 'yes' for found in findings)} of {len(findings)} rows."]
    for answer, words in (("no", "The opposite holds"), ("not shown", "Neither is shown")):
        where = [f"{f.setting.said} ({f.setting.policy}, {f.claim.figure})" for f in findings if f.holds == answer]
        if where:
            said.append(f"{words} in {'; '.join(where)}.")
    return " ".join(said)


def page(found: Sequence[tuple[Sentence, Sequence[Finding]]], episodes: int, seed: int) -> str:
    """A page in Markdown of what `insights` found."""
    lines = [
        "# The seed's insights, measured",
        "",
        f"Written by `mm-env insights --episodes {episodes} --seed {seed} --out docs`. Each sentence of the seed says "
        "of a figure that a policy has more of it than another, or less. Both play the same episodes; a sentence holds "
        "where the 95 % interval of the paired difference lies on the side that it says. PnL, sd, CVaR, drawdown and "
        "cost are price units of an episode, the mean PnL without the part that nobody could foresee, which is 0 in "
        "the mean; *clients rejected* and *time at the cap* are shares.",
    ]
    for sentence, findings in found:
        lines += ["", f"## {sentence.text}", "", sentence.reading, "", f"**{verdict(findings)}**", ""]
        lines += markdown_rows(HEADER, [finding.row() for finding in findings])
    return "\n".join(lines) + "\n"
