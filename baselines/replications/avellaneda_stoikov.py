"""The paper of Avellaneda and Stoikov: quoting around the reservation price."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from baselines.evaluation.scores import mean, standard_deviation
from baselines.policies.quoting import AvellanedaStoikov, QuotingPolicy
from baselines.policies.threshold import ThresholdPolicy
from baselines.reference_check import ReferenceCheck
from baselines.replications.experiment import Experiment, sampled
from mm_env.envs.action import Actions, PolicyFunction
from mm_env.envs.observation import DecodedObservation, Observations, observation_names
from mm_env.envs.predictor import Predictor
from mm_env.market.client_tier import ClientTier
from mm_env.market.dynamics import Request, initial_book
from mm_env.market.exogenous_state import ObservedState
from mm_env.market.market_paths import MarketPaths
from mm_env.market.numbers import Values
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape
from mm_env.rollout import play_tape

_STEPS = 200
_SAMPLE = 1000  # simulations in the paper
_TABLES = {  # gamma and strategy: spread, profit, sd of the profit, sd of the final inventory
    (0.1, "inventory"): (1.49, 65.0, 6.6, 2.9),
    (0.1, "symmetric"): (1.49, 68.4, 12.7, 8.4),
    (0.01, "inventory"): (1.35, 68.6, 8.7, 5.1),
    (0.01, "symmetric"): (1.35, 68.8, 12.8, 8.7),
    (1.0, "inventory"): (3.02, 31.4, 5.0, 1.7),
    (1.0, "symmetric"): (3.02, 44.0, 11.0, 5.1),
}
_CLOCKS = {  # gamma: the profit of the inventory strategy, and what quoting the second side after the first adds to it,
    # each with its standard error; a separate program's, 200,000 simulations
    0.01: ((68.3811, 0.0201), (0.0000, 0.0018)),
    0.1: ((64.8683, 0.0146), (0.1734, 0.0041)),
    0.5: ((48.5620, 0.0132), (0.7783, 0.0061)),
    1.0: ((31.4427, 0.0108), (0.1658, 0.0053)),
}
_BLOCK = 500  # episodes played side by side


def avellaneda_stoikov_params(gamma: float = 0.1) -> MarketParams:
    """The market of Table 1: sigma 2, T 1, k 1.5, 200 time steps of two requests each."""
    return MarketParams(
        num_trades=2 * _STEPS,
        inventory_limit=1000,  # far beyond what is reached
        hedge_threshold=1000,
        spread=0.0,
        price_volatility=2.0 * math.sqrt(0.5 / _STEPS),  # per request, half a time step
        risk_aversion=gamma,
        tiers=(ClientTier(decay=1.5),),
        continuous=True,
        lowest_quote=-50.0,
        tick=100.0,
        quote_levels=2,  # the ends of the continuous quotes
    )


def avellaneda_stoikov_tape(params: MarketParams, episodes: int, seed: Sequence[int]) -> Tape:
    """The world of Table 1, where within one time step both sides may fill before the price moves.

    Requests alternate, a buy and a sell; a quote at delta fills with probability min(1, A dt exp(-k delta)), also for
    delta < 0, where it exceeds A dt: rho is exponential from ln(A dt) / k. After each sell the price moves by
    sigma sqrt(dt) up or down.
    """
    generator = np.random.default_rng(list(seed))
    shape = (params.num_trades, episodes)
    (tier,) = params.tiers
    dt = 1.0 / _STEPS
    reservation = tier.reservation(1.0 - generator.random(shape), spread=math.log(140.0 * dt) / tier.decay)
    change = np.zeros(shape)
    change[1::2] = 2.0 * math.sqrt(dt) * generator.choice([-1.0, 1.0], (_STEPS, episodes))
    side = np.empty(shape, np.int8)
    side[0::2], side[1::2] = 1, -1
    return Tape(MarketPaths(side, change, reservation=reservation))


@dataclass
class QuotedAtOnce(Predictor):
    """Plays a rule on the paper's clock: both requests of a time step are quoted on what was seen before the first."""

    rule: QuotingPolicy
    _seen: Observations | None = None

    def __call__(self, observations: Observations) -> Actions:
        """The action for a buy by what is seen now, and for the sell after it by what was seen then."""
        request = observation_names(self.rule.params).index("request")
        if self._seen is None or (observations[:, request] > 0).all():
            self._seen = observations.copy()
        self._seen[:, request] = observations[:, request]
        return self.rule(self._seen)


