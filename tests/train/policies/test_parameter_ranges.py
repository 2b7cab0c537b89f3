import numpy as np
import pytest

from mm_env import MarketParams
from train.policies.parameter_ranges import check_ranges, market_at, parameter_columns

RANGES = {"risk_aversion": (0.002, 0.02), "spread": (0.0, 0.2)}


def test_a_range_above_zero_is_one_of_the_logarithm():
    params = market_at(MarketParams(), RANGES, [0.5, 0.25])
    assert params.risk_aversion == pytest.approx((0.002 * 0.02) ** 0.5)
    assert params.spread == 0.05


@pytest.mark.parametrize("shares", [(0.0, 0.0), (1.0, 1.0), (0.37, 0.81)])
def test_what_is_shown_of_a_market_is_where_it_lies(shares):
    shown = parameter_columns(market_at(MarketParams(), RANGES, shares), RANGES)
    np.testing.assert_allclose(shown, 2 * np.array(shares) - 1, atol=1e-6)


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({}, "at least one"),
        ({"riskaversion": (0, 1)}, "cannot be randomised, only .*risk_aversion"),
        ({"inventory_limit": (1, 5)}, "cannot be randomised"),
        ({"risk_aversion": (0.2, 0.1)}, "must rise"),
        ({"risk_aversion": (-1.0, 0.1)}, "risk_aversion"),
        ({"mean_reversion": (0.0, 0.1)}, "columns of the observation|observation space"),
    ],
)
def test_bad_ranges_are_refused(ranges, message):
    with pytest.raises(ValueError, match=message):
        check_ranges(MarketParams(), ranges)


def test_a_market_outside_the_ranges_is_refused():
    with pytest.raises(ValueError, match=r"risk_aversion=0.05 is outside the range 0.002 to 0.02"):
        parameter_columns(MarketParams(risk_aversion=0.05), RANGES)
