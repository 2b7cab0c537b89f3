"""A policy as an ONNX file does what it does in PyTorch and in NumPy."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from mm_env import MarketParams, __version__, market_params, play
from mm_env.cli.main import main
from mm_env.envs.action import action_sizes

pytest.importorskip("stable_baselines3")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
import torch
from stable_baselines3 import PPO

from train import MirroredPolicy, OrdinalPolicy, SB3VecEnv
from train.policies.mirrored_policy import mirror_signs
from train.policies.network_policy import NetworkPolicy
from train.policies.onnx_policy import export_onnx, load_onnx
from train.policies.saved_policy import save_policy

QUOTING = market_params("mm_env/DynamicSpread-v0")
CASES = {
    "levels": (MarketParams(), "MlpPolicy", torch.nn.Tanh),
    "levels of several parts": (QUOTING, "MlpPolicy", torch.nn.ReLU),
    "levels in order": (QUOTING, OrdinalPolicy, torch.nn.Tanh),
    "levels in order, mirrored": (market_params("mm_env/Latency-v0"), MirroredPolicy, torch.nn.ReLU),
    "one level for both": (QUOTING.replace(flat=True), "MlpPolicy", torch.nn.Tanh),
    "numbers": (QUOTING.replace(continuous=True), "MlpPolicy", torch.nn.Tanh),
}


def assert_equal_or_tied(model, observations, one, other):
    """Actions are the same, but for a few levels whose scores are equal to single precision's rounding."""
    one, other = (actions.reshape(len(actions), -1) for actions in (one, other))
    rows, parts = np.nonzero(one != other)
    assert len(rows) <= len(one) / 5_000
    policy, seen = model.policy, torch.as_tensor(observations[rows])
    with torch.no_grad():
        scores = policy.action_net(policy.mlp_extractor.forward_actor(policy.extract_features(seen))).numpy()
    starts = np.cumsum([0, *action_sizes(model.env.lanes.params)])[parts]
    mine, theirs = (scores[np.arange(len(rows)), starts + actions[rows, parts]] for actions in (one, other))
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6 * np.abs(scores).max(initial=0))


@pytest.mark.parametrize("case", CASES)
def test_the_same_actions_on_100_000_observations(case, tmp_path):
    params, kind, activation = CASES[case]
    torch.manual_seed(0)
    keywords = {"net_arch": [32, 32], "activation_fn": activation}
    if kind is MirroredPolicy:
        keywords["signs"] = mirror_signs(params)
    model = PPO(kind, SB3VecEnv(params, 2), n_steps=4, batch_size=8, policy_kwargs=keywords, device="cpu")
    with torch.no_grad():
        for weights in model.policy.action_net.parameters():
            weights.mul_(100)  # as if trained: far from the near-uniform policy it begins as
    policy = NetworkPolicy.of(model, params, "mm_env/Any-v0")
    export_onnx(policy, tmp_path / "policy.onnx")
    back = load_onnx(tmp_path / "policy.onnx", params)
    observations = np.random.default_rng(1).uniform(-1, 1, (100_000, policy.sizes()[0])).astype(np.float32)
    mine, theirs, torchs = back(observations), policy(observations), model.predict(observations, deterministic=True)[0]
    assert mine.dtype == theirs.dtype
    assert mine.shape == theirs.shape
    if params.continuous:
        np.testing.assert_allclose(mine, theirs, atol=2e-5)
        np.testing.assert_allclose(mine, torchs, atol=2e-5)
    else:
        for others in (theirs, torchs):
            assert_equal_or_tied(model, observations, mine, others)
        assert len(np.unique(mine)) > 3
    assert back(observations[:6].reshape(2, 3, -1)).shape == (2, 3, *mine.shape[1:])
    assert back.predict(observations[0])[0].shape == mine.shape[1:]
    np.testing.assert_array_equal(play(back, params, 20, seed=2).inventory, play(policy, params, 20, seed=2).inventory)


def test_the_command_writes_what_commands_play(tmp_path):
    params, _, _ = CASES["levels"]
    policy = NetworkPolicy.of(PPO("MlpPolicy", SB3VecEnv(params, 2), n_steps=4, batch_size=8, device="cpu"), params)
    save_policy(policy, tmp_path / "run")
    file = tmp_path / "policy.onnx"
    written = CliRunner().invoke(main, ["export", str(tmp_path / "run"), "--onnx", str(file), "--json"])
    assert written.exit_code == 0, written.output
    assert json.loads(written.stdout)["bytes"] == file.stat().st_size
    about = {each.key: each.value for each in onnx.load(file).metadata_props}
    assert about["mm_env"] == __version__
    assert json.loads(about["observations"]) == ["inventory", "time_left", "request"]
    assert MarketParams.from_mapping(json.loads(about["market"])) == params

    def simulated(source):
        arguments = ["simulate", "--policy", str(source), "--episodes", "20", "--json"]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return re.sub(r'"[^"]*(policy\.onnx|run)"', '"it"', result.stdout)

    assert simulated(file) == simulated(tmp_path / "run")


def test_what_is_no_such_file_is_refused(tmp_path):
    file = tmp_path / "policy.onnx"
    file.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"policy\.onnx: not a policy that mm-env export wrote"):
        load_onnx(file)
    params, kind, _ = CASES["levels of several parts"]
    model = PPO(kind, SB3VecEnv(params, 2), n_steps=4, batch_size=8, device="cpu")
    export_onnx(NetworkPolicy.of(model, params), file)
    assert load_onnx(file).params == params
    with pytest.raises(ValueError, match="is for a market with"):
        load_onnx(file, MarketParams())
    stranger = onnx.load(file)
    del stranger.metadata_props[:]
    onnx.save(stranger, file)
    with pytest.raises(ValueError, match="its metadata do not say"):
        load_onnx(file)
