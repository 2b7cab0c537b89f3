"""play_smoothly: episodes of the law on smooth numbers, whose total rewards can be differentiated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mm_env.envs.action import make_decision, quote_levels
from mm_env.envs.observation import observation_values
from mm_env.extras import needed_for
from mm_env.market import dynamics
from mm_env.market.dynamics import Book, Decision, Move
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape

with needed_for("agents that learn"):
    import torch
    from torch import Tensor

from train.deep_hedging.smooth_number import Scale, SmoothNumber, SmoothOps, plain

_OPS: Any = SmoothOps()


def play_smoothly(decide: Callable[[Tensor], Tensor], tape: Tape, params: MarketParams, width: float) -> Tensor:
    """Play every episode of a tape by the law on smooth numbers.

    Args:
        decide: From observations of shape (episodes, observations) to numbers from -1, the lowest level, to 1, the
            highest, of shape (episodes, parts); levels between count as what they are near to.
        tape: Drawn in this market.
        params: The market.
        width: Of the comparison with the cap, units, and with what a client accepts, halves of a tick. 0: they jump,
            and have no gradient. Where the quote is fixed no decision turns a client away: that comparison jumps.

    Returns:
        The total reward `expected` of each episode, price units; shape (episodes,).
    """
    check_smooth(params)
    units, prices = (
        Scale(width, 1.0 if width else 0.0),
        Scale(width * params.tick / 2.0 if params.quote_levels > 1 else 0.0),
    )
    zero = torch.zeros(tape.num_episodes)
    book = _books(dynamics.initial_book(params), lambda value: SmoothNumber(zero + value, units))
    total = zero
    for trade in range(params.num_trades):
        state, move = tape.state(trade).map(_tensor), Move._make(map(_tensor, tape.move(trade, params)))
        numbers = decide(_observed(book, state, params.num_trades - trade, params))
        asked: Any = SmoothNumber(zero + plain(state.request.signed_size), units)
        request = state.request._replace(signed_size=asked)
        step = dynamics.step(book, request, decision_of(numbers, params, units, prices), move, params, _OPS)
        total = total + plain(dynamics.expected_reward(step, move, params))
        book = step.book
    return total


def decision_of(numbers: Tensor, params: MarketParams, units: Scale, prices: Scale) -> Decision:
    """What numbers from -1 to 1 stand for, shape (episodes, parts): whatever lies between the levels counts as well."""
    share = (numbers + 1.0) / 2.0
    hedges = 2 if params.hedge_action == "band" else 1
    level, *target = (SmoothNumber(share[:, part] * params.inventory_limit, units) for part in range(hedges))
    distance: Any = params.spread
    if params.quote_levels > 1:
        low, high = quote_levels(params)[[0, -1]].tolist()
        distance = SmoothNumber(low + share[:, -1] * (high - low), prices)
    return make_decision(level, distance, params, *target)  # type: ignore[arg-type]  # the law takes what computes


def check_smooth(params: MarketParams) -> None:
    """Raise `ValueError` where actions are not numbers in order for one dealer."""
    if params.num_dealers > 1:
        raise ValueError(f"num_dealers={params.num_dealers}: the gradient through the law is that of one dealer")
    if params.flat:
        raise ValueError("flat=True: an index of pairs is no number to differentiate by; leave it False")


def _observed(book: Book, state: ExogenousState, trades_left: int, params: MarketParams) -> Tensor:
    values = [plain(value) for value in observation_values(book, state, trades_left, params)]
    like = plain(book.inventory)
    return torch.stack([torch.zeros_like(like) + value for value in values], dim=-1)


def _books(book: Book, function: Callable[[Any], Any]) -> Book:
    return Book._make([*map(function, book[:-1]), tuple(map(function, book.in_flight))])


def _tensor(values: Any) -> Any:
    if not isinstance(values, np.ndarray):
        return values
    return torch.as_tensor(np.ascontiguousarray(values)).to(torch.get_default_dtype())
