import json

import pytest
from click.testing import CliRunner

pytest.importorskip("stable_baselines3")

from baselines.evaluation.gap import Gap
from benchmarks import algorithms
from benchmarks.algorithms import Run, main
from train.runs.exact_score import PolicyScore


def test_every_algorithm_has_a_row_and_is_not_trained_twice(tmp_path, monkeypatch):
    trained = []

    def fake(algo, market, seed, steps, changes):
        trained.append((algo, seed))
        gap = Gap.of(market)
        objective = gap.rule + (0.5 + 0.1 * seed) * (gap.optimum - gap.rule)
        error = 0.01 * (gap.optimum - gap.rule) if algo == "recurrent-ppo" else 0.0
        return 100, PolicyScore(objective, error, None)

    monkeypatch.setattr(algorithms, "train_by_name", fake)
    options = ["--seeds", "2", "--seed", "1", "--results", str(tmp_path / "runs.csv"), "--out", str(tmp_path)]
    algos = ["--algo", "a2c", "--algo", "recurrent-ppo"]
    result = CliRunner().invoke(main, [*options, *algos])
    assert result.exit_code == 0, result.output
    assert trained == [("a2c", 1), ("recurrent-ppo", 1), ("a2c", 2), ("recurrent-ppo", 2)]
    page = (tmp_path / "algorithms.md").read_text()
    assert "| a2c | 1, 2 | 100 | 0.6 ± 0.6 | 0.600 |" in page
    assert "| recurrent-ppo | 1, 2 | 100 | 0.6 ± 0.6 | 0.60 ± 0.02 |" in page
    again = CliRunner().invoke(main, [*options, *algos, "--json"])
    assert len(trained) == 4
    assert [Run(**run).seed for run in json.loads(again.stdout)] == [1, 1, 2, 2]
    held = CliRunner().invoke(main, ["--held", "--results", options[5], "--seeds", "9", "--json"])
    assert sorted(run["seed"] for run in json.loads(held.stdout)) == [1, 1, 2, 2]
    assert len(trained) == 4
    nothing = CliRunner().invoke(main, ["--held", "--results", options[5], "--algo", "sac"])
    assert "holds nothing of what is asked" in nothing.output
