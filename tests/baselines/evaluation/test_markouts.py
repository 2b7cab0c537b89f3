"""Markouts against the closed forms of the law, and against a plain loop."""

import math

import numpy as np
import pytest

from baselines import make_policy
from baselines.evaluation.markouts import HORIZONS, markouts
from mm_env import MarketParams, market_params, play, play_blocks


def found(params, episodes=4000, policy="threshold", **options):
    return markouts(play_blocks(make_policy(policy, params), params, episodes, seed=5), **options)


def assert_close(estimate, expected):
    assert estimate.standard_error > 0
    assert abs(estimate.value - expected) < 4 * estimate.standard_error


@pytest.mark.parametrize("change", [{}, {"flow_persistence": 0.8}, {"volatility_regimes": (0.3, 0.3)}])
def test_informed_clients_cost_the_mean_size_of_a_move_and_others_nothing(change):
    params = MarketParams(informed_fraction=0.25, **change)
    everyone, informed, others = found(params)
    assert (everyone.informed, informed.informed, others.informed) == (None, True, False)
    assert everyone.fills == informed.fills + others.fills
    move = 0.3 * math.sqrt(2 / math.pi)
    assert_close(informed.estimates[1], -move)
    assert_close(others.estimates[1], 0.0)
    if not change:
        assert_close(everyone.estimates[1], -0.25 * move)
        for horizon in HORIZONS:  # what comes later is independent
            assert_close(informed.estimates[horizon], -move)


def test_who_knows_nothing_costs_nothing_even_where_he_follows_the_informed():
    params = MarketParams(informed_fraction=0.2, flow_persistence=1.0)
    _, _, others = found(params)
    for horizon in HORIZONS:
        assert_close(others.estimates[horizon], 0.0)


def test_it_is_the_plain_loop():
    params = market_params("mm_env/FXDealer-v0", num_trades=12, informed_fraction=0.3)
    episodes = play(make_policy("threshold", params), params, 30, seed=2)
    mid = np.column_stack([np.full(30, params.starting_price), episodes.price])
    rows = markouts([episodes[:11], episodes[11:]], horizons=(1, 4, 12))
    assert [(row.tier, row.informed) for row in rows] == [
        (tier, informed) for tier in (None, 0, 1) for informed in (None, True, False)
    ]
    for row in rows:
        for horizon, estimate in row.estimates.items():
            moved, volume = 0.0, 0.0
            for i, t in zip(*np.nonzero(episodes.filled), strict=True):
                right = row.tier in (None, episodes.tier[i, t]) and row.informed in (None, episodes.informed[i, t])
                if right and t + horizon <= 12:
                    side, size = np.sign(episodes.request[i, t]), abs(episodes.request[i, t])
                    moved += size * -side * (mid[i, t + horizon] - mid[i, t])
                    volume += size
            assert estimate.value == pytest.approx(moved / volume if volume else math.nan, nan_ok=True)


def test_one_move_by_hand():
    from mm_env import Tape

    params = MarketParams(num_trades=3)
    tape = Tape.replay([1, -1, 0], [0.5, 0.25, -2.0])
    (row,) = markouts(play_blocks(make_policy("never", params), params, tape=tape), horizons=(1, 2, 3, 4))
    assert row.fills == 2
    # He buys and it rises by 0.5: bad. He sells and it rises by 0.25: good.
    assert row.estimates[1].value == pytest.approx((-0.5 + 0.25) / 2)
    assert row.estimates[2].value == pytest.approx((-0.75 + 0.25 - 2.0) / 2)
    assert row.estimates[3].value == pytest.approx(1.25)  # only the first has three moves after it
    assert math.isnan(row.estimates[4].value)


def test_intervals_hold_the_truth_as_often_as_they_say():
    params = MarketParams(informed_fraction=0.5, num_trades=20)
    policy = make_policy("never", params)
    truth = -0.5 * 0.3 * math.sqrt(2 / math.pi)
    hits = 0
    for seed in range(200):
        (low, high) = markouts(play_blocks(policy, params, 50, seed), horizons=(1,))[0].estimates[1].interval()
        hits += low <= truth <= high
    assert 180 <= hits <= 199  # 190 expected, sd 3


@pytest.mark.parametrize("horizon", [0, -1, 1.0, True, "5"])
def test_a_bad_horizon_says_what_is_allowed(horizon):
    with pytest.raises(ValueError, match="horizons must be whole numbers of 1 or more, got"):
        markouts([], horizons=(1, horizon))


def test_no_episodes_are_refused():
    with pytest.raises(ValueError, match="one episode or more"):
        markouts([])
