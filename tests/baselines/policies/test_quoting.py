"""The quoting rules against hand-worked values, their symmetry and their limits."""

import math

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.optimize import minimize_scalar

from baselines import make_policy, policy_value, solve
from baselines.policies.closed_form import exponential, generator, inventory_values
from baselines.policies.demand import Demand, best_distance, exponential_demand
from baselines.policies.quoting import AvellanedaStoikov, CarteaJaimungal, GueantLehalleFernandezTapia, LinearSkew
from mm_env import MarketParams, market_params, play
from mm_env.envs.action import decode_actions
from mm_env.envs.observation import decode_observation, observe
from mm_env.market.client_tier import ClientTier
from mm_env.market.dynamics import Request, initial_book
from mm_env.market.exogenous_state import ExogenousState, ObservedState

NAMES = ["linear-skew", "avellaneda-stoikov", "glft", "cartea-jaimungal"]
FORMULAS = [AvellanedaStoikov, GueantLehalleFernandezTapia, CarteaJaimungal]
QUOTING = {"tiers": ({"decay": 20.0},), "spread": 0.0, "tick": 0.01, "quote_levels": 11}


def seen(params, inventory, side, left, **fields):
    request = Request(side, fields.pop("signed_size", side), fields.pop("tier", 0))
    book = initial_book(params)._replace(inventory=np.atleast_1d(inventory).astype(float), **fields.pop("book", {}))
    return observe(book, ExogenousState(request, ObservedState(**fields)), left, params)


def quoted(policy, inventory, side, left=50, **fields):
    return policy.distance(decode_observation(seen(policy.params, inventory, side, left, **fields), policy.params))


