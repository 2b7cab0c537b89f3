"""The action: its space, the decision it stands for, and the way from a threshold and a distance to an action."""

import numpy as np
import pytest
from gymnasium import spaces

from mm_env import MarketParams
from mm_env.envs.action import (
    ActionDecoder,
    action_sizes,
    action_space,
    decode_actions,
    encode_action,
    hedge_levels,
    levels_to_action,
    make_decision,
    nearest_levels,
    quote_levels,
)
from mm_env.envs.observation import observe
from mm_env.market.dynamics import Decision, Request, initial_book
from mm_env.market.exogenous_state import ExogenousState, ObservedState

FIXED = MarketParams()
COARSE = MarketParams(hedge_levels=5)
QUOTING = MarketParams(tick=0.01, quote_levels=11, lowest_quote=-0.02)
NUMBERS = QUOTING.replace(continuous=True)
UNITS = QUOTING.replace(hedge_action="units")


@pytest.mark.parametrize(
    ("params", "space"),
    [
        (FIXED, spaces.Discrete(21)),
        (COARSE, spaces.Discrete(5)),
        (MarketParams(inventory_limit=0), spaces.Discrete(1)),
        (QUOTING, spaces.MultiDiscrete([21, 11])),
        (FIXED.replace(continuous=True), spaces.Box(-1.0, 1.0, (1,), np.float32)),
        (NUMBERS, spaces.Box(-1.0, 1.0, (2,), np.float32)),
    ],
)
def test_the_space(params, space):
    assert action_space(params) == space


def test_levels_run_from_nothing_to_the_cap_and_from_the_lowest_quote_by_ticks():
    assert hedge_levels(FIXED).tolist() == list(range(21))
    assert hedge_levels(COARSE).tolist() == [0, 5, 10, 15, 20]
    assert quote_levels(FIXED).tolist() == [0.05]
    np.testing.assert_allclose(quote_levels(QUOTING), np.arange(-2, 9) / 100, atol=1e-15)
    assert action_sizes(QUOTING) == (21, 11)
    assert action_sizes(FIXED) == (21,)


def test_levels_that_are_changed_are_a_copy():
    hedge_levels(FIXED)[:] = 0
    quote_levels(QUOTING)[:] = 0
    assert hedge_levels(FIXED)[-1] == 20
    assert quote_levels(QUOTING)[0] == -0.02


def test_a_level_is_a_threshold_or_units_to_offload():
    assert make_decision(3.0, 0.1, QUOTING) == Decision(0.1, 3.0, None)
    assert make_decision(3.0, 0.1, UNITS) == Decision(0.1, 0.0, 3.0)


CASES = [
    (FIXED, 0, Decision(0.05, 0.0, None)),
    (FIXED, 7, Decision(0.05, 7.0, None)),
    (FIXED, 20, Decision(0.05, 20.0, None)),
    (COARSE, 3, Decision(0.05, 15.0, None)),
    (QUOTING, (4, 0), Decision(-0.02, 4.0, None)),
    (QUOTING, (20, 10), Decision(0.08, 20.0, None)),
    (UNITS, (4, 5), Decision(0.03, 0.0, 4.0)),
    (NUMBERS, (-1.0, -1.0), Decision(-0.02, 0.0, None)),
    (NUMBERS, (1.0, 1.0), Decision(0.08, 20.0, None)),
    (NUMBERS.replace(quote_levels=2), (0.0, 1.0), Decision(-0.01, 10.0, None)),
    (NUMBERS, (0.04, 0.5), Decision(0.055, 10.0, None)),
    (FIXED.replace(continuous=True), (0.06,), Decision(0.05, 11.0, None)),
]


