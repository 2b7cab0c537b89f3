import csv

import pytest
from click.testing import CliRunner

pytest.importorskip("stable_baselines3")

from mm_env.cli.main import main
from tests.train.test_ppo import tiny
from train.trackers import TRACKERS, Tracker

SHARE = "eval/exact_share"


def test_the_exact_share_is_logged_at_the_end(tmp_path):
    run = tiny(tmp_path)
    with (tmp_path / "tensorboard" / "progress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1][SHARE]) == pytest.approx(run.exact.share)
    assert [row["eval/share"] for row in rows if row["eval/share"]] != []


def test_mlflow_is_told(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'runs.db'}")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'runs.db'}")
    arguments = ["--steps", "12800", "--set", "num_trades=10", "--out", str(tmp_path / "run"), "--track", "mlflow"]
    result = CliRunner().invoke(main, ["train", *arguments])
    assert result.exit_code == 0, result.output
    [run] = mlflow.search_runs(experiment_names=["mm_env"], output_format="list")
    assert run.info.status == "FINISHED"
    assert run.data.params["total_timesteps"] == "12800"
    assert run.data.metrics[SHARE] <= 1


def test_wandb_is_told(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    tracker = Tracker("wandb", "a run", {"seed": 0})
    tiny(tmp_path / "run", writers=[tracker])
    tracker.close()
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_an_unknown_tracker_is_refused():
    with pytest.raises(ValueError, match=f"tracker must be one of {', '.join(TRACKERS)}, got 'paper'"):
        Tracker("paper", "run", {})


def test_only_finite_numbers_are_sent():
    class Client:
        sent = None

        def log(self, values):
            self.sent = values

    tracker = Tracker.__new__(Tracker)
    tracker._client, tracker._name, tracker._begun = Client(), "wandb", True
    tracker.write({"a": 1, "b": float("nan"), "c": "text"}, {}, 7)
    assert tracker._client.sent == {"a": 1.0, "steps": 7}
