"""A run folder written before the code stood in packages: `train_ppo` with seed 3, 25,600 steps."""

import shutil
from pathlib import Path

import pytest

from baselines import policy_value
from mm_env import market_params

pytest.importorskip("stable_baselines3")

from train import load_policy, train_ppo
from train.runs.checkpoints import checkpoints
from train.runs.train_config import TrainConfig

FOLDER = Path(__file__).parent / "data" / "run_before_packages"
VALUE = 4.381092165742242  # `policy_value` of the policy, by the code that wrote it
OBJECTIVE = 4.382489299999999  # on its 500 held-out episodes, by the same code
STEPS = 25_600


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(FOLDER, tmp_path / "run")


def test_its_policy_is_worth_what_it_was():
    policy = load_policy(FOLDER)
    assert policy.params == market_params("mm_env/Hedging-v0")
    assert policy.training["objective"] == OBJECTIVE
    assert policy_value(policy, policy.params) == pytest.approx(VALUE, rel=1e-12)


def test_its_best_model_is_the_same_policy():
    params = market_params("mm_env/Hedging-v0")
    model = load_policy(FOLDER / "best_model.zip", params, trust_pickle=True)
    assert policy_value(model, params) == pytest.approx(VALUE, rel=1e-12)


def test_the_finished_run_is_returned_as_it_is(folder):
    result = train_ppo(run_dir=folder, resume=True, progress=False)
    assert result.timesteps == STEPS
    assert result.objective == pytest.approx(VALUE, rel=1e-12)
    assert result.curve.timesteps.tolist() == [0, STEPS]


def test_a_run_cut_short_goes_on_from_its_checkpoint(folder):
    """The same folder, as if it had been stopped half-way through a run of twice the steps."""
    config = folder / "config.yml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(f"n_timesteps: {STEPS}\n", f"n_timesteps: {2 * STEPS}\n"), encoding="utf-8")
    assert TrainConfig.read(folder).total_timesteps == 2 * STEPS
    result = train_ppo(run_dir=folder, resume=True, progress=False)
    assert list(checkpoints(folder))[-1] == STEPS
    assert result.timesteps == 2 * STEPS
    assert result.curve.timesteps[[0, 1, -1]].tolist() == [0, STEPS, 2 * STEPS]
    assert load_policy(folder).training["objective"] >= OBJECTIVE
