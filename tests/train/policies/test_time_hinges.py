import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

import torch
from stable_baselines3 import PPO

from mm_env import market_params
from mm_env.envs.observation import observation_names
from train import SB3VecEnv, load_policy, train_ppo
from train.hyperparams import check_hyperparameters, network_arguments, ppo_arguments
from train.policies.network_policy import NetworkPolicy

NETWORK = "dict(net_arch=[16, 8], activation_fn=nn.ReLU, time_hinges=[0.05, 0.4])"


def model_of(market, policy):
    params = market_params(market)
    made = network_arguments({"policy": policy, "policy_kwargs": NETWORK}, params)
    return PPO(env=SB3VecEnv(params, 4, seed=0), n_steps=50, seed=1, device="cpu", **made)


def test_hinges_are_zero_until_the_end_is_near():
    model = model_of("mm_env/Latency-v0", "OrdinalPolicy")
    seen = np.zeros((4, 5), np.float32)
    seen[:, 1] = (1.0, 0.4, 0.2, 0.0)
    features = model.policy.features_extractor(torch.as_tensor(seen)).numpy()
    np.testing.assert_array_equal(features[:, :5], seen)
    np.testing.assert_allclose(features[:, 5:], [[0, 0], [0, 0], [0, 0.5], [1, 1]], atol=1e-6)


@pytest.mark.parametrize("policy", ["MlpPolicy", "OrdinalPolicy", "MirroredPolicy"])
@pytest.mark.parametrize("market", ["mm_env/Latency-v0", "mm_env/DynamicSpread-v0"])
def test_with_them_a_policy_is_a_plain_network(market, policy):
    model = model_of(market, policy)
    for weights in model.policy.parameters():
        torch.nn.init.normal_(weights)
    seen = np.random.default_rng(0).uniform(-1, 1, (500, len(observation_names(market_params(market)))))
    actions = model.predict(seen.astype(np.float32), deterministic=True)[0]
    assert len(np.unique(actions, axis=0)) > 2
    np.testing.assert_array_equal(actions, NetworkPolicy.of(model, market_params(market))(seen))


def test_they_follow_the_time_left_and_not_another_column():
    model = model_of("mm_env/Latency-v0", "MirroredPolicy")
    assert observation_names(market_params("mm_env/Latency-v0"))[model.policy.features_extractor.column] == "time_left"
    assert not model.policy.features_extractor.state_dict()  # nothing in them is learned


@pytest.mark.parametrize("bad", ["time_hinges=[]", "time_hinges=[0.0]", "time_hinges=[2]", "time_hinges=0.1"])
def test_shares_are_of_the_episode(bad):
    with pytest.raises(ValueError, match="policy_kwargs"):
        check_hyperparameters({"policy_kwargs": f"dict(net_arch=[8], activation_fn=nn.ReLU, {bad})"})


def test_another_activation_than_relu_is_refused():
    with pytest.raises(ValueError, match=r"nn\.ReLU alone"):
        check_hyperparameters({"policy_kwargs": "dict(net_arch=[8], activation_fn=nn.Tanh, time_hinges=[0.1])"})
    assert (
        "features_extractor_class" in ppo_arguments({"policy": "MlpPolicy", "policy_kwargs": NETWORK})["policy_kwargs"]
    )


def test_the_policy_of_a_run_is_what_its_folder_holds(tmp_path):
    small = {"n_envs": 16, "lanes_per_tape": 4, "n_steps": 10, "batch_size": 160, "policy_kwargs": NETWORK}
    given = {"env_kwargs": {"num_trades": 10, "inventory_limit": 3, "hedge_threshold": 2}, "hyperparameters": small}
    run = train_ppo(
        "mm_env/Latency-v0", total_timesteps=320, run_dir=tmp_path, eval_episodes=20, progress=False, **given
    )
    read, seen = load_policy(tmp_path), np.random.default_rng(0).uniform(-1, 1, (50, 5)).astype(np.float32)
    np.testing.assert_array_equal(read(seen), run.policy(seen))
    assert read.sizes() == [5, 12, 32, 8, 4]  # observation, hinges, mirrored layer, layer, levels
