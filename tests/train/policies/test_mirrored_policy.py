import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

import torch
from stable_baselines3 import PPO

from mm_env import MARKETS, DealersParams, MarketParams, market_params
from mm_env.envs.observation import observation_names
from train import MirroredPolicy, OrdinalPolicy, SB3VecEnv, load_policy, train_ppo
from train.hyperparams import ppo_arguments
from train.policies.mirrored_policy import mirror_signs
from train.policies.network_policy import NetworkPolicy

ODD = {"inventory", "request", "side", "last_side", "deviation", "in_flight_1", "in_flight_2", "rival_1"}


def model_of(market="mm_env/Latency-v0", **changes):
    params = market_params(market, **changes)
    network = {"net_arch": [16, 8], "signs": mirror_signs(params)}
    return PPO(MirroredPolicy, SB3VecEnv(params, 4, seed=0), policy_kwargs=network, n_steps=50, seed=1, device="cpu")


@pytest.mark.parametrize("market", [*MARKETS, "dealers", "reverting"])
def test_what_buyers_and_sellers_have_of_opposite_signs_changes_it(market):
    others = {
        "dealers": DealersParams(num_dealers=2, transparent=True, hedge_latency=2),
        "reverting": MarketParams(mean_reversion=0.1),
    }
    params = others.get(market) or market_params(market)
    wanted = {name: -1.0 if name in ODD else 1.0 for name in observation_names(params)}
    assert dict(zip(observation_names(params), mirror_signs(params), strict=True)) == wanted


@pytest.mark.parametrize("market", ["mm_env/Latency-v0", "mm_env/DynamicSpread-v0"])
def test_it_acts_and_values_alike_in_the_mirror_and_is_a_plain_network(market):
    model = model_of(market).learn(400)
    signs = np.array(model.policy._signs, np.float32)
    seen = np.random.default_rng(0).uniform(-1, 1, (500, len(signs))).astype(np.float32)
    actions = model.predict(seen, deterministic=True)[0]
    np.testing.assert_array_equal(actions, model.predict(seen * signs, deterministic=True)[0])
    values = [model.policy.predict_values(torch.as_tensor(s)).detach().numpy() for s in (seen, seen * signs)]
    np.testing.assert_allclose(*values, rtol=1e-5, atol=1e-6)
    assert len(np.unique(actions)) > 1
    np.testing.assert_array_equal(actions, NetworkPolicy.of(model, market_params(market))(seen))
    assert set(model.policy.optimizer.param_groups[0]["params"]) == set(model.policy.parameters())


def test_a_model_is_read_back_with_its_mirror(tmp_path):
    model = model_of()
    model.save(tmp_path / "model.zip")
    seen = np.random.default_rng(0).uniform(-1, 1, (50, 5)).astype(np.float32)
    read = PPO.load(tmp_path / "model.zip", device="cpu")
    np.testing.assert_array_equal(read.predict(seen, deterministic=True)[0], model.predict(seen, deterministic=True)[0])


def test_where_buyers_and_sellers_do_not_come_alike_there_is_no_mirror():
    uneven = MarketParams(buy_probability=0.6)
    named = {"policy": "MirroredPolicy", "policy_kwargs": {"net_arch": [8, 8]}}
    with pytest.raises(ValueError, match=r"buy_probability=0.6"):
        mirror_signs(uneven)
    assert ppo_arguments(named, uneven)["policy"] is OrdinalPolicy
    assert ppo_arguments(named, MarketParams(continuous=True))["policy"] == "MlpPolicy"
    assert ppo_arguments(named, MarketParams())["policy_kwargs"]["signs"] == (-1.0, 1.0, -1.0)


def test_one_hidden_layer_is_too_few():
    with pytest.raises(ValueError, match="at least two hidden layers"):
        PPO(MirroredPolicy, SB3VecEnv(n_envs=2), policy_kwargs={"net_arch": [8], "signs": (-1.0, 1.0, -1.0)})


def test_a_run_is_resumed_to_the_same_policy(tmp_path):
    small = {"n_envs": 16, "lanes_per_tape": 4, "n_steps": 10, "batch_size": 160, "policy": "MirroredPolicy"}
    given = {"env_kwargs": {"num_trades": 10, "inventory_limit": 3, "hedge_threshold": 2}, "hyperparameters": small}
    given |= {"eval_episodes": 20, "eval_freq": 160, "progress": False}
    whole = train_ppo("mm_env/Latency-v0", total_timesteps=640, **given)
    half = train_ppo("mm_env/Latency-v0", total_timesteps=640, run_dir=tmp_path, time_limit=1e-9, **given)
    assert half.timesteps < 640
    train_ppo(run_dir=tmp_path, resume=True, progress=False)
    for one, other in zip(whole.policy.layers, load_policy(tmp_path).layers, strict=True):
        np.testing.assert_array_equal(one.weight, other.weight)
