"""play_totals: what a policy makes of episodes, by machine code where that pays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from baselines.evaluation.totals import RunningTotals, Totals
from baselines.solver.decision_table import LARGEST_TABLE, DecisionTable
from mm_env.envs.action import PolicyFunction
from mm_env.episodes import Episodes
from mm_env.kernels.compiled_source import CompiledSource
from mm_env.kernels.episode_kernel import EpisodeKernel
from mm_env.kernels.tracing import TraceOps, Tree
from mm_env.kernels.vector_kernel import numba_works
from mm_env.market import dynamics
from mm_env.market.dynamics import Move
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.market_paths import MarketPaths
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape
from mm_env.registration import params_of_market
from mm_env.rollout import play_blocks

_WORTH_COMPILING = 10_000_000  # requests
_STEPS_AT_ONCE = 100_000  # of a tape: about as much as the processor's cache holds
_SIDE_BY_SIDE = 16  # blocks whose rows fill whole lines of the cache


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
    sums = np.empty((RunningTotals.numbers(), episodes))
    kernel = EpisodeKernel(partial(_step, table, params))
    source, steps = CompiledSource(params, [seed]), params.num_trades
    blocks = -(-episodes // source.block)
    several = max(1, _STEPS_AT_ONCE // steps // source.block)
    several = several // _SIDE_BY_SIDE * _SIDE_BY_SIDE or several
    for first in range(0, blocks, several):
        numbers = range(first, min(first + several, blocks))
        drawn = np.empty((len(sums), source.block, len(numbers)))
        given = (*_side_by_side(source.rows([0] * len(numbers), numbers), params), table)
        kernel(drawn.reshape(len(sums), -1), dynamics.initial_book(params), RunningTotals.start(), given, steps)
        part = sums[:, first * source.block :][:, : len(numbers) * source.block]
        part[:] = drawn.swapaxes(1, 2).reshape(len(sums), -1)[:, : part.shape[1]]
        progress(part.shape[1])
    return RunningTotals.ended(sums, steps)


def _side_by_side(paths: MarketPaths, params: MarketParams) -> tuple[ExogenousState, Move]:
    """What the paths of episodes, shape (block, trades, lanes), make of each step: shape (trades, block * lanes)."""
    paths = paths.map(lambda values: values.swapaxes(0, 1).reshape(params.num_trades, -1))
    last = np.zeros(params.num_trades, np.bool_)
    last[-1] = True
    return paths.state(), paths.move(last[:, None], params)._replace(last=last)


def _step(
    table: DecisionTable, params: MarketParams, book: Tree, running: RunningTotals, given: Tree
) -> tuple[Tree, Tree]:
    """One step of an episode, traced: decide, play, sum up."""
    state, move, traced = given
    decision = table.look_up(traced, book, state, params)
    step = dynamics.step(book, state.request, decision, move, params, TraceOps())
    return step.book, running.after(state, decision, step, move, params, TraceOps())


def _counted(blocks: Iterator[Episodes], progress: Callable[[int], None]) -> Iterator[Episodes]:
    for block in blocks:
        yield block
        progress(len(block))
