"""MARKETS: the ids that ship, each with its parameters and what is hard in it. Add a market by adding an entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium as gym

from mm_env.params import MarketParams


class Market(NamedTuple):
    """One registered market: what differs from the defaults of `MarketParams`, and why it is there."""

    summary: str
    changes: Mapping[str, Any]


MARKETS: Mapping[str, Market] = {
    "mm_env/Hedging-v0": Market("random clients and a fixed spread: hold, or hedge at a cost", {}),
}


def market_params(market: str = "mm_env/Hedging-v0", **changes: Any) -> MarketParams:
    """The parameters of a registered market, with changes.

    Raises:
        ValueError: No such market, or a bad parameter.

    Example:
        >>> market_params("mm_env/Hedging-v0", risk_aversion=0.02).risk_aversion
        0.02
    """
    if market not in MARKETS:
        raise ValueError(f"no market {market!r}; known: {', '.join(MARKETS)}")
    return MarketParams.from_mapping({**MARKETS[market].changes, **changes})


def register_markets() -> None:
    """Register every market with Gymnasium, single and vector entry point side by side."""
    for name, market in MARKETS.items():
        if name in gym.registry:
            continue
        gym.register(
            id=name,
            entry_point="mm_env.env:HedgingEnv",
            vector_entry_point="mm_env.vector_env:HedgingVectorEnv",
            kwargs=dict(market.changes),
            disable_env_checker=True,  # it checks the environment, not its user, at every step: the tests do that once
        )
