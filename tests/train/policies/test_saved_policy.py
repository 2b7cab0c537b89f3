import dataclasses
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from baselines import policy_value
from mm_env import MarketParams, play
from mm_env.envs.action import action_sizes
from mm_env.envs.observation import observation_space

pytest.importorskip("stable_baselines3")

import torch
from safetensors.numpy import load_file, save
from stable_baselines3 import PPO

from train import SB3VecEnv, load_policy
from train.policies.network_policy import Layer, NetworkPolicy
from train.policies.saved_policy import save_policy

PARAMS = MarketParams(num_trades=10)


def make_model(params=PARAMS, **policy_kwargs):
    torch.manual_seed(0)
    policy_kwargs = {"net_arch": [16, 8], **policy_kwargs}
    model = PPO("MlpPolicy", SB3VecEnv(params, 2), n_steps=4, batch_size=8, policy_kwargs=policy_kwargs, device="cpu")
    with torch.no_grad():  # as if trained: far from the near-uniform policy it begins as
        model.policy.action_net.weight.mul_(300)
    return model


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture
def folder(model, tmp_path):
    save_policy(NetworkPolicy.of(model, PARAMS, "mm_env/Hedging-v0", {"seed": 3}), tmp_path)
    return tmp_path


@pytest.mark.parametrize("policy_kwargs", [{}, {"activation_fn": torch.nn.ReLU}, {"net_arch": []}])
def test_it_acts_as_the_model_does(policy_kwargs, tmp_path):
    model = make_model(**policy_kwargs)
    save_policy(NetworkPolicy.of(model, PARAMS), tmp_path)
    space = observation_space(PARAMS)
    observations = np.random.default_rng(0).uniform(space.low, space.high, (5_000, 3)).astype(np.float32)
    with torch.no_grad():
        scores = model.policy.get_distribution(torch.as_tensor(observations)).distribution.logits.numpy()
    first, second = np.sort(scores, axis=1).T[[-1, -2]]
    clear = first - second > 1e-4  # where two actions score the same, rounding decides
    actions = load_policy(tmp_path)(observations)
    assert clear.mean() > 0.99
    assert len(set(actions)) > 3
    np.testing.assert_array_equal(actions[clear], model.predict(observations, deterministic=True)[0][clear])


QUOTING = MarketParams(num_trades=10, quote_levels=5, tick=0.02)
SEEING = MarketParams(num_trades=10, inventory_limit=5, volatility_regimes=(0.1, 0.5), hedge_latency=2)


def sample(params, number=2_000):
    space = observation_space(params)
    shape = (number, *space.shape)
    return np.random.default_rng(0).uniform(space.low, space.high, shape).astype(np.float32)


@pytest.mark.parametrize("params", [QUOTING, SEEING, QUOTING.replace(continuous=True)])
def test_it_acts_as_the_model_does_in_other_markets(params, tmp_path):
    model = make_model(params)
    save_policy(NetworkPolicy.of(model, params), tmp_path)
    policy, observations = load_policy(tmp_path, params), sample(params)
    wanted = model.predict(observations, deterministic=True)[0]
    assert len(np.unique(wanted, axis=0)) > 3
    np.testing.assert_allclose(policy(observations), wanted, atol=1e-4)
    assert np.isfinite(policy_value(policy, params))


@pytest.mark.parametrize("params", [PARAMS, QUOTING])
def test_numbers_stand_for_the_nearest_levels(params, tmp_path):
    model, observations = make_model(params.replace(continuous=True)), sample(params)
    save_policy(NetworkPolicy.of(model, params), tmp_path)
    levels = load_policy(tmp_path, params)(observations)
    numbers = model.predict(observations, deterministic=True)[0]
    steps = np.array(action_sizes(params)) - 1
    share = (levels.reshape(numbers.shape) / steps) * 2.0 - 1.0
    assert (np.abs(share - numbers) <= 1.0 / steps + 1e-4).all()
    assert play(load_policy(tmp_path), params, 3).num_trades == 10


@pytest.mark.parametrize("other", [QUOTING, SEEING, PARAMS.replace(hedge_latency=1)])
def test_a_market_that_shows_or_takes_something_else_is_refused(folder, other):
    with pytest.raises(ValueError, match="the policy is for a market with (observations|quote levels)"):
        load_policy(folder, other)


def test_it_is_a_policy(folder):
    policy = load_policy(folder, PARAMS)
    assert play(policy, PARAMS, 3).num_trades == 10
    assert np.isfinite(policy_value(policy, PARAMS))
    assert np.shape(policy(np.zeros(3, dtype=np.float32))) == ()
    assert policy(np.zeros((2, 5, 3), dtype=np.float32)).shape == (2, 5)
    assert policy(np.empty((0, 3), dtype=np.float32)).shape == (0,)


