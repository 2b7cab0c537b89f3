"""MARKETS: the ids that ship, each with its parameters and what is hard in it. Add a market by adding an entry."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import gymnasium as gym

from mm_env.market.params import DealersParams, MarketParams
from mm_env.market.validation import suggestion
from mm_env.sibling_packages import check_sibling

Params = TypeVar("Params", bound=MarketParams)


class Market(NamedTuple):
    """One registered market: what is hard in it, what differs from the defaults of `MarketParams`, and why so."""

    summary: str
    changes: Mapping[str, Any]
    why: str


_FX_SIZES = {"sizes": (1, 2, 5, 10, 20, 50), "size_weights": (0.40, 0.25, 0.19, 0.10, 0.05, 0.01)}
_FX_STEP = 0.05 / 360  # days: 7,200 requests a day (1,800 a tier and side), one a step, for 0.05 days

MARKETS: Mapping[str, Market] = {
    "mm_env/Hedging-v0": Market(
        "random clients and a fixed spread: hold, or hedge at a cost",
        {},
        "The seed's numbers. Hedging is cheap, so one fixed threshold is within 0.1 % of the optimum.",
    ),
    "mm_env/Imbalance-v0": Market(
        "clients come in one-sided runs",
        {"flow_persistence": 0.9, "hedge_cost_per_unit": 0.04, "risk_aversion": 0.002},
        "A side repeats with probability 0.95, about twenty clients in a row: as many as the cap holds. Hedging costs "
        "nearly what the spread earns, so it pays to hold what the run will take back, and to make room for what it "
        "will bring; a cheaper hedge would make a low threshold right for both.",
    ),
    "mm_env/CostlyHedge-v0": Market(
        "a hedge costs more than the spread earns, plus impact",
        {"hedge_cost_per_unit": 0.12, "hedge_impact": 0.02, "risk_aversion": 0.01},
        "The first unit costs 0.14, nearly three times the spread of 0.05, so the optimum hedges only what it will "
        "still hold for long: less and less towards the end. The seed's risk aversion keeps doing nothing from being "
        "right.",
    ),
    "mm_env/VolatilityRegimes-v0": Market(
        "calm and storm: one threshold cannot serve both",
        {
            "volatility_regimes": (0.05, 0.5),
            "regime_persistence": 0.98,
            "hedge_cost_per_unit": 0.05,
            "risk_aversion": 0.02,
        },
        "Regimes last 50 requests on average, half an episode: long enough to act on, short enough to come "
        "unforeseen. The variance of the storm is a hundred times the calm's; a hedge costs all that the spread "
        "earns.",
    ),
    "mm_env/AdverseSelection-v0": Market(
        "part of the clients know the next price move",
        {"informed_fraction": 0.1, "flow_persistence": 0.5, "hedge_cost_per_unit": 0.03, "risk_aversion": 0.002},
        "A client's side moves the expected price by 0.1 * 0.3 * sqrt(2 / pi) = 0.024, near the hedge cost of 0.03: "
        "hedging every fill is too dear, none too risky. Runs tell more: who turns against the flow is rarely an "
        "ordinary client.",
    ),
    "mm_env/Latency-v0": Market(
        "hedges arrive two requests late, and clients come in runs",
        {
            "hedge_latency": 2,
            "flow_persistence": 0.9,
            "inventory_limit": 12,
            "hedge_cost_per_unit": 0.04,
            "risk_aversion": 0.004,
        },
        "Two steps are the most that the exact solver takes in seconds. Without runs being late costs little, since "
        "the next client is as likely to help; the cap of 12 leaves a run of twenty no room for waiting.",
    ),
    "mm_env/DynamicSpread-v0": Market(
        "the agent quotes as well as hedges, and clients mind the price",
        {
            "tiers": ({"decay": 30.0},),
            "spread": 0.02,
            "tick": 0.01,
            "quote_levels": 16,
            "hedge_cost_per_unit": 0.03,
        },
        "Demand falls by a factor e every 0.033 beyond 0.02, so an unhedged dealer without risk would quote 0.033, in "
        "the middle of a grid from 0 to 0.15. A hedge costs about as much as that earns: skewing the quote is the "
        "cheaper way.",
    ),
    "mm_env/FXDealer-v0": Market(
        "an EUR/USD desk: two tiers, six sizes, impact; published calibration",
        {
            "num_trades": 360,
            "inventory_limit": 250,
            "hedge_cost_per_unit": 0.1,
            "hedge_impact": 1e-5 / _FX_STEP,
            "permanent_impact": 5e-3,
            "liquidate_at_end": True,
            "price_volatility": 50.0 * _FX_STEP**0.5,
            "starting_price": 10_000.0,
            "risk_aversion": 2e-3,
            "spread": 0.3,
            "tiers": ({**_FX_SIZES, "logistic": (-0.3, 5.0)}, {**_FX_SIZES, "logistic": (-1.9, 15.0)}),
            "lowest_quote": -0.2,
            "tick": 0.04,
            "quote_levels": 31,
            "hedge_levels": 51,
        },
        "Barzykin, Bergault and Gueant (2021), arXiv 2112.02269, in this law's clock: units of one million euro, "
        "prices in basis points, one request a step. Quotes from -0.2 to 1 bp and hedges in lots of five million hold "
        "what is optimal.",
    ),
    "mm_env/TicketFee-v0": Market(
        "every hedge order has a fixed fee: when to hedge and how far are two questions",
        {"hedge_ticket": 0.05},
        "An order costs as much as a client earns, besides the cost per unit, so that it pays to hedge rarely and then "
        "nearly everything. A threshold that hedges what exceeds it pays the fee for every unit.",
    ),
}


METADATA: dict[str, Any] = {"render_modes": ["rgb_array", "human", "ansi"], "render_fps": 10}  # of every environment
DEALERS = "mm_env/Dealers-v0"  # PettingZoo's id of several dealers who learn
DEALERS_DEFAULTS = MARKETS["mm_env/DynamicSpread-v0"].changes  # of theirs: who cannot quote cannot compete
VERSUS = "mm_env/DealerVsRules-v0"  # one dealer who learns among rivals with rules; needs the baselines

# The same markets with the action in another form, for algorithms that take no other: "mm_env/HedgingContinuous-v0".
ACTION_FORMS: Mapping[str, Mapping[str, Any]] = {"Continuous": {"continuous": True}, "Flat": {"flat": True}}


def in_form(market: str, form: str) -> str:
    """The id of a market in one of `ACTION_FORMS`.

    Example:
        >>> in_form("mm_env/Hedging-v0", "Continuous")
        'mm_env/HedgingContinuous-v0'
    """
    name, dash, version = market.rpartition("-")
    return f"{name}{form}{dash}{version}"


def native(market: str) -> str:
    """The id of a market in the form that it has by itself.

    Example:
        >>> native("mm_env/HedgingContinuous-v0")
        'mm_env/Hedging-v0'
    """
    return next((name for name in MARKETS for form in ACTION_FORMS if in_form(name, form) == market), market)


def _in_forms(markets: Mapping[str, Market]) -> dict[str, Market]:
    """Every market continuous and, where an action has several levels, flat."""
    return {
        in_form(name, form): market._replace(changes={**market.changes, **changes})
        for name, market in markets.items()
        for form, changes in ACTION_FORMS.items()
        if form != "Flat" or {"quote_levels", "hedge_action"} & market.changes.keys()
    }


FORMS: Mapping[str, Market] = _in_forms(MARKETS)
_VERSUS_FORMS = {VERSUS: {}, **{in_form(VERSUS, form): changes for form, changes in ACTION_FORMS.items()}}


def short_id(market: str) -> str:
    """The id without the module that Gymnasium is told to import first.

    Example:
        >>> short_id("mm_env:mm_env/Hedging-v0")
        'mm_env/Hedging-v0'
    """
    return market.removeprefix("mm_env:")


def has_rivals(market: str) -> bool:
    """Whether it is an id of one dealer among rivals with rules."""
    return short_id(market) in _VERSUS_FORMS


def find_market(market: str) -> Market:
    """The entry of a registered id, one of `MARKETS` or of their forms; or that of a .toml file of parameters.

    "mm_env:" may stand before an id.

    Raises:
        ValueError: No such market.
    """
    market = short_id(market)
    if market in _VERSUS_FORMS:
        raise ValueError(
            f"{market} has rivals: gym.make, baselines.dealer_vs_rules, `mm-env train` and `mm-env compete` play it"
        )
    if market.endswith(".toml"):
        return Market(f"the market in {market}", _in_file(Path(market)), "")
    found = MARKETS.get(market) or FORMS.get(market)
    if found is None:
        raise ValueError(f"no market {market!r}; {suggestion(market, list(MARKETS))}")
    return found


def market_params(market: str = "mm_env/Hedging-v0", **changes: Any) -> MarketParams:
    """The parameters of a registered market, or of one in a .toml file of parameters, with changes.

    Raises:
        ValueError: No such market, or a bad parameter.

    Example:
        >>> market_params("mm_env/Hedging-v0", risk_aversion=0.02).risk_aversion
        0.02
    """
    return MarketParams.from_mapping({**find_market(market).changes, **changes})


def _in_file(path: Path) -> dict[str, Any]:
    """What a market's file says, as `mm-env calibrate --out` writes it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as a market: {error}") from error


