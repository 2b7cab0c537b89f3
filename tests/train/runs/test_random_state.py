import io
import zipfile

import numpy as np
import pytest

from mm_env import MarketParams

pytest.importorskip("stable_baselines3")

import torch
from stable_baselines3 import PPO

from train import SB3VecEnv
from train.runs.checkpoints import save_model
from train.runs.random_state import RandomState

MEMBER = "random_state.npz"


def make_model(**arguments):
    env = SB3VecEnv(MarketParams(num_trades=10, continuous="use_sde" in arguments), 2)
    return PPO("MlpPolicy", env, n_steps=10, batch_size=10, device="cpu", **arguments)


def draws():
    return torch.rand(5).tolist(), np.random.rand(5).tolist()  # noqa: NPY002


@pytest.mark.parametrize("arguments", [{}, {"use_sde": True}])
def test_a_model_goes_on_with_the_numbers_that_were_to_come(tmp_path, arguments):
    model, path = make_model(**arguments), tmp_path / "model.zip"
    model.policy.reset_noise(2) if arguments else draws()
    save_model(model, path, RandomState.of(model))
    noise = getattr(model.policy.action_dist, "exploration_mat", None)
    to_come = draws()
    other = make_model(**arguments)
    RandomState.read(path, other).apply(other)
    assert draws() == to_come
    if arguments:
        assert torch.equal(other.policy.action_dist.exploration_mat, noise)
    assert PPO.load(path).policy is not None  # still a checkpoint of Stable-Baselines3


def test_a_checkpoint_of_before_holds_none(tmp_path):
    model = make_model()
    save_model(model, tmp_path / "model.zip")
    assert RandomState.read(tmp_path / "model.zip", model) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (None, "cannot be read"),
        ({"torch": np.zeros(3, np.uint8)}, "torch of random_state.npz must be"),
        ({"more": np.zeros(3)}, "more of random_state.npz must be None"),
        ({"numpy": np.array([None])}, "cannot be read"),
    ],
)
def test_a_spoiled_state_is_refused(tmp_path, changes, message):
    model, path = make_model(), tmp_path / "model.zip"
    save_model(model, path)
    written, state = io.BytesIO(), RandomState.of(model)
    np.savez(written, **{"torch": state.torch, "numpy": state.numpy, **(changes or {})})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MEMBER, written.getvalue()[: 50 if changes is None else None])
    with pytest.raises(ValueError, match=message):
        RandomState.read(path, model)
