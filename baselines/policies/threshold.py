"""The fixed threshold rule: hedge what exceeds K units, always."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from mm_env.envs.action import ActionDecoder, Actions, encode_action
from mm_env.envs.observation import Observations, observation_names
from mm_env.envs.predictor import Predictor
from mm_env.market.dynamics import Decision
from mm_env.market.params import MarketParams
from mm_env.market.validation import check_whole


@dataclass(frozen=True)
class ThresholdPolicy(Predictor):
    """x = -sign(q) * max(abs(q) - K, 0): the rule of the seed with K = 10. K at or above the cap never hedges.

    q counts the orders in flight, as the law does. Where the agent quotes, it quotes a fixed distance.

    Raises:
        ValueError: K is negative, or `hedge_levels` leaves it out.

    Example:
        >>> import numpy as np
        >>> rule = ThresholdPolicy(10, MarketParams())
        >>> rule(np.zeros((3, 3), dtype=np.float32)).tolist()
        [10, 10, 10]
    """

    memoryless: ClassVar[bool] = True
    minds_rivals: ClassVar[bool] = False

    threshold: int  # K, units
    params: MarketParams
    distance: float | None = None  # of its quotes, price units; None: the market's spread

    def __post_init__(self) -> None:
        check_threshold(self.threshold)

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...)."""
        return encode_action(self.threshold, observations, self.params, self.distance)

    @cached_property
    def decision(self) -> Decision | None:
        """What it always decides; None where the action says units, which depend on the inventory."""
        if self.params.hedge_action == "units":
            return None
        blank = np.zeros(len(observation_names(self.params)), np.float32)
        return ActionDecoder(self.params)(self(blank))


def check_threshold(threshold: Any) -> None:
    """Raise `ValueError` unless it is a hedge threshold."""
    check_whole("threshold", threshold, 0)
