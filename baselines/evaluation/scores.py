"""Scores: pure functions from what was played to a figure with its 95 % interval.

Every score is a statistic T of per-episode totals, given with its influence function psi: T is about its true value
plus the mean of psi(episode), so its standard error is sd(psi) / sqrt(n), and that of the difference of two policies on
the same tapes is the sd of psi_a - psi_b over sqrt(n). Source: Hampel (1974), "The influence curve and its role in
robust estimation", JASA 69; the tests hold each against a bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from baselines.evaluation.totals import Totals
from mm_env.intervals import LEVEL, half_width, plus_minus, skewed_interval
from mm_env.market.numbers import Values
from mm_env.readable import Readable

_CVAR_TAIL = 0.05


@dataclass(frozen=True, eq=False, repr=False)
class Estimate(Readable):
    """A figure and how each episode moved it.

    Attributes:
        value: The statistic.
        influence: psi of each episode, zero on average; shape (episodes,).
        of_tail: A few episodes make the figure, so that psi is skewed and the interval takes account of it.
    """

    value: float
    influence: Values
    of_tail: bool = False

    def facts(self) -> list[tuple[str, str]]:
        """The figure, and its interval to the digits that count."""
        half = self.half_width()
        known = [("half_width", f"{half:.2g}"), ("level", f"{LEVEL:g}")] if np.isfinite(half) else []
        return [("value", f"{self.value:.6g}"), *known, ("episodes", f"{len(self.influence):,}")]

    def __str__(self) -> str:
        """The figure with its 95 % interval, to the digits that the interval supports."""
        return plus_minus(self.value, self.half_width())

    @property
    def standard_error(self) -> float:
        """sd(psi) / sqrt(n); NaN for one episode."""
        number = len(self.influence)
        return float(np.sqrt(np.sum(self.influence**2) / (number - 1) / number)) if number > 1 else float("nan")

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The confidence interval, by Student's t; of a tail, by Hall's, which minds its skewness."""
        error, number = self.standard_error, len(self.influence)
        if not self.of_tail or not error > 0:
            half = half_width(error, number, level)
            return self.value - half, self.value + half
        deviation = np.sqrt(np.mean(self.influence**2))
        skewness = float(np.mean((self.influence / deviation) ** 3))
        low, high = skewed_interval(skewness, number, level)
        return self.value + low * error, self.value + high * error

    def half_width(self, level: float = 0.95) -> float:
        """Half the width of the confidence interval."""
        if not self.of_tail:
            return half_width(self.standard_error, len(self.influence), level)
        low, high = self.interval(level)
        return 0.5 * (high - low)

    def to_dict(self, level: float = 0.95) -> dict[str, float]:
        """The figure and its confidence interval: what `--json` prints."""
        low, high = self.interval(level)
        return {"value": self.value, "low": low, "high": high}

    def __sub__(self, other: Estimate) -> Estimate:
        """The paired difference: both must come from the same tapes."""
        of_tail = self.of_tail or other.of_tail
        return Estimate(self.value - other.value, self.influence - other.influence, of_tail)


def mean(values: Values) -> Estimate:
    """The mean: psi = x - mean."""
    average = float(values.mean())
    return Estimate(average, values - average)


def standard_deviation(values: Values) -> Estimate:
    """sd: psi = ((x - mean)^2 - sd^2) / (2 sd)."""
    centred = values - values.mean()
    deviation = float(np.sqrt(np.mean(centred**2)))
    if deviation <= 1e-12 * np.abs(values).max():  # rounding of what is constant
        return Estimate(0.0, np.zeros_like(values))
    return Estimate(deviation, (centred**2 - deviation**2) / (2 * deviation))


def sharpe(values: Values) -> Estimate:
    """Mean over sd: psi = (x - mean) / sd - mean ((x - mean)^2 - sd^2) / (2 sd^3).

    Source: Mertens (2002), "Comments on variance of the IID estimator in Lo (2002)".
    """
    average, spread = mean(values), standard_deviation(values)
    ratio = float(_ratio(average.value, spread.value))
    return Estimate(ratio, _ratio(average.influence - ratio * spread.influence, spread.value))


def expected_shortfall(values: Values, tail: float = _CVAR_TAIL) -> Estimate:
    """CVaR: the mean of the worst `tail` of the values. psi = min(x - VaR, 0) / tail + VaR - CVaR.

    No interval, NaN, where fewer than 20 values are in the tail; from there on docs/coverage.md says how often it holds
    the truth.

    Source: Rockafellar and Uryasev (2000), "Optimization of conditional value-at-risk".
    """
    var = np.quantile(values, tail, method="inverted_cdf")
    shortfall = np.minimum(values - var, 0.0) / tail
    influence = shortfall - shortfall.mean()
    if len(values) * tail < 20:
        influence = np.full_like(values, np.nan)
    return Estimate(float(var + shortfall.mean()), influence, of_tail=True)


def value_at_risk(values: Values, tail: float = _CVAR_TAIL) -> Estimate:
    """VaR: the quantile that `tail` of the values lie below. psi = (tail - 1[x <= VaR]) / f(VaR).

    The density f is that of the values between the quantiles a bandwidth around `tail`: that of Hall and Sheather
    (1988), "On the distribution of a studentized quantile", for 95 %. NaN where fewer than 20 values are in the tail.

    Source: Jorion (1996), "Risk^2: measuring the risk in value at risk".
    """
    var = float(np.quantile(values, tail, method="inverted_cdf"))
    if len(values) * tail < 20:
        return Estimate(var, np.full_like(values, np.nan))
    normal = ndtri(tail)
    peak = np.exp(-(normal**2) / 2) / np.sqrt(2 * np.pi)
    width = (1.96**2 * 1.5 * peak**2 / (2 * normal**2 + 1) / len(values)) ** (1 / 3)
    width = min(width, 0.9 * tail)
    low, high = np.quantile(values, [tail - width, tail + width])
    below = (values <= var).astype(np.float64)
    return Estimate(var, (below.mean() - below) * float(high - low) / (2 * width))


