"""The reward as a vector of its parts, and the cost of being at the cap: of one lane, of many, of several dealers."""

import importlib

import gymnasium as gym
import numpy as np
import pytest

from mm_env import HedgingEnv, HedgingVectorEnv, market_params
from mm_env.kernels.vector_kernel import numba_works
from mm_env.market.dynamics import RewardParts
from tests.envs.test_hedging_vector_env import assert_same

EVERY_ID = [name for name in gym.registry if name.startswith("mm_env/")]
SIGNS = RewardParts(1, -1, 1, -1)


@pytest.mark.parametrize("name", EVERY_ID)
def test_the_parts_are_those_of_info_and_sum_to_the_reward(name):
    parts, plain = gym.make(name, reward="vector"), gym.make(name)
    assert parts.unwrapped.reward_space.shape == (4,)
    assert plain.unwrapped.reward_space is None
    parts.action_space.seed(2)
    assert_same(parts.reset(seed=4), plain.reset(seed=4))
    for _ in range(parts.unwrapped.num_trades):
        action = parts.action_space.sample()
        seen, vector, *rest = parts.step(action)
        others, number, *told = plain.step(action)
        assert_same((seen, 0.0, *rest), (others, 0.0, *told))
        assert parts.unwrapped.reward_space.contains(vector)
        assert vector.sum() == pytest.approx(number, abs=1e-9 * max(1.0, np.abs(vector).max()))
        assert vector.tolist() == [sign * rest[2][name] for sign, name in zip(SIGNS, SIGNS._fields, strict=True)]


@pytest.mark.parametrize("mode", gym.vector.AutoresetMode)
@pytest.mark.parametrize("name", ["mm_env/Latency-v0", "mm_env/DealerVsRules-v0"])
def test_lanes_have_the_parts_and_the_cost_of_singles(name, mode):
    short = {"num_trades": 12, "inventory_limit": 1, "reward": "vector"}
    compiled = {"compiled": True} if numba_works() and mode is gym.vector.AutoresetMode.SAME_STEP else {}
    lanes = gym.make_vec(name, 3, autoreset_mode=mode, **short, **(compiled if "Latency" in name else {}))
    singles = [gym.make(name, **short) for _ in range(3)]
    seen, _ = lanes.reset(seed=6)
    resting, costs = np.zeros(3, np.bool_), 0.0
    np.testing.assert_array_equal(seen, [env.reset(seed=6 + lane)[0] for lane, env in enumerate(singles)])
    for _ in range(30):
        actions = lanes.action_space.sample()
        _, rewards, ended, _, info = lanes.step(actions)
        assert rewards.shape == (3, 4)
        told = info.get("final_info", info)
        for lane, env in enumerate(singles):
            if resting[lane]:
                env.reset()
                assert not rewards[lane].any()
                assert told["cost"][lane] == 0.0
                continue
            _, reward, over, _, single = env.step(actions[lane])
            assert rewards[lane].tolist() == reward.tolist()
            assert told["cost"][lane] == single["cost"] == (abs(single["inventory"]) == 1)
            costs += single["cost"]
            if over and mode is not gym.vector.AutoresetMode.NEXT_STEP:
                env.reset()
        if mode is gym.vector.AutoresetMode.NEXT_STEP:
            resting = ended
        elif mode is gym.vector.AutoresetMode.DISABLED and ended.any():
            lanes.reset(options={"reset_mask": ended})
    assert 0 < costs < 90


def test_dealers_have_them_too():
    pytest.importorskip("pettingzoo")
    from mm_env.parallel_env import DealersEnv

    parts, plain = DealersEnv(reward="vector", inventory_limit=2), DealersEnv(inventory_limit=2)
    parts.reset(seed=1), plain.reset(seed=1)
    costs = 0.0
    for _ in range(100):
        actions = {agent: parts.action_space(agent).sample() for agent in parts.agents}
        _, vectors, *_, infos = parts.step(actions)
        numbers = plain.step(actions)[1]
        for agent, vector in vectors.items():
            assert parts.reward_space(agent).contains(vector)
            assert vector.sum() == pytest.approx(numbers[agent], abs=1e-9)
            assert infos[agent]["cost"] == (abs(infos[agent]["inventory"]) == 2)
            costs += infos[agent]["cost"]
    assert 0 < costs < 300
    assert plain.reward_space("dealer_0") is None


def test_a_recorded_tape_has_parts_though_its_law_is_unknown():
    from mm_env import Tape

    env = HedgingEnv(num_trades=2, tape=Tape.replay([1, -1], [0.5, 0.1]), reward="vector")
    env.reset()
    assert env.step(20)[1].tolist() == pytest.approx([0.05, 0.0, -0.5, -0.5 * 0.01 * 0.3**2])


def test_what_learns_from_one_number_refuses_them():
    pytest.importorskip("stable_baselines3")
    sb3 = importlib.import_module("train")
    with pytest.raises(ValueError, match="reward='vector' has 4 parts"):
        sb3.SB3VecEnv("mm_env/Hedging-v0", 2, reward="vector")
    with pytest.raises(ValueError, match="reward='vector' has 4 parts"):
        sb3.SB3VecEnv(HedgingVectorEnv(2, autoreset_mode="SameStep", reward="vector"))
    with pytest.raises(ValueError, match="reward='vector' has 4 parts"):
        sb3.train_ppo(market_params(), env_kwargs={"reward": "vector"})
