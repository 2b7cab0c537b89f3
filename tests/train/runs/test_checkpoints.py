import io
import pickle
import zipfile

import pytest

from mm_env import MarketParams

pytest.importorskip("stable_baselines3")

import torch
from stable_baselines3 import PPO

from tests.train.policies.test_saved_policy import Crafted, craft
from train import SB3VecEnv
from train.runs.checkpoints import checkpoints, restore, restore_newest, save_checkpoint

PARAMS = MarketParams(num_trades=10)


def make_model(hidden=8):
    kwargs = {"net_arch": [hidden]}
    return PPO("MlpPolicy", SB3VecEnv(PARAMS, 2), n_steps=10, batch_size=10, policy_kwargs=kwargs, device="cpu")


@pytest.fixture(scope="module")
def trained():
    return make_model().learn(40)


@pytest.fixture
def folder(trained, tmp_path):
    save_checkpoint(trained, tmp_path, 20)
    save_checkpoint(trained, tmp_path, 40)
    return tmp_path


def assert_same(one, other):
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert set(one) == set(other)
        for name, value in one.items():
            assert_same(value, other[name])
    else:
        assert one == other


def test_weights_and_optimiser_are_restored(trained, folder):
    model = make_model()
    assert restore_newest(model, folder) == model.num_timesteps == 40
    assert_same(model.get_parameters(), trained.get_parameters())


def test_the_last_two_are_kept(trained, folder):
    save_checkpoint(trained, folder, 100)
    (folder / "rl_model_x_steps.zip").touch()
    (folder / "best_model.zip").touch()
    assert list(checkpoints(folder)) == [100, 40]


def test_a_folder_without_any_is_the_beginning(tmp_path):
    model = make_model()
    before = model.get_parameters()
    assert restore_newest(model, tmp_path) == 0
    assert_same(model.get_parameters(), before)


def rewrite(path, part, content):
    """Replace one part of a checkpoint."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = content
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in parts.items():
            if value is not None:
                archive.writestr(name, value)


def tensors(part, change):
    """Change the tensors of one part."""

    def spoil(path):
        with zipfile.ZipFile(path) as archive:
            values = torch.load(io.BytesIO(archive.read(part)), weights_only=True)
        buffer = io.BytesIO()
        torch.save(change(values), buffer)
        rewrite(path, part, buffer.getvalue())

    return spoil


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def of_memory(**changes):
    return lambda values: {**values, "state": {**values["state"], 0: {**values["state"][0], **changes}}}


def replaced(name, change):
    return lambda values: {**values, name: change(values[name])}


BIAS = "action_net.bias"
HARMFUL = pickle.dumps(Crafted("ran"), protocol=2)  # the protocol that PyTorch writes
POLICY, OPTIMISER = "policy.pth", "policy.optimizer.pth"
SPOILED = {
    "truncated": (truncated, "a whole checkpoint"),
    "empty": (lambda path: path.write_bytes(b""), "not a whole checkpoint"),
    "foreign": (lambda path: path.write_bytes(b"PK\x05\x06" + bytes(18)), "a whole checkpoint must hold policy"),
    "a folder": (lambda path: path.unlink() or path.mkdir(), "not a whole checkpoint"),
    "truncated part": (lambda path: rewrite(path, POLICY, b"PK\x03\x04" * 9), "not a whole checkpoint"),
    "no optimiser": (lambda path: rewrite(path, OPTIMISER, None), "a whole checkpoint must hold policy"),
    "pickle": (lambda path: rewrite(path, POLICY, HARMFUL), "not a whole checkpoint"),
    "pickled optimiser": (
        lambda path: rewrite(path, OPTIMISER, pickle.dumps(Crafted("ran"), protocol=2)),
        "not a whole",
    ),
    "a list": (tensors(POLICY, lambda values: list(values)), "policy must hold"),
    "NaN": (tensors(POLICY, replaced(BIAS, lambda b: b * float("nan"))), "action_net.bias of policy is not finite"),
    "inf": (tensors(POLICY, replaced(BIAS, lambda b: b + float("inf"))), "action_net.bias of policy is not finite"),
    "float64": (tensors(POLICY, replaced(BIAS, lambda b: b.double())), "action_net.bias of policy must be"),
    "shape": (tensors(POLICY, replaced(BIAS, lambda b: b[:3])), r"action_net.bias of policy must be .* of \(21,\)"),
    "sparse": (tensors(POLICY, replaced(BIAS, lambda b: b.to_sparse())), "action_net.bias of policy must be"),
    "a number": (tensors(POLICY, replaced(BIAS, lambda b: 1.0)), "got float"),
    "missing weight": (tensors(POLICY, lambda values: {BIAS: values[BIAS]}), "policy must hold"),
    "no memory": (tensors(OPTIMISER, lambda values: {**values, "state": {}}), "policy.optimizer must hold"),
    "memory is a list": (tensors(OPTIMISER, lambda values: {**values, "state": []}), "policy.optimizer must hold"),
    "memory of another optimiser": (tensors(OPTIMISER, of_memory(momentum=1)), "optimizer of weight 0 must hold"),
    "NaN memory": (
        tensors(OPTIMISER, of_memory(exp_avg=torch.full((8, 3), float("nan")))),
        "exp_avg of policy.optimizer of weight 0 is not finite",
    ),
    "memory of another shape": (
        tensors(OPTIMISER, of_memory(exp_avg_sq=torch.zeros(2))),
        "exp_avg_sq of policy.optimizer of weight 0 must be",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_spoiled_checkpoint_is_passed_over(folder, monkeypatch, case):
    monkeypatch.chdir(folder)
    spoil, message = SPOILED[case]
    newest = folder / "rl_model_40_steps.zip"
    spoil(newest)
    model = make_model()
    before = model.get_parameters()
    with pytest.raises(ValueError, match=message) as caught:
        restore(model, newest)
    assert str(newest) in str(caught.value)
    assert_same(model.get_parameters(), before)
    assert not (folder / "ran").exists()
    with pytest.warns(UserWarning, match="passed over a damaged checkpoint"):
        assert restore_newest(model, folder) == 20


def test_cut_anywhere_it_is_refused(folder):
    newest = folder / "rl_model_40_steps.zip"
    content, model = newest.read_bytes(), make_model()
    for length in range(0, len(content), 97):
        newest.write_bytes(content[:length])
        with pytest.raises(ValueError, match="a whole checkpoint"):
            restore(model, newest)


def test_of_another_network_is_refused(folder):
    with pytest.raises(ValueError, match=r"of policy must be .* of \(4, 3\)"):
        restore(make_model(hidden=4), folder / "rl_model_40_steps.zip")


def test_all_spoiled_is_an_error(folder):
    for path in checkpoints(folder).values():
        truncated(path)
    with (
        pytest.warns(UserWarning, match="passed over a damaged checkpoint"),
        pytest.raises(ValueError, match="none of the 2 checkpoints can be read"),
    ):
        restore_newest(make_model(), folder)


def test_settings_in_the_file_change_nothing(folder):
    newest = folder / "rl_model_40_steps.zip"
    tensors(OPTIMISER, lambda values: {**values, "param_groups": [{"lr": "much", "betas": None}]})(newest)
    model = make_model()
    restore(model, newest)
    assert model.policy.optimizer.param_groups[0]["betas"] == (0.9, 0.999)


def test_a_crafted_checkpoint_is_not_run(folder):
    craft(folder / "rl_model_60_steps.zip", folder / "ran")
    with pytest.warns(UserWarning, match="passed over a damaged checkpoint"):
        assert restore_newest(make_model(), folder) == 40
    assert not (folder / "ran").exists()
