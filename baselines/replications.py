"""Published experiments, played again in this market's law. Add one by adding an entry to EXPERIMENTS."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.linalg import expm

from baselines.evaluation.scores import Estimate, Totals, mean, objective, standard_deviation
from baselines.policies.closed_form import end_values, generator
from baselines.policies.demand import exponential_demand
from baselines.policies.quoting import AvellanedaStoikov, CarteaJaimungal, QuotingPolicy
from baselines.policies.threshold import ThresholdPolicy
from baselines.reference_check import HEADER, STANDARD_ERRORS, ReferenceCheck
from baselines.solver.optimum import Solution, policy_value, solve
from mm_env.envs.action import PolicyFunction
from mm_env.envs.observation import DecodedObservation
from mm_env.market.client_tier import ClientTier
from mm_env.market.dynamics import Request, initial_book
from mm_env.market.exogenous_state import ObservedState
from mm_env.market.market_paths import MarketPaths
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape
from mm_env.registration import market_params
from mm_env.rollout import play_blocks, play_tape

_AS_STEPS = 200
_AS_SAMPLE = 1000  # simulations in the paper
_AS_TABLE = {  # spread, profit, sd of the profit, sd of the final inventory
    "inventory": (1.49, 65.0, 6.6, 2.9),
    "symmetric": (1.49, 68.4, 12.7, 8.4),
}
_CJ_VALUE = 68.25583476
_CJ_STEPS = 560
_BLOCK = 500  # episodes played side by side

Part = Callable[[int, int], list[ReferenceCheck]]  # from episodes and seed


class Experiment(NamedTuple):
    """One published experiment."""

    title: str
    source: str
    setting: str  # how the law plays it
    parts: Sequence[Part]


def avellaneda_stoikov_params() -> MarketParams:
    """The market of Table 1: sigma 2, T 1, k 1.5, gamma 0.1, 200 time steps of two requests each."""
    return MarketParams(
        num_trades=2 * _AS_STEPS,
        inventory_limit=1000,  # far beyond what is reached
        hedge_threshold=1000,
        spread=0.0,
        price_volatility=2.0 * math.sqrt(0.5 / _AS_STEPS),  # per request, half a time step
        risk_aversion=0.1,
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
    dt = 1.0 / _AS_STEPS
    reservation = tier.reservation(1.0 - generator.random(shape), spread=math.log(140.0 * dt) / tier.decay)
    change = np.zeros(shape)
    change[1::2] = 2.0 * math.sqrt(dt) * generator.choice([-1.0, 1.0], (_AS_STEPS, episodes))
    side = np.empty(shape, np.int8)
    side[0::2], side[1::2] = 1, -1
    return Tape(MarketPaths(side, change, reservation=reservation))


def both_sides_spread(policy: QuotingPolicy) -> float:
    """The distance from bid to ask of a flat dealer, averaged over the episode; price units."""
    params = policy.params
    left = np.arange(1.0, params.num_trades + 1.0)
    sides = (
        policy.distance(DecodedObservation(initial_book(params), left, Request(side, side), ObservedState()))
        for side in (1.0, -1.0)
    )
    return float(sum(np.mean(distance) for distance in sides))


def _avellaneda_stoikov(strategy: str, episodes: int, seed: int) -> list[ReferenceCheck]:
    params = avellaneda_stoikov_params()
    rule = AvellanedaStoikov(params.inventory_limit, params)
    spread = both_sides_spread(rule)
    policy: PolicyFunction = rule
    if strategy == "symmetric":
        policy = ThresholdPolicy(params.inventory_limit, params, distance=spread / 2.0)
    profits, inventories = [], []
    for start in range(0, episodes, _BLOCK):
        tape = avellaneda_stoikov_tape(params, min(_BLOCK, episodes - start), (seed, start))
        played = play_tape(policy, params, tape)
        profits.append(played.pnl)
        inventories.append(played.inventory[:, -1])
    profit, inventory = np.concatenate(profits), np.concatenate(inventories)
    published = _AS_TABLE[strategy]
    estimates = {
        "profit": mean(profit),
        "sd of the profit": standard_deviation(profit),
        "sd of the final inventory": standard_deviation(inventory),
    }
    figures = [ReferenceCheck(f"{strategy} strategy, average spread", published[0], spread, tolerance=0.005)]
    for (name, estimate), number in zip(estimates.items(), published[1:], strict=True):
        figures.append(_sampled(f"{strategy} strategy, {name}", number, estimate, _AS_SAMPLE))
    return figures


def _sampled(name: str, reference: float, ours: Estimate, sample: int) -> ReferenceCheck:
    """A figure whose reference is that of a sample of so many: its standard error by the spread of ours."""
    error = ours.standard_error
    return ReferenceCheck(name, reference, ours.value, error, error * math.sqrt(len(ours.influence) / sample))


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
    params = cartea_jaimungal_params(_CJ_STEPS)
    demand = exponential_demand(params)
    omega = expm(_CJ_STEPS * generator(params, demand)) @ np.exp(demand.decay * end_values(params))
    value = math.log(omega[params.inventory_limit]) / demand.decay
    return [ReferenceCheck("h(0, 0), closed form", _CJ_VALUE, value, tolerance=1e-6)]


def _exact(episodes: int, seed: int) -> list[ReferenceCheck]:
    """The exact value of the closed form's quotes in this law, extrapolated to a clock without steps.

    The error of a clock of n steps is a / n + O(1 / n^2): twice the value at 2 n less that at n is free of a.
    """
    coarse, fine = (
        policy_value(CarteaJaimungal(params.inventory_limit, params), params)
        for params in map(cartea_jaimungal_params, (_CJ_STEPS // 2, _CJ_STEPS))
    )
    return [
        ReferenceCheck(f"exact value of its quotes, {_CJ_STEPS} steps", _CJ_VALUE, fine, tolerance=0.001),
        ReferenceCheck("exact value of its quotes, steps to 0", _CJ_VALUE, 2.0 * fine - coarse, tolerance=1e-5),
    ]


def _simulated(episodes: int, seed: int) -> list[ReferenceCheck]:
    params = cartea_jaimungal_params(_CJ_STEPS)
    policy = CarteaJaimungal(params.inventory_limit, params)
    estimate = objective(Totals.gather(play_blocks(policy, params, episodes, seed)))
    return [
        ReferenceCheck(
            f"value of its quotes played, {_CJ_STEPS} steps", _CJ_VALUE, estimate.value, estimate.standard_error
        )
    ]


def desk_params(steps: int) -> MarketParams:
    """`mm_env/FXDealer-v0` in so many steps of the same 0.05 days; quotes 0.004 bp apart, hedges in whole millions.

    The cap is 100 instead of 250 million: with 150, value, spreads and half-width stay the same to four digits.
    """
    day = 0.05 / steps  # a step, in days; at most 7,200 requests a day
    return market_params(
        "mm_env/FXDealer-v0",
        num_trades=steps,
        arrival_probability=7200.0 * day,
        price_volatility=50.0 * math.sqrt(day),
        hedge_impact=1e-5 / day,
        inventory_limit=100,
        hedge_levels=None,
        tick=0.004,
        quote_levels=301,
    )


def flat_spread(solution: Solution, tier: int) -> float:
    """Bid to ask for the smallest size at the start, flat: twice the best distance, price units."""
    request = solution.mdp.law.states.request
    exogenous = np.flatnonzero((request.signed_size == 1.0) & (request.tier == tier))[0]
    return 2.0 * float(solution.distances[0, solution.params.inventory_limit, exogenous])


def hedging_begins(solution: Solution) -> float:
    """The inventory q > 0 at which selling a little would begin to pay if only its linear cost c counted, units.

    Selling a unit changes what is to come by -V'(q), and moves the mid against the rest by kappa q: it pays where
    -(V'(q) + kappa q) exceeds c. V' by differences of neighbouring units, linear between them.
    """
    params, q = solution.params, solution.inventories
    middle = 0.5 * (q[1:] + q[:-1])
    worth = -(np.diff(solution.values[0]) + params.permanent_impact * middle)
    (above,) = np.nonzero((middle > 0) & (worth > params.hedge_cost_per_unit))
    pair = slice(above[0] - 1, above[0] + 1)
    return float(np.interp(params.hedge_cost_per_unit, worth[pair], middle[pair]))


def _desk(steps: int, half_width: Mapping[str, float], episodes: int, seed: int) -> list[ReferenceCheck]:
    solution = solve(desk_params(steps))
    spreads = {"first": (0.55, flat_spread(solution, 0)), "second": (0.26, flat_spread(solution, 1))}
    figures = [
        ReferenceCheck(f"{steps:,} steps: spread for 1 M, {tier} tier, bp", *numbers, tolerance=0.02)
        for tier, numbers in spreads.items()
    ]
    begins = hedging_begins(solution)
    for where, number in half_width.items():
        figures.append(ReferenceCheck(f"{steps:,} steps: no hedge below, M; {where}", number, begins, tolerance=0.5))
    return figures


EXPERIMENTS: Mapping[str, Experiment] = {
    "avellaneda-stoikov": Experiment(
        "Quoting around the reservation price",
        "Avellaneda and Stoikov (2008), High-frequency trading in a limit order book, Quantitative Finance 8, Table 1",
        "S0 = 100, T = 1, sigma = 2, dt = 0.005, A = 140, k = 1.5, gamma = 0.1, 1,000 simulations in the paper. Within "
        "one dt both sides can fill, so the tape has two requests for each move of the price, a buy and then a sell, "
        "and the second is quoted on the inventory that the first left. The inventory strategy is policy "
        "`avellaneda-stoikov`, whose spread of 1.49 is the mean over time of gamma sigma^2 (T - t) + (2 / gamma) "
        "ln(1 + gamma / k); the symmetric one quotes that mean around the mid. A quote through the mid fills with "
        "probability min(1, A dt exp(-k delta)). Nothing is hedged. Standard errors count both samples.",
        [partial(_avellaneda_stoikov, "inventory"), partial(_avellaneda_stoikov, "symmetric")],
    ),
    "cartea-jaimungal": Experiment(
        "The closed form under a running inventory penalty",
        "Cartea, Jaimungal and Penalva (2015), Algorithmic and High-Frequency Trading, Cambridge, eq. 10.11",
        "lambda = 140 a side, kappa = 1.5, sigma = 2, T = 1, phi = 0.01, alpha = 0.001, cap 100. The reference is "
        "eq. 10.11 evaluated at these by a separate program; here once more, by `scipy.linalg.expm`. Then its quotes, "
        f"policy `cartea-jaimungal`, in this law, where the time has {_CJ_STEPS} steps with at most one client each: "
        "exactly, which shows what the steps cost and that it vanishes with them (two clocks, extrapolated), and by "
        "play, where that cost is far below the sampling error. The law charges alpha q^2 as the impact of flattening "
        "the last inventory.",
        [_closed_form, _exact, _simulated],
    ),
    "barzykin-bergault-gueant": Experiment(
        "The EUR/USD desk that internalises",
        "Barzykin, Bergault and Gueant (2021), Algorithmic market making in dealer markets with hedging and market "
        "impact, arXiv 2112.02269",
        "`mm_env/FXDealer-v0` in 360 and 1,440 steps, quotes 0.004 bp apart, hedges in whole millions, cap 100 "
        "million (at 360 steps, 150 changes nothing in four digits); the exact optimum. Spreads: the paper's, at zero "
        "inventory; a separate solver in continuous time has 0.548 and 0.266. Hedging: where -(V'(q) + kappa q) "
        "crosses the linear cost of 0.1 bp; beside the continuous-time solver's 14.45 M stand the numbers of a "
        "separate program on this clock. The band that the hedges themselves show is wider: a lot in one step costs "
        "eta / dt extra.",
        [
            partial(_desk, 360, {"this clock": 15.69}),
            partial(_desk, 1440, {"this clock": 14.57, "continuous time": 14.45}),
        ],
    ),
}


def replicate(
    names: Sequence[str], episodes: int, seed: int = 0, advance: Callable[[int], None] = lambda parts: None
) -> dict[str, list[ReferenceCheck]]:
    """The figures of some experiments of `EXPERIMENTS`.

    Args:
        names: Which.
        episodes: To play for what is simulated, at least 2.
        seed: Of the episodes.
        advance: Told of each part that is done.

    Raises:
        ValueError: No such experiment.

    Example:
        >>> replicate(["black-scholes"], episodes=100)
        Traceback (most recent call last):
            ...
        ValueError: no experiment 'black-scholes'; known: avellaneda-stoikov, cartea-jaimungal, barzykin-bergault-gueant
    """
    for name in names:
        if name not in EXPERIMENTS:
            raise ValueError(f"no experiment {name!r}; known: {', '.join(EXPERIMENTS)}")
    found: dict[str, list[ReferenceCheck]] = {name: [] for name in names}
    for name in found:
        for part in EXPERIMENTS[name].parts:
            found[name] += part(episodes, seed)
            advance(1)
    return found


def page(found: Mapping[str, Sequence[ReferenceCheck]], episodes: int, seed: int) -> str:
    """A page in Markdown of what `replicate` found."""
    lines = [
        "# Published experiments, replicated",
        "",
        f"Written by `mm-env replicate --episodes {episodes} --seed {seed} --out docs`. A figure agrees if it is "
        f"within {STANDARD_ERRORS:g} standard errors of its reference or, where nothing is sampled, within what is "
        "allowed. Intervals are 95 %.",
    ]
    for name, figures in found.items():
        experiment = EXPERIMENTS[name]
        lines += ["", f"## {experiment.title}", "", f"{experiment.source}.", "", experiment.setting, ""]
        lines += [_line(HEADER), _line(["---"] * len(HEADER)), *(_line(figure.row()) for figure in figures)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
