import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from mm_env import HedgingEnv, HedgingVectorEnv, MarketParams, market_params

pytest.importorskip("stable_baselines3")

from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from train import SB3VecEnv

SHORT = MarketParams(num_trades=5)


@pytest.mark.parametrize("reward", ["realised", "expected"])
def test_lanes_are_single_environments(reward):
    lanes = SB3VecEnv(SHORT, 3, seed=7, reward=reward)
    singles = [HedgingEnv(reward=reward, **SHORT.to_dict()) for _ in range(3)]
    realised = [HedgingEnv(**SHORT.to_dict()) for _ in range(3)]
    seen = [env.reset(seed=7 + i)[0] for i, env in enumerate(singles)]
    for i, env in enumerate(realised):
        env.reset(seed=7 + i)
    np.testing.assert_array_equal(lanes.reset(), seen)
    actions, returns = np.random.default_rng(0), np.zeros(3)
    for step in range(1, 16):
        chosen = actions.integers(21, size=3)
        observations, rewards, ended, infos = lanes.step(chosen)
        assert rewards.dtype == np.float32
        assert ended.tolist() == [step % 5 == 0] * 3
        for i, env in enumerate(singles):
            observation, single_reward, *_ = env.step(chosen[i])
            returns[i] += realised[i].step(chosen[i])[1]
            assert rewards[i] == np.float32(single_reward)
            if ended[i]:
                np.testing.assert_array_equal(infos[i]["terminal_observation"], observation)
                assert infos[i]["TimeLimit.truncated"] is False
                assert infos[i]["episode"]["r"] == pytest.approx(returns[i], abs=1e-9)
                assert infos[i]["episode"]["l"] == 5
                assert infos[i]["episode"]["t"] >= 0
                observation, returns[i] = env.reset()[0], 0.0
                realised[i].reset()
            else:
                assert infos[i] == {}
            np.testing.assert_array_equal(observations[i], observation)
    assert len({id(info) for info in infos}) == 3  # wrappers write into them


def test_rewards_are_scaled_but_not_what_is_reported():
    plain, scaled = SB3VecEnv(SHORT, 2, seed=0), SB3VecEnv(SHORT, 2, seed=0, reward_scale=0.25)
    plain.reset(), scaled.reset()
    for _ in range(5):
        _, rewards, _, infos = plain.step(np.array([0, 20]))
        _, smaller, _, same = scaled.step(np.array([0, 20]))
        np.testing.assert_allclose(smaller, 0.25 * rewards, rtol=1e-6)
    assert [info["episode"]["r"] for info in same] == [info["episode"]["r"] for info in infos]


def test_quotes_and_hedges_are_stepped_together():
    lanes = SB3VecEnv(MarketParams(num_trades=5, quote_levels=3, tick=0.01), 2, seed=0)
    assert lanes.action_space == gym.spaces.MultiDiscrete([21, 3])
    lanes.reset()
    observations, *_ = lanes.step(np.array([[3, 0], [20, 2]]))
    assert observations.shape == (2, 3)


def test_seeds_are_used_once():
    lanes = SB3VecEnv(SHORT, 2, seed=3)
    plain = HedgingVectorEnv(2, autoreset_mode=AutoresetMode.SAME_STEP, **SHORT.to_dict())
    np.testing.assert_array_equal(lanes.reset(), plain.reset(seed=3)[0])
    np.testing.assert_array_equal(lanes.reset(), plain.reset()[0])
    assert list(lanes.seed(11)) == [11, 12]
    np.testing.assert_array_equal(lanes.reset(), plain.reset(seed=11)[0])


