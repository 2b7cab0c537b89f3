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
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape
from mm_env.registration import params_of_market
from mm_env.rollout import play_blocks

_WORTH_COMPILING = 10_000_000  # requests
_STEPS_AT_ONCE = 100_000  # of a tape: about as much as the processor's cache holds


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
    start, sums = RunningTotals.start(), np.empty((RunningTotals.numbers(), episodes))
    kernel = EpisodeKernel(partial(_step, table, params))
    source, steps = CompiledSource(params, [seed]), params.num_trades
    last = np.arange(1, steps + 1) == steps
    several = max(1, _STEPS_AT_ONCE // steps // source.block)
    for first in range(0, -(-episodes // source.block), several):
        tape = source.draw([0] * several, range(first, first + several))
        begin = first * source.block
        part = slice(begin, min(begin + tape.num_episodes, episodes))
        given = (tape.paths.state(), tape.paths.move(last[:, None], params)._replace(last=last), table)
        kernel(sums, part, dynamics.initial_book(params), start, given, steps)
        progress(part.stop - part.start)
    return RunningTotals.ended(sums, steps)


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
