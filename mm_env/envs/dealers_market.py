"""DealersMarket: several dealers in each of N markets. The rules are in `dynamics.py`, with one more axis of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from mm_env.envs.action import PolicyFunction, decide
from mm_env.envs.observation import Observations, observation_values, observe
from mm_env.episodes import Episodes, Recorder
from mm_env.kernels.tracing import TraceOps
from mm_env.kernels.vector_kernel import WORTH_COMPILING, VectorKernel, numba_works
from mm_env.market import dynamics
from mm_env.market.competition import (
    competing_steps,
    holding,
    route_to_best_quote,
    seen_by,
    seen_distance,
    seen_of_trade,
)
from mm_env.market.dynamics import Decision, Move, Request, Step
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.numbers import Index, Number, Values
from mm_env.market.params import DealersParams
from mm_env.market.tape import Tape
from mm_env.registration import DEALERS_DEFAULTS as DEALERS_DEFAULTS
from mm_env.registration import params_of_dealers
from mm_env.rollout import check_play

_BLOCK_STEPS = 200_000  # steps of all dealers played at once


class DealersMarket:
    """The books of K dealers in N markets, arrays of shape (K, N), and what they saw of the last trade.

    Args:
        params: The market.
        markets: N.
        compiled: Run the law as machine code: the same numbers bit for bit. Default: where Numba is installed, once
            the law has taken as long as compiling it would.
    """

    def __init__(self, params: DealersParams, markets: int, compiled: bool | None = None) -> None:
        self.params = params
        self._shape = (params.num_dealers, markets)
        self._spent = 0.0 if compiled is None else None  # seconds in the law, until it is compiled
        self._law: VectorKernel | None = None
        self._look: VectorKernel | None = None
        if compiled:
            self.compile()
        self.reopen()

    @property
    def compiled(self) -> bool | None:
        """As the argument, for another market of this kind."""
        return None if self._spent is not None else self._law is not None

    def compile(self) -> None:
        """Run the law as machine code from now on."""
        self._spent = None
        self._law = VectorKernel(partial(_compete, params=self.params), self._shape[1], stacked=True)
        self._look = VectorKernel(partial(_seen_by_each, params=self.params), self._shape[1], np.float32)

    def reopen(self) -> None:
        """Begin anew in every market."""
        everyone = np.ones(self._shape, dtype=np.bool_)
        self.book = dynamics.reset_where(everyone, dynamics.initial_book(self.params), self.params)
        self._won: Values = np.zeros(self._shape)
        self._best_quote: Values = np.zeros(self._shape[1])

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
        if self._look is None:
            return observe(self.book, self.as_seen(state), trades_left, self.params)
        rows = self._look(self._each(self.book), state, tuple(self._won), self._best_quote, trades_left)
        return np.moveaxis(rows.reshape(self._shape[0], -1, self._shape[1]), 1, 2)

    def step(self, request: Request, preference: Number, decision: Decision, move: Move) -> Step:
        """The client of each market trades with the best of its dealers; all hedge and are marked; parts (K, N)."""
        if self._law is not None:
            asked = request._replace(mid_error=for_each(request.mid_error))
            liked = tuple(np.broadcast_to(preference, self._shape))
            given = self._each(self.book), asked, self._each(decision), liked, move
            step: Step
            step, (self._won, best) = self._law(*given)
            self._best_quote = best[0]
        else:
            start = perf_counter()
            step = self._played(request, preference, decision, move)
            self._decide(perf_counter() - start)
        self.book = step.book
        return step

    def _played(self, request: Request, preference: Number, decision: Decision, move: Move) -> Step:
        awarded = route_to_best_quote(self.book, request, decision, preference, self.params)
        step = dynamics.step(self.book, awarded, decision, move, self.params)
        filled = np.broadcast_to(np.asarray(step.filled), self._shape)
        distance = np.broadcast_to(seen_distance(request, decision, self.params), self._shape)
        won, best_quote = seen_of_trade(list(filled), list(distance))
        self._won, self._best_quote = np.array(won), np.asarray(best_quote)
        return step

    def _decide(self, seconds: float) -> None:
        """Compile once the law has taken as long as that would."""
        if self._spent is not None:
            self._spent += seconds
            if self._spent > WORTH_COMPILING and numba_works():
                self.compile()

    def _each(self, record: Any) -> tuple[Any, ...]:
        """A record with parts of shape (K, N) as one for each dealer."""
        return tuple(for_seat(record, seat) for seat in range(self._shape[0]))


def for_each(value: Any) -> Any:
    """What dealers have of their own, shape (K, N), as a tuple of arrays; anything else as it is."""
    return tuple(value) if isinstance(value, np.ndarray) and value.ndim == 2 else value


def _compete(
    books: Any, request: Request, decisions: Any, preference: Any, move: Move, params: DealersParams
) -> tuple[Any, ...]:
    """`competing_steps`, each part of a step with an entry for every dealer."""
    steps, won, best = competing_steps(books, request, decisions, preference, move, params, TraceOps())
    return _side_by_side(steps), (won, (best,))


def _side_by_side(records: tuple[Any, ...]) -> Any:
    """Records of numbers, one for each dealer, as one record of tuples."""
    first = records[0]
    if not isinstance(first, tuple):
        return records
    parts = [_side_by_side(part) for part in zip(*records, strict=True)]
    return first._make(parts) if hasattr(first, "_make") else tuple(parts)


def _seen_by_each(
    books: Any, state: ExogenousState, won: Any, best: Number, trades_left: Number, params: DealersParams
) -> tuple[Any, ...]:
    """What every dealer sees, one after another."""
    seen, held = list[Number](), tuple(map(holding, books))
    for seat, book in enumerate(books):
        observed = seen_by(seat, state.observed, won, best, held, params)
        seen += observation_values(book, state._replace(observed=observed), trades_left, params)
    return tuple(seen)


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
        parts = [for_seat(part, seat) for part in value]
        return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)
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
