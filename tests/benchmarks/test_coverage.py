"""Intervals hold the truth about as often as they say."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from baselines.evaluation.scores import expected_shortfall
from benchmarks.coverage import main

EVENLY = (np.arange(20_000) + 0.5) / 20_000
POPULATIONS = {
    "normal": stats.norm.ppf(EVENLY),
    "heavy tails": stats.t.ppf(EVENLY, 4),
    "lognormal losses": -np.exp(stats.norm.ppf(EVENLY)),
}


@pytest.mark.parametrize("episodes", [500, 1000])
@pytest.mark.parametrize("name", POPULATIONS)
def test_the_interval_of_cvar_holds_the_truth(name, episodes):
    """0.93 to 0.97 and two standard errors of 600 samples; Student's interval has 0.917, 0.890 and 0.895 at 500."""
    values = POPULATIONS[name]
    truth = expected_shortfall(values).value
    generator = np.random.default_rng(2)
    held = 0
    for _ in range(600):
        low, high = expected_shortfall(generator.choice(values, episodes)).interval()
        held += low <= truth <= high
    assert 0.93 - 0.018 <= held / 600 <= 0.97 + 0.018


def test_the_interval_of_a_paired_difference_of_cvar_holds_the_truth():
    one, other = POPULATIONS["normal"], np.roll(POPULATIONS["lognormal losses"], 5_000)
    truth = expected_shortfall(one).value - expected_shortfall(other).value
    generator = np.random.default_rng(3)
    held = 0
    for _ in range(600):
        rows = generator.integers(len(one), size=500)
        low, high = (expected_shortfall(one[rows]) - expected_shortfall(other[rows])).interval()
        held += low <= truth <= high
    assert 0.93 - 0.018 <= held / 600 <= 0.97 + 0.018


def test_the_command_counts_figures_and_writes_them(tmp_path):
    arguments = ["--market", "mm_env/Hedging-v0", "--episodes", "400", "--repetitions", "40", "--population", "1000"]
    result = CliRunner().invoke(main, [*arguments, "--json", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert {row["figure"] for row in rows} >= {"mean PnL", "J", "Sharpe", "drawdown", "share", "CVaR", "J less never's"}
    assert all(0.8 <= row["covered"] <= 1 for row in rows)
    page = (tmp_path / "coverage.md").read_text()
    assert "--episodes 400 --repetitions 40 --population 1000 --seed 0" in page
    assert f"{rows[0]['covered']:.3f}" in page


def test_the_page_in_docs_says_that_the_tail_is_covered():
    page = (Path(__file__).parents[2] / "docs" / "coverage.md").read_text(encoding="utf-8")
    first, *rows = [
        line.strip("| ").split(" | ") for line in page.partition("\n\nCVaR once")[0].splitlines() if "|" in line
    ]
    columns = [place for place, name in enumerate(first) if "CVaR" in name]
    covered = [float(row[place]) for row in rows[1:] for place in columns]
    error = math.sqrt(0.95 * 0.05 / 400)
    assert "--repetitions 400" in page
    assert len(covered) == 5 * 3 * 3
    assert 0.93 - 2 * error <= min(covered)
    assert max(covered) <= 0.97 + 2 * error
    assert 0.94 <= np.mean(covered) <= 0.96
