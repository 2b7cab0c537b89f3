"""One long episode is played in plain numbers: what playing it in arrays gives, bit for bit."""

import gc

import numpy as np
import pytest

from baselines import make_policy
from mm_env import Tape, market_params, play, rollout
from tests.markets import IDS


@pytest.mark.parametrize("market", IDS)
@pytest.mark.parametrize("name", ["flat", "random"])
def test_a_long_episode_alone_is_played_bit_for_bit(market, name, monkeypatch):
    params = market_params(market, num_trades=1_000)
    alone = play(make_policy(name, params), params, 1, seed=4)
    monkeypatch.setattr(rollout, "_STRETCH", 300)
    in_stretches = play(make_policy(name, params), params, 1, seed=4)
    monkeypatch.setattr(rollout, "_LONG", 1_001)
    together = play(make_policy(name, params), params, 1, seed=4)
    for field, values in together.arrays().items():
        np.testing.assert_array_equal(getattr(alone, field), values, err_msg=field)
        np.testing.assert_array_equal(getattr(in_stretches, field), values, err_msg=field)
        assert getattr(alone, field).dtype == values.dtype


def test_a_rule_of_another_market_is_asked(monkeypatch):
    market = market_params("mm_env/DynamicSpread-v0", num_trades=1_000, hedge_levels=3)
    wide = make_policy("threshold:10", market.replace(lowest_quote=0.05))
    alone = play(wide, market, 1, seed=1)
    monkeypatch.setattr(rollout, "_LONG", 1_001)
    np.testing.assert_array_equal(alone.equity, play(wide, market, 1, seed=1).equity)


@pytest.mark.parametrize("actions", [5, [5, 5], [99], [0.5], "five"])
def test_bad_actions_are_refused_in_a_long_episode_too(actions):
    with pytest.raises(ValueError, match="action"):
        play(lambda seen: np.array(actions), market_params(num_trades=1_000), 1)


def test_a_step_calls_the_policy_once_and_costs_the_same_however_long_the_episode():
    """No test measures time: counted are the rows that the tape is asked for, each once."""
    asked = []
    tape = Tape.draw(market_params(num_trades=25_000), 0, 1)

    class Counted(Tape):
        def episode(self, column, params, start=0, stop=None):
            asked.append((start, stop))
            return super().episode(column, params, start, stop)

    counted = Counted(tape.paths, tape.replayed, tape.drawn_in)
    calls = []
    params = market_params(num_trades=25_000)
    rollout.play_tape(lambda seen: calls.append(seen.shape) or np.array([10]), params, counted)
    assert asked == [(0, 10_000), (10_000, 20_000), (20_000, 25_000)]
    assert calls == [(1, 3)] * 25_000


def test_ten_million_requests_are_no_limit():
    assert market_params(num_trades=10_000_001).num_trades == 10_000_001


def test_python_looks_for_cycles_again_after_a_long_episode_that_ended_badly():
    with pytest.raises(ValueError, match="action"):
        play(lambda seen: np.full(len(seen), -1), market_params(num_trades=1_000), 1)
    assert gc.isenabled()


@pytest.mark.slow
def test_any_number_of_workers_plays_the_same_episodes():
    params = market_params("mm_env/Imbalance-v0")
    tape = Tape.draw(params, seed=1, episodes=2_500)
    for arguments in ({"episodes": 4_500, "seed": 3}, {"tape": tape}):
        one, two = (play(make_policy("threshold:3", params), params, **arguments, workers=number) for number in (1, 2))
        for field, values in one.arrays().items():
            np.testing.assert_array_equal(getattr(two, field), values, err_msg=field)


def test_workers_refuse_a_policy_that_may_draw_or_remember():
    params = market_params()
    with pytest.raises(ValueError, match="workers=2 needs a policy with memoryless=True or pure=True"):
        play(make_policy("random", params), params, 10, workers=2)
    with pytest.raises(ValueError, match="workers"):
        play(make_policy("never", params), params, 10, workers=0)
