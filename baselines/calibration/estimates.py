"""Estimates: the parameters of a market from a recorded tape, each with its standard error."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit

from baselines.calibration.price_moves import FittedMoves, fit_moves
from mm_env.extras import pip_line
from mm_env.market.client_tier import ClientTier
from mm_env.market.numbers import Values
from mm_env.market.params import MarketParams
from mm_env.market.recordings.recording import TapeWarning
from mm_env.market.recordings.summary import Measured
from mm_env.market.tape import Tape
from mm_env.market.validation import MOST, check_names


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a tape tells of a market.

    Attributes:
        params: The market: the estimates, each within its range, and the base market where the tape tells nothing.
        estimates: By field, `tiers[0].decay` and the like included. One that is out of its range by chance is told as
            it is: its interval is right.
        kept: The fields that keep the base market's value.
        left_out: The fields whose estimates are not told apart from 0, so that the market is without them: mean
            reversion, with which a market has no exact optimum.
    """

    params: MarketParams
    estimates: Mapping[str, Measured]
    kept: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def calibrate(tape: Tape, base: MarketParams | None = None, keep: Collection[str] = ()) -> Calibration:
    """The market that a recorded tape tells of.

    Moves are fitted by `fit_moves`: volatility, in regimes where there are some, jumps, mean reversion. Sides follow
    `mm_env/market/flow.py`: given the move to come and the side before, the mean of a side is linear in the sign of the
    one and in the other, which least squares estimate without bias; standard errors are White's. Sizes and tiers are
    counted. What clients accept is fitted by maximum likelihood where quotes and outcomes were recorded, by the
    logistic law and by the exponential one beyond the base market's spread, and the likelier is taken.

    Regimes, jumps and mean reversion are in the market where Schwarz's criterion wants them: mean reversion where the
    estimate is beyond sqrt(log(moves)) standard errors.

    Args:
        tape: The recording.
        base: Where the tape tells nothing; by default the seed's market. Several episodes tell `num_trades`. If it has
            regimes, so many are fitted.
        keep: Fields that are the base market's whatever the tape tells, as "volatility_regimes".

    Warns:
        TapeWarning: statsmodels, which it takes to estimate regimes, is missing: they are the base market's.

    Raises:
        ValueError: Fewer than ten clients, or a field to keep that is none.

    Example:
        >>> tape = Tape.draw(MarketParams(price_volatility=0.2), seed=0, episodes=50)
        >>> abs(calibrate(tape).params.price_volatility - 0.2) < 0.01
        True
    """
    base = base or MarketParams()
    check_names(dict.fromkeys(keep), MarketParams, "market parameter")
    side, change = np.asarray(tape.paths.side, np.float64).T, np.asarray(tape.paths.change).T
    clients = int((side != 0).sum())
    if clients < 10:
        raise ValueError(f"to calibrate takes ten clients or more, got {clients}")
    asked = _regimes_to_fit(base, keep)
    moves = fit_moves(change, asked)
    found = {**moves.estimates, **_sides(side, change)}
    if (side == 0).any():
        found["arrival_probability"] = _share(side != 0)
    reverts = found.get("mean_reversion")
    left_out = ("mean_reversion",) if reverts is not None and not _told_apart(reverts, change.size) else ()
    tiers, of_tiers = _tiers(tape, side != 0, base)
    changes = {**_fields(found), **dict.fromkeys(left_out, 0.0), **_form(moves, asked), "tiers": tiers}
    if tape.num_episodes > 1:
        changes["num_trades"] = tape.num_trades
    changes = {name: value for name, value in changes.items() if name not in keep}
    kept = tuple(name for name in base.to_dict() if name not in changes)
    return Calibration(base.replace(**changes), found | of_tiers, kept, left_out)


def _regimes_to_fit(base: MarketParams, keep: Collection[str]) -> int | None:
    """As many as the base market has, if it has any or is to keep what it has; else whatever fits."""
    if "volatility_regimes" in keep and base.volatility_regimes is None:
        return 1
    if find_spec("statsmodels") is None:
        warnings.warn(
            f"volatility regimes are not estimated: that takes statsmodels, {pip_line('statsmodels')}",
            TapeWarning,
            stacklevel=3,
        )
        return 1
    return len(base.volatilities) if base.volatility_regimes or base.regime_hedge_costs else None


