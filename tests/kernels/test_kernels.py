import gc
import itertools
import math
import pickle
import platform
import re
import sys
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_env import MARKETS, HedgingEnv, HedgingVectorEnv, MarketParams, Tape, market_params
from mm_env.envs import hedging_vector_env
from mm_env.envs.action import decode_actions
from mm_env.envs.observation import observation_values, observe
from mm_env.kernels import scalar_ops, vector_kernel
from mm_env.kernels.scalar_kernel import ScalarKernel, folded
from mm_env.kernels.tracing import TraceOps, defined, leaves, lifted, trace
from mm_env.market import dynamics
from mm_env.market.dynamics import REWARDS, Book, Decision, Move
from mm_env.market.exogenous_state import NO_REQUEST, ExogenousState
from tests.markets import IDS, market_parameters, of_a_kind, sets

BOOK = Book(3.0, 1.0, 100.0, 0.0, 0.0, 0.0)

ANY_MARKET = {
    "params": market_parameters(max_trades=4),
    "mode": st.sampled_from(list(AutoresetMode)),
    "changes": st.sampled_from([{}, {"hedge_action": "units"}, {"continuous": True}]),
}


@given(
    params=market_parameters(max_trades=8),
    seed=st.integers(0, 2**40),
    reward=st.sampled_from(sorted(REWARDS)),
    level=st.integers(0, 3),
    units=st.sampled_from([None, 0.0, 2.0]),
)
@settings(max_examples=100, deadline=None)
def test_a_scalar_kernel_is_the_law(params, seed, reward, level, units):
    """Every number of every step of an episode, bit for bit, and every observation."""
    line = ScalarKernel(partial(dynamics.rewarded_step, reward=REWARDS[reward], params=params, xp=TraceOps()))
    look = ScalarKernel(partial(observation_values, params=params))
    tape, book = Tape.draw(params, seed, 1), dynamics.initial_book(params)
    *states, moves = tape.episode(0, params)
    decision = Decision(params.spread, float(level), units)
    for left, (state, move) in enumerate(zip(map(ExogenousState, *states), moves, strict=True)):
        assert_same_bits(
            np.array([look(book, state, left)], np.float32), observe(book, state, np.array([left]), params)
        )
        step, earned = dynamics.rewarded_step(book, state.request, decision, move, REWARDS[reward], params, scalar_ops)
        played, got = line(book, state.request, decision, move)
        assert type(played) is dynamics.Step
        assert type(played.book) is Book
        for mine, its in zip(leaves((played, got)), leaves((step, earned)), strict=True):
            assert type(mine) is type(its)
            assert_same_bits(np.array(mine), np.array(its))
        book = played.book


def test_a_branch_on_data_is_refused():
    with pytest.raises(TypeError, match="may not branch on data, here on x0: use xp.where"):
        trace(lambda book: book.inventory if book.inventory else 0.0, (BOOK,))
    with pytest.raises(TypeError):
        trace(lambda book: (float(book.inventory),), (BOOK,))


def test_what_a_trace_cannot_hold_is_refused():
    with pytest.raises(TypeError):
        trace(lambda book: (np.sign(book.inventory),), (BOOK,))
    with pytest.raises(TypeError):
        trace(lambda book: (book.inventory**2,), (BOOK,))


def test_constants_are_kept():
    line = ScalarKernel(
        lambda book: (
            book.mid * float("inf"),
            -(book.mid - -0.5),
            TraceOps.maximum(1.0, 2.0),
            True & (book.mid > 0),
            TraceOps.where(book.cash > 5, np.float32(0.1), -np.inf),
        )
    )
    assert line(BOOK) == (np.inf, -100.5, 2.0, True, -np.inf)


def test_what_is_read_once_stands_where_it_is_read():
    lines = ["x0 = a0[0]", "t0 = x0 - x1", "t1 = -x1", "t2 = t0 if t0 > t1 else t1", "t3 = t2 == t1", "return (t3,)"]
    assert folded(lines) == ["t0 = a0[0] - x1", "t1 = -x1", "return (((t0 if t0 > t1 else t1) == t1),)"]
    chain = [f"t{place} = t{place - 1} + 1.0" for place in range(1, 1000)]  # deeper than Python's parser goes
    assert defined("sum(t0)", folded([*chain, "return t999"]), {})(0.0) == 999.0


def test_dictionaries_are_built():
    line = ScalarKernel(lambda book: (book.mid, {"cash": -book.cash, "nothing": 0.0}))
    assert line(BOOK) == (BOOK.mid, {"cash": -BOOK.cash, "nothing": 0.0})


def test_a_trace_reads_only_what_it_needs():
    program = trace(lambda book: (book.mid + 1.0, book.mid + 1.0, book.cash < 0.5, 7.0), (BOOK,))
    assert program.lines == ["t0 = x2 + 1.0", "t1 = x1 < 0.5"]
    assert program.used == [1, 2]
    assert [str(number) for number in leaves(program.result)] == ["t0", "t0", "t1", "7.0"]