@pytest.mark.parametrize("name", ["", "policy.json", "policy.safetensors"])
def test_it_is_read_by_folder_or_file(folder, name):
    policy = load_policy(str(folder / name))
    assert policy.params == PARAMS
    assert policy.env == "mm_env/Hedging-v0"
    assert policy.training == {"seed": 3}
    assert policy.sizes() == [3, 16, 8, 21]


def test_reading_it_needs_no_torch(folder):
    code = (
        "import sys; from train import load_policy; import numpy as np;"
        "load_policy(sys.argv[1])(np.zeros((2, 3), np.float32));"
        "sys.exit(any(name in sys.modules for name in ('torch', 'stable_baselines3')))"
    )
    subprocess.run([sys.executable, "-c", code, folder], check=True)


def test_other_numbers_may_differ_but_not_what_actions_mean(folder):
    load_policy(folder, PARAMS.replace(risk_aversion=0.05, num_trades=50, hedge_cost_per_unit=0.0))
    for change in ({"inventory_limit": 30}, {"hedge_levels": 5}, {"hedge_action": "units"}):
        with pytest.raises(ValueError, match=r"policy\.safetensors: the policy is for a market with hedge"):
            load_policy(folder, PARAMS.replace(**change))


def test_the_same_number_of_other_levels_is_refused(tmp_path):
    five = PARAMS.replace(hedge_levels=5)
    save_policy(NetworkPolicy.of(make_model(five), five), tmp_path)
    load_policy(tmp_path, five)
    with pytest.raises(ValueError, match=r"hedge levels \[0, 5, 10, 15, 20\], this one has \[0, 10, 20, 30, 40\]"):
        load_policy(tmp_path, five.replace(inventory_limit=40))


def _description(**changes):
    def spoil(folder):
        description = json.loads((folder / "policy.json").read_text())
        (folder / "policy.json").write_text(json.dumps({**description, **changes}))

    return spoil


def _weights(change):
    """Spoil the weights, with a checksum that fits."""

    def spoil(folder):
        import hashlib

        tensors = load_file(folder / "policy.safetensors")
        content = change(tensors)
        (folder / "policy.safetensors").write_bytes(content if isinstance(content, bytes) else save(content))
        digest = hashlib.sha256((folder / "policy.safetensors").read_bytes()).hexdigest()
        _description(sha256=digest)(folder)

    return spoil


def _with(name, change):
    return lambda tensors: {**tensors, name: change(tensors[name])}


def _remove(name):
    return lambda folder: (folder / name).unlink()


def _make_folder(name):
    def spoil(folder):
        (folder / name).unlink()
        (folder / name).mkdir()

    return spoil


def _write(name, content):
    return lambda folder: (folder / name).write_bytes(content)


