"""Aggregates: from the scores of agents, by market and training seed, to a league with intervals.

Source: Agarwal et al. (2021), "Deep Reinforcement Learning at the Edge of the Statistical Precipice", arXiv 2108.13264,
for the interquartile mean, the stratified bootstrap and the probability of improvement; Holm (1979), "A simple
sequentially rejective multiple test procedure", for the correction.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mm_env.intervals import LEVEL
from mm_env.market.numbers import Values

RESAMPLES = 2000
_SEED = 0  # of the bootstrap
_EQUAL = 1e-9  # scores that differ by less are ties


@dataclass(frozen=True, eq=False)
class Scores:
    """What an agent scored.

    Attributes:
        values: 0 is the best fixed rule, 1 the optimum; shape (markets, training seeds).
        errors: Their standard errors, 0 where they are exact; same shape.
    """

    values: Values
    errors: Values

    def resampled(self) -> Values:
        """Values as other training seeds and tapes might have given them; shape (RESAMPLES, markets, seeds).

        Seeds are drawn again within each market. So few of them vary less about their mean than about the truth: what
        is drawn is spread by sqrt(n / (n - 1)), which makes its variance that of a sample. All seeds play the same
        tapes, whose noise is drawn once for all of them.
        """
        generator = np.random.default_rng(_SEED)
        markets, seeds = self.values.shape
        drawn = generator.integers(seeds, size=(RESAMPLES, markets, seeds))
        centre = self.values.mean(axis=1, keepdims=True)
        spread = (self.values - centre) * np.sqrt(seeds / max(seeds - 1, 1))
        rows = np.arange(markets)[:, None]
        noise = self.errors[rows, drawn] * generator.standard_normal((RESAMPLES, markets, 1))
        return np.asarray(centre + spread[rows, drawn] + noise)


class Aggregate(NamedTuple):
    """One figure of a suite: its name in tables, and a function from values of shape (..., markets, seeds)."""

    title: str
    summary: str
    of: Callable[[Values], Values]


def interquartile_mean(values: Values) -> Values:
    """The mean of the middle half of all markets and seeds together."""
    from scipy import stats  # here: it takes half a second, and workers do without

    flat = values.reshape(*values.shape[:-2], -1)
    return np.asarray(stats.trim_mean(flat, 0.25, axis=-1))


AGGREGATES: Mapping[str, Aggregate] = {
    "iqm": Aggregate("IQM", "interquartile mean of the score over markets and training seeds", interquartile_mean),
    "mean": Aggregate("mean", "mean score", lambda values: np.asarray(values.mean(axis=(-2, -1)))),
    "worst": Aggregate(
        "worst market", "mean score in the worst market", lambda values: np.asarray(values.mean(axis=-1).min(axis=-1))
    ),
    "improvement": Aggregate(
        "P(better)",
        "probability that a run beats the best fixed rule of a market, ties half",
        lambda values: np.asarray((0.5 * (values > _EQUAL) + 0.5 * (values > -_EQUAL)).mean(axis=(-2, -1))),
    ),
}


def league(scores: Mapping[str, Scores]) -> dict[str, dict[str, dict[str, float]]]:
    """Every aggregate of every agent with its interval: {agent: {aggregate: {value, low, high}}}."""
    found = {}
    for agent, its in scores.items():
        again = its.resampled()
        found[agent] = {name: _interval(aggregate.of, its.values, again) for name, aggregate in AGGREGATES.items()}
    return found


def _interval(of: Callable[[Values], Values], values: Values, again: Values) -> dict[str, float]:
    low, high = np.quantile(of(again), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"value": float(of(values)), "low": float(low), "high": float(high)}


def comparisons(scores: Mapping[str, Scores]) -> list[dict[str, Any]]:
    """The difference of the mean scores of every two agents, with Welch's interval and p-values, plain and Holm's.

    Each market counts the same; its variance is that of the mean over its training seeds and of the tapes, where it was
    played. Where neither agent varies, the difference is exact: its p-value is 0, or 1 if there is none.
    """
    found: list[dict[str, Any]] = [
        {"agent": one, "other": other, **_difference(scores[one], scores[other])}
        for one, other in itertools.combinations(scores, 2)
    ]
    for row, corrected in zip(found, holm([row["p"] for row in found]), strict=True):
        row["holm"] = corrected
    return found


def holm(p_values: list[float]) -> list[float]:
    """Holm's correction: the i-th smallest of m times m - i, never below the one before, at most 1.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    scaled = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    corrected: list[float] = scaled[np.argsort(order)].tolist()
    return corrected


def _difference(one: Scores, other: Scores) -> dict[str, float]:
    from scipy import stats

    difference = float(one.values.mean() - other.values.mean())
    parts = [part for scores in (one, other) for part in _variances(scores)]
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return {"difference": difference, "low": difference, "high": difference, "p": float(difference == 0)}
    lost = sum(part**2 / degrees for part, degrees in parts)
    law = stats.t(variance**2 / lost if lost else np.inf, scale=np.sqrt(variance))  # Welch and Satterthwaite
    half = float(law.ppf((1 + LEVEL) / 2))
    p = float(2 * law.sf(abs(difference)))
    return {"difference": difference, "low": difference - half, "high": difference + half, "p": p}


def _variances(scores: Scores) -> list[tuple[float, float]]:
    """What each market adds to the variance of the mean score, and its degrees of freedom."""
    markets, seeds = scores.values.shape
    over_seeds = scores.values.var(axis=1, ddof=1) / seeds if seeds > 1 else np.zeros(markets)
    of_market = over_seeds + (scores.errors**2).mean(axis=1)
    return [(part / markets**2, seeds - 1 if seeds > 1 else np.inf) for part in of_market.tolist()]
