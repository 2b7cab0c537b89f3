"""Summary: what a recorded tape holds, in a few numbers with standard errors, and what looks wrong about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.market.numbers import Values
from mm_env.market.recordings.recording import Recording

HORIZONS = (1, 5, 20)  # requests
_OUTLIER = 10.0  # standard deviations of a move
_LONG_GAP = 100.0  # median gaps


class Measured(NamedTuple):
    """A figure and its standard error, in the same unit; NaN where there is too little to tell."""

    value: float
    standard_error: float


@dataclass(frozen=True, eq=False)
class Summary:
    """What a tape holds.

    Attributes:
        rows: Of the tape: requests, and times when nobody came.
        clients: Requests.
        episodes: How many the rows are split into.
        num_trades: Rows of an episode.
        span: First and last time, as in the file or in seconds; None without times, as `gaps`.
        gaps: Between neighbouring rows of an episode: their median and the longest.
        buys: Share of the clients who buy.
        repeats: Share of the clients who come from the side of the one before; a half if sides come at random.
        volatility: Standard deviation of a price move, price units.
        sizes: Smallest, mean and largest, units.
        different_sizes: How many there are.
        tiers: How many requests of each tier.
        accepted: Share of the quotes that clients of each tier accepted, where that was recorded.
        markouts: By tier, "all" first, and by horizon in requests: the mean move of the mid after a request, per unit,
            positive where it is good for a dealer who fills it; price units.
        remarks: What looks wrong.
    """

    rows: int
    clients: int
    episodes: int
    num_trades: int
    span: tuple[float, float] | None
    gaps: tuple[float, float] | None
    buys: Measured
    repeats: Measured
    volatility: Measured
    sizes: tuple[float, float, float]
    different_sizes: int
    tiers: Mapping[str, int]
    accepted: Mapping[str, Measured]
    markouts: Mapping[str, Mapping[int, Measured]]
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Names and values."""
        return asdict(self)


def summarise(sides: Values, moves: Values, sizes: Values, tier: NDArray[Any], recording: Recording | None) -> Summary:
    """The summary of arrays of shape (episodes, trades), and of what else was read with them."""
    came = sides != 0
    named = recording.tiers if recording is not None else ()
    groups = {"all": came} | {f"tier {name}": came & (tier == i) for i, name in enumerate(named) if len(named) > 1}
    time = recording.time if recording is not None else None
    accepted = recording.accepted if recording is not None else None
    last = np.concatenate([row[1:] == row[:-1] for row in (each[each != 0] for each in sides)])
    asked = sizes[came] if came.any() else np.array([np.nan])
    gaps = None if time is None or time.shape[1] < 2 else np.diff(time, axis=1)
    return Summary(
        rows=sides.size,
        clients=int(came.sum()),
        episodes=sides.shape[0],
        num_trades=sides.shape[1],
        span=None if time is None else (float(time.min()), float(time.max())),
        gaps=None if gaps is None else (float(np.median(gaps)), float(gaps.max())),
        buys=mean_of(sides > 0, came),
        repeats=mean_of(last[None], np.ones_like(last[None])),
        volatility=_deviation(moves),
        sizes=(float(asked.min()), float(asked.mean()), float(asked.max())),
        different_sizes=len(np.unique(asked)),
        tiers={name: int(chosen.sum()) for name, chosen in groups.items()},
        accepted={} if accepted is None else {name: mean_of(accepted, chosen) for name, chosen in groups.items()},
        markouts={
            name: {horizon: _markout(sides * sizes * chosen, moves, horizon) for horizon in HORIZONS}
            for name, chosen in groups.items()
        },
        remarks=(*(recording.remarks() if recording is not None else ()), *_oddities(moves, gaps)),
    )


def mean_of(values: NDArray[Any], weights: NDArray[Any], memory: int = 0) -> Measured:
    """The mean of values by their weights; arrays of shape (episodes, trades).

    The standard error is that of the ratio of two means, with Bartlett's weights for what neighbours of an episode
    have in common: Newey and West (1987), "A Simple, Positive Semi-Definite, Heteroskedasticity and Autocorrelation
    Consistent Covariance Matrix". It reaches as far as `memory`, and at least as the cube root of the number of rows.
    """
    total = weights.sum()
    if total == 0:
        return Measured(np.nan, np.nan)
    mean = float((values * weights).sum() / total)
    surprise = (values - mean) * weights
    reach = min(max(2 * memory, round(values.size ** (1 / 3))), values.shape[1] - 1)
    variance = (surprise**2).sum()
    for lag in range(1, reach + 1):
        variance += 2.0 * (1.0 - lag / (reach + 1)) * (surprise[:, lag:] * surprise[:, :-lag]).sum()
    return Measured(mean, float(np.sqrt(max(variance, 0.0))) / float(total) if values.size > 1 else np.nan)


def _deviation(moves: Values) -> Measured:
    """The root mean square of the moves: their mean is 0 in the law."""
    square = mean_of(moves**2, np.ones_like(moves))
    root = square.value**0.5
    return Measured(root, square.standard_error / (2.0 * root) if root else np.nan)


def _markout(signed: Values, moves: Values, horizon: int) -> Measured:
    """Minus the move of the mid towards the client over so many requests, by units: shape (episodes, trades)."""
    if moves.shape[1] < horizon:
        return Measured(np.nan, np.nan)
    mid = np.insert(moves.cumsum(axis=1), 0, 0.0, axis=1)
    early = signed[:, : moves.shape[1] - horizon + 1]
    return mean_of(-np.sign(early) * (mid[:, horizon:] - mid[:, :-horizon]), np.abs(early), memory=horizon)


def _oddities(moves: Values, gaps: Values | None) -> list[str]:
    """What looks wrong in moves and gaps, with numbers."""
    found = []
    typical = float(np.median(np.abs(moves[moves != 0]))) / 0.6745 if moves.any() else 0.0  # of normal moves: sigma
    far = np.abs(moves) > _OUTLIER * typical
    if typical and far.any():
        found.append(
            f"{int(far.sum()):,} of {moves.size:,} price moves are beyond {_OUTLIER:g} deviations of the rest, "
            f"the largest {np.abs(moves).max():g}: jumps, or errors"
        )
    if gaps is not None and np.median(gaps) > 0 and gaps.max() > _LONG_GAP * np.median(gaps):
        number = int((gaps > _LONG_GAP * np.median(gaps)).sum())
        found.append(f"{number:,} gaps are beyond {_LONG_GAP:g} times the median: nights? Split them into episodes")
    return found
