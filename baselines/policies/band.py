"""Bands: a threshold that triggers a hedge, and a target that it hedges to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mm_env.envs.action import Actions, encode_action
from mm_env.envs.observation import Observations, decode_observation
from mm_env.envs.predictor import Predictor
from mm_env.market import dynamics
from mm_env.market.dynamics import Decision
from mm_env.market.numbers import Values
from mm_env.market.params import MarketParams
from mm_env.market.validation import check_whole


@dataclass(frozen=True)
class BandPolicy(Predictor):
    """x = -sign(q) * (|q| - T) where |q| > H, else nothing: who pays a fee for each order hedges rarely, and then more.

    q counts the orders in flight, as the law does. Where the agent quotes, it quotes a fixed distance. What it does
    where actions have no target: see `encode_action`.

    Raises:
        ValueError: H or T is negative, T is above H, or `hedge_levels` leaves one out.

    Example:
        >>> import numpy as np
        >>> rule = BandPolicy(10, 4, MarketParams())
        >>> rule(np.array([[0.5, 1.0, -1.0], [0.5, 1.0, 1.0]], dtype=np.float32)).tolist()  # long 11, long 9
        [4, 10]
    """

    memoryless: ClassVar[bool] = True
    minds_rivals: ClassVar[bool] = False

    threshold: int  # H, units
    target: int  # T, units
    params: MarketParams
    distance: float | None = None  # of its quotes, price units; None: the market's spread

    def __post_init__(self) -> None:
        check_whole("threshold", self.threshold, 0)
        check_whole("target", self.target, 0, self.threshold)

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...)."""
        return encode_action(self.threshold, observations, self.params, self.distance, self.target)


class PausingBandPolicy(Predictor):
    """A band that, having ordered a hedge, orders none for the next requests. It remembers, and so has no exact value.

    Attributes:
        band: What it does otherwise.
        pause: N, requests: it orders again at the N-th request after an order at the earliest.
    """

    def __init__(self, band: BandPolicy, pause: int) -> None:
        check_whole("pause", pause, 1)
        self.band, self.pause = band, pause
        self.reset(0)

    @property
    def params(self) -> MarketParams:
        """The market."""
        return self.band.params

    def reset(self, seed: int) -> None:
        """Forget what was ordered."""
        self._ordered: Values = np.zeros(0)  # trades that were left at each dealer's last order

    def __call__(self, observations: Observations) -> Actions:
        """Observations of the same dealers, call after call; shape (..., observations), to actions of shape (...)."""
        band, params = self.band, self.params
        view = decode_observation(observations, params)
        if self._ordered.shape != view.trades_left.shape:
            self._ordered = np.full(view.trades_left.shape, np.inf)
        last = np.where(view.trades_left == params.num_trades, np.inf, self._ordered)  # a new episode knows no order
        resting: NDArray[np.bool_] = last - view.trades_left < self.pause
        threshold = np.where(resting, params.inventory_limit, band.threshold)
        target = np.where(resting, params.inventory_limit, band.target)
        wanted = Decision(params.spread, threshold, None, target)
        units = np.asarray(dynamics.units_hedged(view.book, view.request, wanted, params))
        self._ordered = np.where(units > 0, view.trades_left, last)
        return encode_action(threshold, observations, params, band.distance, target)
