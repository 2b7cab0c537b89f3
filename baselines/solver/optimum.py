"""The exact optimum of a market, by dynamic programming on the law's own functions.

Backwards in time, with s the state (inventory and orders in flight) and o the exogenous state (request, regime, last
side):

    U_t(s, o) = max over hedge levels k and quotes delta of
                p r(trade) + (1 - p) r(no trade) + E[U_{t+1}(s', o')]

with p = P(rho >= delta) where the cap allows the trade, else 0. For every k the best quote depends on one number, how
much better the dealer is off after the trade: see `QuoteEnvelope`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from baselines.solver.market_mdp import MarketMDP, StepOutcomes
from baselines.solver.probing import (
    asked_twice,
    check_asked_later,
    differing,
    trades_asked_again,
)
from baselines.solver.stages import Stages
from mm_env.envs.action import (
    Actions,
    PolicyFunction,
    decide,
    hedge_options,
    levels_to_action,
    num_hedges,
    quote_levels,
)
from mm_env.envs.observation import Observations, decode_observation
from mm_env.envs.predictor import Predictor, says_it_is_a_function
from mm_env.market.dynamics import Decision, initial_book
from mm_env.market.numbers import Integers, Values
from mm_env.market.params import MarketParams
from mm_env.readable import Readable
from mm_env.registration import params_of_market

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MANY = 50_000  # states: of more only those are solved in which a step can begin, some in a hundred of them


@dataclass(frozen=True, eq=False, repr=False)
class Solution(Readable):
    """The optimum of one market.

    Attributes:
        value: `J*`, the largest mean total reward of an episode, price units.
        values: The mean reward of the trades from t on, before request t is seen; shape `(num_trades + 1, *mdp.shape)`,
            or `(num_trades + 1, states)` where `mdp` has only the states left in which a step can begin: of many.
            Where flow or volatility have a memory, it is taken over their state at the start of an episode.
        hedge_index: The best of `hedge_options` at each time in each state before the trade, for each exogenous state;
            shape (num_trades, states, exogenous). Where several are equally good, the one that does best over all
            states, and where these are several, the one that hedges least.
        quote_index: The best quote level; same shape.
        mdp: States and exogenous states.
    """

    value: float
    values: Values
    hedge_index: NDArray[np.int16]
    quote_index: NDArray[np.int16]
    mdp: MarketMDP

    def facts(self) -> list[tuple[str, str]]:
        """What the optimum is worth, and where."""
        trades, states, exogenous = self.hedge_index.shape
        size = [("trades", f"{trades:,}"), ("states", f"{states:,}"), ("requests", f"{exogenous:,}")]
        return [("value", f"{self.value:.6g}"), *size, ("params", repr(self.params))]

    def plot(self, axes: Any = None) -> Figure:
        """What the optimum hedges, as `mm_env.plotting.plot_policies` draws it."""
        from mm_env.plotting import plot_policies

        return plot_policies({"optimal": self.policy}, self.params, axes)

    @property
    def params(self) -> MarketParams:
        """The market."""
        return self.mdp.params

    @property
    def policy(self) -> OptimalPolicy:
        """The optimal policy, a function of the observation."""
        return OptimalPolicy(self)

    @property
    def inventories(self) -> Values:
        """-inventory_limit .. inventory_limit, units."""
        return np.arange(-self.params.inventory_limit, self.params.inventory_limit + 1.0)

    @property
    def hedges(self) -> Decision:
        """The best ways to hedge without orders in flight; what varies: (num_trades, inventories, exogenous)."""
        best = self.hedge_index[:, self._at_rest()]
        return hedge_options(self.params).map(lambda part: part[best])

    @property
    def thresholds(self) -> Values:
        """The thresholds of `hedges` (or, in markets of that kind, units to offload), units."""
        return np.asarray(self.hedges.threshold if self.hedges.max_units is None else self.hedges.max_units)

    @property
    def distances(self) -> Values:
        """The best quotes without orders in flight, price units; shape (num_trades, inventories, exogenous)."""
        return quote_levels(self.params)[self.quote_index[:, self._at_rest()]]

    def _at_rest(self) -> Integers:
        return self.mdp.number(initial_book(self.params)._replace(inventory=self.inventories))


@dataclass(frozen=True, eq=False)
class OptimalPolicy(Predictor):
    """Looks the best hedge and quote up by trades left, state and exogenous state."""

    memoryless: ClassVar[bool] = True

    solution: Solution

    @property
    def params(self) -> MarketParams:
        """The market."""
        return self.solution.params

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions.

        Raises:
            ValueError: A request that cannot come in this market, as on a tape recorded elsewhere.
        """
        view = decode_observation(observations, self.params)
        over = view.trades_left == 0  # the observation after the last trade, where nothing is asked
        trade = np.where(over, 0, self.params.num_trades - view.trades_left).astype(np.int64)
        at = (trade, *self.solution.mdp.cases(view))
        distance = quote_levels(self.params)[self.solution.quote_index[at]]
        return levels_to_action(self.solution.hedge_index[at], distance, self.params)


