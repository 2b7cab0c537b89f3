"""Bands: trigger and target apart, exact by the solver, and the pause that remembers."""

import numpy as np
import pytest

from baselines import make_policy, policy_value, solve
from baselines.policies.band import BandPolicy, PausingBandPolicy
from baselines.policies.threshold import ThresholdPolicy
from baselines.solver.fixed_rules import best_band, best_rule, rule_values
from mm_env import MARKETS, MarketParams, Tape, market_params, play

TICKET = market_params("mm_env/TicketFee-v0")


def test_a_band_worked_out_by_hand():
    """Beyond 2 down to 1, a fee of 0.5 an order and 0.01 a unit: the third buyer triggers it, the fourth does not."""
    params = MarketParams(num_trades=5, hedge_ticket=0.5)
    played = play(BandPolicy(2, 1, params), params, tape=Tape.replay([+1, +1, +1, +1, -1], [0.0] * 5))
    assert played.inventory[0].tolist() == [-1, -2, -1, -2, -1]
    assert played.hedge[0].tolist() == [0, 0, 2, 0, 0]
    np.testing.assert_allclose(played.hedge_cost[0], [0, 0, 0.52, 0, 0])
    assert played.equity[0, -1] == pytest.approx(5 * 0.05 - 0.52)


def test_the_last_inventory_is_flattened_for_a_fee():
    params = MarketParams(num_trades=1, hedge_ticket=0.5, liquidate_at_end=True)
    played = play(make_policy("never", params), params, tape=Tape.replay([+1], [0.0]))
    assert played.hedge_cost[0].tolist() == [pytest.approx(0.51)]


def test_the_pause_lets_an_excess_stand():
    """Hedges at the second request; may again at the fifth, three later; a new episode remembers nothing."""
    params = MarketParams(num_trades=6)
    rule = PausingBandPolicy(BandPolicy(1, 0, params), 3)
    tape = Tape.replay(np.ones((1, 6)), np.zeros((1, 6)))
    assert play(rule, params, tape=tape).hedge[0].tolist() == [0, 2, 0, 0, 3, 0]
    seen = [play(rule, params, 3, seed=4).hedge for _ in range(2)]
    np.testing.assert_array_equal(*seen)
    assert np.abs(seen[0]).sum() > 0


def test_a_pause_has_no_exact_value_and_one_of_a_single_request_is_no_pause():
    with pytest.raises(ValueError, match="draws or remembers"):
        policy_value(make_policy("band:5:1:4", TICKET), TICKET)
    band, same = (play(make_policy(name, TICKET), TICKET, 50, seed=1) for name in ("band:5:1", "band:5:1:1"))
    np.testing.assert_array_equal(band.hedge, same.hedge)


@pytest.mark.parametrize("market", MARKETS)
def test_a_band_whose_target_is_its_threshold_is_the_threshold_rule(market):
    params = market_params(market, num_trades=20)
    rules = [ThresholdPolicy(5, params), BandPolicy(5, 5, params)]
    one, other = (play(rule, params, 20, seed=3).arrays() for rule in rules)
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


@pytest.mark.parametrize("action", ["threshold", "units", "band"])
@pytest.mark.parametrize("changes", [{}, {"hedge_latency": 1}, {"flow_persistence": 0.5, "arrival_probability": 0.7}])
def test_whatever_the_action_is_a_band_does_the_same(action, changes):
    """Clients who accept any quote: played alike with every kind of action, and worth what the solver says."""
    params = TICKET.replace(hedge_action=action, num_trades=25, inventory_limit=6, **changes)
    rule = BandPolicy(4, 1, params)
    (value,) = rule_values(params, [4], [params.spread], [1])
    assert policy_value(rule, params) == pytest.approx(value, abs=1e-12)
    usual = params.replace(hedge_action="threshold")
    played, other = (play(BandPolicy(4, 1, market), market, 30, seed=2) for market in (params, usual))
    np.testing.assert_array_equal(played.inventory, other.inventory)
    np.testing.assert_array_equal(played.reward, other.reward)


def test_where_clients_may_refuse_only_the_action_of_two_numbers_is_a_band():
    params = market_params("mm_env/DynamicSpread-v0", num_trades=20, hedge_ticket=0.02)
    (value,) = rule_values(params, [3], [0.04], [1])
    exact = BandPolicy(3, 1, params.replace(hedge_action="band"), 0.04)
    assert policy_value(exact, exact.params) == pytest.approx(value, abs=1e-12)
    assert policy_value(BandPolicy(3, 1, params, 0.04), params) != pytest.approx(value, abs=1e-6)


def test_two_numbers_are_worth_no_more_than_one_that_follows_the_inventory():
    """Where every client accepts, a threshold of the state can do all that a band can."""
    params = TICKET.replace(num_trades=20, inventory_limit=5)
    one, two = solve(params), solve(params.replace(hedge_action="band"))
    assert two.value == pytest.approx(one.value, abs=1e-12)
    assert policy_value(two.policy, two.params) == pytest.approx(two.value, abs=1e-12)
    quoting = market_params("mm_env/DynamicSpread-v0", num_trades=10, inventory_limit=5, hedge_ticket=0.02)
    one, two = solve(quoting), solve(quoting.replace(hedge_action="band"))
    assert two.value >= one.value - 1e-12
    assert policy_value(two.policy, two.params) == pytest.approx(two.value, abs=1e-12)


def test_the_ticket_fee_is_what_a_threshold_cannot_serve():
    """The optimum beats the best threshold by 5 % at least, and the best band is within 1 % of it."""
    optimum, rule, band = solve(TICKET).value, best_rule(TICKET), best_band(TICKET)
    assert (optimum - rule.value) / optimum > 0.05
    assert 0 < (optimum - band.value) / optimum < 0.01
    assert band.target < band.threshold
    assert policy_value(make_policy("best-band", TICKET), TICKET) == pytest.approx(band.value, abs=1e-12)


def test_no_other_band_is_better():
    params = TICKET.replace(num_trades=30, inventory_limit=8)
    pairs = np.array([(high, low) for high in range(9) for low in range(high + 1)])
    values = rule_values(params, pairs[:, 0], np.full(len(pairs), params.spread), pairs[:, 1])
    found = best_band(params)
    assert found.value == values.max()
    assert [found.threshold, found.target] == pairs[values.argmax()].tolist()


@pytest.mark.parametrize("name", ["band:3", "band:3:4", "band:a:1", "band:3:1:0", "band:3:1:2:1", "band:3:-1"])
def test_a_bad_band_is_refused(name):
    with pytest.raises(ValueError, match="band|target|threshold"):
        make_policy(name, TICKET)


def test_targets_that_leave_the_states_are_refused():
    with pytest.raises(ValueError, match="targets must be whole numbers"):
        rule_values(TICKET, [3], [0.05], [1.5])
