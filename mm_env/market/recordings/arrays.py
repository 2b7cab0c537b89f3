"""Arrays of what clients asked for and how the price moved, checked value by value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def recorded(name: str, values: ArrayLike, unless: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """`values` as a float array of shape (N, T), or a `ValueError` that names the argument.

    Where `unless` holds, nobody came: what is recorded there does not matter and becomes 1.
    """
    try:
        raw = _unmasked(values)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{name} must be numbers of shape (T,) or (N, T): {error}") from error
    if raw.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be numbers, got values of type {raw.dtype}; an example: {raw.flat[:1]!r}")
    if raw.ndim not in (1, 2) or raw.size == 0:
        raise ValueError(f"{name} must have shape (T,) or (N, T), none of them 0, got {raw.shape}")
    array = np.atleast_2d(raw).astype(np.float64)
    if unless is not None and unless.shape == array.shape:
        array[unless] = 1.0
    require(name, array, np.isfinite(array), "shown: a mask hides some" if np.ma.is_masked(values) else "finite")
    return array


def _unmasked(values: ArrayLike) -> NDArray[Any]:
    """The values as an array, NaN where a mask hides them."""
    if isinstance(values, list | tuple) and any(isinstance(part, np.ma.MaskedArray) for part in values):
        values = np.ma.stack([np.ma.asarray(part) for part in values])
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "iuf":
        return np.where(np.ma.getmaskarray(values), np.nan, values.data)
    return np.asarray(values)


def require(name: str, values: NDArray[np.float64], good: NDArray[np.bool_], allowed: str) -> None:
    """Raise `ValueError` at the first value of shape (episodes, trades) that is not good."""
    if not good.all():
        episode, trade = np.argwhere(~good)[0]
        raise ValueError(f"{name} must be {allowed}, got {values[episode, trade]} at episode {episode}, trade {trade}")
