import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines import make_policy
from baselines.policies.random_policy import RandomPolicy
from mm_env import MarketParams, Tape, play
from mm_env.kernels import scalar_ops
from mm_env.market import dynamics
from mm_env.market.dynamics import Book, Decision, Move, Request, step
from tests.markets import market_parameters


def test_an_episode_worked_out_by_hand():
    params = MarketParams(num_trades=5, inventory_limit=2, hedge_threshold=1)
    tape = Tape.replay(
        sides=[+1, +1, 0, +1, -1],
        sizes=[1, 1, 1, 3, 2],
        price_moves=[0.2, -0.1, 0.3, 0.0, 0.1],
    )
    played = play(make_policy("threshold", params), params, tape=tape)
    # 1. sells 1 at 100.05; the mid rises to 100.2: 0.05 earned, 0.2 lost
    # 2. sells 1 at 100.25, buys the excess of 1 back at 100.2 for 0.01; the mid falls to 100.1
    # 3. nobody comes; the mid rises to 100.4; the unrealized PnL of trade 2 is carried forward
    # 4. a client wants 3, which would take the inventory to -4: rejected whole
    # 5. buys 2 at 100.35; the mid rises to 100.5
    expected = {
        "inventory": [-1, -1, -1, -1, 1],
        "price": [100.2, 100.1, 100.4, 100.4, 100.5],
        "filled": [True, True, False, False, True],
        "hedge": [0, 1, 0, 0, 0],
        "cumulative_hedge": [0, 1, 1, 1, 1],
        "spread_pnl": [0.05, 0.05, 0, 0, 0.1],
        "hedge_cost": [0, 0.01, 0, 0, 0],
        "inventory_pnl": [-0.2, 0.1, -0.3, 0, 0.1],
        "risk_penalty": [0.00045] * 5,  # 0.5 * 0.01 * 0.3^2 * 1
        "equity": [-0.15, -0.01, -0.31, -0.31, -0.11],
        "unrealized_pnl": [-0.15, 0.14, 0.14, 0.14, 0.15],
        "reward": [-0.15045, 0.13955, -0.30045, -0.00045, 0.19955],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(played, name)[0], values, atol=1e-12, err_msg=name)


def test_the_threshold_rule_on_a_recorded_run_of_buyers():
    params = MarketParams(num_trades=14)
    tape = Tape.replay(sides=[+1] * 12 + [-1] * 2, price_moves=[0.0] * 14)
    played = play(make_policy("threshold:10", params), params, tape=tape)
    # ten fills take the inventory to -10; two more are hedged at once; then it comes back
    assert played.inventory[0].tolist() == [*range(-1, -11, -1), -10, -10, -9, -8]
    assert played.cumulative_hedge[0].tolist() == [0] * 10 + [1, 2, 2, 2]


