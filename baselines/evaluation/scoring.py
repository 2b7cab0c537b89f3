"""play_totals: what a policy makes of episodes, by machine code where that pays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from baselines.evaluation.totals import RunningTotals, Totals
from baselines.solver.decision_table import LARGEST_TABLE, DecisionTable
from mm_env.envs.action import PolicyFunction
from mm_env.episodes import Episodes
from mm_env.kernels.compiled_source import CompiledSource
from mm_env.kernels.episode_kernel import EpisodeKernel
from mm_env.kernels.one_step import flow_of, flow_start
from mm_env.kernels.tracing import TraceOps, Tree
from mm_env.kernels.vector_kernel import numba_works
from mm_env.market import dynamics
from mm_env.market.dynamics import Move
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.flow import is_traceable
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape
from mm_env.registration import params_of_market
from mm_env.rollout import play_blocks

_WORTH_COMPILING = 10_000_000  # requests
_STEPS_AT_ONCE = 260_000  # of a tape: about as much as the processor's cache holds
_SIDE_BY_SIDE = 64  # blocks whose rows fill whole lines of the cache


def play_totals(
    policy: PolicyFunction,
    params: MarketParams | str,
    episodes: int | None = None,
    seed: int = 0,
    tape: Tape | None = None,
    progress: Callable[[int], None] = lambda episodes: None,
    compiled: bool | None = None,
) -> Totals:
    """The totals of the episodes that `mm_env.play` plays, in bounded memory.

    Args:
        policy: As of `play`.
        params: The market, or the id of a registered one.
        episodes: How many; default 1,000, or all of a recorded tape.
        seed: Of the episodes.
        tape: A recorded tape instead of drawn episodes.
        progress: Called with the number of episodes just played.
        compiled: Whether to play by machine code, which keeps no step: the same totals bit for bit, many times
            faster, and seconds to compile. It takes Numba, drawn episodes, and a policy that says it is `memoryless`,
            in a market where what it can see is listed. Default: where all that is so, of ten million requests.

    Raises:
        ValueError: What `play` refuses; or `compiled=True` where it cannot be.
    """
    params = params_of_market(params)
    blocks = play_blocks(policy, params, episodes, seed, tape)  # which checks them
    number = (1000 if tape is None else tape.num_episodes) if episodes is None else int(episodes)
    requests = number * params.num_trades
    table = None
    if compiled is not False and tape is None and (compiled or requests >= _WORTH_COMPILING) and numba_works():
        most = LARGEST_TABLE if compiled else requests
        table = DecisionTable.of(policy, params, most) if getattr(policy, "memoryless", False) else None
    if table is None and compiled:
        raise ValueError("compiled=True needs Numba, drawn episodes and a memoryless policy in a market that is listed")
    if table is not None:
        return _played(table, params, number, seed, progress)
    return Totals.gather(_counted(blocks, progress))


def _played(
    table: DecisionTable, params: MarketParams, episodes: int, seed: int, progress: Callable[[int], None]
) -> Totals:
    """The totals of a policy's episodes."""
    kernel = EpisodeKernel(partial(_step, table, params))
    source, steps = CompiledSource(params, [seed]), params.num_trades
    start = dynamics.initial_book(params), flow_start(params) if is_traceable(params) else ()
    blocks = -(-episodes // source.block)
    sums = np.empty((RunningTotals.numbers(), blocks, source.block))
    several = max(1, _STEPS_AT_ONCE // steps // source.block)
    several = several // _SIDE_BY_SIDE * _SIDE_BY_SIDE or several
    for first in range(0, blocks, several):
        numbers = range(first, min(first + several, blocks))
        played = np.empty((len(sums), source.block, len(numbers)))
        given = _given(source, numbers, params), table
        kernel(played.reshape(len(sums), -1), start, RunningTotals.start(), given, steps)
        sums[:, numbers.start : numbers.stop] = played.swapaxes(1, 2)
        progress(min(numbers.stop * source.block, episodes) - first * source.block)
    return RunningTotals.ended(sums.reshape(len(sums), -1)[:, :episodes], steps)


def _given(source: CompiledSource, numbers: Sequence[int], params: MarketParams) -> Tree:
    """What the steps of these blocks are given: random numbers, or what they mean where that cannot be traced."""
    first, last = np.zeros((2, params.num_trades), np.bool_)
    first[0] = last[-1] = True
    if is_traceable(params):
        return source.noise([0] * len(numbers), numbers), first, last
    paths = source.rows([0] * len(numbers), numbers).map(lambda values: values.swapaxes(0, 1).reshape(len(last), -1))
    return paths.state(), paths.move(last[:, None], params)._replace(last=last)


def _step(
    table: DecisionTable, params: MarketParams, memory: Tree, running: RunningTotals, given: Tree
) -> tuple[Tree, Tree]:
    """One step of an episode, traced: what happens, decide, play, sum up."""
    (book, before), (world, traced) = memory, given
    state, move, after = _happening(world, before, params) if is_traceable(params) else (*world, ())
    decision = table.look_up(traced, book, state, params)
    step = dynamics.step(book, state.request, decision, move, params, TraceOps())
    return (step.book, after), running.after(state, decision, step, move, params, TraceOps())


def _happening(world: Tree, before: Tree, params: MarketParams) -> tuple[ExogenousState, Move, Tree]:
    """What the random numbers of a step mean, traced: what the dealer sees, what follows, and what is remembered."""
    noise, first, last = world
    paths, over = flow_of(noise, before, first, params)
    return paths.state(), paths.move(last, params, over.pick), tuple(over.after)


def _counted(blocks: Iterator[Episodes], progress: Callable[[int], None]) -> Iterator[Episodes]:
    for block in blocks:
        yield block
        progress(len(block))
