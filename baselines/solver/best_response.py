"""The exact best response to a rival dealer, by dynamic programming on the law's own functions.

Two dealers: the state is the inventory of both, which `transparent=True` shows. A client with P(rho >= delta) trades
with the dealer who quotes less, if that dealer's cap allows it, else with the other; equal quotes share him:

    U_t(q, r, o) = max over k, delta of  p_own (v delta + G(q - v, r', k)) + p_rival G(q, r'', k) + p_none G(q, r', k)

where r' is the inventory that the rival keeps after hedging if he did not trade and r'' if he did, and G is the second
half of the law's step plus the value to come. `duel` computes them, and refuses rivals whom the states do not describe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.solver.duel import Duel
from baselines.solver.market_mdp import MarketMDP
from mm_env.envs.action import Actions, PolicyFunction, levels_to_action, quote_levels
from mm_env.envs.observation import Observations, decode_observation
from mm_env.envs.predictor import Predictor
from mm_env.market.params import DealersParams
from mm_env.registration import params_of_dealers


@dataclass(frozen=True, eq=False)
class BestResponse(Predictor):
    """The best that `dealer_0` can do against given rivals.

    Attributes:
        params: The market.
        value: The largest mean total reward of an episode, price units.
        hedge_index: The best hedge level; shape (num_trades, inventories, inventories of the rival or 1, exogenous).
        quote_index: The best quote level; same shape.
        mdp: What one dealer can see and do.
    """

    params: DealersParams
    value: float
    hedge_index: NDArray[np.int16]
    quote_index: NDArray[np.int16]
    mdp: MarketMDP

    def __call__(self, observations: Observations) -> Actions:
        """The best response as a policy: observations of shape (..., observations) to actions."""
        view = decode_observation(observations, self.params)
        over = view.trades_left == 0
        trade = np.where(over, 0, self.params.num_trades - view.trades_left).astype(np.int64)
        own, exogenous = self.mdp.cases(view)
        rival = np.asarray(view.observed.rivals[0] if self.hedge_index.shape[2] > 1 else -self.params.inventory_limit)
        other = np.round(rival).astype(np.int64) + self.params.inventory_limit
        at = (trade, own, other, exogenous)
        return levels_to_action(self.hedge_index[at], quote_levels(self.params)[self.quote_index[at]], self.params)


def best_response(params: DealersParams | str, rivals: Sequence[PolicyFunction]) -> BestResponse:
    """The exact best response of `dealer_0` to fixed rivals.

    Args:
        params: The market, or an id; finite, without hedge latency or view noise.
        rivals: Policies of the other seats. Either all always quote the same and never reach their cap, or there is
            one, whose inventory `transparent` shows and whose decisions depend on inventories, request and time. That
            is found out by asking them.

    Raises:
        ValueError: The best response is not a finite programme of what is seen: the message names the field, or what
            a rival reacts to. A rival draws or remembers.
    """
    params = params_of_dealers(params)
    duel = Duel(params, rivals)
    shape = (params.num_trades, *duel.shape)
    hedges, quotes = np.empty(shape, np.int16), np.empty(shape, np.int16)
    worth = np.zeros(duel.shape)
    for trade in reversed(range(params.num_trades)):
        worth, hedges[trade], quotes[trade] = duel.best(worth, trade)
    duel.check_asked_later()
    return BestResponse(params, duel.opening(worth), hedges, quotes, duel.mdp)


def response_value(policy: PolicyFunction, params: DealersParams | str, rivals: Sequence[PolicyFunction]) -> float:
    """The exact J of a policy in the seat of `dealer_0` against fixed rivals, without simulation.

    Raises:
        ValueError: As of `best_response`; the policy, too, must decide by inventories, request and time alone.
    """
    params = params_of_dealers(params)
    duel = Duel(params, rivals)
    duel.check_own(policy)
    worth = np.zeros(duel.shape)
    for trade in reversed(range(params.num_trades)):
        worth = duel.value(duel.decisions(policy, trade, swapped=False), worth, trade)
    duel.check_asked_later(policy)
    return duel.opening(worth)


def exploitability(policy: PolicyFunction, params: DealersParams | str) -> float:
    """What the best response gains against a policy over the policy itself, both against that policy; price units.

    0 means that two dealers with this policy are in equilibrium.

    Raises:
        ValueError: As of `response_value`, of the policy in both seats.
    """
    return best_response(params, [policy]).value - response_value(policy, params, [policy])
