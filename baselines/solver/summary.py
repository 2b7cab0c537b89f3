"""The optimum in few numbers: the inventories that it keeps, and what it quotes, over time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from baselines.solver.fixed_rules import Rule, best_band, best_rule, rule_values
from baselines.solver.optimum import Solution
from mm_env.envs.action import hedge_levels, quote_levels
from mm_env.market import dynamics
from mm_env.market.exogenous_state import NO_REQUEST
from mm_env.market.numbers import Integers, evenly_spaced
from mm_env.market.transition_law import UnsolvableError

_MOST_RULES = 11  # fixed thresholds that are tried to show how J depends on them


class RuleValue(NamedTuple):
    """A fixed rule, and how much of the optimum's value it leaves on the table."""

    name: str
    threshold: int  # units
    target: int  # units: what exceeds the threshold is hedged down to it
    distance: float  # of its quotes, price units
    value: float  # J, price units
    gap: float  # (J* - J) / |J*|


def benchmarks(solution: Solution) -> list[RuleValue]:
    """The best fixed rule first, then the market's own, then fixed thresholds at the best rule's quote, at most 11.

    Where an order has a fixed fee, the best band before them. None where no fixed threshold can be kept to.
    """
    params = solution.params
    try:
        best = best_rule(params)
    except UnsolvableError:
        return []
    levels = hedge_levels(params)
    picked = levels[evenly_spaced(len(levels), _MOST_RULES)]
    thresholds = np.array([best.threshold, params.rule_threshold, *picked])
    quotes = quote_levels(params)
    usual = quotes[np.abs(quotes - params.spread).argmin()]  # the level that an agent quotes who wants the spread
    distances = np.array([best.distance, usual, *np.full(len(picked), best.distance)])
    values = rule_values(params, thresholds, distances).tolist()
    bands = [best_band(params)] if params.hedge_ticket else []
    found = [
        *(("best band", band) for band in bands),
        *zip(
            ["best fixed rule", "the market's rule", *["fixed rule"] * len(picked)],
            map(Rule, thresholds.astype(int).tolist(), distances.tolist(), values, thresholds.astype(int).tolist()),
            strict=True,
        ),
    ]
    return [RuleValue(name, k, to, delta, value, gap(value, solution.value)) for name, (k, delta, value, to) in found]


def gap(value: float, optimum: float) -> float:
    """(J* - J) / |J*|; NaN where J* is 0."""
    return (optimum - value) / abs(optimum) if optimum else float("nan")


def no_hedge_bands(solution: Solution) -> tuple[Integers, Integers]:
    """The inventories after a trade between which nothing is hedged, without orders in flight.

    Returns:
        The lowest and the highest, units; each of shape (num_trades, exogenous). The cap where nothing is hedged, or no
        trade leads farther.
    """
    limit, held = solution.params.inventory_limit, solution.inventories[:, None]
    before = held + np.asarray(solution.mdp.law.states.request.signed_size)
    place = np.clip(before + limit, 0, 2 * limit).astype(np.int64)
    chosen = solution.hedges.map(lambda part: part[:, place, np.arange(place.shape[1])])
    after = dynamics.initial_book(solution.params)._replace(inventory=held)
    units = dynamics.units_hedged(after, NO_REQUEST.request, chosen, solution.params)
    hedged = (np.asarray(units) > 0) & dynamics.fits(before, (), solution.params)
    highest = np.where(hedged & (held > 0), held, limit + 1.0).min(axis=1) - 1.0
    lowest = np.where(hedged & (held < 0), held, -limit - 1.0).max(axis=1) + 1.0
    return lowest.astype(np.int64), highest.astype(np.int64)
