"""MarketMDP: a market as a finite decision problem, laid out by the law itself.

Prices are translation-invariant and the risk penalty is a function of inventory, so the state is the inventory now and
after each order in flight; what is seen beside it is one of finitely many exogenous states of
`mm_env.market.transition_law`. The law plays every state, exogenous state and option at once, by broadcasting, with the
price move at its conditional mean: the reward is linear in the move, so that gives its expectation exactly.
"""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from mm_env.envs.observation import DecodedObservation, Observations, observe
from mm_env.market import dynamics
from mm_env.market.dynamics import Book, Decision, Move, TradeResult
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.market_paths import of_regime
from mm_env.market.numbers import Integers, Number, Values
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import UnsolvableError, acceptance, transition_law

_AT_ONCE = 2_000_000  # cases, while possible states are looked for
_LARGEST = 40_000_000  # states times exogenous states times options: a few seconds a step of the horizon


class HalfStep(NamedTuple):
    """What the second half of a step makes of every case; arrays that broadcast to (states, exogenous, options)."""

    reward: Values  # expected
    after: Integers  # number of the state at the end of the step


class StepOutcomes(NamedTuple):
    """What a step makes of every case: with probability `chance` the client trades."""

    chance: Values
    yes: HalfStep
    no: HalfStep


class MarketMDP:
    """States, exogenous states, and what the law makes of them. Arrays have the axes (state, exogenous, option).

    Attributes:
        params: The market.
        law: Every exogenous state that a step can show, and what follows it.
        shape: Of the grid of states: an axis for the inventory now and after each order in flight.
        states: Their number.
        start: The number of the state without inventory or orders.
        book: Each state's book; parts of shape (states, 1, 1).
        exogenous: Each exogenous state; parts of shape (exogenous, 1).
        row: For each exogenous state, which row of `continuation` holds what follows it; shape (exogenous,).
        rows: Their number: exogenous states after which the same is to come share one.
        places: Where only some states are left, from `state_number` to the number of each, -1: none; else None.

    Raises:
        UnsolvableError: The market is not finite or too large; the message names the field.
    """

    def __init__(self, params: MarketParams) -> None:
        if params.num_dealers > 1:
            raise UnsolvableError(
                f"num_dealers={params.num_dealers}: what is best depends on the rivals, see baselines.best_response"
            )
        self.params = params
        self.law = transition_law(params)
        self.shape = (2 * params.inventory_limit + 1,) * (1 + params.hedge_latency)
        self.states = int(np.prod(np.array(self.shape, dtype=object)))
        self.check_size(1)
        positions = np.indices(self.shape).reshape(len(self.shape), -1, 1, 1) - float(params.inventory_limit)
        opening = dynamics.initial_book(params)
        self.book: Book = opening._replace(inventory=positions[0], mid=0.0, in_flight=tuple(np.diff(positions, axis=0)))
        self.places: Integers | None = None
        self.start = self.number(opening).item()
        self.exogenous = self.law.states.map(lambda part: part[:, None])
        self._rows, self.row = np.unique(self.law.probability, axis=0, return_inverse=True)
        self.rows = len(self._rows)

    def check_size(self, options: int) -> None:
        """Raise `UnsolvableError` where so many options in every state and exogenous state would take too long."""
        size = self.states * len(self.law.start) * options
        if size > _LARGEST:
            fields = ["inventory_limit", *(["hedge_latency"] if self.params.hedge_latency else [])]
            said = " and ".join(f"{name}={getattr(self.params, name)}" for name in fields)
            raise UnsolvableError(
                f"{said} with {options} hedge levels is too large to solve exactly: {size:.2g} cases, at most "
                f"{_LARGEST:.2g}; set hedge_levels or a smaller {fields[-1]}"
            )

    def number(self, book: Book) -> Integers:
        """The number of the state of a book: parts of any shape.

        Raises:
            ValueError: Only some states are left, and this is none of them.
        """
        found = self._place(book)
        if (found < 0).any():
            raise ValueError(f"in some of these states no step can begin in the market {self.params!r}")
        return found

    def _place(self, book: Book) -> Integers:
        """The number of the state of a book; -1 where it is none of those that are left."""
        found = np.asarray(np.round(state_number(book, self.params))).astype(np.int64)
        return found if self.places is None else np.asarray(self.places[found])

    def possible(self) -> Self:
        """The same with those states alone in which a step can begin, whoever hedges: fewer with orders in flight."""
        if not self.params.hedge_latency:
            return self
        known = np.zeros(self.states, dtype=np.bool_)
        known[self.start] = True
        new = np.array([self.start])
        while len(new):
            found = np.unique(np.concatenate([self._among(part)._next() for part in self._pieces(new)]))
            new = found[~known[found]]
            known[new] = True
        return self._left(known)

    def with_traded(self, begun: Self) -> Self:
        """The same with the possible states that `begun` has left, and those that a trade makes of them alone."""
        assert begun.places is not None
        known = begun.places >= 0
        known[self._among(np.flatnonzero(known)).after_trade()[1]] = True
        return self._left(known)

    def _left(self, known: NDArray[np.bool_]) -> Self:
        """The same with those states alone that a mask picks, numbered anew."""
        some = self._among(np.flatnonzero(known))
        some.places = np.where(known, known.cumsum() - 1, -1)
        some.start = some.places[self.start].item()
        return some

    def _pieces(self, numbers: Integers) -> list[Integers]:
        cases = len(numbers) * len(self.row) * (self.params.inventory_limit + 1)
        return np.array_split(numbers, 1 + cases // _AT_ONCE)

    def _among(self, numbers: Integers) -> Self:
        """The same with some of the states, which keep their numbers."""
        some, book = copy(self), self.book
        inventory, *orders = (np.asarray(part)[numbers] for part in (book.inventory, *book.in_flight))
        some.book = book._replace(inventory=inventory, in_flight=tuple(orders))
        some.states = len(numbers)
        return some

    def _next(self) -> Integers:
        """The numbers of the states that can follow: whatever is ordered, it hedges to some whole number of units."""
        whole = np.arange(self.params.inventory_limit + 1.0)
        stage = self.stage(Decision(self.params.spread, whole, None), last=False)
        return np.concatenate([half.after.ravel() for half in (stage.yes, stage.no)])

    def move(self, last: bool, exogenous: Any = slice(None)) -> Move:
        """The price move to expect after each exogenous state; parts of shape (exogenous, 1)."""
        mean, regime = self.law.expected[exogenous, None], np.asarray(self.exogenous.observed.regime)[exogenous]
        params = self.params
        return Move(mean, mean, last, of_regime(params.hedge_costs, regime), of_regime(params.risk_weights, regime))

    def quote_and_trade(self, decision: Decision) -> tuple[TradeResult, Values]:
        """The first half of a step if the client accepts, and the probability that he trades."""
        traded = dynamics.quote_and_trade(self.book, self.exogenous.request, decision, self.params)
        return traded, traded.filled * acceptance(self.exogenous.request, decision.distance, self.params)

    def after_trade(self) -> tuple[NDArray[np.bool_], Integers]:
        """Whether the cap allows each request, and the state after it before the hedge, else the same.

        Where only some states are left, a request that leads out of them counts as one that the cap does not allow.

        Returns:
            Flags and the numbers of states, shape (states, exogenous).
        """
        traded = dynamics.quote_and_trade(self.book, self.exogenous.request, Decision(0.0, 0.0, None), self.params)
        inventory = np.where(traded.filled, traded.inventory, self.book.inventory)
        after = self._place(self.book._replace(inventory=inventory))[:, :, 0]
        fits = np.asarray(traded.filled)[:, :, 0] & (after >= 0)
        return fits, np.where(fits, after, self._place(self.book)[:, :, 0])

    def no_trade_result(self, states: slice = slice(None)) -> TradeResult:
        """The first half of a step in which nobody trades."""
        return TradeResult(np.asarray(self.book.inventory)[states], 0.0, False, 0.0, 0.0)

    def hedge_and_mark(
        self, traded: TradeResult, decision: Decision, move: Move, states: slice = slice(None)
    ) -> HalfStep:
        """The second half of a step: hedge, move and mark; of some of the states alone, if `traded` is so."""
        orders = tuple(np.asarray(order)[states] for order in self.book.in_flight)
        book = self.book._replace(inventory=np.asarray(self.book.inventory)[states], in_flight=orders)
        step = dynamics.hedge_and_mark(book, traded, decision, move, self.params)
        return HalfStep(np.asarray(dynamics.expected_reward(step, move, self.params)), self.number(step.book))

    def stage(self, decision: Decision, last: bool) -> StepOutcomes:
        """A whole step; parts of the decision broadcast to (states, exogenous, options)."""
        traded, chance = self.quote_and_trade(decision)
        move = self.move(last)
        return StepOutcomes(
            chance,
            self.hedge_and_mark(traded, decision, move),
            self.hedge_and_mark(self.no_trade_result(), decision, move),
        )

    def continuation(self, values: Values) -> Values:
        """The value to come: values of shape (states, exogenous, options), averaged over what follows each row.

        Summed one exogenous state after another, for a library's product sums in an order of the processor's own.
        """
        following = np.ascontiguousarray(np.moveaxis(values, 1, 0))
        averages = np.zeros((self.rows, *np.delete(values.shape, 1)))
        for average, chances in zip(averages, self._rows, strict=True):
            for exogenous in np.flatnonzero(chances):
                average += chances[exogenous] * following[exogenous]
        return np.moveaxis(averages, 0, 1)

    def chain(self, stage: StepOutcomes) -> tuple[Any, Values]:
        """A step that is the same at every trade, as a linear map: before = reward + transition @ after.

        Returns:
            The transition, a sparse matrix over continuation values of shape (states, rows, options) raveled, and the
            reward of that shape.
        """
        shape = (self.states, self.rows, stage.chance.shape[2])
        before = np.arange(np.prod(shape)).reshape(shape)[:, :, None]  # (states, rows, exogenous states, options)
        likely, row = self._rows[:, :, None], self.row[:, None]
        parts = []
        for half, chance in ((stage.yes, stage.chance), (stage.no, 1.0 - stage.chance)):
            after = np.ravel_multi_index(np.broadcast_arrays(half.after, row, np.arange(shape[2])), shape)
            weight = (likely * chance[:, None] * np.ones(half.after.shape)[:, None]).ravel()
            both = np.broadcast_arrays(before, after[:, None])
            parts.append((weight, *(index.ravel() for index in both)))
        weight, start, stop = (np.concatenate(part) for part in zip(*parts, strict=True))
        size = int(np.prod(shape))
        transition = coo_array((weight, (start, stop)), shape=(size, size)).tocsr()
        return transition, self.continuation(self.value(stage, np.zeros(shape)))

    def value(self, stage: StepOutcomes, continuation: Values) -> Values:
        """Reward now plus value to come, shape (states, exogenous, options)."""
        options = np.arange(continuation.shape[2])
        yes, no = (half.reward + continuation[half.after, self.row[:, None], options] for half in (stage.yes, stage.no))
        return np.asarray(stage.chance * yes + (1.0 - stage.chance) * no)

    def average(self, values: Values) -> Values:
        """Values of shape (states, exogenous, ...) averaged over the first exogenous state of an episode."""
        return np.asarray(np.einsum("so...,o->s...", values, self.law.start))

    def observations(self, trades_left: Number) -> Observations:
        """What a dealer sees in every state and exogenous state, shape (states, exogenous, observations)."""
        return observe(self.book, self.exogenous, trades_left, self.params)[:, :, 0]

    def cases(self, view: DecodedObservation) -> tuple[Integers, Integers]:
        """The state and the exogenous state that each dealer sees.

        Raises:
            ValueError: An exogenous state that cannot come in this market, as on a tape recorded elsewhere.
        """
        known, seen = (
            np.asarray(exogenous_code(state, self.params)).astype(np.int64)
            for state in (self.law.states, ExogenousState(view.request, view.observed))
        )
        order = np.argsort(known)
        exogenous = order[np.minimum(np.searchsorted(known[order], seen), len(known) - 1)]
        unknown = known[exogenous] != seen
        if unknown.any():
            asked = np.asarray(view.request.signed_size)[unknown][0]
            requests = sorted(set(np.asarray(self.law.states.request.signed_size).tolist()))
            raise ValueError(f"the optimum knows the requests {requests} of its market, got {asked:g}")
        return self.number(view.book), np.asarray(exogenous)


def state_number(book: Book, params: MarketParams) -> Number:
    """The number of the state of a book, in the order of rows of `MarketMDP.shape`: parts of any shape, or traced."""
    limit, position = params.inventory_limit, book.inventory
    number = position + limit
    for order in book.in_flight:
        position = position + order
        number = number * (2 * limit + 1) + (position + limit)
    return number


def exogenous_code(state: ExogenousState, params: MarketParams) -> Number:
    """A whole number, at least 0, for everything that can be seen in a market: parts of any shape, or traced."""
    code = state.request.signed_size + params.largest_size
    if len(params.tiers) > 1:
        code = code * len(params.tiers) + state.request.tier
    if params.remembers_side:
        code = code * 3 + (state.observed.last_side + 1)
    return code * len(params.volatilities) + state.observed.regime if len(params.volatilities) > 1 else code