def half_life(square: Values, product: Values) -> Estimate:
    """Requests until half of an inventory is gone, were it to decay as from one step to the next: -ln 2 / ln(rho).

    rho = sum of q_t q_{t+1} / sum of q_t^2, the autocorrelation of a mean-zero inventory; psi by the chain rule,
    psi_rho ln 2 / (rho ln(rho)^2). NaN where rho is not between 0 and 1: nothing decays, or everything at once.

    Source: Hasbrouck and Sofianos (1993), "The trades of market makers", on how fast inventories revert.
    """
    rho = ratio(product, square)
    if not 0 < rho.value < 1:
        return Estimate(float("nan"), np.full_like(square, np.nan))
    log = np.log(rho.value)
    return Estimate(float(-np.log(2) / log), rho.influence * np.log(2) / (rho.value * log**2))


def ratio(numerator: Values, denominator: Values) -> Estimate:
    """Sum over sum: psi = (x - ratio y) / mean(y)."""
    value = float(_ratio(numerator.sum(), denominator.sum()))
    return Estimate(value, _ratio(numerator - value * denominator, denominator.mean()))


def objective(totals: Totals) -> Estimate:
    """J, the mean total reward, with the unforeseeable part of the PnL (mean zero) as a control variate."""
    return mean(totals.reward - totals.unexpected_pnl)


def _internalisation(totals: Totals) -> Estimate:
    hedged = ratio(totals.hedge_volume, totals.client_volume)
    return Estimate(1.0 - hedged.value, -hedged.influence)


class Score(NamedTuple):
    """One figure: its unit, what it says, and how it is estimated."""

    unit: str
    summary: str
    estimate: Callable[[Totals], Estimate]


MAIN_SCORES = ("objective", "share", "pnl", "sd", "cvar", "mean_inventory", "hedge_volume")  # that tables show
SCORES: Mapping[str, Score] = {
    "objective": Score("price units", "J: mean total reward of an episode (variance reduced)", objective),
    "pnl": Score("price units", "mean PnL of an episode", lambda t: mean(t.pnl)),
    "spread_pnl": Score("price units", "earned from the spread", lambda t: mean(t.spread_pnl)),
    "sd": Score("price units", "standard deviation of the PnL", lambda t: standard_deviation(t.pnl)),
    "sharpe": Score("per episode", "mean PnL over its standard deviation", lambda t: sharpe(t.pnl)),
    "cvar": Score("price units", "mean PnL of the worst 5 % of episodes", lambda t: expected_shortfall(t.pnl)),
    "var": Score("price units", "PnL that the worst 5 % of episodes stay below", lambda t: value_at_risk(t.pnl)),
    "drawdown": Score("price units", "mean largest fall of equity from a peak", lambda t: mean(t.drawdown)),
    "mean_inventory": Score("units", "mean size of the inventory", lambda t: mean(t.mean_inventory)),
    "max_inventory": Score("units", "mean over episodes of its largest size", lambda t: mean(t.max_inventory)),
    "time_at_cap": Score("share", "share of steps that end at the cap", lambda t: ratio(t.at_cap, t.steps)),
    "half_life": Score(
        "requests",
        "until half of an inventory is gone, by its autocorrelation",
        lambda t: half_life(t.inventory_square, t.inventory_product),
    ),
    "hedge_volume": Score("units", "units hedged, final liquidation apart", lambda t: mean(t.hedge_volume)),
    "turnover": Score(
        "units", "units traded with clients and hedged", lambda t: mean(t.client_volume + t.hedge_volume)
    ),
    "hedge_cost": Score("price units", "cost of hedging, final liquidation included", lambda t: mean(t.hedge_cost)),
    "plain_hedge_cost": Score(
        "price units", "of it, by the unit and by the order", lambda t: mean(t.hedge_cost - t.impact_cost)
    ),
    "impact_cost": Score("price units", "of it, quadratic in the units hedged", lambda t: mean(t.impact_cost)),
    "inventory_pnl": Score("price units", "inventory times price moves", lambda t: mean(t.inventory_pnl)),
    "fill_rate": Score("share", "share of clients that traded", lambda t: ratio(t.fills, t.requests)),
    "rejection_rate": Score("share", "share that did not", lambda t: ratio(t.requests - t.fills, t.requests)),
    "internalisation": Score("share", "1 - hedged / client volume", _internalisation),
}


def share_of_gap(policy: Estimate, rule: Estimate, optimum: Estimate) -> Estimate:
    """(J - J_rule) / (J* - J_rule): 0 is the threshold rule, 1 the exact optimum. All on the same tapes.

    NaN where the rule is as good as the optimum. psi = (psi_J - psi_rule - share (psi_* - psi_rule)) / (J* - J_rule).
    """
    gained, gap = policy - rule, optimum - rule
    if gap.value <= 1e-9 * abs(optimum.value):
        return Estimate(float("nan"), np.full_like(gap.influence, np.nan))
    share = gained.value / gap.value
    return Estimate(share, (gained.influence - share * gap.influence) / gap.value)


def _ratio(numerator: Values | float, denominator: float) -> Values:
    """The quotient; NaN where that is 0 / 0 or x / 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.asarray(numerator) / denominator
    return np.where(np.isfinite(quotient), quotient, np.nan)
