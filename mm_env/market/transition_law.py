"""The flow of clients and prices listed for the solver: every state that a step can show, and what follows it.

It is the law that `mm_env.market.flow` samples; a test holds one against the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mm_env.market.dynamics import Request
from mm_env.market.exogenous_state import ExogenousState, ObservedState
from mm_env.market.flow import blind_probability, expected_moves, kinds, moves_index
from mm_env.market.numbers import Number, Values
from mm_env.market.params import MarketParams


class UnsolvableError(ValueError):
    """The market has no exact optimum that can be computed: it is not finite, or too large. Names the field."""


class TransitionLaw(NamedTuple):
    """Everything that a step can show the dealer, as `simulate` samples it: n exogenous states.

    They follow each other as a Markov chain. The reservation distance is left open: `acceptance` tells how likely each
    request takes a quote.
    """

    states: ExogenousState  # fields of shape (n,) or constants
    start: Values  # (n,), probability of each as the first of an episode
    probability: Values  # (n, n), of each (column) after each (row)
    expected: Values  # (n,), E[price change | exogenous state], price units


def transition_law(params: MarketParams) -> TransitionLaw:
    """Every exogenous state, how likely it is after every other, and the price move to expect after it.

    Raises:
        UnsolvableError: What the dealer sees is not finite, or hides what he would need; the message names the field.

    Example:
        >>> law = transition_law(MarketParams(arrival_probability=0.5))
        >>> law.states.request.side.tolist(), law.start.tolist()
        ([1.0, -1.0, 0.0], [0.25, 0.25, 0.5])
    """
    endless = {
        "mean_reversion": "the mid",
        "quote_latency": "how stale the quotes are",
        "view_noise": "what a dealer takes the mid for",
    }
    for name, why in endless.items():
        if getattr(params, name):
            raise UnsolvableError(
                f"{name}={getattr(params, name)} has no finite list of outcomes to solve: {why} takes any value"
            )
    states, chance = exogenous_states(params)
    side, last_side, regime = map(np.asarray, (states.request.side, states.observed.last_side, states.observed.regime))
    now = np.where(side == 0, last_side, side)  # the last client's side after each exogenous state

    def following(memory: Any) -> Values:
        known = memory if params.remembers_side else np.zeros_like(memory)
        came = params.arrival_probability * chance * _side_probability(side, memory, params)
        shown = np.where(side == 0, 1.0 - params.arrival_probability, came)
        return np.asarray(np.where(last_side == known, shown, 0.0))

    start = following(np.float64(0.0)) / len(params.volatilities)
    onward = following(now[:, None]) * _regime_probability(regime[:, None], regime, params)
    return TransitionLaw(states, start, onward, expected_moves(params)[moves_index(side, last_side, regime, params)])


def exogenous_states(params: MarketParams) -> tuple[ExogenousState, Values]:
    """Every exogenous state but for what takes any value, and how likely its tier and size are; shape (n,)."""
    probability, tiers, sizes = kinds(params)
    lasts = (0.0, 1.0, -1.0) if params.remembers_side else (0.0,)
    rows = [
        (side, side * size, tier, last, regime, chance)
        for regime in range(len(params.volatilities))
        for last in lasts
        for side in (1.0, -1.0)
        for chance, tier, size in zip(probability, tiers, sizes, strict=True)
    ]
    rows += [(0.0, 0.0, 0, last, regime, 1.0) for regime in range(len(params.volatilities)) for last in lasts]
    side, wanted, tier, last_side, regime, chance = (np.array(column) for column in zip(*rows, strict=True))
    return ExogenousState(Request(side, wanted, tier), ObservedState(last_side, regime)), chance


def acceptance(request: Request, distance: Number, params: MarketParams) -> Values:
    """P(the client takes a quote at this distance), for requests and distances that broadcast; 0 where nobody came."""
    chances = [tier.acceptance(distance, params.spread) for tier in params.tiers]
    picked = np.select([request.tier == i for i in range(len(chances))], np.broadcast_arrays(*chances))
    return np.where(np.asarray(request.side) == 0, 0.0, picked)


def _side_probability(side: Number, last_side: Number, params: MarketParams) -> Values:
    """P(a client takes this side | the last client's side); an informed one takes either with probability 1/2."""
    informed = params.informed_fraction
    return np.asarray(0.5 * informed + (1.0 - informed) * blind_probability(side, last_side, params))


def _regime_probability(before: Any, after: Any, params: MarketParams) -> Values:
    number = len(params.volatilities)
    if number == 1:
        return np.ones(np.broadcast(before, after).shape)
    stay = params.regime_persistence
    return np.where(before == after, stay, (1.0 - stay) / (number - 1))
