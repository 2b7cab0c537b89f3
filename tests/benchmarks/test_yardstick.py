"""The ends of the scale hold, and one that does not is told."""

import json

from click.testing import CliRunner

from benchmarks.yardstick import Yardstick, main

MARKET = "mm_env/TicketFee-v0"


def test_it_holds_in_a_market():
    ended = CliRunner().invoke(main, ["--market", MARKET, "--rules", "300", "--json"])
    assert ended.exit_code == 0, ended.output
    (found,) = json.loads(ended.stdout)
    assert abs(found["optimum"] - 1.0) < 1e-9
    assert abs(found["best_rule"]) < 1e-9
    assert found["best_fixed"] <= 1e-9 < found["best_drawn"] < 1.0


def test_an_end_that_is_off_is_an_error(monkeypatch):
    off = Yardstick(MARKET, 1.0, 0.0, 100, best_drawn=1.0 + 1e-6, best_fixed=-0.1)
    monkeypatch.setattr("benchmarks.yardstick.measure", lambda market, rules, seed: off)
    ended = CliRunner().invoke(main, ["--market", MARKET])
    assert ended.exit_code == 1
    assert f"the scale does not hold in {MARKET}" in ended.output
    assert off._replace(best_drawn=0.9).holds
    assert not off._replace(best_drawn=0.9, best_rule=-1e-6).holds
