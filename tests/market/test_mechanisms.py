"""Each mechanism of the law: turned off it is not there, turned on it does what it says."""

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest

from baselines import best_rule, make_policy
from baselines.policies.threshold import ThresholdPolicy
from mm_env import MarketParams, Tape, play
from mm_env.envs.action import encode_action, quote_levels
from mm_env.market import dynamics
from mm_env.market.dynamics import Decision, Move, Request

NEUTRAL = {
    "arrival_probability": {"arrival_probability": 1 - 1e-12},
    "flow_persistence": {"flow_persistence": 1e-12},
    "informed_fraction": {"informed_fraction": 1e-12},
    "jumps": {"jump_probability": 1e-12, "jump_volatility": 1e-6},  # larger ones would be charged as risk
    "volatility_regimes": {"volatility_regimes": (0.3, 0.3)},
    "regime_hedge_costs": {"volatility_regimes": (0.3, 0.3), "regime_hedge_costs": (0.01, 0.01)},
    "tiers": {"tiers": [{}, {"weight": 2.0}]},
    "reservation": {"tiers": [{"decay": 50.0}]},  # at the spread itself everyone accepts
    "quoting": {"quote_levels": 11, "tick": 0.01},
    "continuous": {"continuous": True},
    "quote_latency": {"quote_latency": 0},
}


@pytest.mark.parametrize("name", NEUTRAL)
def test_a_mechanism_without_effect_leaves_the_base_market_bit_for_bit(name):
    base, other = MarketParams(), MarketParams.from_mapping(NEUTRAL[name])
    for threshold in (2, 10):
        a = play(ThresholdPolicy(threshold, base), base, 30, seed=6).arrays()
        b = play(ThresholdPolicy(threshold, other), other, 30, seed=6).arrays()
        for array in set(a) - {"tier", "regime", "informed", "unexpected_pnl"}:
            np.testing.assert_array_equal(a[array], b[array], err_msg=array)


def worked(params, sides, moves, sizes=None, policy="threshold"):
    return play(make_policy(policy, params), params, tape=Tape.replay(sides, moves, sizes))


def test_latency_worked_out_by_hand():
    params = MarketParams(num_trades=5, hedge_threshold=1, hedge_latency=2, inventory_limit=3)
    played = worked(params, [+1, +1, +1, -1, -1], [0.1, 0.2, 0.3, 0.4, 0.5])
    # 1. sells 1: position -1, nothing to order
    # 2. sells 1: position -2, orders +1 for trade 4
    # 3. sells 1: inventory -3, position -2 with the order, orders another +1 for trade 5
    # 4. buys 1: inventory -2, position 0 with both orders; the first executes: inventory -1
    # 5. buys 1: inventory 0; the second executes: inventory +1
    assert played.order[0].tolist() == [0, 1, 1, 0, 0]
    assert played.hedge[0].tolist() == [0, 0, 0, 1, 1]
    assert played.inventory[0].tolist() == [-1, -2, -3, -1, 1]
    assert played.cumulative_hedge[0].tolist() == [0, 0, 0, 1, 2]
    np.testing.assert_allclose(played.hedge_cost[0], [0, 0, 0, 0.01, 0.01])
    cash = 0.05 * 5 + 100 + 100.1 + 100.3 - 100.6 - 101.0 - (100.6 + 101.0) - 0.02
    assert played.equity[0, -1] == pytest.approx(cash + 1 * 101.5)


def test_the_cap_counts_the_orders_in_flight():
    """Long 2 with a sale of 2 on its way: two more units sold would be -2 once it is there, so a third is refused."""
    params = MarketParams(inventory_limit=2, hedge_latency=1)
    book = dynamics.initial_book(params)._replace(inventory=2.0, in_flight=(-2.0,))
    for wanted, filled in ((2.0, True), (3.0, False), (-1.0, False)):
        traded = dynamics.quote_and_trade(
            book, Request(math.copysign(1, wanted), wanted), Decision(0.05, 2.0, None), params
        )
        assert traded.filled is filled


@pytest.mark.parametrize("latency", [1, 2])
def test_the_mean_cost_of_a_late_hedge(latency):
    """A dealer who hedges every fill loses, on each, what the informed knew: a sigma sqrt(2 / pi); at once, nothing."""
    known = 0.2 * 0.3 * math.sqrt(2 / math.pi)
    for late, cost in ((0, 0.0), (latency, known)):
        params = MarketParams(informed_fraction=0.2, hedge_latency=late)
        played = play(make_policy("flat", params), params, 4000, seed=2)
        assert played.filled.all()
        losses = -played.inventory_pnl[:, latency:-1].mean(axis=1)
        assert abs(losses.mean() - cost) <= 4 * losses.std() / math.sqrt(len(losses)) + 1e-12


def test_hedging_costs_are_quadratic():
    params = MarketParams(num_trades=1, hedge_impact=0.5, hedge_threshold=1, inventory_limit=9)
    played = worked(params, [+1], [0.0], sizes=[4])
    assert played.hedge_cost[0, 0] == pytest.approx(0.01 * 3 + 0.5 * 9)


