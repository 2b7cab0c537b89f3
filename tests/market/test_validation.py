"""The validator of single numbers: what is taken, as what, and what a bad one is told."""

import numpy as np
import pytest

from mm_env import HedgingVectorEnv, MarketParams
from mm_env.market.validation import check_whole


@pytest.mark.parametrize("value", [1, 7, np.int64(3), np.uint8(5)])
def test_whole_numbers_become_plain(value):
    checked = check_whole("number", value, 1, 7)
    assert checked == value
    assert type(checked) is int


@pytest.mark.parametrize("value", [0, 8, 1.0, np.float64(2), True, np.bool_(True), "3", None, [3], float("nan")])
def test_what_is_no_whole_number_or_out_of_range_is_named(value):
    with pytest.raises(ValueError, match="^number must be a whole number from 1 to 7, got "):
        check_whole("number", value, 1, 7)


def test_without_an_upper_end_any_size_is_taken():
    assert check_whole("seed", 2**200, 0) == 2**200
    with pytest.raises(ValueError, match="^seed must be a whole number of at least 0, got -1$"):
        check_whole("seed", -1, 0)


def test_true_is_not_one_sub_environment():
    with pytest.raises(ValueError, match="num_envs must be a whole number of at least 1, got True"):
        HedgingVectorEnv(True)
    with pytest.raises(ValueError, match="seed must be a whole number"):
        HedgingVectorEnv(2, **MarketParams().to_dict()).reset(seed=[True, 0])
