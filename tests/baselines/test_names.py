"""Ids in place of parameters, and names that are nearly right."""

import pytest

from baselines import best_rule, compare, make_policy, policy_value, solve, threshold_values
from baselines.best_response import best_response, exploitability, response_value
from baselines.evaluation.frontier import frontier
from baselines.evaluation.gap import Gap
from baselines.evaluation.league import league
from mm_env import DealersParams, MarketParams, dealers_params, market_params, play, play_dealers
from mm_env.plotting import plot_policies, plot_quotes

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


def test_an_id_stands_for_its_parameters_in_figures_and_frontiers():
    rules = {"never": make_policy("threshold:20", ID)}
    assert Gap.of(ID) == Gap.of(market_params(ID))
    points, same = (frontier(rules, market, episodes=2) for market in (ID, market_params(ID)))
    assert [(run.pnl == other.pnl).all() for run, other in zip(points["never"], same["never"], strict=True)] == [True]
    quoting = "mm_env/DynamicSpread-v0"
    for draw in (plot_policies, plot_quotes):
        assert len(draw({"flat": make_policy("flat", quoting)}, quoting).axes) >= 1


def test_an_id_stands_for_the_parameters_of_dealers():
    three = dealers_params()
    assert three == dealers_params("mm_env/Dealers-v0") == dealers_params("mm_env/DealerVsRules-v0")
    assert (three.num_dealers, three.quote_levels) == (3, 16)
    late = dealers_params("mm_env/Latency-v0", num_dealers=2)
    assert late.alone() == market_params("mm_env/Latency-v0")
    rules = [make_policy("threshold:3:0.03", three) for _ in range(3)]
    for market in ("mm_env/Dealers-v0", three):
        assert [run.pnl.tolist() for run in play_dealers(rules, market, 3)] == [
            run.pnl.tolist() for run in play_dealers(rules, three, 3)
        ]
        assert league(dict(zip("abc", rules, strict=True)), market, 3).params == three
    with pytest.raises(ValueError, match="did you mean 'a'"):
        league(dict(zip("abc", rules, strict=True)), three, 3).score("aa", "pnl")
    with pytest.raises(ValueError, match="did you mean 'win_rate'"):
        league(dict(zip("abc", rules, strict=True)), three, 3).score("a", "winrate")


@pytest.mark.parametrize(
    "ask",
    [
        lambda market: solve(market),
        lambda market: Gap.of(market),
        lambda market: frontier({}, market),
        lambda market: plot_policies({"never": lambda seen: seen}, market),
        lambda market: best_response(market, []),
        lambda market: response_value(None, market, []),
        lambda market: exploitability(None, market),
        lambda market: league({}, market),
        lambda market: play_dealers([], market),
    ],
)
def test_what_is_no_market_is_told_and_a_name_that_is_nearly_right(ask):
    for wrong in (None, 3, {}, ["mm_env/Hedging-v0"]):
        with pytest.raises(ValueError, match=r"params must be (Market|Dealers)Params or the id of a market, got "):
            ask(wrong)
    with pytest.raises(ValueError, match="did you mean 'mm_env/Latency-v0'"):
        ask("Latency-v0")


def test_a_threshold_beyond_the_cap_is_told():
    with pytest.warns(UserWarning, match="hedge_threshold=30 is above inventory_limit=20: the threshold rule never"):
        params = MarketParams(hedge_threshold=30)
    with pytest.warns(UserWarning, match="hedge_threshold=7 is above inventory_limit=6"):
        DealersParams(hedge_threshold=7, inventory_limit=6)
    assert params.rule_threshold == make_policy("threshold", params).threshold == 20
    assert MarketParams(inventory_limit=5).rule_threshold == 5  # nobody asked for 10: nothing is said


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
