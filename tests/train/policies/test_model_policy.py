"""Models of any algorithm play, out of their files."""

import json

import gymnasium as gym
import numpy as np
import pytest
from click.testing import CliRunner

from mm_env import market_params, play
from mm_env.cli.main import main

pytest.importorskip("stable_baselines3")

import stable_baselines3 as sb3

from train.policies.model_policy import ModelPolicy
from train.policies.network_policy import NetworkPolicy
from train.policies.saved_policy import read_policy

OFF = {"learning_starts": 5, "buffer_size": 50, "batch_size": 8}
CASES = {
    "A2C": ("mm_env/DynamicSpread-v0", {"n_steps": 4}),
    "DQN": ("mm_env/DynamicSpreadFlat-v0", OFF),
    "SAC": ("mm_env/HedgingContinuous-v0", OFF),
    "TD3": ("mm_env/HedgingContinuous-v0", OFF),
    "QRDQN": ("mm_env/Hedging-v0", OFF),
    "TQC": ("mm_env/DynamicSpreadContinuous-v0", OFF),
    "TRPO": ("mm_env/Hedging-v0", {"n_steps": 8, "batch_size": 8}),
    "MaskablePPO": ("mm_env/DynamicSpread-v0", {"n_steps": 8, "batch_size": 8}),
}


def learned(name, folder, market, **changes):
    package = sb3 if hasattr(sb3, name) else pytest.importorskip("sb3_contrib")
    algorithm, arguments = getattr(package, name), {**CASES.get(name, (None, {}))[1], **changes}
    model = algorithm("MlpPolicy", gym.make(market), policy_kwargs={"net_arch": [8]}, device="cpu", **arguments)
    model.learn(12).save(folder / "model.zip")
    return model, folder / "model.zip"


@pytest.mark.parametrize("name", CASES)
def test_a_model_plays_as_it_predicts(name, tmp_path):
    market, _ = CASES[name]
    model, file = learned(name, tmp_path, market)
    params = market_params(market)
    policy = read_policy(file, params, trust_pickle=True)
    assert isinstance(policy, ModelPolicy | NetworkPolicy)
    space = gym.make(market).observation_space
    observations = np.random.default_rng(0).uniform(-1, 1, (500, *space.shape)).astype(np.float32)
    if name != "MaskablePPO":
        actions, _ = model.predict(observations, deterministic=True)
        np.testing.assert_allclose(policy(observations), actions, atol=1e-5)
    assert len(play(policy, params, 3)) == 3


@pytest.mark.parametrize("market", ["mm_env/Hedging-v0", "mm_env/DynamicSpread-v0"])
def test_a_masked_model_chooses_among_the_levels_that_the_environment_leaves(market, tmp_path):
    model, file = learned("MaskablePPO", tmp_path, market, n_steps=8, batch_size=8)
    policy, lanes, masked = read_policy(file, market_params(market), trust_pickle=True), gym.make_vec(market, 8), 0
    for network in (model.policy, policy.policy):
        network.action_net.bias.data[20] = 9.0  # never to hedge, which is masked but at the cap
    observations, _ = lanes.reset(seed=3)
    for _ in range(20):
        masks = np.array(lanes.unwrapped.call("action_masks"))
        wanted, _ = model.predict(observations, action_masks=masks, deterministic=True)
        np.testing.assert_array_equal(policy(observations), wanted)
        masked += (wanted != model.predict(observations, deterministic=True)[0]).sum()
        observations, *_ = lanes.step(wanted)
    assert masked


def test_commands_take_it(tmp_path):
    _, file = learned("DQN", tmp_path, "mm_env/Hedging-v0")
    arguments = ["compare", "--policy", "never", "--policy", str(file), "--episodes", "50", "--json"]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    assert "runs the code in it" in refused.output
    result = CliRunner().invoke(main, [*arguments, "--trust-pickle"])
    assert result.exit_code == 0, result.output
    assert str(file) in json.dumps(json.loads(result.stdout))


def test_models_of_other_markets_are_refused(tmp_path):
    _, file = learned("SAC", tmp_path, "mm_env/HedgingContinuous-v0")
    with pytest.raises(ValueError, match=r"it is for actions in Box.*, this market's are in Discrete\(21\)"):
        read_policy(file, market_params(), trust_pickle=True)
    file.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a model for this market"):
        read_policy(file, market_params(), trust_pickle=True)


def test_policies_that_remember_are_refused(tmp_path):
    contrib = pytest.importorskip("sb3_contrib")
    env = gym.make("mm_env/Hedging-v0")
    contrib.RecurrentPPO("MlpLstmPolicy", env, n_steps=8, batch_size=8, device="cpu").save(tmp_path / "model.zip")
    with pytest.raises(ValueError, match="remembers what it saw"):
        read_policy(tmp_path / "model.zip", market_params(), trust_pickle=True)