@given(params=market_parameters(), seed=st.integers(0, 2**32), rounds=st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_the_accounts_agree(params, seed, rounds):
    """Spread + inventory - hedge cost == cash + q * m: two routes to the PnL, to 1e-9 of the amounts involved."""
    played = play(RandomPolicy(params), params, rounds, seed)
    parts = (played.spread_pnl + played.inventory_pnl - played.hedge_cost).cumsum(axis=1)
    scale = max(1.0, np.abs(played.price).max() * max(params.inventory_limit, 1) / 1e3)
    np.testing.assert_allclose(played.equity, parts, atol=1e-9 * scale, rtol=0)
    assert (np.abs(played.inventory) <= params.inventory_limit).all()
    np.testing.assert_allclose(
        played.reward, np.diff(played.equity, axis=1, prepend=0.0) - played.risk_penalty, atol=1e-9 * scale
    )
    sold = np.where(played.filled, played.request, 0.0)
    np.testing.assert_array_equal(np.diff(played.inventory, axis=1, prepend=0.0), played.hedge - sold)
    np.testing.assert_array_equal(played.cumulative_hedge, np.abs(played.hedge).cumsum(axis=1))


number = st.floats(-1e6, 1e6)


@given(
    book=st.tuples(st.integers(-20, 20).map(float), *[number] * 5),
    in_flight=st.lists(st.integers(-5, 5).map(float), max_size=2),
    request=st.tuples(
        st.sampled_from([-1.0, 0.0, 1.0]),
        st.integers(-5, 5).map(float),
        st.none() | st.floats(allow_nan=False),
        st.none() | number,
    ),
    decision=st.tuples(st.floats(0, 10), st.integers(0, 20).map(float), st.sampled_from([None, 0.0, 3.0])),
    move=st.tuples(number, number, st.booleans(), number, number),
    params=market_parameters(),
)
@settings(max_examples=300, deadline=None)
def test_floats_and_arrays_obey_one_law(book, in_flight, request, decision, move, params):
    side, wanted, reservation, mid_error = request
    request = Request(side, wanted, reservation=reservation, mid_error=mid_error)
    one = step(dynamics.Book(*book, tuple(in_flight)), request, Decision(*decision), Move(*move), params, scalar_ops)
    rows, orders = ([np.full(3, value) for value in values] for values in (book, in_flight))
    many = step(dynamics.Book(*rows, tuple(orders)), request, Decision(*decision), Move(*move), params)
    ones, manies = ((*result.book[:-1], *result.book.in_flight, *result[1:]) for result in (one, many))
    for a, b in zip(ones, manies, strict=True):
        assert np.array_equal(np.full(3, a), np.broadcast_to(b, 3), equal_nan=True)


def test_only_the_arrays_of_a_decision_are_mapped():
    distance, threshold, max_units, target = Decision(np.array([0.1, 0.2]), 3.0, None).map(lambda part: part[::-1])
    assert distance.tolist() == [0.2, 0.1]
    assert (threshold, max_units, target) == (3.0, None, None)
    assert Decision(0.1, np.array([1.0]), np.array([2.0])).map(lambda part: 2 * part) == (0.1, 2.0, 4.0, None)


def test_a_request_of_which_nothing_more_is_said():
    """Of the first tier, taking any quote, which is made around the mid as it is; he knows nothing."""
    assert Request(1.0, 2.0) == Request(1.0, 2.0, tier=0, reservation=None, mid_error=None, informed=False)


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("stale", [None, 0.25, -0.25])
def test_a_client_accepts_a_quote_at_his_reservation_distance_and_none_beyond(side, stale):
    """Powers of two: the distance from the true mid is exact, 0.5 where the quote is not stale."""
    distance = 0.5 if stale is None else 0.5 - side * stale
    book, params = dynamics.initial_book(MarketParams()), MarketParams()
    for reservation, accepted in (
        (distance, True),
        (np.nextafter(distance, -1), False),
        (np.nextafter(distance, 2), True),
    ):
        request = Request(side, side, reservation=reservation, mid_error=stale)
        filled, sold = dynamics.trade(book.inventory, (), request, Decision(0.5, 10.0, None), params)
        assert (filled, sold) == (accepted, side * accepted)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_trade_that_ends_at_the_cap_is_filled_and_none_beyond(side):
    params = MarketParams(inventory_limit=5)
    wanted = Request(side, side * 2)
    for held, in_flight, filled in (
        (-3, (), True),
        (-4, (), False),
        (-3, (-1.0,), False),
        (-2, (-1.0,), True),
        (-3, (-1.0, 1.0), False),
        (-3, (1.0, -1.0), True),
        (-3, (1.0, -2.0), False),
    ):
        orders = tuple(side * order for order in in_flight)
        assert dynamics.trade(side * held, orders, wanted, Decision(0.0, 9.0, None), params)[0] == filled


def test_the_law_writes_nothing_in_place():
    params = MarketParams()
    book = dynamics.Book(*(np.full(4, float(i)) for i in range(6)))
    before = [part.copy() for part in book[:-1]]
    arguments = (
        Request(np.array([1.0, -1, 1, 0]), np.array([1.0, -1, 3, 0]), reservation=np.full(4, np.inf)),
        Decision(0.05, np.zeros(4), None),
        Move(np.ones(4), np.zeros(4), False, 0.01, 0.1),
    )
    step(book, *arguments, params)
    for part, was in zip(book[:-1], before, strict=True):
        np.testing.assert_array_equal(part, was)


class TestLimits:
    def test_no_clients_means_nothing_happens(self):
        params = MarketParams(arrival_probability=0)
        played = play(make_policy("threshold", params), params, 10)
        assert not played.filled.any()
        assert not played.inventory.any()
        assert not played.equity.any()

    def test_no_volatility_means_the_spread_is_all_there_is(self):
        params = MarketParams(price_volatility=0)
        played = play(make_policy("never", params), params, 10)
        np.testing.assert_allclose(played.pnl, 0.05 * played.filled.sum(axis=1))
        assert not played.risk_penalty.any()

    def test_a_cap_of_zero_rejects_everyone(self):
        params = MarketParams(inventory_limit=0)
        assert not play(make_policy("threshold", params), params, 10).filled.any()

    def test_only_buyers(self):
        params = MarketParams(buy_probability=1)
        played = play(make_policy("flat", params), params, 10)
        assert (played.hedge == 1).all()
        assert not played.inventory.any()

    def test_liquidation_charges_the_last_inventory(self):
        plain, charged = MarketParams(), MarketParams(liquidate_at_end=True)
        never = make_policy("never", plain)
        a, b = play(never, plain, 50), play(never, charged, 50)
        np.testing.assert_allclose(a.pnl - b.pnl, 0.01 * np.abs(a.inventory[:, -1]), atol=1e-10)
        np.testing.assert_array_equal(a.equity[:, :-1], b.equity[:, :-1])

    def test_expected_rewards_average_to_the_realised_ones(self):
        params = MarketParams(num_trades=10)
        played = play(make_policy("threshold", params), params, 4000)
        unexpected_pnl = played.unexpected_pnl.sum(axis=1)
        assert abs(unexpected_pnl.mean()) < 4 * unexpected_pnl.std() / np.sqrt(4000)


def test_units_and_thresholds_reach_the_same_inventory():
    by_threshold, by_units = MarketParams(), MarketParams(hedge_action="units")
    for name in ("threshold:3", "flat", "never", "best-threshold", "optimal"):
        a = play(make_policy(name, by_threshold), by_threshold, 20)
        b = play(make_policy(name, by_units), by_units, 20)
        np.testing.assert_array_equal(a.inventory, b.inventory)
        np.testing.assert_array_equal(a.reward, b.reward)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spread": float("nan")}, "spread must be a number from 0 to 1e\\+09"),
        ({"spread": float("inf")}, "spread"),
        ({"spread": "0.05"}, "spread"),
        ({"num_trades": 0}, "num_trades must be a whole number from 1"),
        ({"num_trades": 10.0}, "num_trades"),
        ({"num_trades": True}, "num_trades"),
        ({"inventory_limit": -1}, "inventory_limit"),
        ({"inventory_limit": 10**400}, "inventory_limit"),
        ({"buy_probability": 1.01}, "buy_probability"),
        ({"liquidate_at_end": 1}, "liquidate_at_end must be True or False"),
        ({"hedge_action": "sell"}, "one of 'threshold', 'units'"),
        ({"hedge_levels": 22}, "hedge_levels must be at most inventory_limit"),
        ({"hedge_levels": 5, "hedge_action": "units"}, "hedge_levels goes with"),
        ({"hedge_treshold": 5}, "did you mean 'hedge_threshold'"),
    ],
)
def test_bad_parameters_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        MarketParams.from_mapping(change)