@pytest.mark.parametrize(("params", "action", "decision"), CASES)
def test_an_action_alone_and_in_a_row_is_the_same_decision(params, action, decision):
    one = ActionDecoder(params)(np.array(action) if isinstance(action, tuple) else action)
    many = decode_actions(np.array([action, action]), 2, params)
    for got, row, expected in zip(one, many, decision, strict=True):
        if expected is None:
            assert got is None
            assert row is None
        else:
            assert got == pytest.approx(expected, abs=1e-12)
            np.testing.assert_allclose(np.broadcast_to(row, 2), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("params", "actions", "message"),
    [
        (FIXED, [0, 21], "from 0 to 20, got 21 in lane 1"),
        (FIXED, [-1, 0], "from 0 to 20, got -1 in lane 0"),
        (QUOTING, [[0, 0], [20, 11]], "from 0 to 10, got 11 in lane 1"),
        (QUOTING, [[21, 0], [0, 0]], "from 0 to 20, got 21 in lane 0"),
        (QUOTING, [0, 0], r"whole numbers of shape \(2, 2\), got int64 of shape \(2,\)"),
        (FIXED, [0.0, 1.0], "must be whole numbers"),
        (FIXED, [0], "must be whole numbers of shape"),
        (NUMBERS, [[0.0, 0.0], [0.0, 1.001]], r"from -1 to 1, got 1.001 in lane 1"),
        (NUMBERS, [[-1.001, 0.0], [0.0, 0.0]], r"from -1 to 1, got -1.001 in lane 0"),
        (NUMBERS, [[0.0, np.nan], [0.0, 0.0]], "got nan in lane 0"),
        (NUMBERS, [[True, True], [True, True]], "must be numbers"),
        (NUMBERS, [[0.0], [0.0]], r"must be numbers of shape \(2, 2\)"),
    ],
)
def test_a_row_that_is_no_action_is_refused_with_its_lane(params, actions, message):
    with pytest.raises(ValueError, match=message):
        decode_actions(np.array(actions), 2, params)


@pytest.mark.parametrize(
    ("params", "action", "message"),
    [
        (FIXED, 21, "whole number from 0 to 20, got 21"),
        (FIXED, -1, "whole number from 0 to 20, got -1"),
        (FIXED, 0.5, "whole number from 0 to 20, got 0.5"),
        (FIXED, None, "whole number from 0 to 20, got None"),
        (QUOTING, 3, r"must have shape \(2,\), got 3"),
        (QUOTING, [0, 11], "from 0 to 10, got 11$"),
        (NUMBERS, [0.0, 1.5], "from -1 to 1, got 1.5$"),
    ],
)
def test_one_that_is_no_action_is_refused(params, action, message):
    with pytest.raises(ValueError, match=message):
        ActionDecoder(params)(action)


def test_the_nearest_level_of_a_number():
    numbers = np.array([[-1.0, -1.0], [-0.96, -0.91], [-0.94, -0.89], [0.0, 0.0], [1.0, 1.0]])
    assert nearest_levels(numbers, NUMBERS).tolist() == [[0, 0], [0, 0], [1, 1], [10, 5], [20, 10]]


def seen(inventory, side, params, size=1.0):
    book = initial_book(params)._replace(inventory=np.atleast_1d(inventory).astype(float))
    return observe(book, ExogenousState(Request(side, side * size), ObservedState()), 50, params)


def test_a_threshold_and_a_distance_become_the_nearest_action():
    rows = seen([0, 5], 1.0, QUOTING)
    assert encode_action(7, rows, QUOTING, 0.031).tolist() == [[7, 5], [7, 5]]
    assert encode_action([7, 30], rows, QUOTING, [-0.5, 0.5]).tolist() == [[7, 0], [20, 10]]
    assert encode_action(7, rows, QUOTING).tolist() == [[7, 7], [7, 7]]  # the market's spread
    assert encode_action(7, rows, FIXED).tolist() == [7, 7]
    np.testing.assert_allclose(encode_action(5, rows, NUMBERS, 0.03), [[-0.5, 0.0]] * 2, atol=1e-6)
    assert encode_action(5, rows, NUMBERS, 9.0).tolist() == [[-0.5, 1.0]] * 2
    assert encode_action(5, rows, NUMBERS, -9.0).tolist() == [[-0.5, -1.0]] * 2
    assert encode_action(5, rows, NUMBERS.replace(quote_levels=2), -0.01).tolist() == [[-0.5, 1.0]] * 2


@pytest.mark.parametrize("shape", [(), (2,), (2, 3), (2, 3, 4)])
def test_actions_have_the_shape_of_the_observations(shape):
    rows = np.zeros((*shape, 3), dtype=np.float32)
    assert np.array_equal(encode_action(7, rows, FIXED), np.full(shape, 7))
    assert np.array_equal(encode_action(7, rows, QUOTING, 0.0), np.full((*shape, 2), [7, 2]))


def test_levels_of_a_market_without_inventory():
    params = MarketParams(inventory_limit=0, continuous=True)
    assert levels_to_action(np.zeros(2), np.zeros(2), params).tolist() == [[-1.0], [-1.0]]


