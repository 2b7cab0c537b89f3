import numpy as np
import pytest

from baselines import make_policy
from baselines.evaluation.league import LEAGUE_SCORES, league
from baselines.policies.threshold import ThresholdPolicy
from mm_env import DealersParams, play_dealers
from mm_env.envs.dealers_market import DEALERS_DEFAULTS

PARAMS = DealersParams.from_mapping({**DEALERS_DEFAULTS, "num_dealers": 3, "num_trades": 50})


def rules(*numbers):
    return {f"{k}@{quote}": ThresholdPolicy(k, PARAMS, quote) for k, quote in numbers}


def test_every_seat_is_played_once():
    policies = rules((3, 0.04), (0, 0.03), (10, 0.03))
    result = league(policies, PARAMS, 300, seed=5)
    names = list(policies)
    rewards = {name: [] for name in names}
    for turn in range(3):
        seats = names[turn:] + names[:turn]
        for name, played in zip(seats, play_dealers([policies[n] for n in seats], PARAMS, 300, seed=5), strict=True):
            rewards[name].append(played.reward.sum(axis=1))
    for name in names:
        np.testing.assert_allclose(result.totals[name].reward, np.mean(rewards[name], axis=0))


def test_equals_earn_alike_and_shares_sum_to_one():
    result = league({name: ThresholdPolicy(3, PARAMS, 0.03) for name in "abc"}, PARAMS, 2000)
    for score in ("win_rate", "market_share"):
        assert sum(result.score(name, score).value for name in "abc") == pytest.approx(1.0)
    for name in "bc":
        difference = result.difference("a", name)
        assert abs(difference.value) <= 4 * difference.standard_error


def test_who_quotes_wider_trades_less():
    result = league(rules((3, 0.03), (3, 0.04), (3, 0.05)), PARAMS, 500)
    won = [result.score(name, "win_rate").value for name in result.totals]
    lost = [result.score(name, "lost").value for name in result.totals]
    assert won[0] == 1.0
    assert won[1] == won[2] == 0.0
    assert lost[0] == 0.0 < lost[1] == lost[2]


def test_it_tells_every_score():
    result = league(rules((3, 0.03), (3, 0.04), (3, 0.05)), PARAMS, 100)
    told = result.to_dict()["policies"]
    assert all(set(told[name]) == set(LEAGUE_SCORES) for name in result.totals)
    with pytest.raises(ValueError, match="no score 'profit'; known: objective, pnl"):
        result.score("3@0.03", "profit")
    with pytest.raises(ValueError, match="policies must be one for each of 3 dealers"):
        league({"flat": make_policy("flat", PARAMS)}, PARAMS, 10)
