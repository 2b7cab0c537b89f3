"""Ids in place of parameters, and names that are nearly right."""

import pytest

from baselines import best_rule, compare, make_policy, policy_value, solve, threshold_values
from mm_env import market_params, play

ID = "mm_env/CostlyHedge-v0"


def test_an_id_stands_for_its_parameters():
    params = market_params(ID)
    rule = make_policy("threshold:20", ID)
    assert rule == make_policy("threshold:20", params)
    assert (play(rule, ID, 3).equity == play(rule, params, 3).equity).all()
    assert solve(ID).value == solve(params).value
    assert best_rule(ID) == best_rule(params)
    assert policy_value(rule, ID) == policy_value(rule, params)
    assert threshold_values(ID) == threshold_values(params)
    result = compare({"never": rule}, ID, episodes=20)
    assert result.params == params
    assert result.share("never").value == compare({"never": rule}, params, episodes=20).share("never").value


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda result: result.share("nevr"), "no policy 'nevr' was compared; did you mean 'never'"),
        (lambda result: result.score("nevr", "pnl"), "did you mean 'never'"),
        (lambda result: result.score("never", "shrpe"), "no score 'shrpe'; did you mean 'sharpe'"),
        (lambda result: make_policy("thresold:10", ID), "no policy 'thresold:10'; did you mean 'threshold'"),
        (lambda result: market_params("Latency-v0"), "no market 'Latency-v0'; did you mean 'mm_env/Latency-v0'"),
        (lambda result: solve("mm_env/Heging-v0"), "did you mean 'mm_env/Hedging-v0'"),
        (lambda result: play(None, "Hedging"), "did you mean 'mm_env/Hedging-v0'"),
    ],
)
def test_a_name_that_is_nearly_right_is_told(ask, message):
    result = compare({"never": make_policy("never", ID)}, ID, episodes=5)
    with pytest.raises(ValueError, match=message):
        ask(result)
