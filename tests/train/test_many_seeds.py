import json

import pytest
from click.testing import CliRunner

pytest.importorskip("stable_baselines3")

from mm_env.cli.commands.train import read_seeds
from mm_env.cli.main import main
from tests.train.test_ppo import TINY, interrupt  # noqa: F401
from train.many_seeds import train_seeds
from train.ppo import train_ppo

SMALL = {"env_kwargs": {"num_trades": 10}, "hyperparameters": TINY, "eval_episodes": 20, "eval_freq": 160}


def policies(folder, seeds):
    return [(folder / f"seed-{seed}" / "policy.safetensors").read_bytes() for seed in seeds]


def test_seeds_are_trained_alike_by_any_number_of_workers_and_after_an_interruption(tmp_path, interrupt):  # noqa: F811
    seeds, steps = [3, 1], 480
    two = list(train_seeds(None, seeds, tmp_path / "two", workers=2, total_timesteps=steps, **SMALL))
    assert sorted(result.seed for result in two) == [1, 3]
    assert all(result.exact and result.steps == steps for result in two)
    alone = train_ppo(seed=3, run_dir=tmp_path / "alone", total_timesteps=steps, progress=False, **SMALL)
    assert (tmp_path / "alone" / "policy.safetensors").read_bytes() == policies(tmp_path / "two", [3])[0]
    assert {result.seed: result.objective for result in two}[3] == alone.exact.objective
    interrupt(95)  # in the second run
    with pytest.raises(KeyboardInterrupt):
        list(train_seeds(None, seeds, tmp_path / "one", total_timesteps=steps, **SMALL))
    again = list(train_seeds(None, seeds, tmp_path / "one", workers=2, resume=True))
    assert sorted(result[:1] + result[2:7] for result in again) == sorted(result[:1] + result[2:7] for result in two)
    assert policies(tmp_path / "one", seeds) == policies(tmp_path / "two", seeds)


def test_the_command_prints_a_line_a_seed_and_one_summary(tmp_path):
    arguments = ["train", "--seeds", "0-1", "--steps", "12800", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, [*arguments, "--set", "num_trades=10"])
    assert result.exit_code == 0, result.output
    assert [f"seed {seed}: objective " in result.stderr for seed in (0, 1)] == [True, True]
    assert "| mean" in result.stdout
    assert " ± " in result.stdout
    again = CliRunner().invoke(main, ["train", "--seeds", "0-1", "--out", str(tmp_path), "--resume", "--json"])
    told = json.loads(again.stdout)
    assert [row["seed"] for row in told] == [0, 1]
    assert all(f"{row['objective']:.4f}" in result.stdout for row in told)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0-x"], "--seeds 0-x: expected numbers and ranges"),
        (["--seeds", "0,0"], "seeds must be different"),
        (["--seeds", "3-1"], "seeds must be different, and at least one"),
        (["--seeds", "0-1", "--seed", "2"], "give --seed or --seeds, not both"),
        (["--workers", "2"], "--workers is for --seeds"),
        (["--seeds", "0-1", "--resume"], "there is no run to resume"),
        (["--time-limit", "0"], "0.0 is not in the range"),
    ],
)
def test_what_cannot_be_trained_is_refused(tmp_path, arguments, message):
    result = CliRunner().invoke(main, ["train", "--out", str(tmp_path / "runs"), *arguments])
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "runs").exists()


def test_seeds_are_listed():
    assert read_seeds("4") == [4]
    assert read_seeds("0-2,5,7-8") == [0, 1, 2, 5, 7, 8]
