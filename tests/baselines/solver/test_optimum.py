import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines import POLICIES, best_rule, make_policy, policy_value, solve, threshold_values
from baselines.evaluation.scores import mean, objective, ratio
from baselines.evaluation.totals import Totals
from baselines.policies.threshold import ThresholdPolicy
from baselines.solver import optimum
from baselines.solver.fixed_rules import rule_values
from baselines.solver.market_mdp import MarketMDP
from mm_env import MarketParams, market_params, play_blocks
from mm_env.market.dynamics import Decision, Move, Request, initial_book, realised_reward, step
from tests.markets import IDS, market_parameters


def played(policy, params, episodes, seed=0):
    return Totals.gather(play_blocks(policy, params, episodes, seed))


@functools.cache
def solved(params):
    return solve(params)


@pytest.mark.parametrize("market", IDS)
def test_the_optimum_proved_by_play(market):
    """The solver's value is what its policy earns: simulated within 4 standard errors, and exactly."""
    params = market_params(market)
    solution = solved(params)
    estimate = objective(played(solution.policy, params, 20_000 * 100 // params.num_trades, seed=1))
    assert abs(estimate.value - solution.value) < 4 * estimate.standard_error
    assert solution.value == pytest.approx(policy_value(solution.policy, params), rel=1e-12)


@pytest.mark.parametrize("market", IDS)
@pytest.mark.parametrize("name", [name for name in POLICIES if name not in ("random", "optimal")])
def test_no_policy_of_the_table_beats_it(market, name):
    params = market_params(market, num_trades=25)
    assert policy_value(make_policy(name, params), params) <= solved(params).value * (1 + 1e-12)


@pytest.mark.parametrize("market", IDS[1:])
def test_the_best_fixed_rule_leaves_a_gap(market):
    """Of at least 3 % of the optimum's value: these markets are there for what a fixed rule cannot do."""
    params = market_params(market)
    rule, optimum = best_rule(params), solved(params).value
    assert rule.value <= 0.97 * optimum
    exact = policy_value(ThresholdPolicy(rule.threshold, params, rule.distance), params)
    assert rule.value == pytest.approx(exact, rel=1e-9)


@given(params=market_parameters(finite=True, max_limit=6), seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_the_value_is_met_in_random_markets(params, seed):
    solution = solve(params)
    plain = mean(played(solution.policy, params, 2000, seed).reward)
    assert abs(plain.value - solution.value) <= 4 * plain.standard_error + 1e-9 * (1 + abs(solution.value))
    discrete = params.replace(continuous=False)
    assert policy_value(solve(discrete).policy, discrete) == pytest.approx(solution.value, rel=1e-9, abs=1e-9)


def brute_force(params):
    """The best of all policies, one action per (trade, inventory, request), by expanding every one of them."""
    sides = (1.0, -1.0)
    states = range(-params.inventory_limit, params.inventory_limit + 1)
    situations = list(itertools.product(range(params.num_trades), states, sides))

    def value(policy, trade=0, inventory=0):
        if trade == params.num_trades:
            return 0.0
        total = 0.0
        for side in sides:
            book = initial_book(params)._replace(inventory=float(inventory))
            decision = Decision(params.spread, float(policy[trade, inventory, side]), None)
            move = Move(0.0, 0.0, trade == params.num_trades - 1, params.hedge_cost_per_unit, params.risk_weights[0])
            result = step(book, Request(side, side), decision, move, params)
            rest = value(policy, trade + 1, int(result.book.inventory))
            total += 0.5 * (float(realised_reward(result, move, params)) + rest)
        return total

    reachable = [s for s in situations if abs(s[1]) <= s[0]]
    actions = range(params.inventory_limit + 1)
    idle = dict.fromkeys(situations, 0)
    choices = itertools.product(actions, repeat=len(reachable))
    return max(value(idle | dict(zip(reachable, choice, strict=True))) for choice in choices)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_trades": 1, "inventory_limit": 2},
        {"num_trades": 2, "inventory_limit": 1, "risk_aversion": 5.0},
        {"num_trades": 2, "inventory_limit": 1, "hedge_cost_per_unit": 0.2, "risk_aversion": 5.0},
        {"num_trades": 2, "inventory_limit": 1, "liquidate_at_end": True},
    ],
)
def test_it_equals_brute_force_on_tiny_markets(changes):
    params = MarketParams(**changes)
    assert solve(params).value == pytest.approx(brute_force(params), abs=1e-12)


@pytest.mark.slow
def test_brute_force_at_three_trades():
    params = MarketParams(num_trades=3, inventory_limit=1, hedge_cost_per_unit=0.03, risk_aversion=1.0)
    assert solve(params).value == pytest.approx(brute_force(params), abs=1e-12)


class TestClosedForms:
    """Of the long run at the seed's numbers: H = hedge threshold, L = cap. After 3,000 trades to forget the start."""

    @staticmethod
    def long_run(name):
        params = MarketParams(num_trades=4000)
        return list(play_blocks(make_policy(name, params), params, 300, seed=3))

    @staticmethod
    def assert_close(estimate, expected):
        assert abs(estimate.value - expected) < 4 * estimate.standard_error

    @pytest.mark.parametrize("threshold", [0, 2, 5, 10])
    def test_a_fixed_threshold(self, threshold):
        blocks = self.long_run(f"threshold:{threshold}")
        late = slice(3000, None)
        hedged = np.concatenate([(b.hedge[:, late] != 0).mean(axis=1) for b in blocks])
        squares = np.concatenate([(b.inventory[:, late] ** 2).mean(axis=1) for b in blocks])
        foreseen = np.concatenate([(b.spread_pnl - b.hedge_cost)[:, late].mean(axis=1) for b in blocks])
        if threshold == 0:
            assert (hedged == 1).all()
            assert not squares.any()
            np.testing.assert_allclose(foreseen, 0.05 - 0.01)
            return
        self.assert_close(mean(hedged), 1 / (2 * threshold + 1))
        self.assert_close(mean(squares), threshold * (threshold + 1) / 3)
        self.assert_close(mean(foreseen), 0.05 - 0.01 / (2 * threshold + 1))

    def test_never_hedging(self):
        blocks = self.long_run("never")
        late = slice(3000, None)
        rejected = np.concatenate([(~b.filled[:, late]).mean(axis=1) for b in blocks])
        foreseen = np.concatenate([b.spread_pnl[:, late].mean(axis=1) for b in blocks])
        self.assert_close(mean(rejected), 1 / 41)
        self.assert_close(mean(foreseen), 0.05 * 40 / 41)


def test_a_coarse_grid_of_levels_costs_value():
    coarse, fine = MarketParams(hedge_levels=3), MarketParams()
    assert solve(coarse).value < solve(fine).value
    assert set(np.unique(solve(coarse).thresholds)) <= {0.0, 10.0, 20.0}


def test_a_market_too_large_is_refused_by_name():
    with pytest.raises(ValueError, match="inventory_limit=5000 with 5001 hedge levels is too large"):
        solve(MarketParams(inventory_limit=5000))
    assert solve(MarketParams(num_trades=5, inventory_limit=5000, hedge_levels=11)).value > 0


def test_a_request_from_elsewhere_is_refused():
    policy = solve(MarketParams()).policy
    with pytest.raises(ValueError, match="knows the requests"):
        policy(np.array([[0.0, 1.0, 3.0]], dtype=np.float32))


def test_a_request_of_probability_zero_is_known_all_the_same():
    solution = solve(MarketParams(buy_probability=1.0))
    assert solution.policy(np.array([[0.0, 1.0, -1.0], [0.0, 1.0, 0.0]], dtype=np.float32)).shape == (2,)


@pytest.mark.parametrize("action", [-1, 21, 0.5])
def test_a_policy_of_bad_actions_has_no_value(action):
    with pytest.raises(ValueError, match="actions must be"):
        policy_value(lambda observations: np.full(len(observations), action), MarketParams())


class Counting:
    """Hedges everything whenever it is called for an odd time."""

    calls = 0

    def __call__(self, observations):
        self.calls += 1
        return np.full(len(observations), 0 if self.calls % 2 else 20)


@pytest.mark.parametrize("make", [lambda params: make_policy("random", params), lambda params: Counting()])
def test_a_policy_that_draws_or_remembers_has_no_exact_value(make):
    params = MarketParams(num_trades=5)
    with pytest.raises(ValueError, match="asked twice about the same"):
        policy_value(make(params), params)


def test_the_figures_the_documents_quote():
    assert solve(MarketParams()).value == pytest.approx(4.718, abs=5e-4)
    assert max(threshold_values(MarketParams()).values()) == pytest.approx(4.715, abs=5e-4)


def test_fills_are_counted():
    params = MarketParams(inventory_limit=1)
    totals = played(make_policy("never", params), params, 4000)
    estimate = ratio(totals.fills, totals.requests)
    assert abs(estimate.value - 2 / 3) < 0.01  # 2L / (2L + 1)


@pytest.mark.parametrize(("hedge_action", "least"), [("threshold", 6), ("units", 0)])
def test_where_nothing_matters_nothing_is_hedged(hedge_action, least):
    """Without clients, risk or cost every action is worth the same: the one without an order is taken."""
    free = {"arrival_probability": 0.0, "risk_aversion": 0.0, "hedge_cost_per_unit": 0.0}
    solution = solve(MarketParams(num_trades=3, inventory_limit=6, hedge_action=hedge_action, **free))
    assert (solution.thresholds == least).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"hedge_latency": 1, "inventory_limit": 6, "tiers": [{"sizes": [1, 3]}], "hedge_action": "band"},
        {"hedge_latency": 2, "inventory_limit": 4, "flow_persistence": 0.5, "hedge_action": "units"},
        {"hedge_latency": 2, "inventory_limit": 4, "arrival_probability": 0.7, "hedge_levels": 2, "hedge_threshold": 4},
    ],
)
def test_states_that_cannot_be_are_left_out_and_change_nothing(changes, monkeypatch):
    params = MarketParams(num_trades=8, **changes)
    policy = make_policy("optimal", params)

    def values():
        units = {} if params.hedge_action == "units" else {"units": rule_values(params, [0, 3], [0.05, 0.05], [0, 1])}
        return {"policy": policy_value(policy, params), **{name: found.tolist() for name, found in units.items()}}

    few, fewer = MarketMDP(params).states, MarketMDP(params).possible().states
    found = values()
    monkeypatch.setattr(MarketMDP, "possible", lambda mdp: mdp)
    assert fewer < 0.7 * few
    assert found == values()
    assert found["policy"] == pytest.approx(policy.solution.value, abs=1e-12)


@pytest.mark.parametrize(
    "changes", [{}, {"tiers": [{"sizes": [1, 3], "decay": 20.0}], "quote_levels": 4, "tick": 0.02}]
)
def test_of_many_states_those_alone_are_solved_in_which_a_step_can_begin(changes, monkeypatch):
    params = market_params("mm_env/Latency-v0", inventory_limit=4, num_trades=8, **changes)
    whole = solve(params)
    monkeypatch.setattr(optimum, "_MANY", 1)
    some = solve(params)
    begun = np.flatnonzero(some.mdp.places >= 0)
    assert 1 < len(begun) < whole.mdp.states / 3
    np.testing.assert_allclose(some.values, whole.values.reshape(9, -1)[:, begun], rtol=0, atol=1e-15)
    assert some.value == whole.value
    assert policy_value(some.policy, params) == pytest.approx(whole.value, abs=1e-12)
    assert some.thresholds.shape == whole.thresholds.shape
    impossible = whole.mdp.observations(8)[np.flatnonzero(some.mdp.places < 0)[0]]
    with pytest.raises(ValueError, match="no step can begin"):
        some.policy(impossible)