def _told_apart(figure: Measured, number: int) -> bool:
    return figure.value > float(np.sqrt(np.log(number))) * figure.standard_error


def _fields(found: Mapping[str, Measured]) -> dict[str, Any]:
    """The estimates as fields, each within its range; those of regimes as a list."""
    fields, changes = MarketParams.__dataclass_fields__, dict[str, Any]()
    for name, (value, _) in found.items():
        field = fields[name.partition("[")[0]]
        if field.name != name:
            changes[field.name] = (*changes.get(field.name, ()), value)
        else:
            changes[name] = float(np.clip(value, field.metadata["low"], field.metadata["high"]))
    return changes


def _form(moves: FittedMoves, asked: int | None) -> dict[str, Any]:
    """What the moves were found to be without; nothing where there was too little to tell."""
    no_regimes = {"volatility_regimes": None} if asked is None and moves.regimes == 1 else {}
    return {**no_regimes, "jump_probability": 0.0} if moves.jumps is False else no_regimes


def _share(chosen: NDArray[np.bool_]) -> Measured:
    share = float(chosen.mean())
    return Measured(share, float(np.sqrt(share * (1.0 - share) / chosen.size)))


def _sides(side: Values, change: Values) -> dict[str, Measured]:
    """Informed fraction a, persistence r and probability to buy p, by least squares.

        E[d | s, last] = a s + (1 - a) r last + (1 - a) (1 - r) (2 p - 1)

    with d the side, s the sign of the move that follows, and `last` the side of the client before in the episode.
    """
    rows = []
    for sides, moves in zip(side, change, strict=True):
        own, signs = sides[sides != 0], np.sign(moves[sides != 0])
        rows.append(np.stack([own[1:], signs[1:], own[:-1]]))
    d, s, last = np.concatenate(rows, axis=1)
    design = np.stack([s, last, np.ones_like(d)], axis=1)
    inverse = np.linalg.pinv(design.T @ design)
    b = inverse @ design.T @ d
    residual = d - design @ b
    covariance = inverse @ (design.T * residual**2) @ design @ inverse
    blind, fresh = 1.0 - b[0], max(1.0 - b[0] - b[1], 1e-9)
    values = {
        "informed_fraction": (b[0], [1.0, 0.0, 0.0]),
        "flow_persistence": (b[1] / blind, [b[1] / blind**2, 1.0 / blind, 0.0]),
        "buy_probability": (0.5 + 0.5 * b[2] / fresh, [0.5 * b[2] / fresh**2, 0.5 * b[2] / fresh**2, 0.5 / fresh]),
    }
    return {
        name: Measured(float(value), float(np.sqrt(np.array(gradient) @ covariance @ np.array(gradient))))
        for name, (value, gradient) in values.items()
    }


def _tiers(tape: Tape, came: NDArray[np.bool_], base: MarketParams) -> tuple[list[ClientTier], dict[str, Measured]]:
    """The tiers of clients: weights, sizes, and what they accept where that was recorded."""
    size = np.broadcast_to(1.0 if tape.paths.size is None else tape.paths.size, came.T.shape).T
    tier = np.broadcast_to(tape.paths.tier, came.T.shape).T
    numbers = range(int(tier.max()) + 1)
    tiers, found = [], {}
    for number in numbers:
        chosen = came & (tier == number)
        values: dict[str, Any] = {}
        if len(numbers) > 1:
            found[f"tiers[{number}].weight"] = share = _share(chosen[came])
            values["weight"] = share.value
        values |= _sizes(size[chosen], f"tiers[{number}]", found)
        values |= _acceptance(tape, chosen, base.spread, f"tiers[{number}]", found)
        tiers.append(ClientTier(**values))
    return tiers, found


