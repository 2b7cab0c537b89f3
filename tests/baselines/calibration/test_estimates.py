import numpy as np
import pytest

from baselines.calibration.estimates import calibrate
from baselines.calibration.market_file import market_text, write_market
from baselines.solver.optimum import policy_value, solve
from benchmarks.recovery import MARKETS, coverage, recorded
from mm_env import MarketParams, Tape, market_params


@pytest.mark.parametrize("market", MARKETS)
def test_intervals_hold_the_truth(market):
    """A small `python -m benchmarks.recovery`: of 40 intervals two should miss, 8 are four errors more."""
    found = coverage(MARKETS[market], tapes=40, requests=2_000)
    assert {"price_volatility", "informed_fraction", "flow_persistence", "buy_probability"} <= found.keys()
    assert min(found.values()) >= 0.8, found


def test_the_likelier_curve_is_taken():
    informed = calibrate(recorded(MARKETS["informed"].replace(num_trades=5_000), 0), MARKETS["informed"])
    assert informed.params.tiers[0].logistic is None
    assert informed.params.tiers[0].decay == pytest.approx(30.0, rel=0.1)
    tiers = calibrate(recorded(MARKETS["tiers"].replace(num_trades=5_000), 0), MARKETS["tiers"])
    assert [tier.decay for tier in tiers.params.tiers] == [0.0, 0.0]
    assert tiers.params.tiers[1].logistic == pytest.approx((-3.0, 80.0), rel=0.2)


def test_what_a_tape_cannot_tell_is_kept_from_the_base_market():
    base = MarketParams(risk_aversion=0.5, inventory_limit=7)
    found = calibrate(Tape.replay([1, -1] * 20, [0.1, -0.1] * 20), base)
    assert (found.params.risk_aversion, found.params.inventory_limit) == (0.5, 7)
    assert {"risk_aversion", "num_trades", "arrival_probability", "jump_probability"} <= set(found.kept)
    assert found.params.price_volatility == pytest.approx(0.1)
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
    true = market_params(market)
    tape = recorded(true.replace(num_trades=50_000), 0)
    own = {name: getattr(true, name) for name in ("hedge_cost_per_unit", "risk_aversion")}  # no tape tells these
    found = calibrate(tape, MarketParams(**own)).params
    assert found != true
    assert policy_value(solve(found).policy, true) > 0.98 * solve(true).value
