"""A readable episode of every market, as it was: `python -m tests.test_golden` writes them anew.

What changes one of these files changes a registered market, whose version then goes up.
"""

from pathlib import Path

import pytest

from baselines.policies.threshold import ThresholdPolicy
from mm_env import MarketParams, market_params, play
from tests.markets import IDS

FOLDER = Path(__file__).parent / "golden"


def episode(market: str) -> str:
    """Fifteen requests of seed 0, under a threshold of about a quarter of the cap and half the spread, as a table."""
    params: MarketParams = market_params(market, num_trades=15)
    threshold = params.inventory_limit // 4 // 5 * 5 or 5
    rule = ThresholdPolicy(threshold, params, params.spread / 2)
    table = play(rule, params, 1, seed=0).to_dataframe()
    table = table.drop(
        columns=["episode", "threshold", "price_move"]
    )  # the last two were not recorded when these were written,
    table = table.rename(columns={"unexpected_pnl": "surprise"})  # and this was the name of that column
    numbers = table.select_dtypes("float").columns
    table[numbers] = table[numbers].round(4) + 0.0  # no minus zeros
    return str(table.to_string(index=False)) + "\n"


def path(market: str) -> Path:
    return FOLDER / f"{market.rpartition('/')[2]}.txt"


@pytest.mark.parametrize("market", IDS)
def test_a_market_is_what_it_was(market):
    pytest.importorskip("pandas")
    assert path(market).read_text() == episode(market)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in IDS:
        path(each).write_text(episode(each))
