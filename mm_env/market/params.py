"""MarketParams: every number of the market, with its meaning, unit and range.

One frozen record describes a market. It is checked where it is made, so that nothing after it has to
check again: a bad value raises `ValueError` naming the field, the value and what is allowed.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from mm_env.market.client_tier import ClientTier
from mm_env.market.validation import (
    LARGEST,
    changed_fields,
    check_fields,
    check_names,
    choice,
    describe_fields,
    flag,
    on_tape,
    real,
    records,
    several,
    whole,
    written,
)
from mm_env.readable import Readable, html_table

HEDGE_ACTIONS = ("threshold", "units", "band")
_INSTEAD = {  # what clients offer, and what it is called here
    "max_episode_steps": "pass num_trades, which is the length of an episode",
    "n_envs": "pass num_envs",
    "seed": "pass it to reset(seed=...)",
    "vector_kwargs": "pass what it holds as keywords of its own",
}
_HORIZON = "max_episode_steps"  # which Gymnasium hands on out of a `spec`: taken where it says what is so
_NEVER = 1e-9  # a quote accepted more rarely than this does not fill


@dataclass(frozen=True, kw_only=True, repr=False)
class MarketParams(Readable):
    """The parameters of one market; all are keyword arguments of `gym.make`.

    `mm-env markets --params` prints this table: name, default, unit, range, meaning.

    Raises:
        ValueError: A value is of the wrong type, not a number, not finite or out of range, or does not go with
            another one. The message names the field, the value and what is allowed.

    Example:
        >>> MarketParams(risk_aversion=0.02).risk_weights == (0.5 * 0.02 * 0.3**2,)
        True
        >>> MarketParams(spread=0.05, tiers=[{"decay": 30}])  # told by what differs from the defaults
        MarketParams(tiers=(ClientTier(decay=30.0),))
        >>> MarketParams(spread=float("nan"))
        Traceback (most recent call last):
            ...
        ValueError: spread must be a number from 0 to 1e+09 (price units), got nan
    """

    num_trades: int = whole(100, "client requests in an episode", "requests", low=1, high=100_000_000)
    inventory_limit: int = whole(20, "hard cap on the inventory, long or short", "units", low=0)
    hedge_threshold: int = whole(10, "the threshold rule hedges what exceeds it; plots draw it", "units", low=0)
    hedge_cost_per_unit: float = real(0.01, "c, paid per unit hedged", "price units")
    spread: float = on_tape(
        real(0.05, "half-spread: distance from the mid to the quote, earned per unit", "price units")
    )
    price_volatility: float = on_tape(real(0.3, "sigma, standard deviation of one price move", "price units"))
    starting_price: float = real(100.0, "mid price at the first request", "price units", low=-LARGEST)
    risk_aversion: float = real(
        0.01,
        "gamma; each step costs 0.5 gamma s^2 inventory^2, s^2 the variance of the move, jumps included; 0 = neutral",
        "1 / (price units)",
    )
    arrival_probability: float = on_tape(
        real(1.0, "chance that a step brings a client at all", "probability", high=1.0)
    )
    buy_probability: float = on_tape(real(0.5, "chance that a client buys", "probability", high=1.0))
    flow_persistence: float = on_tape(
        real(
            0.0,
            "chance that a client copies the side of the client before him",
            "probability",
            high=1.0,
        )
    )
    informed_fraction: float = on_tape(
        real(
            0.0, "chance that a client knows the sign of the next price move and trades on it", "probability", high=1.0
        )
    )
    tiers: tuple[ClientTier, ...] = on_tape(
        records(
            (ClientTier(),),
            "kinds of clients: weight, sizes, what they are willing to pay",
            ClientTier.from_mapping,
            ClientTier,
        )
    )
    hedge_impact: float = real(0.0, "eta; a hedge of x units costs eta x^2 beside c x", "price units / units")
    permanent_impact: float = real(
        0.0, "kappa; a hedge of x units moves the mid by kappa x and pays half of that", "price units / units"
    )
    hedge_ticket: float = real(0.0, "paid once an order that hedges anything, whatever its size", "price units")
    hedge_latency: int = whole(0, "steps from a hedge order to its execution", "steps", low=0, high=20)
    quote_latency: int = on_tape(whole(0, "age of the mid that the dealer quotes around", "price moves", low=0))
    tick: float = real(0.0, "distance between neighbouring quotes that the agent chooses from", "price units")
    quote_levels: int = whole(
        1, "number of quotes that the agent chooses from; 1 = the spread is fixed", "levels", low=1
    )
    lowest_quote: float = real(
        0.0, "distance of the tightest quote that the agent chooses from", "price units", low=-LARGEST
    )
    volatility_regimes: tuple[float, ...] | None = on_tape(
        several(
            None,
            "sigma in each regime, which the dealer sees; None = always price_volatility",
            "price units",
            real(0.0, "", ""),
            2,
        )
    )
    regime_persistence: float = on_tape(real(0.95, "chance that the regime stays", "probability", high=1.0))
    regime_hedge_costs: tuple[float, ...] | None = several(
        None, "c in each regime; None = always hedge_cost_per_unit", "price units", real(0.0, "", ""), 2
    )
    jump_probability: float = on_tape(real(0.0, "chance that a price move has a jump in it", "probability", high=1.0))
    jump_volatility: float = on_tape(real(1.0, "standard deviation of a jump", "price units"))
    mean_reversion: float = on_tape(
        real(0.0, "share of the mid's deviation from its start that a move undoes", "share", high=1.0)
    )
    liquidate_at_end: bool = flag(False, "charge the cost of flattening the last inventory")
    hedge_action: str = choice(
        "threshold",
        "what the action means: a hedge threshold, units to offload now, or a threshold and the target to hedge to",
        HEDGE_ACTIONS,
    )
    hedge_levels: int | None = whole(
        None, "number of hedge levels the agent chooses from; None = every unit", "levels", low=2
    )
    continuous: bool = flag(False, "actions are numbers from -1 to 1, a Box, instead of levels")
    flat: bool = flag(False, "a hedge level and a quote are one number, a Discrete: hedge * quote_levels + quote")

    num_dealers = 1  # `DealersParams` makes it a field
    view_noise = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        self._check_hedging()
        self._check_clients()
        self._check_regimes()

    def _check_hedging(self) -> None:
        if self.hedge_threshold > self.inventory_limit and self.hedge_threshold != MarketParams.hedge_threshold:
            warnings.warn(self.threshold_remark, stacklevel=4)
        if self.hedge_levels is not None:
            if self.hedge_action == "units":
                raise ValueError("hedge_levels goes with hedge_action='threshold' or 'band' only")
            if self.hedge_levels > self.inventory_limit + 1:
                raise ValueError(
                    f"hedge_levels must be at most inventory_limit + 1 = {self.inventory_limit + 1}, "
                    f"got {self.hedge_levels}"
                )
        if self.flat and self.continuous:
            raise ValueError("flat and continuous exclude each other: actions are levels, or numbers from -1 to 1")
        if self.permanent_impact > 0 and not self.liquidate_at_end:
            raise ValueError(
                f"permanent_impact={self.permanent_impact} needs liquidate_at_end=True: without the end charge, "
                f"buying at the end marks the whole book up for nothing"
            )

    def _check_clients(self) -> None:
        if sum(tier.weight for tier in self.tiers) == 0:
            raise ValueError("tiers must not all have weight 0")
        if self.quote_levels > 1 and self.tick == 0:
            raise ValueError(f"tick must be above 0 with quote_levels={self.quote_levels}, got {self.tick}")
        if self.quote_levels == 1 and (self.tick != 0 or self.lowest_quote != 0):
            raise ValueError("tick and lowest_quote go with quote_levels above 1 only")
        tightest = self.spread if self.quote_levels == 1 else self.lowest_quote
        if all(tier.acceptance(tightest, self.spread) < _NEVER for tier in self.tiers if tier.weight):
            name = "spread" if self.quote_levels == 1 else "lowest_quote"
            raise ValueError(f"{name}={tightest:g} never fills: no tier of clients accepts so wide a quote")

    def _check_regimes(self) -> None:
        if self.regime_hedge_costs is not None and len(self.regime_hedge_costs) != len(self.volatilities):
            raise ValueError(
                f"regime_hedge_costs must be as many as volatility_regimes, got {self.regime_hedge_costs!r} "
                f"and {self.volatility_regimes!r}"
            )

    def __hash__(self) -> int:
        return self._hash  # looked up at every step, where tables are kept per market

    @cached_property
    def _hash(self) -> int:
        return hash(dataclasses.astuple(self))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_hash"}  # differs between processes

    def facts(self) -> list[tuple[str, str]]:
        """What differs from the defaults."""
        return [(name, repr(value)) for name, value in changed_fields(self).items()]

    def _repr_html_(self) -> str:
        changed = changed_fields(self)
        rows = [
            [name, written(changed[name]), default, unit, meaning]
            for name, default, unit, _, meaning in self.describe()
            if name in changed
        ]
        header = ["parameter", "value", "default", "unit", "meaning"]
        return html_table(f"{type(self).__name__}: what differs from the defaults", header, rows)

    @property
    def rule_threshold(self) -> int:
        """`hedge_threshold`, or the cap where that is lower: beyond it there is nothing to hedge. Units."""
        return min(self.hedge_threshold, self.inventory_limit)

    @property
    def threshold_remark(self) -> str:
        """What is to be said of a `hedge_threshold` above the cap."""
        return (
            f"hedge_threshold={self.hedge_threshold} is above inventory_limit={self.inventory_limit}: "
            f"the threshold rule never hedges"
        )

    @property
    def volatilities(self) -> tuple[float, ...]:
        """Sigma in each regime, price units; one where there are no regimes."""
        return self.volatility_regimes or (self.price_volatility,)

    @cached_property
    def hedge_costs(self) -> tuple[float, ...]:
        """C in each regime, price units per unit."""
        return self.regime_hedge_costs or (self.hedge_cost_per_unit,) * len(self.volatilities)

    @cached_property
    def move_deviations(self) -> tuple[float, ...]:
        """s, the standard deviation of one price move in each regime, jumps included; price units.

        s^2 = sigma^2 + jump_probability * jump_volatility^2. Without jumps it is sigma, to the last bit.
        """
        jumps = math.sqrt(self.jump_probability) * self.jump_volatility
        return tuple(math.hypot(sigma, jumps) for sigma in self.volatilities)

    @cached_property
    def risk_weights(self) -> tuple[float, ...]:
        """0.5 * risk_aversion * s^2 in each regime: price units per unit of inventory squared."""
        return tuple(0.5 * self.risk_aversion * s * s for s in self.move_deviations)

    @cached_property
    def largest_size(self) -> int:
        """The largest request that a client may make, units."""
        return max(max(tier.sizes) for tier in self.tiers)

    @cached_property
    def widest_quote(self) -> float:
        """The largest distance from the mid that a quote can have, price units; never 0."""
        top = self.lowest_quote + self.tick * (self.quote_levels - 1)
        return max(self.spread if self.quote_levels == 1 else max(abs(self.lowest_quote), abs(top)), 1e-6)

    @property
    def has_sizes(self) -> bool:
        """Whether clients ask for anything but one unit."""
        return self.largest_size > 1

    @property
    def remembers_side(self) -> bool:
        """Whether the side of the last client tells more than the request shown does."""
        return self.flow_persistence > 0 and (self.arrival_probability < 1 or self.informed_fraction > 0)

    @property
    def drift_is_hidden(self) -> bool:
        """Whether what the dealer can know of the next move has no closed form, so that reward "expected" has none.

        With `quote_latency` he does not see where the mid is pulled from, and clients who mind the price or know the
        next move tell something of it by trading or not.
        """
        tells = self.informed_fraction > 0 or not self.accepts_any
        return self.quote_latency > 0 and self.mean_reversion > 0 and tells

    @property
    def accepts_any(self) -> bool:
        """Whether every client accepts every quote."""
        return all(tier.accepts_any for tier in self.tiers)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Self:
        """Build from names and values; an unknown name is a `TypeError` and `ValueError` that suggests the nearest.

        Example:
            >>> MarketParams.from_mapping({"spraed": 0.1})  # doctest: +ELLIPSIS
            Traceback (most recent call last):
                ...
            mm_env.market.validation.UnknownNameError: 'spraed' is not a market parameter; did you mean 'spread'? (...
        """
        if cls is MarketParams and "num_dealers" in values:
            raise ValueError("num_dealers is for dealers who compete: mm_env.DealersParams, parallel_env.DealersEnv")
        numbers = {name: value for name, value in values.items() if name != _HORIZON}
        check_names(numbers, cls, "market parameter", _INSTEAD)
        params = cls(**numbers)  # type: ignore[arg-type]  # __post_init__ checks every value
        if values.get(_HORIZON, params.num_trades) != params.num_trades:
            check_names(values, cls, "market parameter", _INSTEAD)
        return params

    @classmethod
    def describe(cls) -> list[list[str]]:
        """Every parameter: name, default, unit, what is allowed, meaning."""
        return describe_fields(cls)

    def replace(self, /, **changes: object) -> Self:
        """This market with some parameters changed, checked again."""
        return self.from_mapping({**self.to_dict(), **changes})

    def to_dict(self) -> dict[str, Any]:
        """Names and values, in the order of the fields; `from_mapping` reads it back."""
        return dataclasses.asdict(self)


def params_of(values: Mapping[str, object]) -> MarketParams:
    """`DealersParams` if there are several dealers in `values`, else `MarketParams`."""
    return (DealersParams if "num_dealers" in values else MarketParams).from_mapping(values)


@dataclass(frozen=True, kw_only=True, repr=False)
class DealersParams(MarketParams):
    """A market of several dealers, who see the same requests and the same mid.

    Raises:
        ValueError: As of `MarketParams`.

    Example:
        >>> DealersParams(num_dealers=2).alone().num_dealers
        1
    """

    num_dealers: int = on_tape(whole(3, "K, dealers who quote for every request", "dealers", low=1, high=100))
    view_noise: float = on_tape(
        real(0.0, "standard deviation of each dealer's error about the mid, drawn anew at every request", "price units")
    )
    transparent: bool = flag(False, "every dealer sees the inventories of the others")

    def __hash__(self) -> int:
        return self._hash

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.permanent_impact > 0 and self.num_dealers > 1:
            raise ValueError(
                f"permanent_impact={self.permanent_impact}: dealers share one mid, which none of them moves alone"
            )

    def alone(self) -> MarketParams:
        """The same market with one dealer who knows the mid."""
        known = {field.name for field in dataclasses.fields(MarketParams)}
        return MarketParams.from_mapping({name: value for name, value in self.to_dict().items() if name in known})