def both_sides_spread(policy: QuotingPolicy) -> float:
    """The distance from bid to ask of a flat dealer, averaged over the time steps; price units."""
    params = policy.params
    left = np.arange(2.0, params.num_trades + 1.0, 2.0)
    sides = (
        policy.distance(DecodedObservation(initial_book(params), left, Request(side, side), ObservedState()))
        for side in (1.0, -1.0)
    )
    return float(sum(np.mean(distance) for distance in sides))


def _table(gamma: float, strategy: str, episodes: int, seed: int) -> list[ReferenceCheck]:
    params = avellaneda_stoikov_params(gamma)
    rule = AvellanedaStoikov(params.inventory_limit, params)
    spread = both_sides_spread(rule)
    policy: PolicyFunction = QuotedAtOnce(rule)
    if strategy == "symmetric":
        policy = ThresholdPolicy(params.inventory_limit, params, distance=spread / 2.0)
    profit, inventory = _played_by(policy, params, episodes, seed)
    published = _TABLES[gamma, strategy]
    estimates = {
        "profit": mean(profit),
        "sd of the profit": standard_deviation(profit),
        "sd of the final inventory": standard_deviation(inventory),
    }
    said = f"gamma {gamma:g}, {strategy} strategy"
    rounding = 0.005 + 0.5 * gamma * 4.0 / _STEPS  # the paper's, and its mean over time without steps
    figures = [ReferenceCheck(f"{said}, average spread", published[0], spread, tolerance=rounding)]
    for (name, estimate), number in zip(estimates.items(), published[1:], strict=True):
        figures.append(sampled(f"{said}, {name}", number, estimate, _SAMPLE))
    return figures


def _clocks(gamma: float, episodes: int, seed: int) -> list[ReferenceCheck]:
    """The profit on the paper's clock, and what quoting the second request after the first adds to it."""
    params = avellaneda_stoikov_params(gamma)
    rule = AvellanedaStoikov(params.inventory_limit, params)
    at_once, in_turn = (mean(_played_by(policy, params, episodes, seed)[0]) for policy in (QuotedAtOnce(rule), rule))
    (profit, profit_error), (gain, gain_error) = _CLOCKS[gamma]
    added = in_turn - at_once
    said = f"gamma {gamma:g}, inventory strategy, profit"
    return [
        ReferenceCheck(f"{said} (separate program)", profit, at_once.value, at_once.standard_error, profit_error),
        ReferenceCheck(f"{said}: added by quoting in turn", gain, added.value, added.standard_error, gain_error),
    ]


def _played_by(policy: PolicyFunction, params: MarketParams, episodes: int, seed: int) -> tuple[Values, Values]:
    """Profit and last inventory of each episode of Table 1's world."""
    profits, inventories = [], []
    for start in range(0, episodes, _BLOCK):
        tape = avellaneda_stoikov_tape(params, min(_BLOCK, episodes - start), (seed, start))
        played = play_tape(policy, params, tape)
        profits.append(played.pnl)
        inventories.append(played.inventory[:, -1])
    return np.concatenate(profits), np.concatenate(inventories)


EXPERIMENT = Experiment(
    "Quoting around the reservation price",
    "Avellaneda and Stoikov (2008), High-frequency trading in a limit order book, Quantitative Finance 8, Tables 1-3",
    "S0 = 100, T = 1, sigma = 2, dt = 0.005, A = 140, k = 1.5, gamma = 0.1, 0.01 and 1, 1,000 simulations each in "
    "the paper. Within one dt both sides can fill, so the tape has two requests for each move of the price, a buy "
    "and then a sell, and both are quoted on the inventory before the first. The inventory strategy is policy "
    "`avellaneda-stoikov`, whose spread is gamma sigma^2 (T - t) + (2 / gamma) ln(1 + gamma / k); the symmetric one "
    "quotes the mean of that over time around the mid. A quote through the mid fills with probability min(1, A dt "
    "exp(-k delta)). Nothing is hedged. Standard errors count both samples. In this market a request comes after "
    "another, and the second is quoted on the inventory that the first left. The last rows say what that adds to "
    "the profit, on the same tapes: nothing at gamma 0.01, little at 0.1, most at 0.5. Their references are a separate "
    "program's, that of "
    "`tests/baselines/test_replications.py`.",
    [
        *(partial(_table, gamma, strategy) for gamma, strategy in _TABLES),
        *(partial(_clocks, gamma) for gamma in _CLOCKS),
    ],
)
