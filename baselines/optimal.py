"""The exact optimum of a market, by dynamic programming on the law's own functions.

Prices are translation-invariant and the risk penalty is a function of inventory, so the state is (trades left,
inventory, request). The law plays every state, request and action at once, by broadcasting, with the price move at
its conditional mean: the reward is linear in the move, so that gives its expectation exactly. Then, backwards in time,

    V_t(q) = E over requests d of  max over actions k of  r(q, d, k) + V_{t+1}(q'(q, d, k)).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env import market
from mm_env.agent_view import Actions, Observations, PolicyFunction, check_actions, decode, hedge_levels, observe, read
from mm_env.market import Book, Move, Request
from mm_env.params import MarketParams
from mm_env.tape import Outcomes, outcomes

_LARGEST_GRID = 20_000_000  # states times requests times actions: about a second a step of the horizon
_TIE = 1e-12  # actions whose values differ by less, relative to the values, are equally good


class TooLargeError(ValueError):
    """The market has too many states and actions to be solved exactly."""


@dataclass(frozen=True, eq=False)
class Solution:
    """The optimum of one market.

    Attributes:
        params: The market.
        value: J*, the largest mean total reward of an episode, price units.
        values: V_t(q), reward still to come before request t is seen; shape (num_trades + 1, inventories).
        inventories: -inventory_limit .. inventory_limit, units.
        requests: Signed units of each request.
        probabilities: Of each request.
        thresholds: The best hedge threshold (or, in markets of that kind, units to offload) at each time, for each
            inventory before the trade and each request; units, shape (num_trades, inventories, requests). Where
            several are equally good, the one that does best over all inventories.
        policy: The optimal policy, a function of the observation.
    """

    params: MarketParams
    value: float
    values: NDArray[np.float64]
    inventories: NDArray[np.float64]
    requests: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    policy: OptimalPolicy

    def schedule(self) -> list[list[str]]:
        """The median over inventories: rows of first-last trade and a threshold for each request that can come."""
        usual = np.median(self.thresholds[:, :, self.probabilities > 0], axis=1)
        starts = [0, *(np.flatnonzero((usual[1:] != usual[:-1]).any(axis=1)) + 1), len(usual)]
        return [
            [f"{start + 1}-{stop}", *(f"{units:g}" for units in usual[start])]
            for start, stop in itertools.pairwise(starts)
        ]


@dataclass(frozen=True, eq=False)
class OptimalPolicy:
    """Looks the best action up by trades left, inventory and request."""

    params: MarketParams
    requests: NDArray[np.float64]  # signed units, in the order of the table's last axis
    actions: NDArray[np.int64]  # (num_trades, inventories, requests)

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...).

        Raises:
            ValueError: A request that cannot come in this market, as on a tape recorded elsewhere.
        """
        view = read(observations, self.params)
        asked = view.request.wanted
        match = asked[..., None] == self.requests
        over = view.trades_left == 0  # the observation after the last trade, where nothing is asked
        unknown = ~(match.any(axis=-1) | over)
        if unknown.any():
            raise ValueError(
                f"the optimum knows the requests {self.requests.tolist()} of its market, got {asked[unknown][0]:g}"
            )
        trade = np.where(over, 0, self.params.num_trades - view.trades_left).astype(np.int64)
        state = (view.inventory + self.params.inventory_limit).astype(np.int64)
        return np.asarray(self.actions[trade, state, match.argmax(axis=-1)])


def solve(params: MarketParams) -> Solution:
    """The exact optimum of a market.

    Raises:
        ValueError: The market is too large to solve; the message names the field.

    Example:
        >>> solution = solve(MarketParams(num_trades=50))
        >>> solution.thresholds.shape
        (50, 41, 3)
    """
    game = _Game(params)
    values = np.zeros((params.num_trades + 1, len(game.inventories)))
    actions = np.empty((params.num_trades, len(game.inventories), len(game.requests)), dtype=np.int64)
    for trade in reversed(range(params.num_trades)):
        gains = game.gains(trade, values[trade + 1])
        actions[trade] = _best(gains)
        values[trade] = gains.max(axis=-1) @ game.outcomes.probability
    return Solution(
        params=params,
        value=float(values[0, params.inventory_limit]),
        values=values,
        inventories=game.inventories,
        requests=game.requests,
        probabilities=game.outcomes.probability,
        thresholds=hedge_levels(params)[actions],
        policy=OptimalPolicy(params, game.requests, actions),
    )


