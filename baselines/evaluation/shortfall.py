"""shortfall: at which requests a policy loses what it lacks to the optimum."""

from __future__ import annotations

import numpy as np

from baselines.solver.market_mdp import MarketMDP, StepOutcomes
from baselines.solver.optimum import solve
from baselines.solver.probing import asked_twice
from mm_env.envs.action import PolicyFunction
from mm_env.market.dynamics import Decision
from mm_env.market.numbers import Values
from mm_env.market.params import MarketParams
from mm_env.registration import params_of_market


def shortfall(policy: PolicyFunction, params: MarketParams | str) -> Values:
    """What a policy loses by its decision at each request, if the rest of the episode were the optimum's; exact.

    By the performance difference lemma (Kakade and Langford 2002), the optimum's J less the policy's is the sum over t
    of E[V*_t(s) - Q*_t(s, a)], over the states s that the policy meets and its actions a there.

    Args:
        policy: A function of the observation.
        params: A finite market, or its id.

    Returns:
        The loss at every request, price units, at least 0 up to rounding; shape (num_trades,).

    Raises:
        UnsolvableError: The market is too large to solve or not finite; the message names the field.
        ValueError: The policy gives bad actions, or different ones about the same observations.
    """
    params = params_of_market(params)
    best, mdp = solve(params).policy, MarketMDP(params).possible()
    worth = np.zeros((mdp.states, len(mdp.law.start), 1))
    steps, lost = [], []
    for trade in reversed(range(params.num_trades)):
        last, after = trade == params.num_trades - 1, mdp.continuation(worth)
        steps.append(mdp.stage(_decided(policy, trade, mdp), last))
        worth = mdp.value(mdp.stage(_decided(best, trade, mdp), last), after)
        lost.append((worth - mdp.value(steps[-1], after))[:, :, 0])
    met = np.zeros(lost[0].shape)
    met[mdp.start] = mdp.law.start
    losses = np.empty(params.num_trades)
    for trade, (step, loss) in enumerate(zip(reversed(steps), reversed(lost), strict=True)):
        losses[trade] = (met * loss).sum()
        met = _met_next(met, step, mdp)
    return losses


def _decided(policy: PolicyFunction, trade: int, mdp: MarketMDP) -> Decision:
    """What a policy does in every state and exogenous state; parts of shape (states, exogenous, 1)."""
    seen = mdp.observations(mdp.params.num_trades - trade)
    chosen = asked_twice(policy, seen.reshape(-1, seen.shape[-1]), mdp.params)
    return chosen.map(lambda part: part.reshape(*seen.shape[:2], 1))


def _met_next(met: Values, step: StepOutcomes, mdp: MarketMDP) -> Values:
    """How likely every state and exogenous state is one request later; shape (states, exogenous)."""
    chance, reached = np.broadcast_to(step.chance[:, :, 0], met.shape), np.zeros(met.shape)
    for half, likely in ((step.yes, met * chance), (step.no, met * (1.0 - chance))):
        state = np.broadcast_to(half.after[:, :, 0], met.shape)
        np.add.at(reached, (state, np.arange(met.shape[1])), likely)
    return np.asarray(reached @ mdp.law.probability)
