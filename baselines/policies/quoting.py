"""Quoting rules from the literature, each with a hedge threshold beside it.

The papers' clock is continuous, the law's has one request a step. So arrival rates and sigma, which is that of the
whole move, jumps included, are per step, and the time to go, T - t, is the number of price moves to come, this step's
included. The papers' gamma is the law's: holding q for a step costs 0.5 gamma sigma^2 q^2 in both. Their clients come
at rate A exp(-k delta) for each side;
`exponential_demand` says what A and k are in a market, whatever its clients. In the formulas

    d      side of the request: +1 the client buys, -1 he sells
    v      its size, units: one in the papers. All of it trades at one quote, or nothing
    q      position, units: the inventory once the orders in flight have executed
    delta  distance of the quote from the mid, price units

Where the market's spread is fixed there is nothing to quote, and each rule is the threshold rule. None of the papers
knows of hedging, of clients who know the next move, or of a memory of flow or volatility: each takes the volatility
that it sees for the one that stays.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from baselines.policies.closed_form import inventory_values
from baselines.policies.demand import Demand, exponential_demand
from baselines.policies.threshold import check_threshold
from mm_env.envs.action import Actions, encode_action
from mm_env.envs.observation import DecodedObservation, Observations, decode_observation
from mm_env.envs.predictor import Predictor
from mm_env.market.market_paths import of_regime
from mm_env.market.numbers import Values
from mm_env.market.params import MarketParams


@dataclass(frozen=True)
class QuotingPolicy(Predictor, ABC):
    """Quotes by a formula, and hedges what exceeds a threshold.

    Raises:
        ValueError: A bad threshold, or a market that the formula cannot quote in.
    """

    memoryless: ClassVar[bool] = True
    minds_rivals: ClassVar[bool] = False

    threshold: int  # units; orders in flight count, as in the law
    params: MarketParams

    def __post_init__(self) -> None:
        check_threshold(self.threshold)

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...), (..., 2) where the agent quotes."""
        fixed = self.params.quote_levels == 1
        distance = None if fixed else self.distance(decode_observation(observations, self.params))
        return encode_action(self.threshold, observations, self.params, distance)

    @abstractmethod
    def distance(self, view: DecodedObservation) -> Values:
        """The distance of the quote from the mid, price units; the market's nearest quote is taken."""


@dataclass(frozen=True)
class LinearSkew(QuotingPolicy):
    """delta = spread - slope d q / inventory_limit: a dynamic spread that brings the inventory back.

    Long (q > 0), a client who buys is quoted nearer the mid and one who sells further away; short, the other way round.
    With the default slope, the spread, a full book offers the mid to whoever empties it.

    Example:
        >>> params = MarketParams(spread=0.05, tick=0.01, quote_levels=11)
        >>> rule = LinearSkew(10, params, slope=0.04)
        >>> seen = np.array([[0.5, 1.0, +1.0], [0.5, 1.0, -1.0]])  # long 10 of 20; a client buys, a client sells
        >>> rule.distance(decode_observation(seen, params)).round(3).tolist()
        [0.03, 0.07]
    """

    slope: float | None = None  # price units, at the cap; None: the market's spread

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.slope is not None and not 0 <= self.slope < np.inf:
            raise ValueError(f"slope must be a finite number >= 0 (price units), got {self.slope!r}")

    def distance(self, view: DecodedObservation) -> Values:
        """The spread, skewed."""
        slope = self.params.spread if self.slope is None else self.slope
        share = view.position / max(self.params.inventory_limit, 1)
        return np.asarray(self.params.spread - slope * view.request.side * share)


@dataclass(frozen=True)
class ExponentialQuoting(QuotingPolicy):
    """A formula for clients who trade at distance delta with probability A exp(-k delta)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.params.quote_levels > 1:
            _ = self._demand  # says now where there is none

    @cached_property
    def _demand(self) -> Demand:
        return exponential_demand(self.params)


@dataclass(frozen=True)
class AvellanedaStoikov(ExponentialQuoting):
    """delta = (v / 2 - d q) gamma sigma^2 (T - t) + 1 / (gamma v) ln(1 + gamma v / k).

    For v = 1 these are the paper's quotes, bid and ask around the reservation price r = m - q gamma sigma^2 (T - t), in
    all gamma sigma^2 (T - t) + (2 / gamma) ln(1 + gamma / k) apart. The first term is what holding v more units, or
    less, costs per unit until the end, the second what an exponential utility adds.

    Source: Avellaneda and Stoikov (2008), "High-frequency trading in a limit order book", Quantitative Finance 8.

    Example:
        >>> from mm_env import market_params
        >>> params = market_params("mm_env/DynamicSpread-v0", risk_aversion=0.1)
        >>> seen = np.array([[0.05, 0.1, +1.0], [0.05, 0.1, -1.0]])  # long 1 of 20, 10 of 100 requests to go
        >>> AvellanedaStoikov(10, params).distance(decode_observation(seen, params)).round(4).tolist()
        [-0.0117, 0.1683]
    """

    def distance(self, view: DecodedObservation) -> Values:
        """The paper's quote."""
        d, q, v = _request(view)
        sigma, gamma = of_regime(self.params.move_deviations, view.observed.regime), self.params.risk_aversion
        return np.asarray(
            (0.5 * v - d * q) * gamma * sigma * sigma * view.trades_left
            + _markup(gamma * v, self._demand.decays[view.request.tier])
        )


