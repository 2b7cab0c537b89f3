"""EpisodeKernel: a few episodes one after another, many abreast, both as the function itself would go."""

import numpy as np
import pytest

from mm_env.kernels.episode_kernel import EpisodeKernel, Table, lean, look_up
from mm_env.kernels.tracing import TraceOps

STEPS = 7


def step(memory, sums, given):
    """A position that is looked up, its product with a move summed, and what nobody needs."""
    position, _, again = memory
    move, last, table, row = given
    moved = TraceOps.minimum(position + look_up(table, move), 3.0)
    total = sums[0] + moved * look_up(row, again) + last
    return (moved, position * 2.0, moved), (total, TraceOps.maximum(sums[1], moved), moved)


@pytest.mark.parametrize("episodes", [1, 8, 9, 200])
def test_every_episode_goes_as_alone(episodes):
    pytest.importorskip("numba")
    rng = np.random.default_rng(episodes)
    moves, table = rng.integers(3, size=(STEPS, episodes)).astype(np.int8), np.array([0.0, 0.5, 2.0])
    rows, last = rng.normal(size=(STEPS, 4)), np.arange(STEPS) == STEPS - 1
    out = np.empty((3, episodes))
    EpisodeKernel(step)(out, (0.0, 1.0, 0.0), (-0.0, -np.inf, 0.0), (moves, last, Table(table), Table(rows)), STEPS)
    for episode in range(episodes):
        position, total, largest = 0.0, -0.0, -np.inf
        for time in range(STEPS):
            moved = min(position + table[moves[time, episode]], 3.0)
            total = total + moved * rows[time, int(position)] + last[time]
            position, largest = moved, max(largest, moved)
        assert out[:, episode].tolist() == [total, largest, position]


def flips(memory, sums, given):
    """A side and a flag that are handed on as what they are: 0 times -1 is 0, where real numbers make -0.0 of it."""
    side, seen = memory
    return (side * given[0], seen | (given[1] > 0.75)), (
        sums[0] * 0.5 + side * given[0],
        TraceOps.where(seen, 2.0, 0.25),
    )


@pytest.mark.parametrize("episodes", [1, 9])
def test_whole_numbers_and_flags_are_handed_on_as_such(episodes):
    pytest.importorskip("numba")
    sides, uniforms = np.array([[-1] * episodes, [1] * episodes]), np.array([0.9, 0.1])
    out = np.empty((2, episodes))
    for start in (0, 1):
        EpisodeKernel(flips)(out, (start, False), (-0.0, 0.0), (sides, uniforms), 2)
        assert np.signbit(out[0]).tolist() == [start == 1] * episodes
        assert out.tolist() == [[-1.5 * start] * episodes, [2.0] * episodes]


def test_what_no_sum_needs_is_left_out_and_twins_are_one():
    lines, results = ["t0 = c0 + x4", "t1 = c1 * 2.0", "t2 = c3 + c2"], ["t0", "t1", "t0", "t2"]
    program = lean(lines, results, [0.0, 1.0, 0.0, -0.0], memory=3)
    assert program.lines == ("t0 = c0 + x4", "t2 = c3 + c0")
    assert program.handed_on == ("c0", "c3")
    assert program.sums == (1,)
    assert len(lean(lines, results, [0.0, 1.0, -0.0, -0.0], memory=3).handed_on) == 3
