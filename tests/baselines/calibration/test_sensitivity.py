from dataclasses import replace

import pytest

from baselines.calibration.estimates import calibrate
from baselines.calibration.sensitivity import sensitivity
from mm_env import Tape, market_params
from mm_env.market.recordings.summary import Measured


def test_errors_cost_what_the_optimum_of_each_drawn_market_says():
    found = calibrate(Tape.draw(market_params("mm_env/Imbalance-v0"), 0, 5), market_params("mm_env/Imbalance-v0"))
    drawn = sensitivity(found, 4, seed=1)
    assert drawn == sensitivity(found, 4, seed=1)
    assert all(each.optimum >= each.policy - 1e-9 and each.optimum > each.rule for each in drawn)
    assert max(each.optimum - each.policy for each in drawn) > 1e-6
    certain = replace(found, estimates={name: Measured(value, 0.0) for name, (value, _) in found.estimates.items()})
    (exact,) = sensitivity(certain, 1)
    assert exact.policy == pytest.approx(exact.optimum, rel=1e-9)