def test_constants_get_names():
    lines, results = ["t0 = x1[i] * 0.3", "t1 = where(t0 > 1e-05, 0.3, -2.5)", "t2 = t1 * 1.0 < 12"], ["t2", "0.0"]
    named = ["t0 = x1[i] * k0", "t1 = where(t0 > k1, k0, -k2)", "t2 = t1 * 1.0 < 12"]
    assert lifted(lines, results) == (named, results, ["0.3", "1e-05", "2.5"])


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


class TestVectorKernel:
    @pytest.fixture(autouse=True)
    def _numba(self):
        pytest.importorskip("numba")

    @pytest.mark.parametrize(("name", "reward"), [*((name, "realised") for name in IDS), (IDS[-1], "expected")])
    def test_lanes_are_the_same_bit_for_bit(self, name, reward):
        """Together, and apart after a mask, over some episodes."""
        ours, theirs = twins(market_params(name, num_trades=5), AutoresetMode.DISABLED, reward=reward)
        for trade in range(12):
            got = assert_steps_alike(ours, theirs)
            ended = got[2] if trade != 2 else np.array([True, False, False])
            if ended.any():
                options = {"reset_mask": ended}
                assert_alike(ours.reset(options=options), theirs.reset(options=options))

    @given(**ANY_MARKET)
    @settings(max_examples=6, deadline=None)
    def test_so_they_are_in_any_market(self, params, mode, changes):
        self.check_any_market(params, mode, changes)

    @pytest.mark.slow
    @given(**ANY_MARKET, seed=st.integers(0, 2**32))
    @settings(max_examples=sets(500), deadline=None)
    def test_so_they_are_in_many_markets(self, params, mode, changes, seed):
        for each in of_a_kind(params, seed):
            self.check_any_market(each, mode, changes)

    def check_any_market(self, params, mode, changes):
        """Compiled as not, in every mode; reset by hand, some lanes early; the first lane as a single environment."""
        ours, theirs = twins(params.replace(**changes), mode)
        alone = HedgingEnv(**params.replace(**changes).to_dict())
        assert_same_bits(alone.reset(seed=4)[0], theirs.reset(seed=4)[0][0])
        ours.reset(seed=4)
        first_episode = True
        for trade in range(10):
            actions = ours.action_space.sample()
            got = ours.step(actions)
            assert_alike(got, theirs.step(actions))
            if first_episode:
                _, reward, ended, _, _ = alone.step(actions[0])
                assert_same_bits(np.array(reward), got[1][0])
                first_episode = not ended
            if mode is AutoresetMode.DISABLED:
                mask = got[2] | np.array([False, trade == 1, False])
                if mask.any():
                    options = {"reset_mask": mask}
                    assert_alike(ours.reset(options=options), theirs.reset(options=options))

    def test_so_they_are_on_a_recorded_tape(self):
        tape = Tape.replay(sides=[[1, 0, -1]], price_moves=[[0.5, -0.0, 1.0]], sizes=[[1, 1, 2]])
        ours, theirs = twins(MarketParams(num_trades=3), AutoresetMode.NEXT_STEP, tape=tape)
        for _ in range(9):
            assert_steps_alike(ours, theirs)

    def test_markets_that_differ_by_numbers_share_machine_code(self):
        compiled = []
        for spread, volatility in ((0.05, 0.3), (0.07, 0.2)):
            env = HedgingVectorEnv(3, compiled=True, spread=spread, price_volatility=volatility)
            env.reset(seed=0)
            env.step(np.array([1, 2, 3]))
            compiled.append(vector_kernel.kernel.cache_info().misses)
        assert compiled[0] == compiled[1]

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
        vector_kernel.kernel.cache_clear()
        for spread in (0.05, 0.07):
            env = HedgingVectorEnv(2, compiled=True, spread=spread, num_trades=3)
            env.reset(seed=0)
            env.step(np.array([0, 1]))
        assert vector_kernel.kernel.cache_info().currsize == 2  # the step, and what is observed

    @pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="instructions of x86-64")
    @pytest.mark.parametrize("name", ["mm_env/Hedging-v0", "mm_env/DynamicSpread-v0"])
    def test_instructions_serve_several_lanes_at_once(self, name, monkeypatch):
        """LLVM packs what it finds side by side in memory, in loops that write few rows."""
        monkeypatch.setenv("MM_ENV_CACHE_DIR", "")  # what comes from the cache cannot be read
        vector_kernel.kernel.cache_clear()
        env = HedgingVectorEnv(64, compiled=True, **MARKETS[name].changes)
        env.reset(seed=0)
        env.step(env.action_space.sample())
        decision = decode_actions(env.action_space.sample(), 64, env.params)
        assert all(np.asarray(part).flags.c_contiguous for part in decision)
        (run,) = env._flow.answer._compiled.values()
        (code,) = run.__globals__["loops"].inspect_asm().values()
        assert len(re.findall(r"v?(?:add|sub|mul)pd", code)) > 20

    def test_what_is_none_may_come_to_be(self):
        """A loop knows its arguments' kinds: a market's hedges may be bounded in one call and not in the next."""
        loop = vector_kernel.VectorKernel(partial(dynamics.step, params=MarketParams(), xp=TraceOps()), 2)
        book = Book(*(np.full(2, number) for number in BOOK[:-1]))
        move = Move(0.1, 0.0, False, 0.01, 0.0)
        for units in (None, 1.0, None):
            decision = Decision(0.05, 0.0, units)
            expected = dynamics.step(book, NO_REQUEST.request, decision, move, MarketParams())
            for a, b in zip(leaves(loop(book, NO_REQUEST.request, decision, move)), leaves(expected), strict=True):
                np.testing.assert_array_equal(a, np.broadcast_to(b, 2))

    def test_a_flag_is_a_column_of_a_table_and_a_flag_of_a_tree(self):
        book = Book(*(np.full(2, number) for number in BOOK[:-1]))
        is_long = partial(lambda book, request: (book.inventory > 0, book.mid, request.informed))
        request = NO_REQUEST.request._replace(informed=np.array([True, False]))
        np.testing.assert_array_equal(
            vector_kernel.VectorKernel(is_long, 2, np.float32)(book, request), [[1, 1], [100, 100], [1, 0]]
        )
        long, _, informed = vector_kernel.VectorKernel(is_long, 2)(book, request)
        assert long.dtype == informed.dtype == np.bool_

    def test_arrays_of_another_length_are_refused(self):
        loop = vector_kernel.VectorKernel(partial(lambda book: (book.mid + 1.0,)), 5)
        with pytest.raises(ValueError, match=r"must have shape \(5,\), got \(2,\)"):
            loop(Book(*(np.full(2, number) for number in BOOK[:-1])))

    def test_it_begins_when_it_pays(self, monkeypatch):
        monkeypatch.setattr(hedging_vector_env, "WORTH_COMPILING", 0.0)
        env = HedgingVectorEnv(2, num_trades=5)
        never = HedgingVectorEnv(2, num_trades=5, compiled=False)
        assert_alike(env.reset(seed=0), never.reset(seed=0))
        for trade in range(18):
            assert isinstance(env._answers, vector_kernel.VectorKernel) is (trade >= 6)  # the second episode
            assert_steps_alike(env, never)
        assert not isinstance(never._answers, vector_kernel.VectorKernel)


