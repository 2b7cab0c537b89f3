"""StopRule: when a run ends before its number of steps."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from train.runs.held_out import Curve

_RISE = 1e-3  # of the gap that was there to close, or of J where the optimum is unknown: less is no progress


@dataclass(frozen=True)
class StopRule:
    """Asked between updates.

    Attributes:
        patience: Evaluations without a rise; None: any number.
        time_limit: Seconds from now; None: any number.
    """

    patience: int | None = None
    time_limit: float | None = None
    _start: float = field(default_factory=time.monotonic)

    def reason(self, curve: Curve) -> str | None:
        """Why to stop after these evaluations; None: go on."""
        if self.time_limit is not None and time.monotonic() - self._start >= self.time_limit:
            return f"the time limit of {self.time_limit:g} s is reached"
        if self.patience is not None and evaluations_without_rise(curve) >= self.patience:
            return f"no rise in {self.patience} evaluations"
        return None


def evaluations_without_rise(curve: Curve) -> int:
    """How many evaluations ago the last rise was, of the exact share where it is known."""
    values, least = curve.exact_share if np.isfinite(curve.exact_share).all() else curve.share, _RISE
    if not np.isfinite(values).all():
        values, least = curve.objective, _RISE * float(np.abs(curve.objective).max(initial=0.0))
    last, highest = -1, -np.inf
    for number, value in enumerate(values):
        if value > highest + least:
            last, highest = number, value
    return len(values) - 1 - last
