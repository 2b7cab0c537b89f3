"""The machine code's random numbers are NumPy's own, and the episodes made of them those of `EpisodeSource`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_env.kernels.compiled_source import CompiledSource
from mm_env.kernels.random_numbers import columns
from mm_env.market.random_streams import RandomStreams, leaps
from mm_env.market.tape import EpisodeSource
from tests.markets import market_parameters

pytest.importorskip("numba")

SEEDS, BLOCKS = [0, 7, 2**70], [0, 3, 1]  # of each lane
TAIL = 3.6541528853610088  # where it begins


def generators():
    """NumPy's own, where each lane's block begins."""
    return [np.random.Generator(np.random.PCG64DXSM(s).jumped(b)) for s, b in zip(SEEDS, BLOCKS, strict=True)]


def drawn(*calls, draws, blocks):
    """What the functions of these names fill, one after another, from the same generators; a row for each lane."""
    states = columns().begun(RandomStreams(SEEDS).origins, leaps(BLOCKS))
    for name, dtype in calls:
        out = np.full((draws, blocks, len(SEEDS) + 3), 77, dtype)
        together = np.empty((len(SEEDS), draws * blocks), dtype)
        along, across = getattr(columns(), name)
        along(states.copy(), together)
        across(states, out, 2)  # neither the first lanes nor the last
        np.testing.assert_array_equal(out[..., 2:-1].transpose(2, 1, 0).reshape(len(SEEDS), -1), together)
        assert (out[..., [0, 1, -1]] == 77).all()
        yield together


def test_normal_numbers_are_numpys_the_tail_included():
    (ours,) = drawn(("normals", np.float32), draws=400_000, blocks=2)
    theirs = np.array([each.standard_normal(800_000, np.float32) for each in generators()])
    assert ours.tobytes() == theirs.tobytes()
    assert (theirs > TAIL).sum() > 100
    assert (theirs < -TAIL).sum() > 100


def test_numbers_of_several_kinds_follow_one_another_as_numpys():
    """An odd number of half words leaves one waiting, which whole words pass by."""
    calls = [("uniforms", np.float32), ("side_bytes", np.uint8), ("uniforms", np.float32), ("normals", np.float32)]
    first, sides, second, last = drawn(*calls, draws=3, blocks=3)
    for lane, each in enumerate(generators()):
        np.testing.assert_array_equal(first[lane], each.random(9, np.float32))
        words = each.bit_generator.random_raw(2).astype("<u8")
        np.testing.assert_array_equal(sides[lane], words.view(np.uint8)[:9])
        np.testing.assert_array_equal(second[lane], each.random(9, np.float32))
        np.testing.assert_array_equal(last[lane], each.standard_normal(9, np.float32))


def check_rows(params, lanes, number):
    """Every path of some lanes' blocks, bit for bit and of one dtype; drawn twice into the same memory."""
    ours, theirs = (kind(params, list(range(5, 45))) for kind in (CompiledSource, EpisodeSource))
    for block in (number, 0):
        numbers = [block + place % 2 for place, _ in enumerate(lanes)]
        pairs = zip(ours.rows(lanes, numbers).flattened(), theirs.rows(lanes, numbers).flattened(), strict=True)
        for mine, its in pairs:
            if isinstance(its, np.ndarray):
                assert mine.dtype == its.dtype
                assert mine.shape == its.shape == (theirs.block, params.num_trades, len(lanes))
                assert mine.tobytes() == its.tobytes()
            else:
                assert mine == its


ANY_LANES = st.lists(st.integers(0, 39), min_size=1, max_size=20, unique=True)


@given(params=market_parameters(), lanes=ANY_LANES, number=st.integers(0, 2**20))
@settings(max_examples=25, deadline=None)
def test_episodes_are_the_same(params, lanes, number):
    check_rows(params, lanes, number)


@pytest.mark.slow
@given(params=market_parameters(max_trades=300), lanes=ANY_LANES, number=st.integers(0, 2**60))
@settings(max_examples=2000, deadline=None)
def test_so_they_are_in_very_many_markets(params, lanes, number):
    check_rows(params, lanes, number)