def test_permanent_impact_worked_out_by_hand():
    params = MarketParams(
        num_trades=2, permanent_impact=0.1, liquidate_at_end=True, hedge_threshold=1, inventory_limit=9
    )
    played = worked(params, [+1, 0], [0.0, 0.0], sizes=[4, 1])
    # sells 4 at 100.05, buys 3 at 100 for 0.03 + 0.1 / 2 * 9; the mid rises to 100.3 and costs the short unit 0.3;
    # at the end buying it back costs 0.01 + 0.1 / 2 * 1
    np.testing.assert_allclose(played.price[0], [100.3, 100.3])
    np.testing.assert_allclose(played.inventory_pnl[0], [-0.3, 0.0])
    np.testing.assert_allclose(played.hedge_cost[0], [0.48, 0.06])
    assert played.unexpected_pnl[0].tolist() == [0.0, 0.0]
    assert played.equity[0, -1] == pytest.approx(4 * 0.05 - 0.48 - 0.3 - 0.06)


def test_impact_does_not_mind_how_a_hedge_is_split():
    """Selling 8 units costs kappa / 2 * 8^2, at once or one by one: slicing, or going to and fro, earns nothing."""
    params = MarketParams(permanent_impact=0.3, liquidate_at_end=True, hedge_cost_per_unit=0.0, inventory_limit=9)

    def equity_after(slices):
        book = dynamics.initial_book(params)._replace(inventory=8.0, cash=-800.0)
        for units in slices:
            nobody = dynamics.TradeResult(book.inventory, book.cash, False, book.mid, 0.0)
            move = Move(0.0, 0.0, False, 0.0, 0.0)
            book = dynamics.hedge_and_mark(book, nobody, Decision(0.0, 0.0, units), move, params).book
        assert book.inventory == 0.0
        return book.equity

    for slices in ([8.0], [1.0] * 8, [3.0, 5.0]):
        assert equity_after(slices) == pytest.approx(-0.5 * 0.3 * 64)


def test_stale_quotes_are_picked_off():
    """The client judges the quote from the true mid, and the dealer earns what it is worth there."""
    params = MarketParams(quote_latency=1)
    decision = Decision(0.05, 20.0, None)
    for mid_error, side, edge in ((0.2, 1.0, -0.15), (0.2, -1.0, 0.25), (-0.2, 1.0, 0.25), (-0.2, -1.0, -0.15)):
        request = Request(side, side, reservation=0.1, mid_error=mid_error)
        traded = dynamics.quote_and_trade(dynamics.initial_book(params), request, decision, params)
        assert traded.filled is (edge <= 0.1)
        assert traded.price == pytest.approx(100.0 - mid_error + side * 0.05)
        assert traded.spread_pnl == pytest.approx(edge if edge <= 0.1 else 0.0)


def test_staleness_costs_money_where_clients_choose():
    def earned(latency):
        params = MarketParams(quote_latency=latency, tiers=[{"decay": 10.0}])
        played = play(make_policy("flat", params), params, 2000, seed=3)
        spread = played.spread_pnl.mean(axis=1)
        return spread.mean(), spread.std() / math.sqrt(2000)

    (fresh, _), (mid_error, error) = earned(0), earned(1)
    assert fresh == pytest.approx(0.05)
    assert mid_error < fresh - 20 * error


def test_a_storm_weighs_risk_and_cost_of_its_own():
    params = MarketParams(volatility_regimes=(0.1, 0.5), regime_hedge_costs=(0.01, 0.07), hedge_threshold=3)
    played = play(make_policy("threshold", params), params, 200)
    for regime, (sigma, cost) in enumerate(((0.1, 0.01), (0.5, 0.07))):
        here = played.regime == regime
        np.testing.assert_allclose(
            played.risk_penalty[here], 0.5 * 0.01 * sigma**2 * played.inventory[here] ** 2, atol=1e-12
        )
        np.testing.assert_allclose(played.hedge_cost[here], cost * np.abs(played.hedge[here]))


