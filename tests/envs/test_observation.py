"""The observation: the bounds of its space in every market, and the way back to units."""

import re

import numpy as np
import pytest

from mm_env import DealersParams, HedgingEnv, MarketParams, market_params
from mm_env.envs.observation import (
    OBSERVATIONS,
    decode_observation,
    observation_columns,
    observation_names,
    observation_space,
    observe,
)
from mm_env.market.dynamics import Request, initial_book
from mm_env.market.exogenous_state import ExogenousState, ObservedState
from tests.markets import IDS

BOUNDS = {
    "inventory": (-1.0, 1.0),
    "time_left": (0.0, 1.0),
    "request": (-1.0, 1.0),
    "side": (-1.0, 1.0),
    "tier": (0.0, 1.0),
    "last_side": (-1.0, 1.0),
    "regime": (0.0, 1.0),
    "deviation": (-np.inf, np.inf),
    "won": (-1.0, 1.0),
    "best_quote": (-1.0, 1.0),
    "in_flight_1": (-1.0, 1.0),
    "in_flight_2": (-1.0, 1.0),
    "rival_1": (-1.0, 1.0),
    "rival_2": (-1.0, 1.0),
}
EVERYTHING = DealersParams(
    num_dealers=3,
    transparent=True,
    tiers=({"sizes": (1, 4)}, {"decay": 1.0}),
    flow_persistence=0.5,
    informed_fraction=0.1,
    volatility_regimes=(0.1, 0.2),
    mean_reversion=0.1,
    hedge_latency=2,
    tick=0.01,
    quote_levels=11,
)


@pytest.mark.parametrize("params", [*map(market_params, IDS), EVERYTHING], ids=[*IDS, "everything"])
def test_the_bounds_of_every_column(params):
    space, names = observation_space(params), observation_names(params)
    assert space.dtype == np.float32
    assert space.shape == (len(names),)
    assert dict(zip(names, zip(space.low.tolist(), space.high.tolist(), strict=True), strict=True)) == {
        name: BOUNDS[name] for name in names
    }


def test_a_quote_around_a_mid_that_somebody_else_takes_for_another_has_no_bounds():
    params = EVERYTHING.replace(view_noise=0.01)
    space, place = observation_space(params), observation_names(params).index("best_quote")
    assert (space.low[place], space.high[place]) == (-np.inf, np.inf)


def test_the_market_of_all_mechanisms_shows_every_column():
    assert set(observation_names(EVERYTHING)) == set(BOUNDS)


@pytest.mark.parametrize(("largest", "bound"), [(None, 1.0), (2.0, 1.0), (4.0, 1.0), (5.0, 1.25), (12.0, 3.0)])
def test_a_recorded_tape_widens_the_bounds_of_requests_alone(largest, bound):
    params = MarketParams(tiers=({"sizes": (1, 4)},))
    space, plain, column = observation_space(params, largest), observation_space(params), 2
    assert observation_names(params)[column] == "request"
    assert (space.low[column], space.high[column]) == (-bound, bound)
    np.testing.assert_array_equal(np.delete(space.low, column), np.delete(plain.low, column))
    np.testing.assert_array_equal(np.delete(space.high, column), np.delete(plain.high, column))


def test_every_column_is_scaled_as_its_meaning_says_and_back():
    params = EVERYTHING.replace(inventory_limit=10, num_trades=50)
    book = initial_book(params)._replace(inventory=np.array([-10.0, 5.0]), in_flight=(np.array([1.0, -2.0]), 3.0))
    request = Request(np.array([-1.0, 1.0]), np.array([-4.0, 1.0]), np.array([0, 1]))
    observed = ObservedState(
        last_side=np.array([1.0, -1.0]),
        regime=np.array([0, 1]),
        deviation=np.array([0.5, -2.0]),
        won=np.array([1.0, -1.0]),
        best_quote=np.array([0.05, 0.1]),
        rivals=(np.array([2.0, -3.0]), np.array([0.0, 10.0])),
    )
    shown = observe(book, ExogenousState(request, observed), 25, params)
    expected = {
        "inventory": [-1.0, 0.5],
        "time_left": [0.5, 0.5],
        "request": [-1.0, 0.25],
        "side": [-1.0, 1.0],
        "tier": [0.0, 1.0],
        "last_side": [1.0, -1.0],
        "regime": [0.0, 1.0],
        "deviation": [0.5, -2.0],
        "won": [1.0, -1.0],
        "best_quote": [0.5, 1.0],
        "in_flight_1": [0.1, -0.2],
        "in_flight_2": [0.3, 0.3],
        "rival_1": [0.2, -0.3],
        "rival_2": [0.0, 1.0],
    }
    columns = [expected[name] for name in observation_names(params)]
    np.testing.assert_allclose(shown, np.transpose(columns), rtol=1e-6)
    view = decode_observation(shown, params)
    assert view.inventory.tolist() == [-10, 5]
    assert view.position.tolist() == [-6, 6]
    assert view.trades_left.tolist() == [25, 25]
    for name in ("side", "signed_size", "tier"):
        np.testing.assert_array_equal(getattr(view.request, name), getattr(request, name))
    for name, value in observed._asdict().items():
        np.testing.assert_allclose(getattr(view.observed, name), value, rtol=1e-6, err_msg=name)


def test_a_market_without_inventory_shows_none():
    params = MarketParams(inventory_limit=0)
    book = initial_book(params)._replace(inventory=np.zeros(2))
    shown = observe(book, ExogenousState(Request(1.0, 1.0), ObservedState()), 100, params)
    assert shown.tolist() == [[0.0, 1.0, 1.0]] * 2
    assert decode_observation(shown, params).inventory.tolist() == [0, 0]


def test_the_manual_says_of_every_column_what_the_table_does():
    """Cell by cell: name, meaning, bounds; in the order of the observation."""
    table = re.findall(r"^ *\|(.*)\|$", HedgingEnv.__doc__, re.MULTILINE)
    manual = {name: cells for name, *cells in ([cell.strip() for cell in row.split("|")] for row in table)}
    columns = [column for column in OBSERVATIONS if column.name not in ("won", "best_quote")]  # of several dealers
    assert [name for name in manual if name in BOUNDS] == [column.name for column in columns]
    for column in columns:
        meaning, low, high, _ = manual[column.name]
        assert (meaning, low, high) == (column.meaning, f"{column.low:g}", f"{column.high:g}")
    order = observation_columns(MarketParams(hedge_latency=1))[-1]
    assert manual["in_flight_1 ..."][1:3] == [f"{order.low:g}", f"{order.high:g}"]
