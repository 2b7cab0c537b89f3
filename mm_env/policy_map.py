"""What policies would hedge, over trades and inventories, for every kind of request: the numbers of charts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.envs.action import PolicyFunction, decode_actions
from mm_env.envs.observation import observe
from mm_env.market import dynamics
from mm_env.market.dynamics import Decision, Request
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.numbers import Integers, Values
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import exogenous_states
from mm_env.state_labels import representative_states


def map_grid(params: MarketParams, most_trades: int, most_inventories: int) -> tuple[Integers, Integers]:
    """So many evenly spaced trades at most, up to the last whose hedge executes; and inventories around 0.

    Policies change most at the end.
    """
    cap, last = params.inventory_limit, max(params.num_trades - params.hedge_latency, 1)
    every = -(-last // most_trades)
    apart = -(-2 * cap // (most_inventories - 1)) or 1
    return np.arange(last, 0, -every)[::-1], apart * np.arange(-(cap // apart), cap // apart + 1)


def map_states(params: MarketParams) -> ExogenousState:
    """The exogenous states that are worth a look; parts of shape (states,)."""
    return some_states(exogenous_states(params)[0], representative_states(params))


def some_states(states: ExogenousState, picked: Any) -> ExogenousState:
    """Those of some numbers."""
    return states.map(lambda part: part[picked])


class Chosen(NamedTuple):
    """What a policy decides; parts broadcast to (states, inventories, trades)."""

    book: dynamics.Book
    request: Request
    decision: Decision

    def units(self, params: MarketParams) -> Values:
        """Units hedged if the client trades, shape (states, inventories, trades)."""
        return np.asarray(dynamics.units_hedged(self.book, self.request, self.decision, params))


def chosen(
    name: str,
    policy: PolicyFunction,
    params: MarketParams,
    states: ExogenousState,
    trades: Integers,
    inventories: Integers,
) -> Chosen:
    """What a policy decides at these trades and inventories in each state; one that draws begins anew.

    Raises:
        ValueError: It is not callable, or gives bad actions.
    """
    if not callable(policy):
        raise ValueError(f"policy {name!r} must be callable, got {policy!r}")
    if hasattr(policy, "reset"):
        policy.reset(0)
    shape = (np.size(states.request.side), len(inventories), len(trades))
    book = dynamics.initial_book(params)._replace(inventory=inventories[:, None].astype(np.float64))
    states = states.map(lambda part: part[:, None, None])
    observations = observe(book, states, params.num_trades + 1.0 - trades, params)
    actions = policy(observations.reshape(-1, observations.shape[-1]))
    parts = decode_actions(actions, int(np.prod(shape)), params)
    return Chosen(book, states.request, parts.map(lambda part: part.reshape(shape)))


def hedging(chosen: Chosen, params: MarketParams) -> tuple[Values, NDArray[np.bool_]]:
    """Hedge threshold, or units offloaded; and whether anything is hedged if the client trades."""
    units = chosen.units(params)
    level = chosen.decision.threshold if params.hedge_action == "threshold" else units
    return np.broadcast_to(np.asarray(level, dtype=np.float64), units.shape), units > 0


def edges_of(hedged: NDArray[np.bool_], wanted: float, inventories: Integers) -> tuple[Values, Values]:
    """Beyond which inventories something is hedged, above and below, at every trade; NaN where nothing ever is."""
    flat = int(np.abs(inventories - wanted).argmin())  # before a trade that leaves nothing
    half = (inventories[1] - inventories[0]) / 2 if len(inventories) > 1 else 0.5
    found = []
    for side, sign in ((hedged[flat + 1 :], 1.0), (hedged[:flat][::-1], -1.0)):
        nowhere = np.full(hedged.shape[1], np.nan)
        steps = np.where(side.any(axis=0), side.argmax(axis=0), np.nan) if len(side) else nowhere
        found.append(inventories[flat] + sign * half * (2.0 * steps + 1.0))
    return found[0], found[1]