@pytest.mark.parametrize("name", scalar_ops.BODIES)
def test_what_stands_for_a_call_is_the_function(name):
    function, numbers = getattr(scalar_ops, name), (-1.5, -0.0, 0.0, 2.0)
    places = function.__code__.co_argcount
    for operands in itertools.product(*[(True, False)] * (places - 2), *[numbers] * 2):
        body = eval(scalar_ops.BODIES[name].format(*operands))
        assert (body, math.copysign(1, body)) == (function(*operands), math.copysign(1, function(*operands)))


@pytest.mark.parametrize("value", ["no", 2, 0.5])
def test_compiled_is_yes_or_no(value):
    with pytest.raises(ValueError, match="compiled must be True, False or None"):
        HedgingVectorEnv(2, compiled=value)


def test_numba_is_not_needed(monkeypatch):
    """Neither if it is missing, nor if it does not go with the NumPy that is installed."""
    vector_kernel.numba_works.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(hedging_vector_env, "WORTH_COMPILING", -1.0)
    env = HedgingVectorEnv(2)
    env.reset(seed=0)
    assert not isinstance(env._answers, vector_kernel.VectorKernel)
    with pytest.raises(ImportError, match=r"compiled=True needs Numba: pip install 'mm_env\[fast\]'"):
        HedgingVectorEnv(2, compiled=True)
    vector_kernel.numba_works.cache_clear()


def twins(params, mode, **arguments):
    """A compiled vector environment and one that is not, reset alike."""
    ours, theirs = (
        HedgingVectorEnv(3, autoreset_mode=mode, compiled=compiled, **arguments, **params.to_dict())
        for compiled in (True, False)
    )
    ours.action_space.seed(1)
    assert_alike(ours.reset(seed=4), theirs.reset(seed=4))
    return ours, theirs


def assert_steps_alike(ours, theirs):
    actions = ours.action_space.sample()
    got = ours.step(actions)
    assert_alike(got, theirs.step(actions))
    return got


def assert_alike(a, b):
    """Two results of reset or step, infos included, bit for bit and of one dtype."""
    for x, y in zip(a, b, strict=True):
        if isinstance(x, dict):
            assert list(x) == list(y)
            assert_alike(x.values(), y.values())
        else:
            assert_same_bits(x, y)


def assert_same_bits(a, b):
    """0 and -0 differ, and nan is nan."""
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert a.tobytes() == b.tobytes()
