from dataclasses import replace

import numpy as np
import pytest

from baselines.calibration.estimates import Calibration, calibrate
from baselines.calibration.sensitivity import _drawn, sensitivity
from mm_env import Tape, market_params
from mm_env.market.recordings.summary import Measured


def test_errors_cost_what_the_optimum_of_each_drawn_market_says():
    base = market_params("mm_env/Imbalance-v0", num_trades=50)
    found = calibrate(Tape.draw(base, 0, 10), base, keep=("volatility_regimes",))
    drawn = sensitivity(found, 4, seed=1)
    assert drawn == sensitivity(found, 4, seed=1)
    assert all(each.optimum >= each.policy - 1e-9 and each.optimum > each.rule for each in drawn)
    assert max(each.optimum - each.policy for each in drawn) > 1e-6
    certain = replace(found, estimates={name: Measured(value, 0.0) for name, (value, _) in found.estimates.items()})
    (exact,) = sensitivity(certain, 1)
    assert exact.policy == pytest.approx(exact.optimum, rel=1e-9)


def test_regimes_are_drawn_and_tiers_are_not():
    base = market_params("mm_env/VolatilityRegimes-v0", num_trades=10, inventory_limit=4)
    estimates = {"volatility_regimes[0]": Measured(0.05, 0.01), "volatility_regimes[1]": Measured(0.5, 0.1)}
    estimates |= {"regime_persistence": Measured(0.9, 0.01), "tiers[0].size_weights[0]": Measured(0.5, 0.1)}
    random = np.random.default_rng(0)
    drawn = [_drawn(Calibration(base, estimates, kept=("price_volatility",)), random) for _ in range(50)]
    assert all(market.tiers == base.tiers and market.price_volatility == base.price_volatility for market in drawn)
    sigmas = np.array([market.volatility_regimes for market in drawn])
    assert sigmas.mean(axis=0) == pytest.approx([0.05, 0.5], rel=0.1)
    assert sigmas.std(axis=0) == pytest.approx([0.01, 0.1], rel=0.3)
