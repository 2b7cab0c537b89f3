"""What a step brings is found by the law's own loops, or by others for whoever asks: it is the same."""

from copy import deepcopy
from pickle import dumps, loads

import numpy as np
import pytest
from gymnasium import spaces

from mm_env import MARKETS
from mm_env.envs.cursors.flow_cursor import FlowCursor
from mm_env.envs.hedging_vector_env import HedgingVectorEnv
from tests.kernels.test_kernels import assert_alike

pytest.importorskip("numba")


@pytest.mark.parametrize("name", ["mm_env/Hedging-v0", "mm_env/VolatilityRegimes-v0", "mm_env/FXDealer-v0"])
@pytest.mark.parametrize("trades", [1, 4])
def test_it_is_found_whenever_somebody_asks(name, trades):
    """Of lanes together and apart, before the first step of an episode and after its last."""
    rng = np.random.default_rng(0)
    settings = MARKETS[name].changes | {"num_trades": trades, "autoreset_mode": "Disabled"}
    ours, theirs = (HedgingVectorEnv(3, compiled=compiled, **settings) for compiled in (True, False))
    assert_alike(ours.reset(seed=7), theirs.reset(seed=7))
    assert isinstance(ours._lanes, FlowCursor)
    ended, apart = np.zeros(3, np.bool_), 0
    for _ in range(80):
        if isinstance(ours.single_action_space, spaces.Discrete) and rng.random() < 0.5:
            np.testing.assert_array_equal(ours.action_masks(), theirs.action_masks())
        if ended.any() or rng.random() < 0.2:
            mask = ended | (rng.random(3) < 0.3) if ended.any() else np.ones(3, np.bool_)
            assert_alike(*(env.reset(options={"reset_mask": mask}) for env in (ours, theirs)))
            ended &= ~mask
        else:
            apart += not isinstance(ours._lanes.trade, int)
            actions = ours.action_space.sample()
            got = ours.step(actions)
            assert_alike(got, theirs.step(actions))
            ended = got[2].copy()
            if not ended.any() and rng.random() < 0.2:
                first = np.array([True, False, False])
                assert_alike(*(env.reset(options={"reset_mask": first}) for env in (ours, theirs)))
    assert (apart > 5) is (trades > 1)


def test_what_it_brings_costs_nothing_while_nobody_asks():
    env = HedgingVectorEnv(2, compiled=True)
    env.reset(seed=0)
    for _ in range(5):
        env.step(env.action_space.sample())
    assert not env._flow.find._compiled
    env.action_masks()
    assert env._flow.find._compiled


@pytest.mark.parametrize("copied", [deepcopy, lambda env: loads(dumps(env))])
@pytest.mark.parametrize("name", ["mm_env/Hedging-v0", "mm_env/FXDealer-v0"])
def test_a_copy_goes_on_alike_beyond_what_was_drawn(name, copied):
    env = HedgingVectorEnv(2, compiled=True, **MARKETS[name].changes | {"num_trades": 1024})
    env.reset(seed=0)
    env.step(env.action_space.sample())
    copy = copied(env)
    for _ in range(1024 * env._lanes._source.block + 20):
        actions = env.action_space.sample()
        ours, its = env.step(actions), copy.step(actions)
        assert ours[0].tobytes() == its[0].tobytes()
        assert ours[1].tobytes() == its[1].tobytes()


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_market_that_is_set_waits_for_lanes_that_are_apart(mode, compiled):
    env, same = (HedgingVectorEnv(2, compiled=compiled, autoreset_mode=mode, num_trades=10) for _ in range(2))
    for each in (env, same):
        each.reset(seed=0)
        for _ in range(5):
            each.step(np.array([3, 3]))
        each.reset(options={"reset_mask": np.array([True, False])})
    env.set_attr("spread", 0.5)
    for _ in range(30):
        assert_alike(env.step(np.array([3, 3])), same.step(np.array([3, 3])))