HEADER = b'{"0.weight":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'
SPOILED = {
    "no description": (_remove("policy.json"), r"policy\.json: cannot be read: No such file"),
    "no weights": (_remove("policy.safetensors"), r"policy\.safetensors: cannot be read: No such file"),
    "description is a folder": (_make_folder("policy.json"), "cannot be read: Is a directory"),
    "weights are a folder": (_make_folder("policy.safetensors"), "cannot be read: Is a directory"),
    "empty description": (_write("policy.json", b""), "not a policy's description"),
    "truncated description": (_write("policy.json", b'{"format": "mm_env pol'), "not a policy's description"),
    "binary description": (_write("policy.json", b"\x80\x04\x95\xff"), "not a policy's description"),
    "nested description": (_write("policy.json", b"[" * 100_000), "not a policy's description"),
    "long number": (_write("policy.json", b"9" * 10_000), "not a policy's description"),
    "huge description": (_write("policy.json", b" " * 2_000_000), "larger than 1,000,000 bytes"),
    "description is a list": (_write("policy.json", b"[]"), "format is not 'mm_env policy 1'"),
    "foreign description": (_write("policy.json", b'{"format": "onnx"}'), "format is not 'mm_env policy 1'"),
    "no market": (_description(market=None), "'market' must be a dict"),
    "bad market": (_description(market={"spread": float("nan")}), "spread must be a number"),
    "unknown field": (_description(market={"sprd": 1}), "'sprd' is not a market parameter"),
    "env is a number": (_description(env=1), "'env' must be a str or null"),
    "other observations": (_description(observations=["price"]), "made for observations"),
    "sizes of another net": (_description(layers=[4, 16, 8, 21]), "'layers' must be"),
    "sizes are words": (_description(layers=[3, "16", 8, 21]), "'layers' must be"),
    "sizes are huge": (_description(layers=[3, 10**30, 8, 21]), "json describes layers of sizes"),
    "too many layers": (_description(layers=[3, *[1] * 100_000, 21]), "'layers' must be"),
    "fewer layers": (_description(layers=[3, 21]), "must hold weight and bias of 1 layers"),
    "activation": (_description(activation="__import__('os')"), "activation must be one of tanh, relu"),
    "checksum": (_description(sha256="0" * 64), "not the weights that policy.json describes"),
    "no checksum": (_description(sha256=None), "'sha256' must be a str"),
    "truncated weights": (_weights(lambda tensors: save(tensors)[:-10]), "not a safetensors file"),
    "empty weights": (_weights(lambda tensors: b""), "not a safetensors file"),
    "pickled weights": (_weights(lambda tensors: b"\x80\x04cos\nsystem\n"), "not a safetensors file"),
    "enormous header": (_weights(lambda tensors: b"\xff" * 8 + b"{}"), "not a safetensors file"),
    "enormous tensor": (_weights(lambda tensors: len(HEADER).to_bytes(8, "little") + HEADER), "not a safetensors"),
    "missing tensor": (_weights(lambda tensors: {"0.bias": tensors["0.bias"]}), "must hold weight and bias of 3"),
    "foreign tensors": (_weights(lambda tensors: {"x": tensors["0.bias"]}), "must hold weight and bias of 3"),
    "NaN": (_weights(_with("1.weight", lambda w: w * np.float32("nan"))), "weight of layer 1 must be finite, got nan"),
    "inf": (_weights(_with("2.bias", lambda b: b + np.float32("inf"))), "bias of layer 2 must be finite, got inf"),
    "float64": (_weights(_with("0.bias", lambda b: b.astype(np.float64))), "bias of layer 0 must be float32"),
    "integers": (_weights(_with("0.bias", lambda b: b.astype(np.int64))), "bias of layer 0 must be float32"),
    "shape": (
        _weights(_with("0.weight", lambda w: w.T.copy())),
        r"weight of layer 0 must be float32 of shape \(16, 3\)",
    ),
    "scalar": (_weights(_with("0.bias", lambda b: np.array(b[0]))), "layer 0 must be float32 of shape"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_spoiled_pair_is_refused(folder, case):
    spoil, message = SPOILED[case]
    spoil(folder)
    with pytest.raises(ValueError, match=message) as caught:
        load_policy(folder)
    assert str(folder / "policy.") in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere", "nowhere/policy.json", "nowhere.safetensors", "/dev/null", "."])
def test_what_is_not_there_is_a_value_error(tmp_path, name):
    with pytest.raises(ValueError, match="cannot be read"):
        load_policy(tmp_path / name)


def test_a_pair_of_two_policies_is_refused(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    policy = load_policy(folder)
    shifted = tuple(Layer(weight, bias + np.float32(1)) for weight, bias in policy.layers)
    save_policy(dataclasses.replace(policy, layers=shifted), other)
    (other / "policy.safetensors").rename(folder / "policy.safetensors")
    with pytest.raises(ValueError, match="copy the two files together"):
        load_policy(folder)


class Crafted:
    """Makes a folder when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.target),)


def craft(path, target):
    """A model whose every part runs code when it is unpickled."""
    import base64
    import pickle

    harmful = pickle.dumps(Crafted(target), protocol=2)  # the one that PyTorch writes
    data = {"policy_class": {":type:": "x", ":serialized:": base64.b64encode(harmful).decode()}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", json.dumps(data))
        for name in ("policy.pth", "policy.optimizer.pth", "pytorch_variables.pth"):
            archive.writestr(name, harmful)


def test_a_model_is_read_only_if_trusted(model, tmp_path):
    model.save(tmp_path / "model.zip")
    with pytest.raises(ValueError, match="runs the code in it"):
        load_policy(tmp_path / "model.zip", PARAMS)
    with pytest.raises(ValueError, match="pass params"):
        load_policy(tmp_path / "model.zip", trust_pickle=True)
    policy = load_policy(tmp_path / "model.zip", PARAMS, trust_pickle=True)
    observations = np.random.default_rng(0).uniform(-1, 1, (100, 3)).astype(np.float32)
    np.testing.assert_array_equal(policy(observations), model.predict(observations, deterministic=True)[0])


def test_a_crafted_model_is_not_run(tmp_path):
    craft(tmp_path / "model.zip", tmp_path / "ran")
    with pytest.raises(ValueError, match="runs the code in it"):
        load_policy(tmp_path / "model.zip", PARAMS)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip"])
def test_a_trusted_file_that_is_no_model_is_a_value_error(tmp_path, content):
    (tmp_path / "model.zip").write_bytes(content)
    with pytest.raises(ValueError, match="not a PPO model for this market"):
        load_policy(tmp_path / "model.zip", PARAMS, trust_pickle=True)


def test_a_model_for_another_market_is_refused(model, tmp_path):
    model.save(tmp_path / "model.zip")
    with pytest.raises(ValueError, match="not a PPO model for this market"):
        load_policy(tmp_path / "model.zip", PARAMS.replace(hedge_levels=5), trust_pickle=True)
    with pytest.raises(ValueError, match="weight of layer 2 must be float32 of shape"):
        NetworkPolicy.of(model, PARAMS.replace(inventory_limit=4))
