"""A dealer against his rival: what each step makes of the inventories of both, on the law's own functions.

A client with P(rho >= delta) trades with the dealer who quotes less, if that dealer's cap allows it, else with the
other; equal quotes share him. Rivals who always quote the same and never reach their cap have no state: any number of
them can be answered, and their inventories need not be seen.

Rivals who react to anything else would make every value wrong. `probing` therefore asks them, and any policy that is
valued, about everything that they could see, and refuses those who react.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baselines.solver.market_mdp import MarketMDP
from baselines.solver.probing import LAST_TRADE, asked_twice, check_asked_later, reactions, trades_asked_again, views
from mm_env.envs.action import PolicyFunction, hedge_levels, make_decision, quote_levels
from mm_env.envs.observation import Observations, observation_names, observe
from mm_env.market import dynamics
from mm_env.market.competition import best_quotes
from mm_env.market.dynamics import Decision, Request
from mm_env.market.numbers import Integers, Values
from mm_env.market.params import DealersParams, MarketParams
from mm_env.market.transition_law import acceptance

_MOST_STATES = 20_000  # inventories of both dealers; times exogenous states and actions


class _Trade(NamedTuple):
    """Who trades in one exogenous state: probabilities, which broadcast with (own inventories, rival's inventories)."""

    own: Values
    rival: Values


class Duel:
    """A dealer against his rival: arrays of shape (own inventories, rival's inventories or 1, exogenous states)."""

    def __init__(self, params: DealersParams, rivals: Sequence[PolicyFunction]) -> None:
        _check(params, rivals)
        self.params, self.mdp = params, MarketMDP(params.alone())
        self._levels, self._distances = hedge_levels(params), quote_levels(params)
        inventories = self.mdp.states
        quotes = [quote for rival in rivals if (quote := _fixed_quote(self.mdp, rival, params)) is not None]
        stateless = len(quotes) == len(rivals)
        if not stateless:
            for seat, rival in enumerate(rivals, start=1):
                _refuse_reactions(seat, reactions(rival, self.mdp, params, LAST_TRADE))
        if not stateless and (len(rivals) > 1 or not params.transparent):
            raise ValueError(
                f"num_dealers={params.num_dealers}, transparent={params.transparent}: the rivals' quotes depend on "
                f"what is not seen; make it transparent=True with num_dealers=2, or have rivals quote always the same"
            )
        self._policy = rivals[quotes.index(min(quotes))] if stateless else rivals[0]  # the one to beat
        self._rivals = 1 if stateless else inventories
        self._ties = quotes.count(min(quotes)) if stateless else 1
        self.shape = (inventories, self._rivals, len(self.mdp.row))
        if self.shape[0] * self.shape[1] > _MOST_STATES:
            raise ValueError(
                f"inventory_limit={params.inventory_limit} is too large for the inventories of two dealers"
            )
        self._again = trades_asked_again(params)
        self._decided: dict[bool, dict[int, tuple[Observations, Decision]]] = {True: {}, False: {}}  # by `swapped`
        level = make_decision(self._levels, 0.0, params)
        self._halves = {
            last: self.mdp.hedge_and_mark(self.mdp.no_trade_result(), level, self.mdp.move(last))
            for last in (False, True)
        }

    def opening(self, worth: Values) -> float:
        """The value of an episode: nobody holds anything."""
        middle = self.mdp.start if self._rivals > 1 else 0
        likely = worth[self.mdp.start, middle] * self.mdp.law.start
        return float(likely.cumsum()[-1])  # in order: a library's product sums in one of the processor's own

    def decisions(self, policy: PolicyFunction, trade: int, swapped: bool) -> Decision:
        """What a policy does in every case; `swapped`: in the rival's seat."""
        own = np.asarray(self.mdp.book.inventory)
        other = own[:, :, 0].T[..., None]
        if self._rivals == 1:
            other = np.zeros((1, 1, 1))
        held, rivals = (other, own) if swapped else (own, other)
        states = self.mdp.law.states
        observed = states.observed._replace(rivals=(rivals,) * (self.params.num_dealers - 1))
        book = self.mdp.book._replace(inventory=np.broadcast_to(held, self.shape))
        shown = observe(book, states._replace(observed=observed), self.params.num_trades - trade, self.params)
        seen = shown.reshape(-1, shown.shape[-1])
        chosen = asked_twice(policy, seen, self.params)
        if trade in self._again:
            self._decided[swapped][trade] = seen, chosen
        by_threshold = chosen.max_units is None and chosen.target is None
        if not by_threshold or not np.isin(chosen.threshold, self._levels).all():
            raise ValueError("policy must decide by hedge thresholds of the market's levels")
        return chosen.map(lambda part: part.reshape(self.shape))

    def check_asked_later(self, own: PolicyFunction | None = None) -> None:
        """Raise `NotAFunctionError` if the rival or the dealer's own policy remembers, or minds the other rows."""
        check_asked_later(self._policy, self._decided[True], self.params)
        if own is not None:
            check_asked_later(own, self._decided[False], self.params)

    def check_own(self, policy: PolicyFunction) -> None:
        """Raise `ValueError` unless the policy of `dealer_0` decides by what the duel's states tell."""
        seen = [name for name in observation_names(self.params) if name.startswith("rival_") and self._rivals == 1]
        _refuse_reactions(0, reactions(policy, self.mdp, self.params, (*LAST_TRADE, *seen)))

    def best(self, worth: Values, trade: int) -> tuple[Values, Integers, Integers]:
        """Value, hedge level and quote level in every case; `worth` is the value one trade later."""
        rival = self.decisions(self._policy, trade, swapped=True)
        found = [self._best_of_one(exogenous, rival, worth, trade) for exogenous in range(self.shape[2])]
        value, hedge, quote = (np.stack(parts, axis=-1) for parts in zip(*found, strict=True))
        return value, hedge, quote

    def value(self, own: Decision, worth: Values, trade: int) -> Values:
        """The value of given decisions in every case."""
        rival = self.decisions(self._policy, trade, swapped=True)
        return np.stack([self._value_of_one(s, own, rival, worth, trade) for s in range(self.shape[2])], axis=-1)

    def _best_of_one(
        self, exogenous: int, rival: Decision, worth: Values, trade: int
    ) -> tuple[Values, Integers, Integers]:
        no_trade, own_trade, rival_trade = self._kept(exogenous, rival, worth, trade)
        best, hedge, quote = np.full(self.shape[:2], -np.inf), np.zeros(self.shape[:2]), np.zeros(self.shape[:2])
        for number, distance in enumerate(self._distances):
            gains = self._mixed(exogenous, np.full(self.shape[:2], distance), rival, no_trade, own_trade, rival_trade)
            level = gains.argmax(axis=-1)
            value = np.take_along_axis(gains, level[..., None], axis=-1)[..., 0]
            better = value > best
            best = np.where(better, value, best)
            hedge, quote = np.where(better, level, hedge), np.where(better, number, quote)
        return best, hedge.astype(np.int64), quote.astype(np.int64)

    def _value_of_one(self, exogenous: int, own: Decision, rival: Decision, worth: Values, trade: int) -> Values:
        kept = self._kept(exogenous, rival, worth, trade)
        distance = np.broadcast_to(own.distance, self.shape)[..., exogenous]
        gains = self._mixed(exogenous, distance, rival, *kept)
        level = np.searchsorted(self._levels, np.broadcast_to(own.threshold, self.shape)[..., exogenous])
        return np.asarray(np.take_along_axis(gains, level[..., None], axis=-1)[..., 0])

    def _mixed(
        self,
        exogenous: int,
        distance: Values,
        rival: Decision,
        no_trade: Values,
        own_trade: Values,
        rival_trade: Values,
    ) -> Values:
        """Value of quoting at `distance`, for every hedge level; shape (own, rival, levels)."""
        chance = self._trade(exogenous, distance, rival)
        request = self._request(exogenous)
        edge = dynamics.quote(request, make_decision(0.0, distance, self.params))
        earned = np.asarray(dynamics.spread_earned(request.signed_size, edge))
        own = chance.own[..., None] * (earned[..., None] + own_trade - no_trade)
        return no_trade + own + chance.rival[..., None] * (rival_trade - no_trade)

    def _trade(self, exogenous: int, distance: Values, rival: Decision) -> _Trade:
        theirs = np.broadcast_to(rival.distance, self.shape)[..., exogenous]
        mine, others = (acceptance(self._request(exogenous), quoted, self.params) for quoted in (distance, theirs))
        able = np.stack(np.broadcast_arrays(*self._fills(exogenous)))  # who is at his cap does not quote
        tied, rivals_tied = best_quotes(np.stack(np.broadcast_arrays(distance, theirs)), able)
        first = np.where(tied, 1.0 / (1 + self._ties * rivals_tied), 0.0)
        return _Trade(mine * first, able[1] * others * (1.0 - first))

    def _fills(self, exogenous: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether the caps of the dealer and of his rival allow the trade."""
        held = np.asarray(self.mdp.book.inventory)[:, 0, 0]
        own = np.asarray(dynamics.fits(held - self._request(exogenous).signed_size, (), self.params))
        other = own if self._rivals > 1 else np.ones(1, dtype=np.bool_)
        return own[:, None], other[None, :]

    def _kept(self, exogenous: int, rival: Decision, worth: Values, trade: int) -> tuple[Values, Values, Values]:
        """The second half of the step for every hedge level if nobody, the dealer or his rival trades."""
        half = self._halves[trade == self.params.num_trades - 1]
        row = self.mdp.law.probability[exogenous]
        continuation = np.einsum("qro,o->qr", worth, row)
        own = np.arange(self.shape[0])[:, None]
        number = min(exogenous, half.reward.shape[1] - 1)
        traded = np.clip(own - int(self._request(exogenous).signed_size), 0, self.shape[0] - 1)
        if self._rivals == 1:
            still = moved = np.zeros((1, 1), dtype=np.int64)
        else:
            held = np.asarray(self.mdp.book.inventory)[:, 0, 0][None, :]
            still = self._rival_keeps(held, rival, exogenous)
            moved = self._rival_keeps(held - self._request(exogenous).signed_size, rival, exogenous)

        def kept(mine: Integers, others: Integers) -> Values:
            after = half.after[:, 0][mine]
            return np.asarray(half.reward[:, number][mine] + continuation[after, others[..., None]])

        return kept(own, still), kept(traded, still), kept(own, moved)

    def _rival_keeps(self, held: Values, rival: Decision, exogenous: int) -> Integers:
        limit = self.params.inventory_limit
        theirs = Decision(0.0, np.broadcast_to(rival.threshold, self.shape)[..., exogenous], None)
        kept = dynamics.hedge_excess(np.clip(held, -limit, limit), theirs, np)
        return np.asarray(np.round(kept).astype(np.int64) + limit)

    def _request(self, exogenous: int) -> Request:
        return self.mdp.law.states.map(lambda part: part[exogenous].item()).request


def _fixed_quote(mdp: MarketMDP, policy: PolicyFunction, params: DealersParams) -> float | None:
    """The distance that a policy always quotes, if it does and never reaches its cap, whatever it sees."""
    distances: set[float] = set()
    for seen in views(mdp, params):
        chosen = asked_twice(policy, seen, params)
        distances |= set(np.ravel(chosen.distance).tolist())
        room = chosen.max_units is None and np.max(chosen.threshold) + params.largest_size <= params.inventory_limit
        if len(distances) > 1 or not room:
            return None
    return distances.pop()


def _refuse_reactions(seat: int, columns: Sequence[str]) -> None:
    if columns:
        raise ValueError(
            f"dealer_{seat} reacts to {' and '.join(columns)}, which the states of an exact value do not hold: it must "
            f"decide by inventories, request and time alone"
        )


def _check(params: MarketParams, rivals: Sequence[PolicyFunction]) -> None:
    if not isinstance(params, DealersParams) or len(rivals) != params.num_dealers - 1 or not rivals:
        raise ValueError(f"rivals must be num_dealers - 1 = {params.num_dealers - 1} of them, got {len(rivals)}")
    for name in ("view_noise", "hedge_latency"):
        if getattr(params, name):
            raise ValueError(f"{name}={getattr(params, name)}: the best response is not solved with it")
    if params.continuous:
        raise ValueError("continuous=True: the best response is solved for levels")
    if params.hedge_action != "threshold":
        raise ValueError(f"hedge_action={params.hedge_action!r}: the best response is solved for thresholds")
