"""The law's elementary functions for one float: the `xp` of one dealer, and what its traced code calls.

Each agrees with NumPy's function of the same name to the last bit on finite floats, several times faster.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def where(condition: bool, yes: float, no: float) -> float:
    """`yes` if `condition` else `no`."""
    return yes if condition else no


def maximum(a: float, b: float) -> float:
    """The larger of two floats."""
    return a if a > b else b


def minimum(a: float, b: float) -> float:
    """The smaller of two floats."""
    return a if a < b else b


def floor(a: float) -> float:
    """The largest whole number that is not above the float."""
    return np.floor(a)  # type: ignore[no-any-return]


def single(a: float) -> Any:
    """The nearest number of single precision."""
    return np.float32(a)


# The same where a call would take longer than what is computed: straight code has these in its place.
BODIES = {
    "where": "{1} if {0} else {2}",
    "maximum": "{0} if {0} > {1} else {1}",
    "minimum": "{0} if {0} < {1} else {1}",
}