def test_parameters_become_plain_numbers():
    params = MarketParams(num_trades=np.int32(5), spread=np.float32(0.5), liquidate_at_end=np.bool_(True))
    assert (type(params.num_trades), type(params.spread), type(params.liquidate_at_end)) == (int, float, bool)
    assert MarketParams.from_mapping(params.to_dict()) == params


def test_the_first_book_is_flat_and_a_step_without_a_trade_tells_of_nothing():
    book = dynamics.initial_book(MarketParams(starting_price=7.0, hedge_latency=2))
    assert book == Book(
        inventory=0.0,
        cash=0.0,
        mid=7.0,
        equity=0.0,
        unrealized_pnl=0.0,
        cumulative_hedge=0.0,
        in_flight=(0.0, 0.0),
    )
    nothing = dynamics.no_step(book)
    assert nothing.book is book
    assert not any(nothing[1:])


def test_the_expected_reward_charges_costs_and_risk_and_counts_what_is_expected():
    played = dynamics.no_step(dynamics.initial_book(MarketParams()))._replace(
        book=dynamics.initial_book(MarketParams())._replace(inventory=2.0),
        hedge=3.0,
        spread_pnl=10.0,
        hedge_cost=1.0,
        inventory_pnl=50.0,
        risk_penalty=0.25,
    )
    move = Move(change=25.0, expected=0.5, last=False, hedge_cost=0.01, risk_weight=0.0)
    assert dynamics.realised_reward(played, move, MarketParams()) == 10.0 - 1.0 + 50.0 - 0.25
    assert dynamics.expected_reward(played, move, MarketParams()) == 10.0 - 1.0 + 2.0 * 0.5 - 0.25
    moved = MarketParams(permanent_impact=0.1, liquidate_at_end=True)
    assert dynamics.expected_reward(played, move, moved) == 10.0 - 1.0 + 2.0 * (0.5 + 0.1 * 3.0) - 0.25
