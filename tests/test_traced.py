import gc
import pickle
from copy import deepcopy
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_env import HedgingEnv, HedgingVectorEnv, MarketParams, Tape, compiled, market
from mm_env.market import REWARDS, Book, Decision, Move
from mm_env.observation import NOBODY, observe, shown
from mm_env.traced import Elementary, Line, leaves, trace
from tests.markets import IDS, market_parameters

BOOK = Book(3.0, 1.0, 100.0, 0.0, 0.0, 0.0)


@given(
    params=market_parameters(max_trades=8),
    seed=st.integers(0, 2**40),
    reward=st.sampled_from(sorted(REWARDS)),
    level=st.integers(0, 3),
    units=st.sampled_from([None, 0.0, 2.0]),
)
@settings(max_examples=100, deadline=None)
def test_a_line_is_the_law(params, seed, reward, level, units):
    """Every number of every step of an episode, bit for bit, and every observation."""
    line = Line(partial(market.rewarded_step, reward=REWARDS[reward], params=params, xp=Elementary))
    look = Line(partial(shown, params=params))
    tape, book = Tape.draw(params, seed, 1), market.opening(params)
    requests, moves = tape.episode(0, params)
    decision = Decision(params.spread, float(level), units)
    for left, (request, move) in enumerate(zip(requests, moves, strict=True)):
        seen = np.array([look(book, request, left)], np.float32)
        np.testing.assert_array_equal(seen, observe(book, request, np.array([left]), params))
        step, earned = market.rewarded_step(book, request, decision, move, REWARDS[reward], params)
        played, got = line(book, request, decision, move)
        assert type(played) is market.Step
        assert type(played.book) is Book
        assert (played, got) == (step, earned)
        book = played.book


def test_a_branch_on_data_is_refused():
    with pytest.raises(TypeError, match="may not branch on data, here on x0: use xp.where"):
        trace(lambda book: book.inventory if book.inventory else 0.0, (BOOK,))
    with pytest.raises(TypeError):
        trace(lambda book: (float(book.inventory),), (BOOK,))


def test_a_trace_reads_only_what_it_needs():
    program = trace(lambda book: (book.mid + 1.0, book.mid + 1.0, book.cash < 0.5, 7.0), (BOOK,))
    assert program.lines == ["t0 = x2 + 1.0", "t1 = x1 < 0.5"]
    assert program.used == [1, 2]
    assert [str(number) for number in leaves(program.result)] == ["t0", "t0", "t1", "7.0"]


def test_a_played_environment_can_be_copied():
    env = HedgingEnv()
    env.reset(seed=0)
    env.step(3)
    twins = [pickle.loads(pickle.dumps(env)), deepcopy(env)]
    expected = env.step(5)
    for twin in twins:
        observation, *rest = twin.step(5)
        np.testing.assert_array_equal(observation, expected[0])
        assert rest == list(expected[1:])


class TestLoop:
    @pytest.fixture(autouse=True)
    def _numba(self):
        pytest.importorskip("numba")

    @pytest.mark.parametrize(("name", "reward"), [*((name, "realised") for name in IDS), (IDS[-1], "expected")])
    def test_lanes_are_the_same_bit_for_bit(self, name, reward):
        """Together, and apart after a mask, over some episodes."""
        arguments = {"num_trades": 5, "autoreset_mode": gym.vector.AutoresetMode.DISABLED, "reward": reward}
        ours, theirs = (
            gym.make_vec(name, 3, vectorization_mode="vector_entry_point", compiled=compiled, **arguments)
            for compiled in (True, False)
        )
        ours.action_space.seed(1)
        assert_alike(ours.reset(seed=4), theirs.reset(seed=4))
        for trade in range(12):
            actions = ours.action_space.sample()
            got = ours.step(actions)
            assert_alike(got, theirs.step(actions))
            ended = got[2] if trade != 2 else np.array([True, False, False])
            if ended.any():
                options = {"reset_mask": ended}
                assert_alike(ours.reset(options=options), theirs.reset(options=options))

    def test_results_are_of_their_own_memory(self):
        """What a step returned stays as it was when others follow, and when it alone is kept."""
        env = HedgingVectorEnv(4, compiled=True)
        env.reset(seed=0)
        observations, rewards, _, _, info = env.step(np.array([1, 2, 3, 4]))
        before = observations.copy(), rewards.copy(), info["equity"].copy()
        for _ in range(5):
            env.step(np.array([0, 0, 0, 0]))
        gc.collect()
        for now, was in zip((observations, rewards, info["equity"]), before, strict=True):
            np.testing.assert_array_equal(now, was)
        rewards += 1.0  # a trainer may
        with pytest.raises(ValueError, match="read-only"):
            info["equity"] += 1.0

    def test_copies_go_on_alike(self):
        env = HedgingVectorEnv(2, compiled=True)
        env.reset(seed=0)
        env.step(np.array([3, 4]))
        twins = [pickle.loads(pickle.dumps(env)), deepcopy(env)]
        expected = env.step(np.array([5, 0]))
        for twin in twins:
            assert_alike(twin.step(np.array([5, 0])), expected)

    def test_markets_that_read_alike_share_machine_code(self):
        compiled.kernel.cache_clear()
        for spread in (0.05, 0.07):
            env = HedgingVectorEnv(2, compiled=True, spread=spread, num_trades=3)
            env.reset(seed=0)
            env.step(np.array([0, 1]))
        assert compiled.kernel.cache_info().currsize == 2  # the step, and what is observed

    def test_what_is_none_may_come_to_be(self):
        """A loop knows its arguments' kinds: a market's hedges may be bounded in one call and not in the next."""
        loop = compiled.Loop(partial(market.step, params=MarketParams(), xp=Elementary), 2)
        book = Book(*(np.full(2, number) for number in BOOK[:-1]))
        move = Move(0.1, 0.0, False, 0.01, 0.0)
        for units in (None, 1.0, None):
            decision = Decision(0.05, 0.0, units)
            expected = market.step(book, NOBODY, decision, move, MarketParams())
            for a, b in zip(leaves(loop(book, NOBODY, decision, move)), leaves(expected), strict=True):
                np.testing.assert_array_equal(a, np.broadcast_to(b, 2))


def test_few_lanes_are_not_compiled_and_numba_is_not_needed(monkeypatch):
    assert not isinstance(HedgingVectorEnv(1023)._play, compiled.Loop)
    monkeypatch.setattr(compiled, "find_spec", lambda name: None)
    many = HedgingVectorEnv(1024)
    assert not isinstance(many._play, compiled.Loop)
    many.reset(seed=0)
    with pytest.raises(ImportError, match=r"compiled=True needs Numba: pip install 'mm_env\[fast\]'"):
        HedgingVectorEnv(2, compiled=True)


def assert_alike(a, b):
    """Two results of reset or step, infos included, bit for bit and of one dtype."""
    for x, y in zip(a, b, strict=True):
        if isinstance(x, dict):
            assert list(x) == list(y)
            assert_alike(x.values(), y.values())
        else:
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)