class TestHandWorked:
    def test_the_linear_skew_tightens_the_quote_that_brings_the_inventory_back(self):
        params = MarketParams(**QUOTING).replace(spread=0.05)
        rule = LinearSkew(10, params, slope=0.04)  # long 5 of 20: a quarter of 0.04
        assert quoted(rule, 5, +1.0) == pytest.approx(0.04)
        assert quoted(rule, 5, -1.0) == pytest.approx(0.06)
        assert quoted(LinearSkew(10, params), 20, +1.0) == pytest.approx(0.0)  # a full book is offered at the mid

    def test_avellaneda_and_stoikov_at_the_numbers_of_their_paper(self):
        """gamma 0.1, k 1.5, sigma 2, T 1 as 400 steps: r = m - 0.4 q at first, total spread 0.4 + 1.2908."""
        params = MarketParams(
            num_trades=400, risk_aversion=0.1, price_volatility=0.1, tiers=({"decay": 1.5},), spread=0.0, tick=1.0,
            quote_levels=5,
        )  # fmt: skip
        rule = AvellanedaStoikov(10, params)
        ask, bid = quoted(rule, 1, +1.0, 400), quoted(rule, 1, -1.0, 400)
        assert ask + bid == pytest.approx(0.4 + 20 * math.log(1 + 0.1 / 1.5))
        assert (ask - bid) / 2 == pytest.approx(-0.4)
        assert quoted(rule, 7, +1.0, 0) == pytest.approx(10 * math.log(1 + 0.1 / 1.5))  # at the end: no skew

    def test_a_larger_request_moves_the_reservation_price_by_all_of_it(self):
        """v = 5, q = 2, he buys: holding -3 for 2 costs 0.5 gamma sigma^2 tau (9 - 4) more, over 5 units."""
        params = MarketParams(
            risk_aversion=0.5,
            tiers=({"decay": 20.0, "sizes": (1, 5)},),
            tick=0.01,
            quote_levels=11,
            price_volatility=0.2,
        )
        expected = 0.5 * 0.5 * 0.04 * 10 * (9 - 4) / 5 + math.log(1 + 2.5 / 20) / 2.5
        assert quoted(AvellanedaStoikov(10, params), 2, 1.0, 10, signed_size=5.0) == pytest.approx(expected)

    def test_gueant_lehalle_and_fernandez_tapia(self):
        """gamma 0.5, k 20, sigma 0.3, A 1/2 a side: s = sqrt(0.045 / 20 * 1.025^41)."""
        rule = GueantLehalleFernandezTapia(10, MarketParams(**QUOTING, risk_aversion=0.5))
        skew = math.sqrt(0.5 * 0.09 / (2 * 20 * 0.5) * 1.025**41)
        assert quoted(rule, 0, 1.0) == pytest.approx(2 * math.log(1.025) + skew / 2)
        assert quoted(rule, 3, 1.0) == pytest.approx(2 * math.log(1.025) - 2.5 * skew)
        assert quoted(rule, 3, 1.0, 1) == quoted(rule, 3, 1.0, 100)  # whatever the time

    def test_cartea_and_jaimungal_at_a_cap_of_one(self):
        """omega' = M omega with M = [[-a, b, 0], [b, 0, b], [0, b, -a]]: two of its modes are even."""
        params = MarketParams(**QUOTING, inventory_limit=1, risk_aversion=1.0)
        a, b = 0.5 * 0.09 * 20, 0.5 / math.e
        root = math.sqrt(a * a / 4 + 2 * b * b)  # of the even modes: -a / 2 +- root
        grow, fall = math.exp((-a / 2 + root) * 7), math.exp((-a / 2 - root) * 7)
        up, down = -a / 2 + root, -a / 2 - root  # with omega = (x, 1, x): x = mode / (2 b)
        share = (1 - down / (2 * b)) / ((up - down) / (2 * b))  # of the first, so that x starts at 1
        flat = share * grow + (1 - share) * fall
        full = share * grow * up / (2 * b) + (1 - share) * fall * down / (2 * b)
        expected = 1 / 20 + (math.log(flat) - math.log(full)) / 20
        assert quoted(CarteaJaimungal(1, params), 0, 1.0, 7) == pytest.approx(expected, rel=1e-12)
        assert quoted(CarteaJaimungal(1, params), 1, 1.0, 7) == pytest.approx(0.1 - expected, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_long_and_short_are_mirror_images(name):
    policy = make_policy(name, MarketParams(**QUOTING, liquidate_at_end=True))
    inventory = np.arange(-20.0, 21.0)
    for left in (1, 37, 100):
        buys, sells = quoted(policy, inventory, 1.0, left), quoted(policy, -inventory, -1.0, left)
        np.testing.assert_allclose(buys, sells, atol=1e-12)
        assert (np.diff(buys[1:]) <= 1e-12).all()  # the longer, the nearer to the mid he sells (at -20 he cannot)


@pytest.mark.parametrize("formula", FORMULAS)
def test_without_risk_aversion_the_quote_is_the_inverse_of_the_decay(formula):
    params = MarketParams(**QUOTING, risk_aversion=0.0, inventory_limit=60)
    assert quoted(formula(10, params), [-8, 0, 8], 1.0, 30) == pytest.approx(0.05, abs=1e-6)
    barely = params.replace(risk_aversion=1e-14)
    assert quoted(formula(10, barely), [-8, 0, 8], 1.0, 30) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("formula", FORMULAS)
def test_each_regime_has_its_quotes(formula):
    params = MarketParams(**QUOTING, volatility_regimes=(0.1, 0.4))
    for regime, sigma in enumerate((0.1, 0.4)):
        alone = params.replace(volatility_regimes=None, price_volatility=sigma)
        regimes = quoted(formula(10, params), [-3, 4], 1.0, regime=regime)
        np.testing.assert_allclose(regimes, quoted(formula(10, alone), [-3, 4], 1.0), rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("changes", [{}, {"hedge_action": "units"}, {"hedge_levels": 5}, {"hedge_latency": 1}])
def test_levels_and_numbers_say_the_same(name, changes):
    params = MarketParams(**QUOTING, **changes)
    rows = seen(params, np.arange(-20.0, 21.0), 1.0, 60, book={"in_flight": (0.0,) * params.hedge_latency})
    level, number = (
        decode_actions(make_policy(name, market)(rows), len(rows), market)
        for market in (params, params.replace(continuous=True))
    )
    assert np.abs(level.distance - number.distance).max() <= 0.005 + 1e-6  # the nearest of the grid
    assert np.asarray(level.threshold == number.threshold).all()
    assert np.all(level.max_units == number.max_units)
    wanted = make_policy(name, params).distance(decode_observation(rows, params))
    np.testing.assert_allclose(number.distance, np.clip(wanted, 0.0, 0.1), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_with_a_fixed_spread_they_are_the_threshold_rule(name):
    params = market_params("mm_env/CostlyHedge-v0")
    rule = name + (":0.1:3" if name == "linear-skew" else ":3")
    rewards = [play(make_policy(policy, params), params, 20).reward for policy in (rule, "threshold:3")]
    np.testing.assert_array_equal(*rewards)


def test_orders_in_flight_count():
    """Long 12 with 5 already on their way out, he is long 7: quotes as if he held that, and no new order beyond 10."""
    params = MarketParams(**QUOTING, hedge_latency=1)
    for name in NAMES:
        policy = make_policy(name, params)
        assert quoted(policy, 12, 1.0, book={"in_flight": (-5.0,)}) == quoted(
            policy, 7, 1.0, book={"in_flight": (0.0,)}
        )
    params = market_params("mm_env/Latency-v0", hedge_threshold=3)
    for name in [*NAMES, "threshold"]:
        episodes = play(make_policy(name, params), params, 50)
        ordered = np.cumsum(episodes.order, axis=1)
        executed = np.cumsum(episodes.hedge, axis=1)
        assert np.abs(episodes.inventory + ordered - executed).max() <= 3
        assert np.abs(episodes.inventory).max() > 3


@pytest.mark.parametrize(
    "changes",
    [
        {"tiers": ({"decay": 30.0},), "hedge_cost_per_unit": 0.1, "risk_aversion": 0.002},
        {"tiers": ({"decay": 30.0},), "hedge_cost_per_unit": 0.5, "risk_aversion": 0.05, "price_volatility": 0.05},
    ],
)
def test_the_closed_form_is_near_the_optimum_where_hedging_is_dear(changes):
    """The law has one request a step, the book a continuous clock: a little is lost by that and by the tick."""
    params = MarketParams(spread=0.0, tick=0.002, quote_levels=101, lowest_quote=-0.05, **changes)
    best = solve(params).value
    assert 0.98 * best < policy_value(make_policy("cartea-jaimungal:20", params), params) <= best


class TestDemand:
    @pytest.mark.parametrize(
        "tier", [ClientTier(decay=7.0), ClientTier(logistic=(-1.9, 15.0)), ClientTier(logistic=(2.0, 0.5))]
    )
    def test_the_best_distance_is_where_the_revenue_is_largest(self, tier):
        def lost(distance):
            return -distance * tier.acceptance(distance, 0.05)

        found = minimize_scalar(lost, bounds=(0.0, 20.0), method="bounded", options={"xatol": 1e-9})
        assert best_distance(tier, MarketParams()) == pytest.approx(found.x, abs=1e-6)

    def test_it_touches_a_logistic_law(self):
        tier = ClientTier(logistic=(-1.9, 15.0))
        k, rate = exponential_demand(MarketParams(tiers=(tier,), arrival_probability=0.6))[1:3]
        at = best_distance(tier, MarketParams())
        around = at + np.array([-1e-5, 0.0, 1e-5])
        law = 0.3 * tier.acceptance(around, 0.05)
        np.testing.assert_allclose(rate * np.exp(-k * around), law, rtol=1e-8)

    def test_a_kink_keeps_its_distance(self):
        """All accept up to 0.05 and few beyond: the best quote is 0.05 whatever the decay."""
        assert best_distance(ClientTier(decay=1000.0), MarketParams(spread=0.05)) == 0.05

    def test_tiers_are_pooled_by_the_units_they_ask_for(self):
        small, large = ClientTier(decay=10.0, weight=3.0), ClientTier(decay=40.0, sizes=(9,))
        demand = exponential_demand(MarketParams(tiers=(small, large), spread=0.0))
        assert demand.decays.tolist() == [10.0, 40.0]
        assert demand[1:] == pytest.approx((0.25 * 10 + 0.75 * 40, 0.5, 3.0))

    def test_clients_who_accept_any_quote_are_quoted_the_widest(self):
        params = MarketParams(tick=0.01, quote_levels=11, risk_aversion=0.0)
        for formula in FORMULAS:
            assert quoted(formula(10, params), 0, 1.0, 5) == pytest.approx(0.1)

    @pytest.mark.parametrize(
        "changes", [{"arrival_probability": 0.0}, {"inventory_limit": 0}, {"buy_probability": 1.0}]
    )
    @pytest.mark.parametrize("name", NAMES)
    def test_odd_markets_are_quoted_in(self, name, changes):
        params = MarketParams(**QUOTING, **changes)
        assert np.isfinite(play(make_policy(name, params), params, 5).reward).all()


class TestClosedForm:
    def test_small_entries_of_the_exponential_are_as_precise_as_large_ones(self):
        """exp of the shift matrix has the entries 1 / n!; scipy's are precise relative to the largest."""
        found = exponential(np.diag(np.ones(20), 1))
        np.testing.assert_allclose(found[0], [1 / math.factorial(n) for n in range(21)], rtol=1e-13)
        matrix = generator(MarketParams(buy_probability=0.3), Demand(np.array([20.0]), 20.0, 0.5, 2.0))
        np.testing.assert_allclose(exponential(matrix), expm(matrix), rtol=1e-9, atol=1e-14)

    def test_values_follow_the_equation(self):
        """Steps of the law added up are one exponential of the whole time."""
        params = MarketParams(inventory_limit=4, num_trades=9, liquidate_at_end=True, hedge_impact=0.01)
        demand = exponential_demand(params.replace(**QUOTING))
        values = inventory_values(params, demand)
        start = np.exp(demand.decay * values[0])
        whole = np.log(expm(9 * generator(params, demand)) @ start) / demand.decay
        np.testing.assert_allclose(values[9], whole, rtol=1e-12)
        assert values[0][0] == -(0.01 * 4 + 0.01 * 16)

    def test_it_stops_where_it_is_steady(self):
        params = MarketParams(**QUOTING, num_trades=100_000, risk_aversion=0.5)
        policy = CarteaJaimungal(10, params)
        assert policy._values.shape[1] < 2000
        assert quoted(policy, 3, 1.0, 100_000) == pytest.approx(quoted(policy, 3, 1.0, 50_000))

    def test_large_inventories_do_not_underflow(self):
        params = MarketParams(**QUOTING, inventory_limit=300, risk_aversion=0.007, num_trades=20)
        values = CarteaJaimungal(10, params)._values
        assert np.isfinite(values).all()
        assert (np.diff(values[0, -1, 300:]) < 0).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("linear-skew:", "expected linear-skew:SLOPE:K"),
        ("linear-skew:-1", "slope must be a finite number >= 0"),
        ("linear-skew:nan", "needs a number, got"),
        ("linear-skew:wide", "needs a number, got 'wide'"),
        ("linear-skew:0.1:", "after the colon"),
        ("linear-skew:0.1:x", "whole number K >= 0, got 'x'"),
        ("linear-skew::5", "needs a number, got ''"),
        ("glft:1.5", "whole number K >= 0, got '1.5'"),
        ("avellaneda-stoikov:-1", "whole number K >= 0, got '-1'"),
    ],
)
def test_bad_arguments_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        make_policy(name, MarketParams())


def test_what_a_formula_cannot_do_is_refused_by_name():
    with pytest.raises(ValueError, match="inventory_limit=1001 is too large for the closed form"):
        make_policy("cartea-jaimungal", MarketParams(**QUOTING, inventory_limit=1001))
    with pytest.raises(ValueError, match=r"risk_aversion=1.0 with inventory_limit=300 is too much for the closed form"):
        make_policy("cartea-jaimungal", MarketParams(**QUOTING, inventory_limit=300, risk_aversion=1.0))
    worthless = MarketParams(tick=0.01, quote_levels=2, lowest_quote=-0.05)
    with pytest.raises(ValueError, match=r"lowest_quote \+ tick \* \(quote_levels - 1\) must be above 0"):
        make_policy("glft", worthless)
    with pytest.raises(ValueError, match="threshold must be a whole number"):
        LinearSkew(-1, MarketParams())