@dataclass(frozen=True)
class GueantLehalleFernandezTapia(ExponentialQuoting):
    """delta = 1 / (gamma v) ln(1 + gamma v / k) + (v / 2 - d q) s, the quotes far from the end.

        s = sqrt(gamma sigma^2 / (2 k A V) (1 + gamma V / k)^(1 + k / (gamma V)))

    The paper's closed-form approximation, where v = 1. V is the mean of v, since s is what all requests together do to
    the inventory.

    Source: Gueant, Lehalle and Fernandez-Tapia (2013), "Dealing with the inventory risk", Mathematics and Financial
    Economics 7; with sizes: Gueant (2017), "Optimal market making", Applied Mathematical Finance 24.

    Example:
        >>> from mm_env import market_params
        >>> params = market_params("mm_env/DynamicSpread-v0")
        >>> seen = np.array([[0.0, 1.0, 1.0], [0.05, 1.0, 1.0]])  # flat, and long 1 of 20: the skew is as large
        >>> GueantLehalleFernandezTapia(10, params).distance(decode_observation(seen, params)).round(4).tolist()
        [0.0367, 0.03]
    """

    def distance(self, view: DecodedObservation) -> Values:
        """The paper's quote."""
        d, q, v = _request(view)
        markup = _markup(self.params.risk_aversion * v, self._demand.decays[view.request.tier])
        return np.asarray(markup + (0.5 * v - d * q) * of_regime(self._skews, view.observed.regime))

    @cached_property
    def _skews(self) -> tuple[float, ...]:
        """The skew s in each regime, price units per unit."""
        k, a, v = self._demand.decay, self._demand.rate, self._demand.size
        gamma = self.params.risk_aversion
        power = np.exp((1.0 + gamma * v / k) * _markup(gamma * v, k) * k)
        return tuple(np.sqrt(gamma * s * s / (2.0 * k * a * v) * power).item() for s in self.params.move_deviations)


@dataclass(frozen=True)
class CarteaJaimungal(ExponentialQuoting):
    """delta = 1 / k + (h(t, q) - h(t, q - d v)) / v, with h the closed form of `baselines.policies.closed_form`.

    The optimal quotes under a running penalty phi q^2, the law's 0.5 gamma sigma^2 q^2 per step, and a charge for the
    last inventory. For v = 1 they are the book's. Larger requests enter h as so many units one by one.

    Source: Cartea, Jaimungal and Penalva (2015), "Algorithmic and High-Frequency Trading", Cambridge, section 10.2.

    Raises:
        ValueError: Also where `inventory_limit` is too large for the closed form.

    Example:
        >>> params = MarketParams(
        ...     risk_aversion=0.0, tiers=({"decay": 20.0},), tick=0.01, quote_levels=11)
        >>> seen = np.array([[0.0, 0.01, 1.0], [0.1, 0.01, 1.0]])  # no risk, and the end is near: 1 / k at any q
        >>> CarteaJaimungal(5, params).distance(decode_observation(seen, params)).round(4).tolist()
        [0.05, 0.05]
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.params.quote_levels > 1:
            _ = self._values  # says now what it cannot do, and takes its time before the first request

    def distance(self, view: DecodedObservation) -> Values:
        """The book's quote."""
        d, q, v = _request(view)
        limit = self.params.inventory_limit
        steps = np.minimum(view.trades_left, self._values.shape[1] - 1).astype(np.intp)
        now, then = (np.clip(held + limit, 0, 2 * limit).astype(np.intp) for held in (q, q - d * v))
        regime = view.observed.regime
        gained = self._values[regime, steps, then] - self._values[regime, steps, now]
        return np.asarray(1.0 / self._demand.decays[view.request.tier] - gained / v)

    @cached_property
    def _values(self) -> Values:
        """h, shape (regimes, steps to go, inventories), price units."""
        tables = [inventory_values(self.params, self._demand, i) for i in range(len(self.params.volatilities))]
        longest = max(map(len, tables))
        return np.stack([np.pad(table, ((0, longest - len(table)), (0, 0)), mode="edge") for table in tables])


def _request(view: DecodedObservation) -> tuple[Values, Values, Values]:
    """d, q and v of the formulas; v is 1 where nobody came."""
    return np.asarray(view.request.side), view.position, np.maximum(np.abs(view.request.signed_size), 1.0)


def _markup(gamma: Any, k: Any) -> Values:
    """(1 / gamma) ln(1 + gamma / k), the best distance under exponential utility; 1 / k for gamma = 0. Price units."""
    share = gamma / k
    return np.asarray(np.where(share > 0, np.log1p(share) / np.where(share > 0, share, 1.0), 1.0) / k)
