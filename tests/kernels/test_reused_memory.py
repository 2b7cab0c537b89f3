import pickle
import weakref

import numpy as np
import pytest

from mm_env import HedgingVectorEnv
from mm_env.kernels.reused_memory import ReusedMemory


def memory():
    """Results of two rows in a dictionary in a tuple, and of a flag."""
    return ReusedMemory(
        [((2, 8), np.float64), ((1, 8), np.bool_)],
        lambda numbers, flags: ((numbers[0], {"second": numbers[1, :5]}), flags[0]),
    )


HOLDERS = {
    "the tree": lambda tree: tree,
    "a tuple": lambda tree: tree[0],
    "a dictionary": lambda tree: tree[0][1],
    "a row": lambda tree: tree[0][0],
    "a row of a dictionary": lambda tree: tree[0][1]["second"],
    "another block": lambda tree: tree[1],
    "a view": lambda tree: tree[0][0][2:],
    "a view of a view": lambda tree: tree[0][0][2:].reshape(2, 3).T,
    "the owner": lambda tree: tree[1].base,
    "a memoryview": lambda tree: memoryview(tree[0][0]),
    "an array of a buffer": lambda tree: np.frombuffer(tree[1].data, np.uint8),
    "strides": lambda tree: np.lib.stride_tricks.as_strided(tree[0][0], (2, 2)),
    "an iterator": lambda tree: tree[0][0].flat,
    "a container": lambda tree: {"kept": [tree[0][1]["second"].view()]},
}


@pytest.mark.parametrize("holds", HOLDERS.values(), ids=HOLDERS)
def test_what_is_held_is_not_written_over(holds):
    results = memory()
    held = holds(results.give(results.take()))
    for _ in range(3):
        result = results.take()
        assert not any(np.shares_memory(array, kept) for array in result.blocks for kept in arrays(held))
        results.give(result)
    del result
    assert held is not None


@pytest.mark.parametrize("holds", HOLDERS.values(), ids=HOLDERS)
def test_what_is_held_no_more_is_written_over(holds):
    results = memory()
    first = results.take()
    held = holds(results.give(first))
    assert results.take() is not first
    del held
    assert results.take() is first


def test_it_is_handed_out_once_at_a_time():
    results = memory()
    first, second = results.take(), results.take()
    assert first is not second
    results.give(second)
    assert results.take() is second


def test_who_holds_many_keeps_them_for_himself():
    """Nothing of them is kept when they are dropped."""
    results = memory()
    held = [results.give(results.take()) for _ in range(20)]
    assert len({id(tree) for tree in held}) == 20
    owners = [weakref.ref(tree[1].base) for tree in held]
    held.clear()
    assert sum(owner() is not None for owner in owners) == 4


def arrays(held):
    """The arrays behind something that holds memory."""
    if isinstance(held, np.ndarray):
        return [held]
    if isinstance(held, memoryview | np.flatiter):
        return [np.asarray(held if isinstance(held, memoryview) else held.base)]
    parts = held.values() if isinstance(held, dict) else held
    return [array for part in parts for array in arrays(part)]


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("reward", ["realised", "vector"])
def test_whatever_is_kept_of_an_environment_stays_as_it_was(mode, reward):
    """Of some steps everything, of others a part, a view, a row of a view: for the whole run, or for a while."""
    pytest.importorskip("numba")
    env = HedgingVectorEnv(600, compiled=True, num_trades=7, reward=reward, autoreset_mode=mode)
    env.action_space.seed(0)
    env.reset(seed=0)
    kept = []
    for step in range(60):
        observations, rewards, terminated, truncated, info = env.step(env.action_space.sample())
        ways = [
            (observations, rewards, terminated, truncated, info),
            observations,
            observations[::3, 1:],
            memoryview(info["equity"]),
            rewards.reshape(-1, 2)[1:],
            {name: value for name, value in info.items() if name in ("filled", "_filled", "hedge_cost")},
            info["price"][5:6],
            env,  # keeps nothing of the step
        ]
        way = ways[step % len(ways)]
        if way is not env:
            kept.append((way, pickle.dumps(plain(way))))
        if step % 11 == 10:
            del kept[::4]
        del observations, rewards, terminated, truncated, info, ways, way
    assert len(kept) > 20
    for way, before in kept:
        assert pickle.dumps(plain(way)) == before


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("market", [{"hedge_latency": 2}, {"spread": 0.0, "hedge_cost_per_unit": 0.0}, {}])
def test_what_a_caller_does_to_his_arrays_stays_with_him(compiled, mode, market):
    """He writes into them, turns them, freezes them: the next steps are those of one who does nothing."""
    if compiled:
        pytest.importorskip("numba")
    arguments = {"num_trades": 5, "autoreset_mode": mode, **market}
    ours, theirs = HedgingVectorEnv(6, compiled=compiled, **arguments), HedgingVectorEnv(6, compiled=False, **arguments)
    ours.action_space.seed(0)
    ours.reset(seed=0), theirs.reset(seed=0)
    for _ in range(24):
        action = ours.action_space.sample()
        observations, rewards, *_, info = ours.step(action)
        expected, paid, *_, told = theirs.step(action)
        np.testing.assert_array_equal(observations, expected)
        np.testing.assert_array_equal(rewards, paid)
        for name, value in info.items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(value, told[name])
        for name in ("hedge", "hedge_cost", "spread_pnl", "filled"):
            assert info[name].flags.writeable
        for array in (observations, rewards, *(each for each in info.values() if isinstance(each, np.ndarray))):
            if array.flags.writeable:
                array[...] = 1
                array.setflags(write=False)
            array.shape = (1, *array.shape)
        info.clear()
        del observations, rewards, info, array, value


def plain(value):
    """The numbers of something that was kept."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, tuple) else np.asarray(value).tolist()
