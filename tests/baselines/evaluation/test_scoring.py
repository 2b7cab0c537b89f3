from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines import make_policy
from baselines.evaluation import scoring
from baselines.evaluation.scoring import play_totals
from baselines.evaluation.totals import TOTALS, Totals
from mm_env import MarketParams, Tape, market_params
from tests.markets import IDS, market_parameters, of_a_kind, sets

EPISODES = 41  # two blocks and one more
FAST = ("mm_env/Hedging-v0", "mm_env/FXDealer-v0")


@pytest.fixture
def _numba():
    pytest.importorskip("numba")


def assert_same_bits(policy, params, episodes=EPISODES, seed=3):
    ours, theirs = (play_totals(policy, params, episodes, seed, compiled=compiled) for compiled in (True, False))
    for field in fields(Totals):
        np.testing.assert_array_equal(getattr(ours, field.name), getattr(theirs, field.name), field.name)


@pytest.mark.usefixtures("_numba")
@pytest.mark.parametrize("market", [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in IDS])
def test_machine_code_finds_the_same_totals(market):
    """A rule that always decides the same, to the last bit, in every market; an odd number of episodes, and one."""
    params = market_params(market, num_trades=1000)
    for episodes in (3, 1):
        assert_same_bits(make_policy("threshold:5", params), params, episodes)


@pytest.mark.usefixtures("_numba")
@pytest.mark.parametrize("policy", [pytest.param("linear-skew:0.01:2", marks=pytest.mark.slow), "optimal"])
def test_machine_code_looks_decisions_up(policy):
    """Tables of rules, quotes and the optimum; sizes, tiers, regimes, orders in flight and nobody at the door."""
    tiers = ({"sizes": (1, 3), "decay": 20.0}, {"logistic": (-0.5, 9.0)})
    params = MarketParams(
        num_trades=6,
        inventory_limit=4,
        tiers=tiers,
        quote_levels=5,
        tick=0.02,
        hedge_latency=1,
        arrival_probability=0.8,
        flow_persistence=0.4,
        volatility_regimes=(0.1, 0.5),
    )
    assert_same_bits(make_policy(policy, params), params, 2000)


@pytest.mark.slow
@pytest.mark.usefixtures("_numba")
@given(
    params=market_parameters(max_trades=9),
    policy=st.sampled_from(["threshold:1", "band:2:1", "linear-skew"]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=sets(60), deadline=None)
def test_machine_code_finds_the_same_totals_in_many_markets(params, policy, seed):
    for each in of_a_kind(params, seed):
        rule = make_policy(policy, each)
        if scoring.DecisionTable.of(rule, each, 10**6) is not None:
            assert_same_bits(rule, each, 100)


@pytest.mark.usefixtures("_numba")
def test_machine_code_begins_where_it_pays(monkeypatch):
    params, asked = MarketParams(num_trades=5), []
    monkeypatch.setattr(scoring, "_played", lambda *arguments: asked.append(arguments))
    monkeypatch.setattr(scoring, "_WORTH_COMPILING", 500)
    rule = make_policy("threshold", params)
    assert len(play_totals(rule, params, 99)) == 99
    assert not asked
    play_totals(rule, params, 100)
    assert asked


@pytest.mark.parametrize("policy", ["random", "band:3:1:2"])
def test_what_draws_or_remembers_is_played_step_by_step(policy, monkeypatch):
    params = MarketParams(num_trades=5)
    monkeypatch.setattr(scoring, "_WORTH_COMPILING", 0)
    assert len(play_totals(make_policy(policy, params), params, 10)) == 10
    with pytest.raises(ValueError, match="compiled=True needs Numba, drawn episodes and a memoryless policy"):
        play_totals(make_policy(policy, params), params, 10, compiled=True)


def test_so_is_what_cannot_be_listed_or_was_recorded(monkeypatch):
    monkeypatch.setattr(scoring, "_WORTH_COMPILING", 0)
    pulled = MarketParams(num_trades=5, mean_reversion=0.1)
    assert len(play_totals(make_policy("band", pulled), pulled, 10)) == 10
    tape = Tape.replay(sides=[[1, -1]], price_moves=[[0.1, 0.2]])
    params = MarketParams(num_trades=2)
    assert len(play_totals(make_policy("never", params), params, tape=tape)) == 1


def test_without_numba_all_is_played_step_by_step(monkeypatch):
    monkeypatch.setattr(scoring, "numba_works", lambda: False)
    monkeypatch.setattr(scoring, "_WORTH_COMPILING", 0)
    params = MarketParams(num_trades=5)
    assert len(play_totals(make_policy("threshold", params), params, 10)) == 10
    with pytest.raises(ValueError, match="compiled=True needs Numba"):
        play_totals(make_policy("threshold", params), params, 10, compiled=True)


def test_every_total_is_in_the_table():
    assert [field.name for field in fields(Totals)] == list(TOTALS)


def test_progress_counts_episodes():
    told = []
    params = MarketParams(num_trades=5)
    play_totals(make_policy("threshold", params), params, 10, progress=told.append)
    assert told == [10]