def params_of_market(market: MarketParams | str) -> MarketParams:
    """The parameters of a market that is given by its id, or the parameters themselves.

    Raises:
        ValueError: Neither.
    """
    return _params_of(market, MarketParams, market_params)


def dealers_params(market: str = DEALERS, /, **changes: Any) -> DealersParams:
    """The parameters of a market of several dealers: those of `mm_env/Dealers-v0`, or of another id, with changes.

    Raises:
        ValueError: No such market, or a bad parameter.

    Example:
        >>> dealers_params(num_dealers=2).num_dealers, dealers_params("mm_env/Latency-v0").hedge_latency
        (2, 2)
    """
    own = {DEALERS: {}, **_VERSUS_FORMS}
    known = {**DEALERS_DEFAULTS, **own[market]} if market in own else find_market(market).changes
    return DealersParams.from_mapping({**known, **changes})


def params_of_dealers(market: DealersParams | str) -> DealersParams:
    """The parameters of a market of several dealers that is given by an id, or the parameters themselves.

    Raises:
        ValueError: Neither.
    """
    return _params_of(market, DealersParams, dealers_params)


def _params_of(market: Any, kind: type[Params], named: Callable[[str], Params]) -> Params:
    """A market of that kind, given as itself or by its name."""
    if isinstance(market, kind):
        return market
    if not isinstance(market, str):
        raise ValueError(f"params must be {kind.__name__} or the id of a market, got {market!r}")
    return named(market)


