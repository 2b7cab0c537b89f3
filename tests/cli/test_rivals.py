import json

import pytest
from click.testing import CliRunner

from mm_env.cli import rivals
from mm_env.cli.main import main

MARKET = "mm_env/DealerVsRules-v0"


def trained(*arguments):
    return CliRunner().invoke(main, ["train", "--market", MARKET, *arguments])


def test_a_dealer_is_trained_among_the_rivals_of_the_id(tmp_path, monkeypatch):
    pytest.importorskip("stable_baselines3")
    monkeypatch.setattr(rivals, "_EPISODES", 20)
    out = str(tmp_path / "run")
    short = ["--set", "num_trades=10", "--steps", "1000", "--out", out]
    found = trained(*short, "--json")
    assert found.exit_code == 0, found.output
    assert list(json.loads(found.stdout)["policies"]) == [out, "threshold:3", "threshold:10"]
    again = trained(*short)
    assert again.exit_code == 2
    assert "holds a policy already" in again.output


@pytest.mark.parametrize("given", ["--resume", "--seeds 0-1", "--algo a2c", "--patience 3"])
def test_what_one_dealer_alone_can_do_is_refused(given):
    found = trained(*given.split())
    assert found.exit_code == 2
    assert f"{given.split()[0]} does not go with --market {MARKET}" in " ".join(found.output.replace("│", " ").split())
