"""MarketParams: every number of the market, with its meaning, unit and range.

One frozen record describes a market. It is checked where it is made, so that nothing after it has to
check again: a bad value raises `ValueError` naming the field, the value and what is allowed.
"""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np

HEDGE_ACTIONS = ("threshold", "units")
_LARGEST = 1e9  # far beyond any market, small enough that squares and sums of it stay finite


def _whole(default: int | None, meaning: str, unit: str, low: int, high: int = 1_000_000) -> Any:
    return _field(default, meaning, unit, kind=int, low=low, high=high)


def _real(default: float, meaning: str, unit: str, low: float = 0.0, high: float = _LARGEST) -> Any:
    return _field(default, meaning, unit, kind=float, low=low, high=high)


def _flag(default: bool, meaning: str) -> Any:
    return _field(default, meaning, "true or false", kind=bool)


def _field(default: object, meaning: str, unit: str, **check: object) -> Any:
    return dataclasses.field(
        default=default,
        metadata={"meaning": meaning, "unit": unit, "optional": default is None, **check},
    )


@dataclass(frozen=True, kw_only=True)
class MarketParams:
    """The parameters of one market; all are keyword arguments of `gym.make`.

    `mm-env markets --params` prints this table: name, default, unit, range, meaning.

    Raises:
        ValueError: A value is of the wrong type, not a number, not finite or out of range. The message
            names the field, the value and what is allowed.

    Example:
        >>> MarketParams(risk_aversion=0.02).risk_weight == 0.5 * 0.02 * 0.3**2
        True
        >>> MarketParams(spread=float("nan"))
        Traceback (most recent call last):
            ...
        ValueError: spread must be a number from 0 to 1e+09 (price units), got nan
    """

    num_trades: int = _whole(100, "client requests in an episode", "requests", low=1)
    inventory_limit: int = _whole(20, "hard cap on the inventory, long or short", "units", low=0)
    hedge_threshold: int = _whole(10, "the threshold rule hedges what exceeds it; plots draw it", "units", low=0)
    hedge_cost_per_unit: float = _real(0.01, "c, paid per unit hedged", "price units")
    spread: float = _real(0.05, "half-spread: distance from the mid to the quote, earned per unit", "price units")
    price_volatility: float = _real(0.3, "sigma, standard deviation of one price move", "price units")
    starting_price: float = _real(100.0, "mid price at the first request", "price units", low=-_LARGEST)
    risk_aversion: float = _real(
        0.01,
        "gamma; each step costs 0.5 gamma sigma^2 inventory^2 (0 = risk-neutral)",
        "1 / (price units)",
    )
    arrival_probability: float = _real(1.0, "chance that a step brings a client at all", "probability", high=1.0)
    buy_probability: float = _real(0.5, "chance that a client buys", "probability", high=1.0)
    liquidate_at_end: bool = _flag(False, "charge the cost of flattening the last inventory")
    hedge_action: str = _field(
        "threshold",
        "what the action means: a hedge threshold, or units to offload now",
        "name",
        kind=str,
        choices=HEDGE_ACTIONS,
    )
    hedge_levels: int | None = _whole(
        None, "number of hedge levels the agent chooses from; None = every unit", "levels", low=2
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = _checked(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        if self.hedge_levels is not None:
            if self.hedge_action != "threshold":
                raise ValueError("hedge_levels goes with hedge_action='threshold' only")
            if self.hedge_levels > self.inventory_limit + 1:
                raise ValueError(
                    f"hedge_levels must be at most inventory_limit + 1 = {self.inventory_limit + 1}, "
                    f"got {self.hedge_levels}"
                )

    @cached_property
    def risk_weight(self) -> float:
        """0.5 * risk_aversion * price_volatility^2: price units per unit of inventory squared."""
        return 0.5 * self.risk_aversion * self.price_volatility * self.price_volatility

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> MarketParams:
        """Build from names and values; an unknown name is a `ValueError` that suggests the nearest.

        Example:
            >>> MarketParams.from_mapping({"spraed": 0.1})
            Traceback (most recent call last):
                ...
            ValueError: 'spraed' is not a market parameter; did you mean 'spread'?
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                near = get_close_matches(str(name), known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
                raise ValueError(f"{name!r} is not a market parameter; {hint}")
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks every value

    @classmethod
    def describe(cls) -> list[list[str]]:
        """Every parameter: name, default, unit, what is allowed, meaning."""
        return [
            [
                field.name,
                str(field.default),
                field.metadata["unit"],
                _allowed(field.metadata),
                field.metadata["meaning"],
            ]
            for field in dataclasses.fields(cls)
        ]

    def replace(self, **changes: object) -> MarketParams:
        """This market with some parameters changed, checked again."""
        return MarketParams.from_mapping({**self.to_dict(), **changes})

    def to_dict(self) -> dict[str, Any]:
        """Names and values, in the order of the fields; `from_mapping` reads it back."""
        return dataclasses.asdict(self)


def _checked(field: dataclasses.Field[Any], value: Any) -> object:
    """Return `value` as the plain Python type that `field` asks for, or raise `ValueError`."""
    rule = field.metadata
    if value is None and rule["optional"]:
        return None
    kind = rule["kind"]
    if kind is bool and isinstance(value, bool | np.bool_):
        return bool(value)
    if kind is str and isinstance(value, str) and value in rule["choices"]:
        return value
    if kind is int and _is_number(value, numbers.Integral) and rule["low"] <= value <= rule["high"]:
        return int(value)
    if kind is float and _is_number(value, numbers.Real) and rule["low"] <= value <= rule["high"]:
        return float(value)
    raise ValueError(f"{field.name} must be {_allowed(rule)} ({rule['unit']}), got {value!r}")


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool | np.bool_)


def _allowed(rule: Mapping[str, Any]) -> str:
    if rule["kind"] is bool:
        return "True or False"
    if rule["kind"] is str:
        return "one of " + ", ".join(repr(choice) for choice in rule["choices"])
    noun = "a whole number" if rule["kind"] is int else "a number"
    end = ", or None" if rule["optional"] else ""
    return f"{noun} from {rule['low']:g} to {rule['high']:g}{end}"
