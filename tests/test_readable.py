"""What is printed of an object: short, true, and a table where there is much."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings

from baselines import SCORES, compare, make_policy, solve
from baselines.evaluation.league import LEAGUE_SCORES, league
from baselines.evaluation.scores import mean
from mm_env import MARKETS, DealersParams, MarketParams, Tape, dealers_params, market_params, play
from mm_env.market.client_tier import ClientTier
from tests.markets import market_parameters

ID = "mm_env/Hedging-v0"


def made(name):
    rule = make_policy("threshold:5", ID)
    return {
        "params": lambda: market_params("mm_env/Latency-v0"),
        "tape": lambda: Tape.replay([[1, -1], [0, 1]], [[0.1, 0.2], [0.3, 0.4]]),
        "episodes": lambda: play(rule, ID, 4),
        "nothing played": lambda: play(rule, ID, 4)[:0],
        "comparison": lambda: compare({"five": rule, "never": make_policy("never", ID)}, ID, 1000),
        "league": lambda: league({"a": rule}, dealers_params(num_dealers=1, num_trades=5), 20),
        "solution": lambda: solve(ID),
        "estimate": lambda: compare({"five": rule}, ID, 1000).score("five", "pnl"),
    }[name]()


def read_back(params):
    return eval(repr(params), {"MarketParams": MarketParams, "ClientTier": ClientTier})


@settings(max_examples=50, deadline=None)
@given(market_parameters())
def test_a_market_is_told_by_what_differs_and_read_back(params):
    assert read_back(params) == params
    for field in dataclasses.fields(params):
        differs = getattr(params, field.name) != field.default
        assert (f"{field.name}=" in repr(params)) == differs
        assert (f"<td>{field.name}</td>" in params._repr_html_()) == differs


def test_the_registered_markets_are_told_by_what_differs():
    assert repr(market_params(ID)) == "MarketParams()"
    assert repr(DealersParams(num_dealers=2)) == "DealersParams(num_dealers=2)"
    for name in MARKETS:
        assert read_back(market_params(name)) == market_params(name)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("tape", ["episodes=2, trades=2, replayed=True"]),
        ("episodes", ["episodes=4, trades=100, mean_pnl=", "params=MarketParams()"]),
        ("nothing played", ["episodes=0, trades=100, params=MarketParams()"]),
        ("solution", ["value=4.71", "trades=100, states=41, requests=3"]),
        ("estimate", ["value=", "half_width=", "level=0.95, episodes=1,000"]),
    ],
)
def test_an_object_is_one_short_line(name, told):
    shown = made(name)
    assert all(part in repr(shown) for part in told), repr(shown)
    assert len(repr(shown)) < 200
    assert "\n" not in repr(shown)
    assert shown._repr_html_().count("<tr>") == len(shown.facts())


@pytest.mark.parametrize(("name", "scores"), [("comparison", {"share", *SCORES}), ("league", LEAGUE_SCORES)])
def test_a_comparison_is_its_table(name, scores):
    shown = made(name)
    head, header, _, *rows = repr(shown).splitlines()
    assert "95 % intervals" in head
    columns, cells = shown.table()
    assert set(columns[1:]) <= set(scores)
    assert [[cell.strip() for cell in row.split("|")[1:-1]] for row in (header, *rows)] == [columns, *cells]
    assert cells[0][1] == str(shown.score(cells[0][0], columns[1]))
    assert len(repr(shown)) < 1500
    assert shown._repr_html_().count("<tr>") == 1 + len(rows)


def test_a_comparison_becomes_a_data_frame():
    pytest.importorskip("pandas")
    result = made("comparison")
    frame = result.to_dataframe()
    assert list(frame.columns) == ["policy", "score", "unit", "value", "low", "high"]
    assert len(frame) == 2 * len(result.names())
    row = frame[(frame.policy == "never") & (frame.score == "pnl")].iloc[0]
    assert row[["value", "low", "high"]].to_dict() == result.score("never", "pnl").to_dict()
    assert row.unit == "price units"


def test_what_is_not_of_us_is_not_run_in_a_notebook():
    result = compare({"<script>": make_policy("never", ID)}, ID, 20)
    assert "<script>" not in result._repr_html_()


def test_a_figure_without_an_interval_is_told_so():
    assert repr(mean(np.array([1.0]))) == "Estimate(value=1, episodes=1)"
    assert str(mean(np.array([1.0, 1.0]))) == "1.0000"
