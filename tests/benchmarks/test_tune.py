import csv

import pytest
from click.testing import CliRunner

pytest.importorskip("stable_baselines3")

from benchmarks.tune import COLUMNS, main

TINY = ["--try", "n_envs=8", "--try", "batch_size=40", "--try", "n_timesteps=800"]


def test_every_try_is_written_down(tmp_path):
    path = tmp_path / "tries.csv"
    arguments = ["--market", "mm_env/Hedging-v0", "--seed", "901", *TINY, "--try", "n_epochs=1;2", "--out", str(path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row[4].count('"n_epochs": ' + str(n)) for row, n in zip(rows[1:], (1, 2), strict=True)] == [1, 1]
    assert all(float(row[5]) < 1.0 for row in rows[1:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--market", "mm_env/Hedging-v0", "--seed", "3"], "tuning takes seeds from 900 on"),
        (["--market", "mm_env/Hedging-v0", "--try", "gamma"], "--try takes NAME=VALUE;VALUE"),
        (["--market", "mm_env/Nothing-v0"], "no market 'mm_env/Nothing-v0'"),
    ],
)
def test_what_cannot_be_tried_is_refused(arguments, message):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code != 0
    assert message in result.output + str(result.exception)
