import warnings

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

import pandas as pd

from baselines import make_policy
from mm_env import MarketParams, Tape, market_params, play
from mm_env.episodes import save_csv
from mm_env.market.recordings.recording import TapeWarning
from mm_env.market.recordings.table import EXAMPLE
from tests.market.test_tape import same


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".csv.gz", ".txt.zip", ".parquet", ".feather"])
@pytest.mark.parametrize("episodes", [1, 3])
def test_what_is_written_is_read(tmp_path, ending, episodes):
    drawn = Tape.draw(market_params("mm_env/FXDealer-v0", num_trades=40), 5, episodes)
    path = tmp_path / f"tape{ending}"
    drawn.write(path)
    read = Tape.read(path)
    for name in ("side", "change", "size", "tier", "reservation"):
        np.testing.assert_array_equal(getattr(read.paths, name), getattr(drawn.paths, name))
    again = tmp_path / f"again{ending}"
    read.write(again)
    assert same(Tape.read(again), read)


@pytest.mark.parametrize("market", ["mm_env/DynamicSpread-v0", "mm_env/VolatilityRegimes-v0", "mm_env/FXDealer-v0"])
def test_a_drawn_tape_that_was_written_is_the_same_market(tmp_path, market):
    params = market_params(market, num_trades=30)
    Tape.draw(params, 3, 4).write(tmp_path / "tape.csv")
    played, again = (
        play(make_policy("flat", params), params, 4, 3, t) for t in (None, Tape.read(tmp_path / "tape.csv"))
    )
    for name in ("filled", "reward", "regime", "inventory"):
        np.testing.assert_array_equal(getattr(again, name), getattr(played, name))
    plain = MarketParams(num_trades=30, inventory_limit=250)  # has no regimes, and clients who take any quote
    assert play(make_policy("flat", plain), plain, tape=Tape.read(tmp_path / "tape.csv")).filled.all()


def test_all_that_was_recorded_is_written(tmp_path):
    read = Tape.read("example")
    read.write(tmp_path / "tape.parquet")
    again = Tape.read(tmp_path / "tape.parquet")
    assert same(again, read)
    for name in ("time", "accepted", "quote", "tier"):
        np.testing.assert_array_equal(getattr(again.recording, name), getattr(read.recording, name))
    assert again.recording.tiers == read.recording.tiers
    with pytest.raises(ValueError, match="a tape is a"):
        read.write(tmp_path / "tape.xlsx")


@pytest.mark.parametrize("market", ["mm_env/Hedging-v0", "mm_env/FXDealer-v0", "mm_env/Latency-v0"])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_played_episodes_can_be_replayed(tmp_path, market, ending):
    params = market_params(market, num_trades=30)
    played = play(make_policy("flat", params), params, 4, seed=2)
    path = tmp_path / f"episodes{ending}"
    if ending == ".csv":
        save_csv([played[:2], played[2:]], path)
    else:
        played.save(path)
    with pytest.warns(TapeWarning, match="columns not used: 'trade'"):
        read = Tape.read(path)
    drawn = Tape.draw(params, 2, 4)
    for name in ("side", "change"):
        np.testing.assert_array_equal(getattr(read.paths, name), getattr(drawn.paths, name))
    plain = MarketParams(num_trades=30)
    again = play(make_policy("flat", plain), plain, tape=read)
    np.testing.assert_array_equal(again.price_move, played.price_move)
    np.testing.assert_array_equal(again.request, played.request)


def test_the_example_is_drawn_from_a_known_market():
    """docs/your-own-trades.md tells this market, and what of it calibration finds again."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = Tape.read(EXAMPLE)
    expected = example()
    pd.testing.assert_frame_equal(pd.read_csv(EXAMPLE), expected)
    assert read.num_trades == 1000


def example() -> pd.DataFrame:
    params = MarketParams(
        num_trades=1000,
        price_volatility=0.2,
        flow_persistence=0.5,
        informed_fraction=0.1,
        tiers=(
            {"weight": 2, "sizes": (1, 2, 5), "size_weights": (5, 3, 2), "logistic": (-3.0, 40.0)},
            {"logistic": (-3.0, 80.0)},
        ),
    )
    paths = Tape.draw(params, seed=0, episodes=1).paths
    random = np.random.default_rng(0)
    quote = random.choice([0.02, 0.04, 0.06, 0.08], size=1000)
    gaps = random.exponential(30.0, size=1000)
    return pd.DataFrame(
        {
            "time": np.round(gaps.cumsum(), 3),
            "side": np.where(paths.side[:, 0] > 0, "buy", "sell"),
            "price_move": np.round(paths.change[:, 0], 4),
            "sizes": paths.size[:, 0].astype(int),
            "tier": np.array(["corporate", "fund"])[paths.tier[:, 0]],
            "quote": quote,
            "accepted": quote <= paths.reservation[:, 0],
        }
    )


if __name__ == "__main__":
    example().to_csv(EXAMPLE, index=False)