def test_an_id_and_its_parameters_are_the_same_market():
    by_id, by_params = SB3VecEnv("mm_env/Hedging-v0", 2, seed=0), SB3VecEnv(MarketParams(), 2, seed=0)
    np.testing.assert_array_equal(by_id.reset(), by_params.reset())
    assert by_id.get_attr("params") == [MarketParams()] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"market": "mm_env/Hedgin-v0"}, "no market"),
        ({"n_envs": 0}, "num_envs must be a whole number"),
        ({"reward": "expcted"}, "reward must be one of"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SB3VecEnv(**arguments)


def test_attributes_and_methods():
    lanes = SB3VecEnv(SHORT, 3, seed=0)
    assert lanes.get_attr("render_mode", indices=1) == [None]
    assert lanes.has_attr("params")
    assert not lanes.has_attr("colour")
    lanes.set_attr("colour", "red")
    assert lanes.get_attr("colour") == ["red"] * 3
    with pytest.raises(ValueError, match="the lanes share 'colour'"):
        lanes.set_attr("colour", "blue", indices=[0])
    assert lanes.env_method("close", indices=[0, 2]) == [None] * 2
    assert lanes.env_is_wrapped(Monitor) == [True] * 3
    assert lanes.env_is_wrapped(gym.Wrapper, indices=0) == [False]


def test_stable_baselines3_takes_it_wrapped_or_bare(recwarn):
    lanes = SB3VecEnv(SHORT, 4, seed=0)
    model = PPO("MlpPolicy", lanes, n_steps=10, batch_size=20, n_epochs=1, device="cpu")
    model.learn(40)
    assert len(model.ep_info_buffer) == 8
    mean, _ = evaluate_policy(model, lanes, n_eval_episodes=8)
    assert np.isfinite(mean)
    assert not [w for w in recwarn if "Monitor" in str(w.message)]
    wrapped = VecNormalize(VecMonitor(SB3VecEnv(SHORT, 4, seed=0)))
    PPO("MlpPolicy", wrapped, n_steps=10, batch_size=20, n_epochs=1, device="cpu").learn(40)


def test_options_reach_the_lanes_at_the_next_reset_and_no_other():
    env = SB3VecEnv(MarketParams(num_trades=3), 2)
    env.set_options({"params": {"spread": 0.5}})
    env.reset()
    assert env.get_attr("spread") == [0.5, 0.5]
    env.set_attr("spread", 0.1)
    env.reset()
    assert env.get_attr("spread") == [0.1, 0.1]
    env.set_options([{"params": {"spread": 0.5}}, {}])
    with pytest.raises(ValueError, match="the lanes share their market"):
        env.reset()


def test_an_attribute_that_is_not_there_is_not_set():
    env = SB3VecEnv(MarketParams(num_trades=3), 2)
    for vector in (env, env.lanes):
        with pytest.raises(ValueError, match="there is no attribute 'spraed' to set; did you mean 'spread'"):
            vector.set_attr("spraed", 0.1)
    with pytest.raises(ValueError, match="options hold 'parms'; did you mean 'params'"):
        env.lanes.reset(options={"parms": {"spread": 0.1}})


def test_it_takes_what_gymnasium_takes():
    market = "mm_env/DynamicSpread-v0"
    lanes = SB3VecEnv(f"mm_env:{market}", 2, seed=1, num_trades=7, risk_aversion=0.5)
    assert lanes.lanes.params == market_params(market, num_trades=7, risk_aversion=0.5)
    assert SB3VecEnv(SHORT, 2, spread=0.07).lanes.params == SHORT.replace(spread=0.07)
    with pytest.raises(ValueError, match="did you mean 'spread'"):
        SB3VecEnv(market, 2, spraed=0.1)
    with pytest.raises(ValueError, match="made already"):
        SB3VecEnv(lanes.lanes, spread=0.1)


def test_a_dealer_among_rivals_is_a_market_like_others():
    lanes = SB3VecEnv("mm_env/DealerVsRulesFlat-v0", 4, seed=0, num_trades=5, rivals=["threshold:2"])
    assert lanes.lanes.params.num_dealers == 2
    PPO("MlpPolicy", lanes, n_steps=5, batch_size=20, n_epochs=1, device="cpu").learn(20)


def test_pictures_of_lanes():
    pytest.importorskip("matplotlib")
    lanes = SB3VecEnv(SHORT, 2, seed=0, render_mode="rgb_array")
    lanes.reset()
    assert lanes.render_mode == "rgb_array"
    assert [picture.shape for picture in lanes.get_images()] == [(576, 720, 3)] * 2
    assert lanes.render("rgb_array").shape[2] == 3
    assert SB3VecEnv(SHORT, 2).get_images() == [None] * 2
