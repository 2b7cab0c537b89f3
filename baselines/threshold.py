"""The fixed threshold rule: hedge what exceeds K units, always."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_env.agent_view import Actions, Observations, encode
from mm_env.params import MarketParams


@dataclass(frozen=True)
class ThresholdPolicy:
    """x = -sign(q) * max(|q| - K, 0): the rule of the seed with K = 10. K at or above the cap never hedges.

    Raises:
        ValueError: K is negative, or `hedge_levels` leaves it out.

    Example:
        >>> rule = ThresholdPolicy(10, MarketParams())
        >>> rule(np.zeros((3, 3), dtype=np.float32)).tolist()
        [10, 10, 10]
    """

    threshold: int  # K, units
    params: MarketParams

    def __post_init__(self) -> None:
        whole = isinstance(self.threshold, int | np.integer) and not isinstance(self.threshold, bool)
        if not whole or self.threshold < 0:
            raise ValueError(f"threshold must be a whole number >= 0, got {self.threshold!r}")

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...)."""
        return encode(self.threshold, observations, self.params)
