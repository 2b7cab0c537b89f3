"""Fixed rules: one threshold, and one distance where the agent quotes, kept to for the whole episode; their exact J."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from baselines.solver.market_mdp import MarketMDP
from mm_env.envs.action import hedge_levels, quote_levels
from mm_env.market.dynamics import Decision
from mm_env.market.numbers import Values, evenly_spaced
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import UnsolvableError
from mm_env.registration import params_of_market

_MOST_PAIRS, _COARSE = 1000, 7  # pairs of threshold and distance that are all tried; else so many of each at first
_RULES_AT_ONCE = 2_000_000  # states times exogenous states times rules
_SMALLEST_GAIN = 1e-12  # relative to J: what improves by less is not worth another round of the search


def rule_values(params: MarketParams | str, thresholds: Values, distances: Values) -> Values:
    """The exact J of fixed rules: hedge beyond thresholds[i], quote at distances[i]; arrays of shape (rules,).

    Raises:
        UnsolvableError: The market is too large to solve or not finite; the message names the field.
        ValueError: Thresholds that are not whole numbers of at least 0, which leave the states that are solved;
            distances that are not finite; or not as many of both.
    """
    params = params_of_market(params)
    thresholds, distances = np.asarray(thresholds, dtype=np.float64), np.asarray(distances, dtype=np.float64)
    if thresholds.ndim != 1 or thresholds.shape != distances.shape:
        raise ValueError(f"thresholds and distances must be as many, got {thresholds.shape} and {distances.shape}")
    if not ((thresholds >= 0) & (thresholds == np.round(thresholds))).all():
        raise ValueError(f"thresholds must be whole numbers of at least 0, units, got {thresholds.tolist()}")
    if not np.isfinite(distances).all():
        raise ValueError(f"distances must be finite, price units, got {distances.tolist()}")
    mdp = MarketMDP(params)
    size = max(1, _RULES_AT_ONCE // (mdp.states * len(mdp.row)))
    pieces = (slice(start, start + size) for start in range(0, len(thresholds), size))
    return np.concatenate([_rule_values(mdp, Decision(distances[p], thresholds[p], None)) for p in pieces])


def threshold_values(params: MarketParams | str) -> dict[int, float]:
    """The exact J of every fixed threshold at the market's spread: {threshold in units: price units}."""
    params = params_of_market(params)
    levels = hedge_levels(params.replace(hedge_action="threshold"))
    values = rule_values(params, levels, np.full(len(levels), params.spread))
    return dict(zip(levels.astype(int).tolist(), values.tolist(), strict=True))


class Rule(NamedTuple):
    """A fixed rule."""

    threshold: int  # units
    distance: float  # price units
    value: float  # J, price units


def best_rule(params: MarketParams | str) -> Rule:
    """The fixed threshold, and fixed distance where the agent quotes, with the largest J.

    Where there are too many pairs to try, the best of a coarse grid is improved by going through all thresholds, then
    all distances, and so on, until neither does better.

    Raises:
        UnsolvableError: The market is too large to solve or not finite; the message names the field.
    """
    params = params_of_market(params)
    if params.hedge_action == "units" and not params.accepts_any:
        raise UnsolvableError(
            "hedge_action='units' with clients who may refuse: the units that are right after a trade are not "
            "without it, so that no fixed threshold can be kept to"
        )
    levels, distances = hedge_levels(params.replace(hedge_action="threshold")), quote_levels(params)
    MarketMDP(params).check_size(len(levels))
    if len(levels) * len(distances) <= _MOST_PAIRS:
        return _best_of(params, levels, distances)
    best = _best_of(params, _coarse(levels), _coarse(distances))
    while True:
        found = _best_of(params, levels, np.array([best.distance]))
        found = _best_of(params, np.array([found.threshold]), distances)
        if found.value <= best.value + _SMALLEST_GAIN * abs(best.value):
            return best
        best = found


def _best_of(params: MarketParams, levels: Values, distances: Values) -> Rule:
    pairs = np.array(list(itertools.product(levels, distances)))
    values = rule_values(params, pairs[:, 0], pairs[:, 1])
    threshold, distance = pairs[values.argmax()]
    return Rule(int(threshold), float(distance), float(values.max()))


def _coarse(grid: Values) -> Values:
    return np.asarray(grid[evenly_spaced(len(grid), _COARSE)])


def _rule_values(mdp: MarketMDP, rules: Decision) -> Values:
    nothing = np.zeros((mdp.states, mdp.rows, np.size(rules.threshold)))
    usual, worth = mdp.stage(rules, last=False), mdp.value(mdp.stage(rules, last=True), nothing)
    transition, reward = mdp.chain(usual)
    continuation = mdp.continuation(worth)
    for _ in range(mdp.params.num_trades - 2):
        continuation = reward + (transition @ continuation.ravel()).reshape(continuation.shape)
    if mdp.params.num_trades > 1:
        worth = mdp.value(usual, continuation)
    return np.asarray(mdp.average(worth)[mdp.start])