class TestQuoting:
    params = MarketParams(quote_levels=11, tick=0.02, lowest_quote=-0.02, tiers=[{"decay": 20.0}], spread=0.02)

    def test_a_wider_quote_fills_less_and_earns_more(self):
        for distance in (-0.02, 0.02, 0.1):
            played = play(ThresholdPolicy(0, self.params, distance), self.params, 500)
            rate = math.exp(-20 * max(distance - 0.02, 0.0))
            fills = played.filled.mean(axis=1)
            assert abs(fills.mean() - rate) <= 4 * fills.std() / math.sqrt(500) + 1e-12
            np.testing.assert_allclose(played.spread_pnl[played.filled], distance)
            np.testing.assert_allclose(played.distance, distance)

    def test_the_nearest_quote_of_the_grid_is_taken(self):
        seen = np.zeros((4, 3), dtype=np.float32)
        wanted = [-5.0, 0.029, 0.031, 5.0]
        taken = quote_levels(self.params)[encode_action(3, seen, self.params, wanted)[:, 1]]
        np.testing.assert_allclose(taken, [-0.02, 0.02, 0.04, 0.18])

    def test_continuous_quotes_are_exact(self):
        params = self.params.replace(continuous=True)
        played = play(ThresholdPolicy(3, params, 0.0333), params, 20)
        np.testing.assert_allclose(played.distance, 0.0333, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flow_persistence": 1.5}, "flow_persistence must be a number from 0 to 1"),
        ({"informed_fraction": -0.1}, "informed_fraction must be a number from 0 to 1"),
        ({"hedge_latency": -1}, "hedge_latency must be a whole number from 0"),
        ({"quote_latency": -1}, "quote_latency must be a whole number from 0"),
        ({"tiers": []}, "tiers must be a list of 1 to 32"),
        ({"tiers": [{"weight": 0}, {"weight": 0.0}]}, "tiers must not all have weight 0"),
        (
            {"tiers": [{"wieght": 1}]},
            "'wieght' is not a parameter of a client tier; did you mean 'weight'",
        ),
        ({"tiers": [{"sizes": [1, 0]}]}, r"tiers\[0\]: sizes\[1\] must be a whole number from 1"),
        ({"tiers": [{"sizes": [1, 2], "size_weights": [0, 0]}]}, r"tiers\[0\]: size_weights must not all be 0"),
        ({"tiers": [{"sizes": [1, 2], "size_weights": [1]}]}, "size_weights must be as many as sizes"),
        ({"tiers": [{"sizes": [2, 2]}]}, "sizes must differ"),
        ({"tiers": [{"decay": 1.0, "logistic": [0, 1]}]}, "decay and logistic are two laws"),
        ({"tiers": [{"logistic": [0, -1]}]}, "logistic must be"),
        ({"tiers": [3]}, r"tiers\[0\] must be a mapping"),
        ({"permanent_impact": 0.1}, "permanent_impact=0.1 needs liquidate_at_end=True"),
        ({"quote_levels": 5}, "tick must be above 0 with quote_levels=5"),
        ({"tick": 0.1}, "tick and lowest_quote go with quote_levels above 1"),
        ({"quote_levels": 5, "tick": 0.1, "lowest_quote": 9.0, "tiers": [{"decay": 50}]}, "lowest_quote=9 never fills"),
        ({"spread": 9.0, "tiers": [{"logistic": (0, 50)}]}, "spread=9 never fills"),
        ({"volatility_regimes": [0.1]}, "volatility_regimes must be a list of 2 to 32"),
        ({"volatility_regimes": [0.1, float("nan")]}, r"volatility_regimes\[1\] must be a number"),
        ({"regime_hedge_costs": [0.1, 0.2]}, "regime_hedge_costs must be as many as volatility_regimes"),
        ({"volatility_regimes": 0.1}, "volatility_regimes must be a list"),
    ],
)
def test_bad_combinations_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        MarketParams.from_mapping(changes)


def test_a_tape_drawn_in_another_market_is_refused():
    params = MarketParams(tiers=[{"decay": 1.0}])
    with pytest.raises(ValueError, match=r"drawn in a market with tiers="):
        play(make_policy("flat", params), params, tape=Tape.draw(MarketParams(), 0, 5))
    dear = MarketParams(hedge_cost_per_unit=0.5)
    assert len(play(make_policy("flat", dear), dear, tape=Tape.draw(MarketParams(), 0, 5))) == 5


def test_equal_markets_are_equal_keys_in_every_process():
    code = (
        "import pickle, sys; from mm_env import MarketParams; params = MarketParams(); hash(params);"
        "sys.stdout.buffer.write(pickle.dumps(params))"
    )
    made = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env={"PYTHONHASHSEED": "7"})
    assert {MarketParams(): 1}[pickle.loads(made.stdout)] == 1


@pytest.mark.parametrize("changes", [{"tiers": [{}] * 33}, {"volatility_regimes": [0.1] * 33}])
def test_lists_have_a_largest_length(changes):
    with pytest.raises(ValueError, match=f"{next(iter(changes))} must be a list of . to 32"):
        MarketParams.from_mapping(changes)


def test_no_threshold_is_kept_to_in_units_where_clients_may_refuse():
    params = MarketParams(hedge_action="units", tiers=[{"decay": 30.0}], quote_levels=3, tick=0.05, num_trades=5)
    with pytest.raises(ValueError, match="hedge_action='units'"):
        best_rule(params)


@pytest.mark.parametrize(
    "changes",
    [{"quote_levels": 2, "tick": 0.1}, {"quote_latency": 1}, {"volatility_regimes": (1, 2)}, {"tiers": [{"decay": 1}]}],
)
def test_a_recorded_tape_that_does_not_tell_enough_is_refused(changes):
    params = MarketParams(num_trades=2, **changes)
    with pytest.raises(ValueError, match=f"does not tell what {next(iter(changes))}"):
        play(make_policy("flat", params), params, tape=Tape.replay([1, 1], [0, 0]))