def policy_value(policy: PolicyFunction, params: MarketParams) -> float:
    """The exact J of a policy that is a function of the observation: its mean total reward, without simulation.

    Raises:
        ValueError: The market is too large to solve, or the policy gives bad actions.
    """
    game = _Game(params)
    values = np.zeros(len(game.inventories))
    states, requests = np.indices((len(game.inventories), len(game.requests)))
    levels = len(hedge_levels(params))
    for trade in reversed(range(params.num_trades)):
        seen = observe(game.book, game.request, params.num_trades - trade, params)[:, :, 0]
        actions = check_actions(policy(seen.reshape(-1, seen.shape[-1])), states.size, levels).reshape(states.shape)
        chosen = game.gains(trade, values)[states, requests, actions]
        values = chosen @ game.outcomes.probability
    return float(values[params.inventory_limit])


def threshold_values(params: MarketParams) -> dict[int, float]:
    """The exact J of every fixed threshold: {threshold in units: mean total reward in price units}."""
    params = params.replace(hedge_action="threshold")
    game = _Game(params)
    levels = hedge_levels(params)
    values = np.zeros((len(game.inventories), len(levels)))
    for trade in reversed(range(params.num_trades)):
        stage = game.stage(trade)
        gains = stage.reward + np.take_along_axis(values[:, None, :], stage.after, axis=0)
        values = np.einsum("qrk,r->qk", gains, game.outcomes.probability)
    return dict(zip(levels.astype(int).tolist(), values[params.inventory_limit].tolist(), strict=True))


def best_threshold(params: MarketParams) -> int:
    """The fixed threshold with the largest J, units."""
    values = threshold_values(params)
    return max(values, key=values.__getitem__)


class _Stage(NamedTuple):
    """What the law makes of every inventory, request and action; arrays of that shape."""

    reward: NDArray[np.float64]  # expected
    after: NDArray[np.int64]  # index of the inventory at the end of the step


class _Game:
    """A market as a finite decision problem, laid out on the axes (inventory, request, action)."""

    def __init__(self, params: MarketParams) -> None:
        limit = params.inventory_limit
        self.outcomes: Outcomes = outcomes(params)
        levels = hedge_levels(params)
        size = (2 * limit + 1) * len(self.outcomes.probability) * len(levels)
        if size > _LARGEST_GRID:
            raise TooLargeError(
                f"inventory_limit={limit} with {len(levels)} hedge levels is too large to solve exactly: "
                f"{size:.2g} cases, at most {_LARGEST_GRID:.2g}; set hedge_levels"
            )
        self.params = params
        self.inventories = np.arange(-limit, limit + 1, dtype=np.float64)
        self.requests = self.outcomes.request.wanted
        self.request = Request(*(np.asarray(part)[:, None] for part in self.outcomes.request))
        self.book: Book = market.opening(params)._replace(inventory=self.inventories[:, None, None], mid=0.0)
        self._decision = decode(levels, params)
        self._usual, self._last = self._play(last=False), self._play(last=True)

    def _play(self, last: bool) -> _Stage:
        mean = self.outcomes.expected[:, None]
        move = Move(change=mean, expected=mean, last=last)
        step = market.step(self.book, self.request, self._decision, move, self.params)
        after = np.round(step.book.inventory).astype(np.int64) + self.params.inventory_limit
        return _Stage(*np.broadcast_arrays(market.expected_reward(step, move), after))

    def stage(self, trade: int) -> _Stage:
        """The step at request number `trade`; the last one may be charged for what is left."""
        return self._last if trade == self.params.num_trades - 1 else self._usual

    def gains(self, trade: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reward now plus value to come, for every inventory, request and action."""
        stage = self.stage(trade)
        return stage.reward + values[stage.after]


def _best(gains: NDArray[np.float64]) -> NDArray[np.int64]:
    """The best action in every state; where several are, the one that does best summed over inventories."""
    common = gains.sum(axis=0).argmax(axis=-1)  # one per request
    best = gains.max(axis=-1)
    common_gain = np.take_along_axis(gains, np.broadcast_to(common, best.shape)[..., None], axis=-1)[..., 0]
    as_good = common_gain >= best - _TIE * np.abs(gains).max()
    return np.asarray(np.where(as_good, common, gains.argmax(axis=-1)))
