"""What the seed says of hedging is put to the test, and what does not hold is said to."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from baselines import make_policy
from baselines.evaluation import insights as measured
from baselines.evaluation.insights import Claim, Finding, Setting, beyond_the_cap, expected_pnl, verdict
from baselines.evaluation.scores import SCORES, mean
from baselines.evaluation.totals import Totals
from mm_env import MarketParams, Tape, play
from mm_env.cli.main import main

PAGE = Path(__file__).parents[3] / "docs" / "insights.md"


def finding(difference, sign):
    """A finding whose paired differences are these."""
    return Finding(
        Setting("market", "policy", "other"),
        Claim("sd", sign),
        mean(np.array(difference)),
        mean(np.zeros(len(difference))),
    )


@pytest.mark.parametrize(
    ("difference", "sign", "holds"),
    [
        ([1.0, 1.1, 0.9, 1.0], 1, "yes"),
        ([1.0, 1.1, 0.9, 1.0], -1, "no"),
        ([-1.0, -1.1, -0.9, -1.0], -1, "yes"),
        ([1.0, -1.0, 0.5, -0.4], 1, "not shown"),
        ([0.0, 0.0, 0.0, 0.0], 1, "not shown"),
    ],
)
def test_a_sentence_holds_where_the_interval_lies_on_its_side(difference, sign, holds):
    assert finding(difference, sign).holds == holds


def test_the_verdict_names_where_a_sentence_does_not_hold():
    said = verdict([finding([1.0, 1.01], 1), finding([1.0, 1.01], -1), finding([1.0, -1.0], 1)])
    assert said == (
        "Holds in 1 of 3 rows. The opposite holds in market (policy, sd). Neither is shown in market (policy, sd)."
    )


def test_one_sided_episodes_are_those_whose_clients_alone_would_pass_the_cap():
    params = MarketParams(num_trades=4, inventory_limit=2, hedge_threshold=2)
    tape = Tape.replay(sides=[[1, 1, 1, -1], [1, 1, -1, -1], [-1, -1, -1, 1]], price_moves=np.zeros((3, 4)))
    episodes = play(make_policy("threshold:0", params), params, tape=tape)
    assert beyond_the_cap(episodes).tolist() == [True, False, True]


def test_time_at_the_cap_by_hand():
    params = MarketParams(num_trades=4, inventory_limit=1, hedge_threshold=1)
    tape = Tape.replay(sides=[1, 1, -1, 0], price_moves=np.zeros(4))
    totals = Totals.of(play(make_policy("never", params), params, tape=tape))
    assert SCORES["time_at_cap"].estimate(totals).value == 0.5  # after the first two requests


def test_the_mean_pnl_is_that_of_plain_episodes_with_less_noise():
    params = MarketParams()
    totals = Totals.of(play(make_policy("never", params), params, 3000, seed=3))
    plain, reduced = SCORES["pnl"].estimate(totals), expected_pnl(totals)
    assert abs((plain - reduced).value) < 4 * (plain - reduced).standard_error
    assert reduced.standard_error < 0.02 * plain.standard_error


def test_the_command_tests_every_sentence_and_writes_the_page(tmp_path):
    result = CliRunner().invoke(main, ["insights", "--episodes", "400", "--json", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["sentences"]
    assert [row["sentence"] for row in found] == [sentence.text for sentence in measured.SENTENCES]
    risk, breaker, lower, cost, profit = ({row["holds"] for row in sentence["rows"]} for sentence in found)
    assert risk == lower == cost == {"yes"}
    assert "yes" in breaker
    assert {"yes", "no"} <= profit  # runs of clients: a cheap hedge earns more than it costs
    page = (tmp_path / "insights.md").read_text(encoding="utf-8")
    for sentence in found:
        assert sentence["sentence"] in page
        assert sentence["verdict"] in page


def test_the_page_in_docs_has_every_sentence_and_setting():
    text = PAGE.read_text(encoding="utf-8")
    assert "`mm-env insights --episodes 20000 --seed 0 --out docs`" in text
    for sentence in measured.SENTENCES:
        assert sentence.text in text
        assert sentence.reading in text
        for setting in sentence.settings:
            assert f"| {setting.said} | {setting.policy} |" in text
