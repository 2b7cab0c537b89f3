import json

import pytest
from click.testing import CliRunner

from mm_env.cli.main import main
from mm_env.cli.randomise import read_ranges

SMALL = ["--set", "num_trades=10", "--set", "inventory_limit=5", "--set", "hedge_threshold=2"]


@pytest.mark.parametrize("text", ["risk_aversion", "risk_aversion=1", "risk_aversion=a:b", "spread=0:1,,"])
def test_what_is_no_range_is_named(text):
    with pytest.raises(ValueError, match="expected NAME=LOW:HIGH"):
        read_ranges(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--randomise", "spread=0:1", "--seeds", "0-1"], "--seeds does not go with --randomise"),
        (["--randomise", "spread=0:1", "--algo", "a2c"], "--algo does not go with --randomise"),
        (["--randomise", "num_trades=5:9"], "'num_trades' cannot be randomised"),
        (["--hide-parameters"], "--hide-parameters is for --randomise"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments, message, tmp_path):
    pytest.importorskip("stable_baselines3")
    result = CliRunner().invoke(main, ["train", *arguments, "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize("hidden", [[], ["--hide-parameters"]])
def test_one_policy_is_scored_in_every_market_and_played_in_any(hidden, tmp_path):
    pytest.importorskip("stable_baselines3")
    asked = ["--randomise", "risk_aversion=0.002:0.2,spread=0.01:0.1", *hidden, "--steps", "1280", *SMALL]
    result = CliRunner().invoke(main, ["train", *asked, "--out", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    middle = pytest.approx((0.02, 0.0316227766))
    assert [(row["risk_aversion"], row["spread"]) for row in found[::4]] == [(0.002, 0.01), middle, (0.2, 0.1)]
    assert all(row["objective"] <= row["optimum"] + 1e-9 for row in found)
    again = CliRunner().invoke(main, ["train", *asked, "--out", str(tmp_path), "--json"])
    assert again.exit_code == 2
    assert "holds a run already" in again.output
    resumed = CliRunner().invoke(main, ["train", *asked, "--out", str(tmp_path), "--json", "--resume"])
    assert json.loads(resumed.stdout) == found
    played = ["--policy", str(tmp_path), *SMALL, "--set", "risk_aversion=0.1", "--episodes", "100"]
    assert CliRunner().invoke(main, ["simulate", *played]).exit_code == 0
