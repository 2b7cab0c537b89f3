"""SHIPPED: policies that come trained with this package, one for each market; `train/shipped` holds their files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mm_env.market.params import MarketParams
from mm_env.registration import MARKETS, market_params

SHIPPED: Mapping[str, str] = {"ppo": "PPO as it comes trained with this package, in the markets as they are registered"}
_FOLDER = Path(__file__).parents[1] / "shipped"
_NOT_OF_THE_MARKET = ("hedge_threshold", "starting_price")  # the rule's own number, and where prices begin


def shipped_path(name: str, market: MarketParams | str) -> Path:
    """The folder of the policy of that name of `SHIPPED` for a market, given by its id or its parameters.

    Raises:
        ValueError: None comes for this market: one that is not registered, or registered and changed.
    """
    params = market_params(market) if isinstance(market, str) else market
    for market_id in MARKETS:
        folder = _FOLDER / name / market_id.rpartition("/")[2]
        if folder.is_dir() and _same(market_params(market_id), params):
            return folder
    raise ValueError(
        f"policy {name!r} comes trained for the registered markets as they are, not for this one: train your own, "
        f"mm-env train --market ID --set FIELD=VALUE --out runs/mine, and name its folder"
    )


def _same(one: MarketParams, other: MarketParams) -> bool:
    """Whether they are one market to whoever trades in it."""
    if type(one) is not type(other):
        return False
    mine, its = one.to_dict(), other.to_dict()
    return all(its[field] == value for field, value in mine.items() if field not in _NOT_OF_THE_MARKET)
