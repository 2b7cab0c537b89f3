import numpy as np
import pytest

from baselines.calibration import estimates
from baselines.calibration.estimates import calibrate
from baselines.calibration.market_file import market_text, write_market
from benchmarks.calibration import checked
from benchmarks.recovery import MARKETS, coverage, recorded, truths
from mm_env import MarketParams, Tape, market_params
from mm_env.market.recordings.recording import TapeWarning


@pytest.mark.parametrize("market", ["informed", "tiers", "jumps", "all of it"])
def test_intervals_hold_the_truth(market):
    """A small `python -m benchmarks.recovery`: of 10 intervals half of one should miss, 5 are six errors more."""
    if MARKETS[market].volatility_regimes:
        pytest.importorskip("statsmodels")
    found = coverage(MARKETS[market], tapes=10, requests=1_000)
    of_moves = {"jump_probability", "jump_volatility", "regime_persistence", "volatility_regimes[0]", "mean_reversion"}
    assert found.keys() >= {"informed_fraction", "flow_persistence", "buy_probability"}
    assert found.keys() & of_moves == truths(MARKETS[market]).keys() & of_moves
    assert min(each.held for each in found.values()) >= 0.6, found


def test_the_likelier_curve_is_taken():
    informed = calibrate(recorded(MARKETS["informed"].replace(num_trades=5_000), 0), MARKETS["informed"])
    assert informed.params.tiers[0].logistic is None
    assert informed.params.tiers[0].decay == pytest.approx(30.0, rel=0.1)
    tiers = calibrate(recorded(MARKETS["tiers"].replace(num_trades=5_000), 0), MARKETS["tiers"])
    assert [tier.decay for tier in tiers.params.tiers] == [0.0, 0.0]
    assert tiers.params.tiers[1].logistic == pytest.approx((-3.0, 80.0), rel=0.2)


def test_what_a_tape_cannot_tell_is_kept_from_the_base_market():
    base = MarketParams(risk_aversion=0.5, inventory_limit=7)
    moves = np.random.default_rng(0).normal(0.0, 0.1, 40)
    found = calibrate(Tape.replay([1, -1] * 20, moves), base)
    assert (found.params.risk_aversion, found.params.inventory_limit) == (0.5, 7)
    assert {"risk_aversion", "num_trades", "arrival_probability", "jump_probability"} <= set(found.kept)
    assert found.params.price_volatility == pytest.approx((moves**2).mean() ** 0.5)
    assert calibrate(Tape.draw(MarketParams(num_trades=30), 0, 9)).params.num_trades == 30
    with pytest.raises(ValueError, match="ten clients or more, got 2"):
        calibrate(Tape.replay([1, -1], [0, 0]))


def test_more_sizes_than_a_tier_may_have_become_as_many_quantiles():
    sizes = np.random.default_rng(0).integers(1, 500, 2_000)
    tape = Tape.replay(np.tile([1, -1], 1_000), np.full(2_000, 0.1), sizes)
    tier = calibrate(tape, MarketParams(inventory_limit=1_000)).params.tiers[0]
    assert len(tier.sizes) == 32
    assert np.dot(tier.sizes, tier.size_probabilities) == pytest.approx(sizes.mean(), rel=0.02)


def test_the_file_is_the_market(tmp_path):
    base = MarketParams(volatility_regimes=(0.1, 0.5), liquidate_at_end=True, hedge_levels=3)
    found = calibrate(recorded(MARKETS["tiers"].replace(num_trades=2_000), 0), base)
    path = tmp_path / "my-market.toml"
    write_market(found, path, "trades.csv")
    assert market_params(str(path)) == found.params
    assert market_params(str(path), risk_aversion=0.25).risk_aversion == 0.25
    text = market_text(found, "trades.csv")
    assert text.startswith("# A market calibrated from trades.csv")
    assert "price units; estimate 0.30" in text
    path.write_text("spread = \n")
    with pytest.raises(ValueError, match="cannot be read as a market"):
        market_params(str(path))
    with pytest.raises(ValueError, match="cannot be read as a market"):
        market_params("none.toml")


@pytest.mark.parametrize("market", ["mm_env/Imbalance-v0", "mm_env/AdverseSelection-v0"])
def test_what_is_optimal_for_the_estimate_is_nearly_so_in_the_true_market(market):
    """A small `python -m benchmarks.calibration`."""
    found = checked(market_params(market, num_trades=50), 10_000, seed=0)
    assert found.rule < found.calibrated < found.optimum + 1e-9
    assert found.share > 0.98


def test_regimes_of_a_tape_are_those_of_the_market():
    pytest.importorskip("statsmodels")
    true = market_params("mm_env/VolatilityRegimes-v0")
    found = calibrate(recorded(true.replace(num_trades=2_000), 0))
    assert found.params.volatility_regimes == pytest.approx((0.05, 0.5), rel=0.2)
    assert found.params.regime_persistence == pytest.approx(0.98, abs=0.01)
    assert "price_volatility" in found.kept
    assert calibrate(recorded(MARKETS["plain"].replace(num_trades=2_000), 0)).params.volatility_regimes is None


def test_without_statsmodels_regimes_are_the_base_markets(monkeypatch):
    monkeypatch.setattr(estimates, "find_spec", lambda name: None)
    base = MarketParams(volatility_regimes=(0.1, 0.5))
    with pytest.warns(TapeWarning, match=r"takes statsmodels, pip install 'mm_env\[calibrate\]'"):
        found = calibrate(recorded(MARKETS["plain"].replace(num_trades=500), 0), base)
    assert found.params.volatility_regimes == (0.1, 0.5)
    assert {"volatility_regimes", "regime_persistence"} <= set(found.kept)
    assert found.params.price_volatility == pytest.approx(0.3, rel=0.1)


def test_what_is_to_be_kept_is_kept_whatever_the_tape_tells():
    tape = recorded(MARKETS["reverting"].replace(num_trades=2_000), 0)
    keep = ("volatility_regimes", "mean_reversion", "buy_probability")
    found = calibrate(tape, MarketParams(buy_probability=0.3), keep)
    assert (found.params.mean_reversion, found.params.buy_probability) == (0.0, 0.3)
    assert set(keep) <= set(found.kept)
    assert calibrate(tape, keep=("volatility_regimes",)).params.mean_reversion == pytest.approx(0.05, abs=0.02)
    with pytest.raises(ValueError, match="'reversion' is not a market parameter"):
        calibrate(tape, keep=("reversion",))


def test_mean_reversion_that_is_not_told_apart_from_0_is_left_out():
    found = calibrate(recorded(MARKETS["runs"].replace(num_trades=1_000), 0), keep=("volatility_regimes",))
    assert found.estimates["mean_reversion"].value > 0
    assert (found.params.mean_reversion, found.left_out) == (0.0, ("mean_reversion",))
    assert "not told apart from 0" in market_text(found, "trades.csv")
