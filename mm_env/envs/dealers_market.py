"""DealersMarket: several dealers in each of N markets. The rules are in `dynamics.py`, with one more axis of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.envs.action import PolicyFunction, decide
from mm_env.envs.observation import Observations, observation_values, observe
from mm_env.episodes import Episodes, Recorder
from mm_env.kernels.tracing import TraceOps
from mm_env.kernels.vector_kernel import WORTH_COMPILING, VectorKernel, numba_works
from mm_env.market import dynamics
from mm_env.market.competition import (
    Holding,
    book_of,
    requests_by_dealer,
    route_to_best_quote,
    seen_distance,
    seen_of_trade,
)
from mm_env.market.dynamics import Book, Decision, Move, Request, Reward, Step
from mm_env.market.exogenous_state import NO_REQUEST, ExogenousState
from mm_env.market.numbers import Index, Number, Values
from mm_env.market.params import DealersParams
from mm_env.market.tape import Tape
from mm_env.registration import DEALERS_DEFAULTS as DEALERS_DEFAULTS
from mm_env.registration import params_of_dealers
from mm_env.rollout import check_play

_BLOCK_STEPS = 200_000  # steps of all dealers played at once


class DealersMarket:
    """The books of K dealers in N markets, and what they saw of the last trade.

    Args:
        params: The market.
        markets: N.
        compiled: Run the law as machine code: the same numbers bit for bit. Default: where Numba is installed, once
            the law has taken as long as compiling it would.
        reward: What a step is paid, one of the law's.

    Attributes:
        flat_book: The books, parts of shape (K * N,), one dealer after another.
    """

    flat_book: Book

    def __init__(
        self,
        params: DealersParams,
        markets: int,
        compiled: bool | None = None,
        reward: Reward[Any] = dynamics.realised_reward,
    ) -> None:
        self.params = params
        self._shape = (params.num_dealers, markets)
        self._reward = reward
        self._spent = 0.0 if compiled is None else None  # seconds in the law, until it is compiled
        self._kernels: _Kernels | None = None
        if compiled:
            self.compile()
        self.reopen()

    @property
    def compiled(self) -> bool | None:
        """As the argument, for another market of this kind."""
        return None if self._spent is not None else self._kernels is not None

    def compile(self) -> None:
        """Run the law as machine code from now on."""
        self._spent = None
        self._kernels = _Kernels.of(self.params, self._shape[1], self._reward)

    def reopen(self) -> None:
        """Begin anew in every market."""
        everyone = np.ones(self._shape, dtype=np.bool_)
        book = dynamics.reset_where(everyone, dynamics.initial_book(self.params), self.params)
        self.flat_book = self._flat(book)
        self._won: Values = np.zeros(self._shape)
        self._best_quote: Values = np.zeros(self._shape[1])
        self._asked: tuple[Request | None, Request | None] = None, None

    @property
    def book(self) -> Book:
        """The books, parts of shape (K, N)."""
        book: Book = self._by_seat(self.flat_book)
        return book

    def as_seen(self, state: ExogenousState) -> ExogenousState:
        """The state of each market, parts of shape (N,), as the dealers see it."""
        rivals: tuple[Number, ...] = ()
        if self.params.transparent:
            held = self.book.inventory
            rivals = tuple(np.roll(held, -number, axis=0) for number in range(1, self.params.num_dealers))
        observed = state.observed._replace(won=self._won, best_quote=self._best_quote, rivals=rivals)
        return state._replace(observed=observed)

    def observe(self, state: ExogenousState, trades_left: Number | Index) -> Observations:
        """What each dealer sees, shape (K, N, observations)."""
        if self._kernels is None or state is NO_REQUEST:
            return observe(self.book, self.as_seen(state), trades_left, self.params)
        seen = ExogenousState(self._for_all(state.request), self._flat(self.as_seen(state).observed))
        columns = self._kernels.look(self.flat_book, seen, trades_left)
        return np.asarray(columns.T.reshape(*self._shape, -1))

    def step(self, request: Request, preference: Number, decision: Decision, move: Move) -> Step:
        """The client of each market trades with the best of its dealers; all hedge and are marked; parts (K, N)."""
        played, _ = self.rewarded_step(request, preference, decision, move)
        step: Step = self._by_seat(played)
        return step

    def rewarded_step(self, request: Request, preference: Number, decision: Decision, move: Move) -> tuple[Step, Any]:
        """`step` and its reward; their parts have shape (K * N,), one dealer after another.

        Args:
            request: Of each market, parts of shape (N,).
            preference: Which dealer wins a tie, shape (K, N).
            decision: Of each dealer, parts of shape (K, N).
            move: Of each market, parts of shape (N,).
        """
        start = perf_counter()
        play = self._played if self._kernels is None else self._run
        answered = play(request, preference, decision, move)
        self._decide(perf_counter() - start)
        self.flat_book = answered[0].book
        return answered

    def _played(self, request: Request, preference: Number, decision: Decision, move: Move) -> tuple[Step, Any]:
        """`rewarded_step` by NumPy."""
        book = self.book
        awarded = route_to_best_quote(book, request, decision, preference, self.params)
        step = dynamics.step(book, awarded, decision, move, self.params)
        filled = np.broadcast_to(np.asarray(step.filled), self._shape)
        distance = np.broadcast_to(seen_distance(request, decision, self.params), self._shape)
        won, best_quote = seen_of_trade(list(filled), list(distance))
        self._won, self._best_quote = np.array(won), np.asarray(best_quote)
        answered: tuple[Step, Any] = self._flat((step, self._reward(step, move, self.params)))
        return answered

    def _run(self, request: Request, preference: Number, decision: Decision, move: Move) -> tuple[Step, Any]:
        """`rewarded_step` by machine code: who trades, market by market, and then what it makes of every book."""
        assert self._kernels is not None
        held = tuple(zip(self._rows(self.flat_book.inventory), self._orders(), strict=True))
        asked = request._replace(mid_error=_own(request.mid_error))
        limits, self._won, (self._best_quote,) = self._kernels.route(
            held, asked, self._rows(decision.distance), self._rows(preference)
        )
        given = self._for_all(request)._replace(reservation=self._flat(limits))
        answered: tuple[Step, Any] = self._kernels.law(self.flat_book, given, self._flat(decision), self._flat(move))
        return answered

    def _rows(self, value: Number) -> tuple[Number, ...]:
        """What each dealer has of an array of shape (K, N) or (K * N,), or of one number."""
        dealers = self._shape[0]
        return tuple(value.reshape(self._shape)) if isinstance(value, np.ndarray) else (value,) * dealers

    def _orders(self) -> list[tuple[Number, ...]]:
        """The orders in flight of each dealer."""
        orders = [self._rows(order) for order in self.flat_book.in_flight]
        return [tuple(order[seat] for order in orders) for seat in range(self._shape[0])]

    def _decide(self, seconds: float) -> None:
        """Compile once the law has taken as long as that would."""
        if self._spent is not None:
            self._spent += seconds
            if self._spent > WORTH_COMPILING and numba_works():
                self.compile()

    def _for_all(self, request: Request) -> Request:
        """The request of each market as that to each dealer, parts of shape (K * N,): found once for each."""
        if self._asked[0] is not request:
            side, size, tier, _, error, _ = request
            for_all = self._flat(side)
            wanted = for_all if size is side else self._flat(size)
            self._asked = request, Request(for_all, wanted, self._flat(tier), None, self._flat(error))
        assert self._asked[1] is not None
        return self._asked[1]

    def _flat(self, value: Any) -> Any:
        """What a tree of arrays of shape (K, N), or (N,), holds for each dealer, one after another: shape (K * N,)."""
        if isinstance(value, tuple):
            return with_parts(value, map(self._flat, value))
        if not isinstance(value, np.ndarray):
            return value
        if value.ndim == 1 and self._shape[0] > 1:
            return _repeated(value, self._shape[0])
        return value.reshape(-1)

    def _by_seat(self, value: Any) -> Any:
        """What `_flat` returned as arrays of shape (K, N)."""
        if isinstance(value, tuple):
            return with_parts(value, map(self._by_seat, value))
        return value.reshape(self._shape) if isinstance(value, np.ndarray) else value


class _Kernels(NamedTuple):
    """The machine code of a market: of requests, of steps, and of what is seen."""

    route: VectorKernel
    law: VectorKernel
    look: VectorKernel

    @classmethod
    def of(cls, params: DealersParams, markets: int, reward: Reward[Any]) -> _Kernels:
        """Made for so many markets, and compiled when they are called first."""
        lanes, xp = markets * params.num_dealers, TraceOps()
        return cls(
            VectorKernel(partial(_routed, params=params), markets, stacked=True),
            VectorKernel(partial(dynamics.rewarded_step, reward=reward, params=params, xp=xp), lanes),
            VectorKernel(partial(observation_values, params=params), lanes, np.float32),
        )


def _routed(
    held: tuple[Holding, ...],
    request: Request,
    distances: tuple[Number, ...],
    preference: tuple[Number, ...],
    params: DealersParams,
) -> tuple[Any, ...]:
    """How far from the mid the client would trade with each dealer, and what all of them see of the trade."""
    books = tuple(book_of(each, params) for each in held)
    quotes = tuple(Decision(distance, 0.0, None) for distance in distances)  # nothing is hedged yet
    asked, won, best = requests_by_dealer(books, request, quotes, preference, params, TraceOps())
    return tuple(to.reservation for to in asked), won, (best,)


def _own(value: Any) -> Any:
    """What dealers have of their own, shape (K, N), as a tuple of arrays; anything else as it is."""
    return tuple(value) if isinstance(value, np.ndarray) and value.ndim == 2 else value


def _repeated(row: NDArray[Any], times: int) -> NDArray[Any]:
    """The row so many times over: `np.tile`, faster."""
    rows = np.empty((times, len(row)), row.dtype)
    rows[:] = row
    return rows.reshape(-1)


def with_parts(record: Any, parts: Iterable[Any]) -> Any:
    """A tuple of the same type with other parts."""
    return type(record)._make(parts) if hasattr(record, "_make") else tuple(parts)


def play_dealers(
    policies: Sequence[PolicyFunction], params: DealersParams | str, episodes: int = 1000, seed: int = 0
) -> list[Episodes]:
    """Play whole episodes with a policy in each seat and keep every step.

    Args:
        policies: One for each dealer; from observations of shape (N, observations) to actions.
        params: The market of K dealers, or an id: `mm_env/Dealers-v0` has three.
        episodes: How many.
        seed: Of the episodes, and of policies that draw.

    Returns:
        For each seat, what its dealer did. `play_dealers_blocks` gives any number of them in bounded memory.

    Raises:
        ValueError: Not K policies, or what `play` refuses; an action that is refused names its dealer.

    Example:
        >>> import numpy as np
        >>> never = lambda observations: np.full(len(observations), 20)
        >>> [len(seat) for seat in play_dealers([never, never], DealersParams(num_dealers=2), episodes=5)]
        [5, 5]
    """
    blocks = list(play_dealers_blocks(policies, params, episodes, seed))
    return [Episodes.concatenate(seat) for seat in zip(*blocks, strict=True)]


def play_dealers_blocks(
    policies: Sequence[PolicyFunction], params: DealersParams | str, episodes: int = 1000, seed: int = 0
) -> Iterator[list[Episodes]]:
    """The episodes of `play_dealers`, in blocks, so that any number of them stays in bounded memory."""
    params = params_of_dealers(params)
    if len(policies) != params.num_dealers:
        raise ValueError(f"policies must be one for each of {params.num_dealers} dealers, got {len(policies)}")
    for policy in policies:
        check_play(policy, episodes, seed)
    for seat, policy in enumerate(policies):
        if hasattr(policy, "reset"):
            policy.reset(seed + seat)
    return _blocks(policies, params, episodes, seed)


def _blocks(
    policies: Sequence[PolicyFunction], params: DealersParams, episodes: int, seed: int
) -> Iterator[list[Episodes]]:
    size = min(episodes, max(1, _BLOCK_STEPS // (params.num_trades * params.num_dealers)))
    market = DealersMarket(params, size)
    for start in range(0, episodes, size):
        if episodes - start < size:
            market = DealersMarket(params, episodes - start, market.compiled)
        market.reopen()
        yield _play_block(policies, market, Tape.draw(params, seed, min(size, episodes - start), start))


def _play_block(policies: Sequence[PolicyFunction], market: DealersMarket, tape: Tape) -> list[Episodes]:
    params = market.params
    recorders = [Recorder(params, tape.num_episodes) for _ in policies]
    for trade in range(params.num_trades):
        state, move = tape.state(trade), tape.move(trade, params)
        seen = market.observe(state, params.num_trades - trade)
        chosen = [
            naming_dealer(seat, lambda policy=policy, view=view: decide(policy, view, params))
            for seat, (policy, view) in enumerate(zip(policies, seen, strict=True))
        ]
        decision = stack_decisions(chosen, tape.num_episodes)
        step = market.step(state.request, tape.paths.at(trade).preference, decision, move)
        for seat, recorder in enumerate(recorders):
            recorder.record(*(for_seat(part, seat) for part in (state, decision, step, move)))
    return [recorder.episodes() for recorder in recorders]


def stack_decisions(chosen: Sequence[Decision], markets: int) -> Decision:
    """The decisions of K dealers, each with parts of shape (N,) or one number, as parts of shape (K, N)."""
    parts = zip(*chosen, strict=True)
    return Decision._make(None if part[0] is None else np.stack([_spread(p, markets) for p in part]) for part in parts)


def for_seat(value: Any, seat: int) -> Any:
    """What a named tuple of arrays of shape (K, N) holds for one dealer; what all share stays as it is."""
    if isinstance(value, tuple):
        return with_parts(value, [for_seat(part, seat) for part in value])
    return value[seat] if isinstance(value, np.ndarray) and value.ndim == 2 else value


def naming_dealer(seat: int, decide: Any) -> Any:
    """Call `decide`; a `ValueError` then names the dealer."""
    try:
        return decide()
    except ValueError as error:
        raise ValueError(f"{dealer_name(seat)}: {error}") from error


def dealer_name(seat: int) -> str:
    """What the dealer in a seat is called."""
    return f"dealer_{seat}"


def _spread(part: Any, markets: int) -> Any:
    return np.broadcast_to(np.asarray(part, dtype=np.float64), (markets,))
