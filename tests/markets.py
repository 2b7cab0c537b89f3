"""What the contract tests are applied to: every registered market, and random parameters of the law."""

import os
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mm_env import MARKETS, MarketParams

IDS = list(MARKETS)
WINDOWLESS = find_spec("pygame") is None  # then no check asks for render_mode="human"
NOT_FINITE = ("mean_reversion", "quote_latency")  # what the exact solver cannot have


OF_A_KIND = 10  # markets that differ by numbers alone: they share machine code, which takes longest to make
_LARGEST = {
    **dict.fromkeys(("hedge_cost_per_unit", "spread", "price_volatility", "jump_volatility", "tick"), 10.0),
    **dict.fromkeys(("arrival_probability", "flow_persistence", "informed_fraction", "jump_probability"), 1.0),
    **dict.fromkeys(("regime_persistence", "mean_reversion", "risk_aversion"), 1.0),
    **dict.fromkeys(("hedge_impact", "hedge_ticket", "permanent_impact"), 0.1),
    "starting_price": 1000.0,
}


def sets(usually: int) -> int:
    """How many kinds of markets a slow test draws, `OF_A_KIND` each: of SETS, if that is set, as `make bits` does."""
    return -(-int(os.environ.get("SETS", usually)) // OF_A_KIND)


def of_a_kind(params: MarketParams, seed: int) -> list[MarketParams]:
    """The market, and others with the same mechanisms: numbers that turn none on or off are drawn anew."""
    draw = np.random.default_rng(seed).uniform

    def another() -> MarketParams:
        known = {name: getattr(params, name) for name in _LARGEST}
        changes = {name: draw(0.0, _LARGEST[name]) for name, value in known.items() if value not in (0.0, 1.0)}
        regimes = params.volatility_regimes and [draw(0.0, 10.0) for _ in params.volatility_regimes]
        tiers = [replace(tier, weight=draw(0.1, 2.0)) for tier in params.tiers]
        return params.replace(**changes, volatility_regimes=regimes, tiers=tiers)

    return [params, *(another() for _ in range(OF_A_KIND - 1))]


@st.composite
def market_parameters(
    draw: st.DrawFn, max_trades: int = 30, max_limit: int = 12, finite: bool = False, **fixed: Any
) -> MarketParams:
    """Any market of ordinary size, each mechanism on or off; `finite`: one that the exact solver takes."""
    price = st.floats(0, 10, allow_subnormal=False)
    share = st.just(0.0) | st.floats(0, 1)
    small = st.just(0.0) | st.floats(0, 0.1, allow_subnormal=False)
    limit = draw(st.integers(0, max_limit))
    values = {
        "num_trades": draw(st.integers(1, max_trades)),
        "inventory_limit": limit,
        "hedge_threshold": draw(st.integers(0, 15)),
        "hedge_cost_per_unit": draw(price),
        "spread": draw(price),
        "price_volatility": draw(price),
        "starting_price": draw(st.floats(-1000, 1000, allow_subnormal=False)),
        "risk_aversion": draw(st.floats(0, 1, allow_subnormal=False)),
        "arrival_probability": draw(st.just(1.0) | st.floats(0, 1)),
        "buy_probability": draw(st.just(0.5) | st.floats(0, 1)),
        "flow_persistence": draw(share),
        "informed_fraction": draw(share),
        "tiers": draw(st.lists(client_tiers(), min_size=1, max_size=2)),
        "hedge_impact": draw(small),
        "hedge_ticket": draw(small),
        "hedge_latency": draw(st.sampled_from([0, 0, 1, 2])),
        "jump_probability": draw(share),
        "jump_volatility": draw(price),
        "hedge_action": draw(st.sampled_from(["threshold", "units", "band"])),
        "liquidate_at_end": draw(st.booleans()),
        "continuous": draw(st.booleans()),
    }
    if values["liquidate_at_end"]:
        values["permanent_impact"] = draw(small)
    if draw(st.booleans()):
        values |= {"quote_levels": draw(st.integers(2, 6)), "tick": draw(st.floats(0.01, 1)), "lowest_quote": -0.5}
    if draw(st.booleans()):
        values["volatility_regimes"] = draw(st.lists(price, min_size=2, max_size=3))
        values["regime_persistence"] = draw(st.floats(0, 1))
        values["regime_hedge_costs"] = draw(
            st.none() | st.just([0.01, 0.02, 0.03][: len(values["volatility_regimes"])])
        )
    if not finite:
        values["mean_reversion"] = draw(share)
        values["quote_latency"] = draw(st.sampled_from([0, 0, 1, 5]))
    if finite and values["hedge_latency"] == 2:
        values["inventory_limit"] = min(limit, 5)
    return MarketParams.from_mapping(values | fixed)


@st.composite
def client_tiers(draw: st.DrawFn) -> dict[str, Any]:
    """Any tier that accepts a quote at the market's spread now and then."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True))
    law = draw(st.sampled_from([{}, {"decay": 2.0}, {"logistic": (-1.0, 0.5)}]))
    weights = draw(st.none() | st.just([1.0, 2.0, 3.0][: len(sizes)]))
    return {"weight": draw(st.floats(0.1, 2)), "sizes": sizes, "size_weights": weights, **law}