def test_units_are_what_exceeds_the_threshold_once_the_client_has_traded():
    """Short 6 after selling one more to him, long 4 after; a threshold of 3 leaves 3 and 1 to offload."""
    params = MarketParams(hedge_action="units")
    assert encode_action(3, seen([-5, 5], 1.0, params), params).tolist() == [3, 1]
    assert encode_action(30, seen([-5, 5], 1.0, params), params).tolist() == [0, 0]


def test_a_threshold_that_is_not_a_level_is_refused():
    assert encode_action([0, 20], seen([0, 0], 1.0, COARSE), COARSE).tolist() == [0, 4]
    with pytest.raises(ValueError, match=r"threshold 3 is not one of the hedge levels \[0, 5, 10, 15, 20\]"):
        encode_action([5, 3], seen([0, 0], 1.0, COARSE), COARSE)


BAND = MarketParams(hedge_action="band")


def test_threshold_and_target_are_two_numbers_in_any_market():
    assert action_space(BAND) == spaces.MultiDiscrete([21, 21])
    assert action_space(QUOTING.replace(hedge_action="band")) == spaces.MultiDiscrete([21, 21, 11])
    assert action_space(NUMBERS.replace(hedge_action="band")) == spaces.Box(-1.0, 1.0, (3,), np.float32)
    assert ActionDecoder(BAND)((5, 1)) == Decision(0.05, 5.0, None, 1.0)
    assert ActionDecoder(COARSE.replace(hedge_action="band"))((3, 1)) == Decision(0.05, 15.0, None, 5.0)
    assert ActionDecoder(QUOTING.replace(hedge_action="band"))((5, 1, 0)) == Decision(-0.02, 5.0, None, 1.0)
    numbers = ActionDecoder(NUMBERS.replace(hedge_action="band"))((0.0, -1.0, 1.0))
    assert numbers == Decision(0.08, 10.0, None, 0.0)
    with pytest.raises(ValueError, match=r"must have shape \(2,\), got 3"):
        ActionDecoder(BAND)(3)


@pytest.mark.parametrize("params", [BAND, QUOTING.replace(hedge_action="band"), NUMBERS.replace(hedge_action="band")])
def test_a_band_is_encoded_as_it_is_decoded(params):
    rows = seen([0, 5], 1.0, params)
    found = decode_actions(encode_action([7, 30], rows, params, 0.05, [2, 1]), 2, params)
    assert np.asarray(found.threshold).tolist() == [7, 20]
    assert np.asarray(found.target).tolist() == [2, 1]
    alone = decode_actions(encode_action(7, rows, params), 2, params)
    assert np.asarray(alone.target).tolist() == [7, 7]


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_four_roundings_of_single_precision_beyond_a_bound_are_the_bound_and_more_is_refused(sign):
    params = MarketParams(continuous=True)
    rounding = float(np.finfo(np.float32).eps)
    decided = decode_actions(np.array([[sign * (1.0 + 4.0 * rounding)]]), 1, params)
    assert decided.threshold.tolist() == ([20.0] if sign > 0 else [0.0])
    with pytest.raises(ValueError, match="from -1 to 1"):
        decode_actions(np.array([[sign * (1.0 + 4.5 * rounding)]]), 1, params)


@pytest.mark.parametrize("changes", [{}, {"hedge_action": "band"}, {"hedge_action": "units"}, {"hedge_levels": 4}])
@pytest.mark.parametrize("quoting", [{}, {"quote_levels": 5, "tick": 0.01, "lowest_quote": -0.02}])
def test_numbers_of_one_dealer_are_decoded_as_those_of_many(changes, quoting):
    """To the last bit and in plain floats; halfway between two levels and a rounding beyond the ends as well."""
    params = MarketParams(inventory_limit=10, continuous=True, **changes, **quoting)
    parts = len(action_sizes(params))
    drawn = np.random.default_rng(0).uniform(-1.0, 1.0, (200, parts))
    halves = np.tile(np.linspace(-1.0, 1.0, 21)[:, None], parts)
    actions = np.concatenate([drawn, halves, np.full((1, parts), 1.0 + 2e-7)]).astype(np.float32)
    many, decode = decode_actions(actions, len(actions), params), ActionDecoder(params)
    for row, action in enumerate(actions):
        for one, all_ in zip(decode(action), many, strict=True):
            expected = None if all_ is None else float(np.broadcast_to(all_, len(actions))[row])
            assert type(one) is type(expected)
            assert one == expected