def register_markets() -> None:
    """Register every market with Gymnasium, and the dealer among rivals, single and vector entry point side by side.

    Several dealers are registered with PettingZoo, if it is there.
    """
    ours = ("mm_env.envs.hedging_env:HedgingEnv", "mm_env.envs.hedging_vector_env:HedgingVectorEnv")
    for name, market in {**MARKETS, **FORMS}.items():
        _register(name, *ours, market.changes)
    for name, changes in _VERSUS_FORMS.items():
        _register(name, "mm_env.registration:dealer_vs_rules", "mm_env.registration:dealers_vs_rules", changes)
    try:
        from pettingzoo.env_registry import registration
    except ImportError:  # not installed, or of a version before 1.26, which has no registry
        return
    if DEALERS not in registration.parallel_registry:
        registration.register("parallel", DEALERS, entry_point="mm_env.envs.dealers_env:parallel_env")
        registration.register("aec", DEALERS, entry_point="mm_env.envs.dealers_env:env")


def _register(name: str, single: str, vector: str, changes: Mapping[str, Any]) -> None:
    if name not in gym.registry:
        gym.register(
            id=name,
            entry_point=single,
            vector_entry_point=vector,
            kwargs=dict(changes),
            order_enforce=False,  # the environment itself refuses a step out of turn
            disable_env_checker=True,  # it checks the environment, not its user, at every step: the tests do that once
        )


def dealer_vs_rules(**arguments: Any) -> gym.Env[Any, Any]:
    """A `baselines.dealer_vs_rules.DealerVsRulesEnv`; a foreign module named `baselines` is refused, not run."""
    check_sibling("baselines")
    from baselines.dealer_vs_rules import DealerVsRulesEnv

    return DealerVsRulesEnv(**arguments)


dealer_vs_rules.metadata = METADATA  # type: ignore[attr-defined]  # where gym.make looks for it


def dealers_vs_rules(**arguments: Any) -> gym.vector.VectorEnv[Any, Any, Any]:
    """A `baselines.dealer_vs_rules.DealerVsRulesVectorEnv`; a foreign module named `baselines` is refused, not run."""
    check_sibling("baselines")
    from baselines.dealer_vs_rules import DealerVsRulesVectorEnv

    return DealerVsRulesVectorEnv(**arguments)
