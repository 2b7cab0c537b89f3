"""Stages: one step of the solver's recursion, laid out once for every trade."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from time import process_time
from typing import Any

import numpy as np

from baselines.solver import choice, choice_kernel
from baselines.solver.choice import Choice, Trades, Wholes
from baselines.solver.market_mdp import MarketMDP
from baselines.solver.quote_envelope import QuoteEnvelope
from mm_env.envs.action import hedge_options, make_decision, num_hedges, quote_levels
from mm_env.kernels.vector_kernel import numba_works
from mm_env.market import dynamics
from mm_env.market.numbers import Integers, Values
from mm_env.market.transition_law import acceptance

_WORTH_COMPILING = 1.0, 0.2  # seconds to go from which it pays: before Numba has been imported, and after
_SOME = 0.03  # seconds, to know from
_CASES = 500_000  # that the law plays at once: what is made on the way is small beside the result


class Stages:
    """One step of the recursion.

    Exogenous states after which the same is to come and to pay share their second half, what every hedge is worth;
    those of them that show the same request share all. Once it saves time the search runs as machine code.
    """

    def __init__(self, mdp: MarketMDP) -> None:
        self._mdp = mdp
        self._search: Any = choice
        self._spent, self._searched = 0.0, 0  # seconds, for so many trades
        self._highest = mdp.params.hedge_action != "units"  # of equal thresholds: no needless order
        request, observed = mdp.law.states
        self._payer, paid = _alike(mdp.law.expected, np.broadcast_to(observed.regime, mdp.row.shape))
        second, half = _alike(mdp.row, paid)
        self._row, self._paid = mdp.row[second], paid[second]
        self._shown, self._like = _alike(half, *np.broadcast_arrays(request.side, request.signed_size, request.tier))
        self._half = half[self._shown]
        self._trades = list(self._first_half())
        self._after: Wholes = np.empty((mdp.states, num_hedges(mdp.params)), np.int32)
        self._kept: Values = np.empty(self._after.shape)  # a second half: fresh memory each time would cost more
        self._rewards: tuple[bool, Values] | None = None

    def best(self, worth: Values, before: int) -> Choice:
        """Value, hedge level and quote level in every case, shape (states, exogenous).

        Args:
            worth: The value one trade later, same shape.
            before: How many trades come before this one.
        """
        rewards = self._second_half(last=before == self._mdp.params.num_trades - 1)
        continuation = self._mdp.continuation(worth[:, :, None])[:, :, 0]
        start = process_time()
        found = [best for half in range(len(self._row)) for best in self._chosen(half, rewards, continuation)]
        self._decide(process_time() - start, before)
        value, hedge, quote = (
            np.stack([part[like] for like in self._like], axis=1) for part in zip(*found, strict=True)
        )
        return value, hedge, quote

    def _chosen(self, half: int, rewards: Values, continuation: Values) -> Iterator[Choice]:
        """What is best after each request that has this second half."""
        self._search.second_half(rewards[self._paid[half]], self._after, continuation[:, self._row[half]], self._kept)
        for trades in (self._trades[place] for place in np.flatnonzero(self._half == half)):
            yield self._search.choose(self._kept, trades, self._highest)

    def _decide(self, seconds: float, before: int) -> None:
        """Search by machine code from now on if that pays, by the time that the search has taken so far."""
        self._spent, self._searched = self._spent + seconds, self._searched + 1
        to_go = self._spent / self._searched * before
        pays = self._spent > _SOME and to_go > _WORTH_COMPILING["numba" in sys.modules]
        if self._search is choice and pays and numba_works():
            self._search = choice_kernel

    def _second_half(self, last: bool) -> Values:
        """The reward of every hedge where nobody trades, shape (payers, states, levels)."""
        last = last and self._mdp.params.liquidate_at_end
        if self._rewards is None or self._rewards[0] is not last:
            self._rewards = None  # before there are others
            self._rewards = last, self._all_rewards(last)
        return self._rewards[1]

    def _all_rewards(self, last: bool) -> Values:
        mdp, level = self._mdp, hedge_options(self._mdp.params)
        move = mdp.move(last, self._payer)
        states, levels = self._after.shape
        rewards = np.empty((len(self._payer), states, levels))
        for start in range(0, states, max(1, _CASES // levels)):
            some = slice(start, start + max(1, _CASES // levels))
            half = mdp.hedge_and_mark(mdp.no_trade_result(some), level, move, some)
            rewards[:, some] = np.moveaxis(half.reward, 1, 0)
            self._after[some] = half.after[:, 0]
        return rewards

    def _first_half(self) -> Iterator[Trades]:
        """What each request that is shown leads to before the hedge."""
        mdp, params = self._mdp, self._mdp.params
        distances = quote_levels(params)
        fits, after = mdp.after_trade()
        request = mdp.exogenous.request
        chance = np.broadcast_to(acceptance(request, distances, params), (len(mdp.row), len(distances)))
        edge = dynamics.quote(request, make_decision(0.0, distances, params))
        earned = np.broadcast_to(dynamics.spread_earned(request.signed_size, edge), chance.shape)
        for case in self._shown:
            quotes = QuoteEnvelope.of(chance[case], earned[case])
            yield Trades(np.ascontiguousarray(fits[:, case]), np.ascontiguousarray(after[:, case]), quotes)


def _alike(*columns: Any) -> tuple[Integers, Integers]:
    """The first place of every different row of some columns, and for each place which of them it is."""
    rows = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    _, first, like = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, like
