"""Ranges of the market's parameters: where a policy was trained, and how it is told where in them a market lies.

A range that begins above 0 is one of the parameter's logarithm, so that every order of magnitude counts alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from mm_env.envs.market_attributes import check_same_spaces
from mm_env.market.params import MarketParams

Ranges = Mapping[str, tuple[float, float]]  # from names of parameters to their lowest and highest value


def market_at(params: MarketParams, ranges: Ranges, shares: Iterable[float]) -> MarketParams:
    """The market whose parameters lie so far, 0 to 1, between the ends of their ranges.

    Example:
        >>> market_at(MarketParams(), {"risk_aversion": (0.001, 0.1)}, [0.5]).risk_aversion
        0.01
    """
    values = {}
    for (name, (low, high)), share in zip(ranges.items(), shares, strict=True):
        value = low * (high / low) ** share if low > 0 else low + share * (high - low)
        values[name] = float(f"{value:.9g}")
    return params.replace(**values)


def parameter_columns(params: MarketParams, ranges: Ranges) -> NDArray[np.float32]:
    """What an agent is shown of this market's parameters: from -1, the lower end of their range, to 1.

    Raises:
        ValueError: A parameter lies outside its range.

    Example:
        >>> parameter_columns(MarketParams(), {"risk_aversion": (0.001, 0.1), "spread": (0.0, 0.1)}).tolist()
        [0.0, 0.0]
    """
    shares = []
    for name, (low, high) in ranges.items():
        value = getattr(params, name)
        if not low * (1 - 1e-6) <= value <= high * (1 + 1e-6):
            raise ValueError(f"{name}={value:g} is outside the range {low:g} to {high:g} that was trained over")
        share = math.log(value / low) / math.log(high / low) if low > 0 else (value - low) / (high - low)
        shares.append(round(share, 8))
    return columns_of(np.array(shares))


def check_ranges(params: MarketParams, ranges: Ranges) -> None:
    """Raise `ValueError` unless these are ranges of parameters that agents may meet in one environment."""
    if not ranges:
        raise ValueError("randomise at least one parameter")
    for name, (low, high) in ranges.items():
        if not isinstance(getattr(params, name, None), float):
            floats = [field for field, value in params.to_dict().items() if isinstance(value, float)]
            raise ValueError(f"{name!r} cannot be randomised, only {', '.join(floats)}")
        if not low < high:
            raise ValueError(f"{name}: the range must rise, got {low:g}:{high:g}")
    for end in (0.0, 1.0):
        check_same_spaces(params, market_at(params, ranges, [end] * len(ranges)))


def columns_of(shares: NDArray[np.float64]) -> NDArray[np.float32]:
    """Shares of the way from 0 to 1 as an agent is shown them, from -1 to 1."""
    return (2.0 * shares - 1.0).astype(np.float32)
