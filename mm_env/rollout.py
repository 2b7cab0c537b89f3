"""Play a policy in a market, many episodes at once, on the same tapes for every policy."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from mm_env.envs.action import ActionDecoder, PolicyFunction, decode_actions
from mm_env.envs.observation import observe, values_of_parts
from mm_env.envs.predictor import says_it_is_a_function
from mm_env.episodes import Episodes, Recorder
from mm_env.kernels.scalar_kernel import straight
from mm_env.kernels.tracing import TraceOps
from mm_env.market import dynamics
from mm_env.market.dynamics import Book, Decision, Request
from mm_env.market.exogenous_state import ObservedState
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape, check_tape
from mm_env.market.validation import check_whole
from mm_env.pools.worker_pool import in_order
from mm_env.registration import params_of_market

_LONG = 1_000  # trades of an episode alone, from which plain numbers pay
_STRETCH = 10_000  # trades of it that are plain numbers at once
_BLOCK_STEPS = 200_000  # steps played at once: about 25 MB of results, a few times the processor's cache


def play(
    policy: PolicyFunction,
    params: MarketParams | str,
    episodes: int | None = None,
    seed: int = 0,
    tape: Tape | None = None,
    workers: int = 1,
) -> Episodes:
    """Play whole episodes and keep every step.

    Args:
        policy: From observations of shape (N, observations) to actions of shape (N,). If it has a method
            `reset(seed)`, that is called first.
        params: The market, or the id of a registered one.
        episodes: How many; default 1,000, or all of a recorded tape.
        seed: Of the episodes, and of a policy that draws; equal seeds give every policy the same market. A recorded
            tape is played from its first episode whatever the seed.
        tape: A recorded tape to play instead of drawn episodes.
        workers: Processes: the same episodes bit for bit. What they need of the policy says
            `mm_env.pools.worker_pool.at_once`; it has to say as well that it is a function of the observation, by an
            attribute `memoryless` or `pure`, for what one that draws or remembers does depends on all it did before.

    Returns:
        The episodes: about 125 bytes a step, twice that while they are put together. `play_blocks` gives any number
        of them in bounded memory.

    Raises:
        ValueError: A bad policy, number of episodes, seed, tape, action or number of workers.

    Example:
        >>> import numpy as np
        >>> never_hedge = lambda observations: np.full(len(observations), 20)
        >>> play(never_hedge, MarketParams(), episodes=5, seed=0).inventory.shape
        (5, 100)
    """
    return Episodes.concatenate(list(play_blocks(policy, params, episodes, seed, tape, workers)))


def play_blocks(
    policy: PolicyFunction,
    params: MarketParams | str,
    episodes: int | None = None,
    seed: int = 0,
    tape: Tape | None = None,
    workers: int = 1,
) -> Iterator[Episodes]:
    """The episodes of `play`, in blocks, so that any number of them stays in bounded memory."""
    params = params_of_market(params)
    for name, alone in (("num_dealers", 1), ("view_noise", 0)):
        if getattr(params, name) > alone:
            raise ValueError(f"{name}={getattr(params, name)}: dealers who compete are played by mm_env.play_dealers")
    if tape is not None:
        check_tape(tape, params)
        tape = tape.shown_in(params)
    if episodes is None:
        episodes = 1000 if tape is None else tape.num_episodes
    check_play(policy, episodes, seed, most=2**53 if tape is None else tape.num_episodes)
    if hasattr(policy, "reset"):
        policy.reset(seed)
    if check_whole("workers", workers, 1) > 1 and not says_it_is_a_function(policy):
        raise ValueError(f"workers={workers} needs a policy with memoryless=True or pure=True, got {policy!r}")
    size = max(1, _BLOCK_STEPS // params.num_trades)
    parts = (slice(start, min(start + size, episodes)) for start in range(0, episodes, size))
    return in_order(partial(_play_part, policy, params, seed, tape), parts, workers)


def _play_part(policy: PolicyFunction, params: MarketParams, seed: int, tape: Tape | None, part: slice) -> Episodes:
    """Play some neighbouring episodes."""
    if tape is None:
        return play_tape(policy, params, Tape.draw(params, seed, part.stop - part.start, part.start))
    return play_tape(policy, params, tape.columns(part))


def play_tape(policy: PolicyFunction, params: MarketParams, tape: Tape) -> Episodes:
    """Play every episode of one tape side by side."""
    if tape.num_episodes == 1 and params.num_trades >= _LONG:
        return _play_alone(policy, params, tape)
    everyone = np.ones(tape.num_episodes, dtype=np.bool_)
    book = dynamics.reset_where(everyone, dynamics.initial_book(params), params)
    recorder = Recorder(params, tape.num_episodes)
    for trade in range(params.num_trades):
        state, move = tape.state(trade), tape.move(trade, params)
        observations = observe(book, state, params.num_trades - trade, params)
        decision = decode_actions(policy(observations), tape.num_episodes, params)
        step = dynamics.step(book, state.request, decision, move, params)
        recorder.record(state, decision, step, move)
        book = step.book
    return recorder.episodes()


def _play_alone(policy: PolicyFunction, params: MarketParams, tape: Tape) -> Episodes:
    """Play one long episode in plain numbers: what arrays of one would give, bit for bit, many times faster."""
    law = straight(partial(dynamics.step, params=params, xp=TraceOps()))
    decide = _decider(policy, params)
    book, recorder = dynamics.initial_book(params), Recorder(params, 1)
    for start in range(0, params.num_trades, _STRETCH):
        stop = min(start + _STRETCH, params.num_trades)
        decisions, steps = [], []
        with _no_search_for_cycles():
            for left, request, observed, move in zip(
                range(params.num_trades - start, 0, -1), *tape.episode(0, params, start, stop), strict=False
            ):
                decision = decide(book, request, observed, left)
                step = law(book, request, decision, move)
                decisions.append(decision)
                steps.append(step)
                book = step.book
            decided, stepped = _stacked(decisions), _stacked(steps)
        stretch = tape.paths.at(slice(start, stop))
        move = stretch.move(np.arange(start + 1, stop + 1)[:, None] == params.num_trades, params)
        recorder.record(stretch.state(), decided, stepped, move, stop - start)
    return recorder.episodes()


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Python looks for no cycles of references within: among tens of thousands of records that costs half the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _decider(policy: PolicyFunction, params: MarketParams) -> Callable[[Book, Request, ObservedState, int], Decision]:
    """What the policy decides of a state in plain numbers; one that always decides the same is not shown it."""
    fixed = getattr(policy, "decision", None) if getattr(policy, "params", None) == params else None
    if fixed is not None:
        return lambda book, request, observed, left: fixed
    look, decode = straight(partial(values_of_parts, params=params)), ActionDecoder(params)

    def decide(book: Book, request: Request, observed: ObservedState, left: int) -> Decision:
        actions = np.asarray(policy(np.array([look(book, request, observed, left)], np.float32)))
        if actions.shape[:1] != (1,):
            return decode_actions(actions, 1, params)  # which refuses it
        return decode(actions[0])

    return decide


def _stacked(records: Sequence[Any]) -> Any:
    """Records of plain numbers, one for each step, as one record of arrays of shape (steps, 1)."""
    first = records[0]
    if not isinstance(first, tuple):
        return None if first is None else np.array(records)[:, None]
    parts = map(_stacked, zip(*records, strict=True))
    return first._make(parts) if hasattr(first, "_make") else tuple(parts)


def check_play(policy: object, episodes: object, seed: object, most: int = 2**53) -> None:
    """Raise `ValueError` unless the policy can be called and the numbers are what they should be."""
    if not callable(policy):
        raise ValueError(f"policy must be callable, as baselines.make_policy(name, params) returns, got {policy!r}")
    check_whole("episodes", episodes, 1, most)
    check_whole("seed", seed, 0, 2**128)
