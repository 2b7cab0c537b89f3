"""The books of several dealers as machine code: what the law makes of them as NumPy, bit for bit."""

import numpy as np
import pytest

from baselines import make_policy
from mm_env import DealersParams, play_dealers
from mm_env.envs import dealers_market
from mm_env.envs.cursors.flow_cursor import FlowCursor
from mm_env.envs.cursors.tape_cursor import TapeCursor
from mm_env.envs.dealers_market import DEALERS_DEFAULTS
from mm_env.envs.dealers_vector_env import DealersVectorEnv

pytest.importorskip("numba")

HARD = {"num_dealers": 2, "view_noise": 0.02, "transparent": True, "hedge_latency": 1, "arrival_probability": 0.8}


@pytest.mark.parametrize(
    ("changes", "cursor"),
    [
        ({}, TapeCursor),
        ({"view_noise": 0.0, "flow_persistence": 0.5, "reward": "vector"}, FlowCursor),
    ],
)
def test_lanes_are_the_same_bit_for_bit(changes, cursor):
    market = {"num_trades": 6, **HARD, **changes}
    ours, theirs = (DealersVectorEnv(6, compiled=compiled, **market) for compiled in (True, False))
    assert_play_alike(ours, theirs)
    assert type(ours._lanes) is cursor
    assert ours._market.compiled
    assert not theirs._market.compiled


def test_lanes_go_on_alike_when_they_begin_to_be_compiled(monkeypatch):
    monkeypatch.setattr(dealers_market, "WORTH_COMPILING", 0.0)
    ours, theirs = (DealersVectorEnv(4, num_trades=6, num_dealers=1, compiled=compiled) for compiled in (None, False))
    assert_play_alike(ours, theirs)
    assert type(ours._lanes) is FlowCursor


def assert_play_alike(ours, theirs):
    ours.action_space.seed(0)
    assert_same_bits(ours.reset(seed=3), theirs.reset(seed=3))
    for _ in range(15):
        actions = ours.action_space.sample()
        assert_same_bits(ours.step(actions), theirs.step(actions))


def test_a_batch_that_begins_to_be_compiled_goes_on_alike(monkeypatch):
    """In the middle of an episode, and in a last block that is smaller; here of one dealer alone."""
    params = DealersParams.from_mapping({**DEALERS_DEFAULTS, "num_dealers": 1, "num_trades": 6})
    policies = [make_policy("linear-skew", params)]
    plain = play_dealers(policies, params, episodes=5, seed=2)
    monkeypatch.setattr(dealers_market, "WORTH_COMPILING", 0.0)
    monkeypatch.setattr(dealers_market, "_BLOCK_STEPS", 2 * params.num_trades)
    for one, other in zip(play_dealers(policies, params, episodes=5, seed=2), plain, strict=True):
        for name in ("inventory", "reward", "equity", "unrealized_pnl"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def assert_same_bits(one, other):
    for a, b in zip(one, other, strict=True):
        if isinstance(a, dict):
            assert list(a) == list(b)
            assert_same_bits(a.values(), b.values())
        else:
            assert a.dtype == b.dtype
            assert np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()
