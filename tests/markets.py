"""What the contract tests are applied to: every registered market, and random parameters of the law."""

from hypothesis import strategies as st

from mm_env import MARKETS, MarketParams

IDS = list(MARKETS)


@st.composite
def market_parameters(draw: st.DrawFn, max_trades: int = 30, max_limit: int = 12) -> MarketParams:
    """Any market of ordinary size."""
    price = st.floats(0, 10, allow_subnormal=False)
    return MarketParams(
        num_trades=draw(st.integers(1, max_trades)),
        inventory_limit=draw(st.integers(0, max_limit)),
        hedge_threshold=draw(st.integers(0, 15)),
        hedge_cost_per_unit=draw(price),
        spread=draw(price),
        price_volatility=draw(price),
        starting_price=draw(st.floats(-1000, 1000, allow_subnormal=False)),
        risk_aversion=draw(st.floats(0, 1, allow_subnormal=False)),
        arrival_probability=draw(st.floats(0, 1)),
        buy_probability=draw(st.floats(0, 1)),
        liquidate_at_end=draw(st.booleans()),
        hedge_action=draw(st.sampled_from(["threshold", "units"])),
    )
