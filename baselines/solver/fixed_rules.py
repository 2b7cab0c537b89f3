"""Fixed rules and their exact values: hedge what exceeds a threshold, to a target, and quote at one distance."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from baselines.solver.market_mdp import MarketMDP
from mm_env.envs.action import hedge_levels, quote_levels
from mm_env.market.dynamics import Decision
from mm_env.market.numbers import Values, evenly_spaced
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import UnsolvableError
from mm_env.registration import params_of_market

_SMALLEST_GAIN = 1e-12  # relative to J: what improves by less is not worth another round of the search
_MOST_PAIRS, _COARSE = 1000, 7  # pairs of threshold and distance that are all tried; else so many of each at first
_RULES_AT_ONCE = 2_000_000  # states times exogenous states times rules


def rule_values(
    params: MarketParams | str, thresholds: Values, distances: Values, targets: Values | None = None
) -> Values:
    """The exact J of fixed rules: hedge beyond thresholds[i] to targets[i], quote at distances[i]; shape (rules,).

    Without targets, to the threshold.

    Raises:
        UnsolvableError: The market is too large to solve or not finite; the message names the field.
        ValueError: Thresholds or targets that are not whole numbers of at least 0, which leave the states that are
            solved; distances that are not finite; or not as many of all.
    """
    params = params_of_market(params)
    thresholds, distances = np.asarray(thresholds, dtype=np.float64), np.asarray(distances, dtype=np.float64)
    kept = thresholds if targets is None else np.asarray(targets, dtype=np.float64)
    if thresholds.ndim != 1 or not thresholds.shape == kept.shape == distances.shape:
        raise ValueError(f"thresholds and distances must be as many, got {thresholds.shape} and {distances.shape}")
    for name, units in (("thresholds", thresholds), ("targets", kept)):
        if not ((units >= 0) & (units == np.round(units))).all():
            raise ValueError(f"{name} must be whole numbers of at least 0, units, got {units.tolist()}")
    if not np.isfinite(distances).all():
        raise ValueError(f"distances must be finite, price units, got {distances.tolist()}")
    mdp = MarketMDP(params).possible()
    size = max(1, _RULES_AT_ONCE // (mdp.states * len(mdp.row)))
    pieces = (slice(start, start + size) for start in range(0, len(thresholds), size))
    return np.concatenate([_rule_values(mdp, Decision(distances[p], thresholds[p], None, kept[p])) for p in pieces])


def threshold_values(params: MarketParams | str) -> dict[int, float]:
    """The exact J of every fixed threshold at the market's spread: {threshold in units: price units}."""
    params = params_of_market(params)
    levels = hedge_levels(params)
    values = rule_values(params, levels, np.full(len(levels), params.spread))
    return dict(zip(levels.astype(int).tolist(), values.tolist(), strict=True))


class Rule(NamedTuple):
    """A fixed rule."""

    threshold: int  # units
    distance: float  # price units
    value: float  # J, price units
    target: int  # units: what exceeds the threshold is hedged down to it


@lru_cache(maxsize=64)
def best_rule(params: MarketParams | str) -> Rule:
    """The fixed threshold, and fixed distance where the agent quotes, with the largest J.

    Where there are too many pairs to try, the best of a coarse grid is improved by going through all thresholds, then
    all distances, and so on, until neither does better.

    Raises:
        UnsolvableError: The market is too large to solve or not finite; the message names the field.
    """
    return best_rule_of([params_of_market(params)])


def best_rule_of(markets: Sequence[MarketParams]) -> Rule:
    """As `best_rule`, the rule whose mean J over several markets is largest; they have the same levels and quotes."""
    levels, distances = _grids(markets[0])
    hedges = np.stack([levels, levels], axis=1)
    if len(hedges) * len(distances) <= _MOST_PAIRS:
        return _best_of(markets, hedges, distances)
    return _improved(markets, _best_of(markets, _coarse(hedges), _coarse(distances)), hedges, distances)


def best_band(params: MarketParams | str) -> Rule:
    """The fixed threshold with a fixed target at or below it, and fixed distance where the agent quotes, of largest J.

    Where there are too many to try, `best_rule` is improved by going through all pairs of threshold and target (where
    these are too many, those with the threshold or the target that it has), then all distances, and so on, until
    neither does better.

    Raises:
        UnsolvableError: The market is too large to solve or not finite; the message names the field.
    """
    params = params_of_market(params)
    levels, distances = _grids(params)
    hedges = np.array([(high, low) for high in levels for low in levels if low <= high])
    if len(hedges) * len(distances) <= _MOST_PAIRS:
        return _best_of([params], hedges, distances)
    return _improved([params], best_rule(params), hedges, distances)


def _grids(params: MarketParams) -> tuple[Values, Values]:
    """The hedge levels and the quotes of a market."""
    if params.hedge_action == "units" and not params.accepts_any:
        raise UnsolvableError(
            "hedge_action='units' with clients who may refuse: the units that are right after a trade are not "
            "without it, so that no fixed threshold can be kept to"
        )
    levels = hedge_levels(params)
    MarketMDP(params).check_size(len(levels))
    return levels, quote_levels(params)


def _improved(markets: Sequence[MarketParams], best: Rule, hedges: Values, distances: Values) -> Rule:
    """The rule after going through all hedges, then all distances, until neither does better."""
    while True:
        near = (hedges == (best.threshold, best.target)).any(axis=1) | (len(hedges) <= _MOST_PAIRS)
        found = _best_of(markets, hedges[near], np.array([best.distance]))
        found = _best_of(markets, np.array([[found.threshold, found.target]]), distances)
        if found.value <= best.value + _SMALLEST_GAIN * abs(best.value):
            return best
        best = found


def _best_of(markets: Sequence[MarketParams], hedges: Values, distances: Values) -> Rule:
    pairs = np.array([(*hedge, distance) for hedge, distance in itertools.product(hedges, distances)])
    values = np.mean([rule_values(params, pairs[:, 0], pairs[:, 2], pairs[:, 1]) for params in markets], axis=0)
    threshold, target, distance = pairs[values.argmax()]
    return Rule(int(threshold), float(distance), float(values.max()), int(target))


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
