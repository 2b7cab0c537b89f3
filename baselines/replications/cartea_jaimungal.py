"""The book of Cartea, Jaimungal and Penalva: the closed form under a running inventory penalty."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import expm

from baselines.evaluation.scores import objective
from baselines.evaluation.scoring import play_totals
from baselines.policies.closed_form import end_values, generator
from baselines.policies.demand import exponential_demand
from baselines.policies.quoting import CarteaJaimungal
from baselines.reference_check import ReferenceCheck
from baselines.replications.experiment import Experiment
from baselines.solver.optimum import policy_value
from mm_env.market.client_tier import ClientTier
from mm_env.market.params import MarketParams

_VALUE = 68.25583476
_STEPS = 560


def cartea_jaimungal_params(steps: int) -> MarketParams:
    """Section 10.2 in so many steps: lambda 140 a side, kappa 1.5, sigma 2, T 1, phi 0.01, alpha 0.001, cap 100."""
    sigma = 2.0 / math.sqrt(steps)
    return MarketParams(
        num_trades=steps,
        inventory_limit=100,
        hedge_threshold=100,
        hedge_cost_per_unit=0.0,
        hedge_impact=0.001,  # alpha: the last inventory costs alpha q^2
        liquidate_at_end=True,
        spread=0.0,
        arrival_probability=2.0 * 140.0 / steps,
        price_volatility=sigma,
        risk_aversion=2.0 * 0.01 / steps / sigma**2,  # so that 0.5 gamma sigma^2 is phi dt
        tiers=(ClientTier(decay=1.5),),
        continuous=True,
        lowest_quote=-4.0,
        tick=8.0,
        quote_levels=2,  # the ends of the continuous quotes
    )


def _closed_form(episodes: int, seed: int) -> list[ReferenceCheck]:
    params = cartea_jaimungal_params(_STEPS)
    demand = exponential_demand(params)
    omega = expm(_STEPS * generator(params, demand)) @ np.exp(demand.decay * end_values(params))
    value = math.log(omega[params.inventory_limit]) / demand.decay
    return [ReferenceCheck("h(0, 0), closed form", _VALUE, value, tolerance=1e-6)]


def _exact(episodes: int, seed: int) -> list[ReferenceCheck]:
    """The exact value of the closed form's quotes in this law, extrapolated to a clock without steps.

    The error of a clock of n steps is a / n + O(1 / n^2): twice the value at 2 n less that at n is free of a.
    """
    coarse, fine = (
        policy_value(CarteaJaimungal(params.inventory_limit, params), params)
        for params in map(cartea_jaimungal_params, (_STEPS // 2, _STEPS))
    )
    return [
        ReferenceCheck(f"exact value of its quotes, {_STEPS} steps", _VALUE, fine, tolerance=0.001),
        ReferenceCheck("exact value of its quotes, steps to 0", _VALUE, 2.0 * fine - coarse, tolerance=1e-5),
    ]


def _simulated(episodes: int, seed: int) -> list[ReferenceCheck]:
    params = cartea_jaimungal_params(_STEPS)
    policy = CarteaJaimungal(params.inventory_limit, params)
    estimate = objective(play_totals(policy, params, episodes, seed))
    return [
        ReferenceCheck(f"value of its quotes played, {_STEPS} steps", _VALUE, estimate.value, estimate.standard_error)
    ]


EXPERIMENT = Experiment(
    "The closed form under a running inventory penalty",
    "Cartea, Jaimungal and Penalva (2015), Algorithmic and High-Frequency Trading, Cambridge, eq. 10.11",
    "lambda = 140 a side, kappa = 1.5, sigma = 2, T = 1, phi = 0.01, alpha = 0.001, cap 100. The reference is "
    "eq. 10.11 evaluated at these by a separate program; here once more, by `scipy.linalg.expm`. Then its quotes, "
    f"policy `cartea-jaimungal`, in this law, where the time has {_STEPS} steps with at most one client each: "
    "exactly, which shows what the steps cost and that it vanishes with them (two clocks, extrapolated), and by "
    "play, where that cost is far below the sampling error. The law charges alpha q^2 as the impact of flattening "
    "the last inventory.",
    [_closed_form, _exact, _simulated],
)