def solve(params: MarketParams | str, progress: Callable[[int], None] = lambda trades: None) -> Solution:
    """The exact optimum of a market or of an id; where actions are continuous, over the quotes of its grid.

    Args:
        params: The market, or the id of a registered one.
        progress: Called with the number of trades just solved for, the last trades of the episode first.

    Raises:
        UnsolvableError: The market is too large to solve or not finite; the message names the field.

    Example:
        >>> solution = solve(MarketParams(num_trades=50))
        >>> solution.thresholds.shape
        (50, 41, 3)
    """
    params = params_of_market(params)
    mdp = searched = MarketMDP(params)
    mdp.check_size(num_hedges(params))
    begun: Any = slice(None)
    if mdp.states > _MANY and mdp.params.hedge_latency:
        mdp = mdp.possible()
        searched = searched.with_traded(mdp)
        begun = searched.number(mdp.book)[:, 0, 0]
    stages = Stages(searched)
    shape = (params.num_trades, mdp.states, len(mdp.law.start))
    hedges, quotes = np.empty(shape, np.int16), np.zeros(shape, np.int16)  # of one level never written: no memory
    values = np.zeros((params.num_trades + 1, mdp.states))
    worth = np.zeros((searched.states, shape[-1]))
    for trade in reversed(range(params.num_trades)):
        worth, hedge, quote = stages.best(worth, trade)
        hedges[trade] = hedge[begun]
        if quote.any():
            quotes[trade] = quote[begun]
        values[trade] = mdp.average(worth[begun])
        progress(1)
    return Solution(
        value=float(values[0, mdp.start]),
        values=values.reshape(-1, *mdp.shape) if searched is mdp else values,
        hedge_index=hedges,
        quote_index=quotes,
        mdp=mdp,
    )


@lru_cache(maxsize=1)
def last_solution(params: MarketParams) -> Solution:
    """As `solve`, at once where it is the market that was asked for last."""
    return solve(params)


def policy_value(policy: PolicyFunction, params: MarketParams | str) -> float:
    """The exact J of a policy that is a function of the observation: its mean total reward, without simulation.

    It needs a finite market, and a policy that decides about each row of observations by that row alone. Both are
    checked: the policy is asked twice about everything that it could see, backwards in time, and about some of it
    once more in the order of an episode and among fewer rows. One that says it is a function of the observation, by an
    attribute `memoryless` or `pure`, is asked twice about that part alone.

    Raises:
        UnsolvableError: The market is too large to solve or not finite; the message names the field.
        ValueError: The policy gives bad actions; or different ones about the same observations: it draws, remembers,
            or minds the other rows.
    """
    params = params_of_market(params)
    mdp = MarketMDP(params).possible()
    shape = (mdp.states, len(mdp.law.start), 1)
    worth, stages = np.zeros(shape), _StagesOfDecisions(mdp)
    again, decided = trades_asked_again(params), {}
    sure = says_it_is_a_function(policy)
    for trade in reversed(range(params.num_trades)):
        seen = mdp.observations(params.num_trades - trade)
        seen = seen.reshape(-1, seen.shape[-1])
        once = sure and trade not in again
        chosen = decide(policy, seen.copy(), params) if once else asked_twice(policy, seen, params)
        if trade in again:
            decided[trade] = seen, chosen
        worth = mdp.value(stages.of(chosen, trade == params.num_trades - 1), mdp.continuation(worth))
    check_asked_later(policy, decided, params)
    return float(mdp.average(worth)[mdp.start, 0])


class _StagesOfDecisions:
    """What the law makes of decisions about everything; once for those that are the same at one trade after another."""

    def __init__(self, mdp: MarketMDP) -> None:
        self._mdp = mdp
        self._shape = (mdp.states, len(mdp.law.start), 1)
        self._made: tuple[Decision, bool, StepOutcomes] | None = None

    def of(self, chosen: Decision, last: bool) -> StepOutcomes:
        """The stage of decisions whose parts have shape (rows,)."""
        if self._made is not None and self._made[1] == last and not len(differing(chosen, self._made[0], self._rows())):
            return self._made[2]
        stage = self._mdp.stage(chosen.map(lambda part: part.reshape(self._shape)), last)
        self._made = chosen, last, stage
        return stage

    def _rows(self) -> int:
        return self._shape[0] * self._shape[1]