def _sizes(sizes: Values, name: str, found: dict[str, Measured]) -> dict[str, Any]:
    """Sizes with their shares; of very many different ones, as many quantiles as a tier may have."""
    if not sizes.size:
        return {}
    different = np.unique(sizes)
    if len(different) > MOST:
        nearest = np.unique(np.quantile(sizes, (np.arange(MOST) + 0.5) / MOST, method="nearest"))
        sizes = nearest[np.abs(sizes[:, None] - nearest).argmin(axis=1)]
        different = np.unique(sizes)
    shares = [_share(sizes == value) for value in different]
    if len(shares) == 1:
        return {"sizes": [int(different[0])]}
    found |= {f"{name}.size_weights[{i}]": share for i, share in enumerate(shares)}
    return {"sizes": [int(value) for value in different], "size_weights": [share.value for share in shares]}


def _acceptance(
    tape: Tape, chosen: NDArray[np.bool_], spread: float, name: str, found: dict[str, Measured]
) -> dict[str, Any]:
    """The acceptance curve that fits better; nothing where quotes or outcomes were not recorded or do not differ."""
    recording = tape.recording
    if recording is None or recording.quote is None or recording.accepted is None or not chosen.any():
        return {}
    quote, accepted = recording.quote[chosen], recording.accepted[chosen]
    if accepted.all() or not accepted.any() or len(np.unique(quote)) < 2:
        return {}
    logistic, likelihood = _logistic(quote, accepted)
    decay, other = _exponential(quote, accepted, spread)
    if logistic[1].value > 0:
        found |= {f"{name}.logistic[{i}]": figure for i, figure in enumerate(logistic)}
    if decay is not None:
        found[f"{name}.decay"] = decay
    if decay is not None and (other > likelihood or logistic[1].value <= 0):
        return {"decay": decay.value}
    return {"logistic": [figure.value for figure in logistic]} if logistic[1].value > 0 else {}


def _logistic(quote: Values, accepted: NDArray[np.bool_]) -> tuple[list[Measured], float]:
    """A and b of P(accept) = 1 / (1 + exp(a + b quote)), and the log-likelihood there."""
    scale = float(quote.std())
    design = np.stack([np.ones_like(quote), (quote - quote.mean()) / scale], axis=1)
    sign = np.where(accepted, 1.0, -1.0)

    def loss(b: Values) -> tuple[float, Values]:
        exponent = design @ b
        return float(np.logaddexp(0.0, sign * exponent).sum()), design.T @ (sign * expit(sign * exponent))

    best = minimize(loss, np.zeros(2), jac=True, method="BFGS")
    chance = expit(design @ best.x)
    covariance = np.linalg.pinv((design.T * (chance * (1.0 - chance))) @ design)
    back = np.array([[1.0, -quote.mean() / scale], [0.0, 1.0 / scale]])
    values, errors = back @ best.x, np.sqrt(np.diag(back @ covariance @ back.T))
    return [Measured(float(v), float(e)) for v, e in zip(values, errors, strict=True)], -float(best.fun)


def _exponential(quote: Values, accepted: NDArray[np.bool_], spread: float) -> tuple[Measured | None, float]:
    """K of P(accept) = exp(-k (quote - spread)) beyond the spread, and the log-likelihood; None where it cannot be."""
    beyond = np.maximum(quote - spread, 0.0)
    if (~accepted & (beyond == 0.0)).any():
        return None, -np.inf  # a refusal that this law says cannot come

    def loss(log_k: float) -> float:
        k = np.exp(log_k)
        return float(k * beyond[accepted].sum() - np.log(-np.expm1(-k * beyond[~accepted])).sum())

    centre = float(np.log(1.0 / beyond[~accepted].mean()))
    best = minimize_scalar(loss, bounds=(centre - 12.0, centre + 12.0), method="bounded", options={"xatol": 1e-9})
    k = float(np.exp(best.x))
    refused = beyond[~accepted]
    information = float((refused**2 * np.exp(-k * refused) / np.expm1(-k * refused) ** 2).sum())
    return Measured(k, information**-0.5), -float(best.fun)
