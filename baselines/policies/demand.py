"""Demand: the clients of any market as the exponential law A exp(-k delta) that the literature's formulas ask for."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import wrightomega

from mm_env.envs.action import quote_levels
from mm_env.market.client_tier import ClientTier
from mm_env.market.numbers import Values
from mm_env.market.params import MarketParams

_TINY = 1e-300  # stands in for a rate of 0, by which the formulas would divide


class Demand(NamedTuple):
    """Clients who trade at distance delta with probability A exp(-k delta) a step and side."""

    decays: Values  # k of each tier, 1 / price units; shape (tiers,)
    decay: float  # k of all tiers together
    rate: float  # A of all tiers together, requests per step and side
    size: float  # mean size of a request, units


def exponential_demand(params: MarketParams) -> Demand:
    """The exponential law that touches the market's at the best quote of a dealer whom inventory costs nothing.

    With f the probability that a tier accepts and delta* its `best_distance`, both laws have the same value, and by the
    definition of delta* the same slope, there:  k = 1 / delta*,  A = e f(delta*) times its requests per step and side.
    For exponential tiers (1 / decay >= spread) that is the market's own law: k = decay, A = rate exp(decay spread).

    Tiers are pooled so that sum(k A v), which decides how much inventory matters (the curvature of the dealer's
    Hamiltonian at 0), stays what it is: k is their mean, weighted by the units A v that they ask for. Source: Bergault
    and Gueant (2021), "Size matters for OTC market makers", Mathematical Finance 31.

    Raises:
        ValueError: Every client accepts any quote, and none of the market's quotes is above 0.

    Example:
        >>> params = MarketParams(tiers=(ClientTier(decay=30.0),), spread=0.02, tick=0.01, quote_levels=16)
        >>> demand = exponential_demand(params)
        >>> round(demand.decay, 9), round(demand.rate / math.exp(30.0 * 0.02), 9)
        (30.0, 0.5)
    """
    quotes = np.array([best_distance(tier, params) for tier in params.tiers])
    weights = np.array([tier.weight for tier in params.tiers])
    sizes = np.array([tier.size_probabilities @ np.array(tier.sizes, dtype=np.float64) for tier in params.tiers])
    chances = [float(tier.acceptance(q, params.spread)) for tier, q in zip(params.tiers, quotes, strict=True)]
    rates = 0.5 * params.arrival_probability * weights / weights.sum() * math.e * np.array(chances)
    rates = np.maximum(rates, _TINY * (weights > 0))
    decays = 1.0 / quotes
    units = rates * sizes
    return Demand(decays, float(units @ decays / units.sum()), float(rates.sum()), float(units.sum() / rates.sum()))


def best_distance(tier: ClientTier, params: MarketParams) -> float:
    """delta*, where delta P(rho >= delta) is largest: the best quote if inventory costs nothing, price units.

        exponential  max(1 / k, spread); the market's widest quote if k = 0
        logistic     (1 + W(exp(-1 - a))) / b, W Lambert's function

    Example:
        >>> round(best_distance(ClientTier(logistic=(-1.9, 15.0)), MarketParams()), 4)  # FXDealer's second tier
        0.13
    """
    if tier.logistic is not None:
        a, b = tier.logistic
        return float((1.0 + wrightomega(-1.0 - a)) / b)
    if tier.decay > 0:
        return max(1.0 / tier.decay, params.spread)
    widest = float(quote_levels(params)[-1])
    if widest <= 0:
        name = "spread" if params.quote_levels == 1 else "lowest_quote + tick * (quote_levels - 1)"
        raise ValueError(f"{name} must be above 0 for a quoting formula where clients accept any quote, got {widest:g}")
    return widest
