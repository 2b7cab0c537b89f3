import numpy as np
import pytest

from baselines.calibration.price_moves import fit_moves
from benchmarks.recovery import MARKETS
from mm_env import MarketParams, Tape


def test_one_normal_law_is_its_root_mean_square():
    moves = np.random.default_rng(0).normal(0.0, 0.3, (4, 500))
    found = fit_moves(moves, regimes=1)
    assert (found.regimes, found.jumps) == (1, False)
    deviation = np.insert(moves.cumsum(axis=1), 0, 0.0, axis=1)[:, :-1]
    pull = -(moves * deviation).sum() / (deviation**2).sum()
    assert found.estimates["mean_reversion"].value == pytest.approx(pull, rel=1e-3)
    left = ((moves + pull * deviation) ** 2).mean() ** 0.5
    assert found.estimates["price_volatility"].value == pytest.approx(left, rel=1e-5)
    assert found.estimates["price_volatility"].standard_error == pytest.approx(left / np.sqrt(2 * 2_000), rel=0.1)


def test_the_scale_of_prices_is_that_of_the_estimates():
    moves = Tape.draw(MarketParams(jump_probability=0.1, jump_volatility=2.0, num_trades=2_000), 0, 1).paths.change.T
    one, other = fit_moves(moves, 1).estimates, fit_moves(moves * 1e-4, 1).estimates
    assert other["jump_volatility"] == pytest.approx(np.multiply(one["jump_volatility"], 1e-4), rel=1e-3)
    assert other["jump_probability"] == pytest.approx(one["jump_probability"], rel=1e-3)


def test_prices_in_ticks_are_one_law():
    moves = np.round(np.random.default_rng(0).normal(0.0, 0.02, (1, 3_000)), 2)
    assert 0.15 < (moves == 0).mean() < 0.25
    found = fit_moves(moves, regimes=1)
    assert found.estimates["price_volatility"].value == pytest.approx(0.02, rel=0.05)
    assert not found.jumps


def test_a_mid_that_stands_still_now_and_then_is_not_infinitely_likely():
    moves = np.random.default_rng(0).normal(0.0, 0.3, (1, 2_000))
    moves[0, ::40] = 0.0
    found = fit_moves(moves, regimes=1)
    assert not found.jumps
    assert found.estimates["price_volatility"].value == pytest.approx((moves**2).mean() ** 0.5, rel=0.01)


@pytest.mark.parametrize("moves", [np.zeros((1, 500)), np.full((1, 20), 0.1), np.tile([0.1, -0.1], 100)[None]])
def test_too_little_is_one_law(moves):
    found = fit_moves(moves)
    assert (found.regimes, found.jumps, list(found.estimates)) == (None, None, ["price_volatility"])
    assert found.estimates["price_volatility"].value == pytest.approx((moves**2).mean() ** 0.5)


def test_episodes_begin_anew_in_any_regime():
    """Of two moves an episode neighbours of different episodes tell nothing of each other."""
    pytest.importorskip("statsmodels")
    params = MarketParams(volatility_regimes=(0.05, 0.5), regime_persistence=0.9, num_trades=4)
    found = fit_moves(Tape.draw(params, 0, 1_000).paths.change.T, regimes=2).estimates
    stay = found["regime_persistence"]
    assert abs(stay.value - 0.9) < 3 * stay.standard_error < 0.05


def test_jumps_are_not_taken_for_a_third_regime():
    pytest.importorskip("statsmodels")
    found = fit_moves(Tape.draw(MARKETS["all of it"].replace(num_trades=5_000), 0, 1).paths.change.T)
    assert (found.regimes, found.jumps) == (2, True)
