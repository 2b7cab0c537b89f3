"""The law of the price moves, fitted by maximum likelihood: volatility, regimes of it, jumps, a pull to the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.optimize import approx_fprime, minimize
from scipy.special import expit, log_expit, logit

from mm_env.extras import needed_for
from mm_env.market.numbers import Values
from mm_env.market.recordings.summary import Measured

MOST_REGIMES = 3
_ENOUGH = 100  # moves that tell more than one normal law
_SMALLEST = 0.01  # quantile of the moves that is taken for the tick: the least may be an error of rounding
_WINDOW = 20  # moves whose root mean square is a first guess of the regimes
_STEP = 1e-4  # of numerical derivatives, in parameters of size one
_COARSE, _FINE = 1e-4, 1e-6  # slopes of a move's likelihood at which the search for a form, and for its numbers, ends


class FittedMoves(NamedTuple):
    """The most likely law of price moves.

    Attributes:
        estimates: By field of `MarketParams`, or "volatility_regimes[0]" and so on, the calmest first.
        regimes: How many; None: there was too little to tell.
        jumps: Whether there are any; None as above.
    """

    estimates: Mapping[str, Measured]
    regimes: int | None
    jumps: bool | None


class _Optimum(NamedTuple):
    """Where the likelihood of a form of the law is largest, and Schwarz's criterion there: the lowest is the best."""

    b: Values
    regimes: int
    jumps: bool
    criterion: float  # -2 log-likelihood + parameters * log(moves)


def fit_moves(moves: Values, regimes: int | None = None) -> FittedMoves:
    """The law of price moves, of as many regimes as asked for, with or without jumps, whichever Schwarz prefers.

        change = -kappa * deviation + sigma_i Z + J,    J = v Z' with probability p, else 0

    with the deviation of the mid from the episode's start, i the regime, a Markov chain as in `mm_env/market/flow.py`,
    and Z, Z' standard normal. The likelihood of regimes is Hamilton's filter, by statsmodels; standard errors are those
    of the observed information. Where prices stand in ticks, so that moves are exactly 0, u^2 / 12 is added to
    each variance (Sheppard), u being the tick.

    Args:
        moves: Of the mid, price units; shape (episodes, trades).
        regimes: How many regimes; None: one, two or three, by Schwarz's criterion. More than one need statsmodels.

    Raises:
        ImportError: statsmodels, which it takes to fit regimes, is missing.

    Example:
        >>> from mm_env import MarketParams, Tape
        >>> tape = Tape.draw(MarketParams(jump_probability=0.1, jump_volatility=2.0), seed=0, episodes=50)
        >>> found = fit_moves(tape.paths.change.T, regimes=1).estimates
        >>> round(found["jump_probability"].value, 1), round(found["price_volatility"].value, 1)
        (0.1, 0.3)
    """
    moves = np.asarray(moves, np.float64)
    if moves.size < _ENOUGH or len(np.unique(moves)) < 3:
        return _one_normal_law(moves)
    data = _Moves(moves)
    found = _best(*(data.fit(regimes or 1, jumps) for jumps in (False, True)))
    if regimes is None:
        found = _best(found, _with_regimes(data, found))
    return data.measured(found)


def _with_regimes(data: _Moves, alone: _Optimum) -> _Optimum:
    """The best law of two regimes or more: with jumps, where these say more than a second regime does, or without.

    Without, jumps are tried again beside as many regimes or fewer: a regime too many is what jumps look like.
    """
    found = data.fit(2, jumps=False)
    jumps = alone.jumps and alone.criterion < found.criterion
    if jumps:
        found = data.fit(2, jumps=True)
    if found.criterion > alone.criterion:
        return found
    for number in range(3, MOST_REGIMES + 1):
        found = _best(found, data.fit(number, jumps))
    others = [] if jumps else [data.fit(number, jumps=True) for number in range(2, found.regimes + 1)]
    return _best(found, *others)


def _best(*found: _Optimum) -> _Optimum:
    return min(found, key=lambda each: each.criterion)


def _one_normal_law(moves: Values) -> FittedMoves:
    """Sigma alone, the root mean square, with a standard error that does not mind what the law is."""
    square = moves**2
    root = float(np.sqrt(square.mean()))
    error = float(square.std() / np.sqrt(square.size)) / (2.0 * root) if root else np.nan
    return FittedMoves({"price_volatility": Measured(root, error)}, None, None)


class _Moves:
    """Moves and deviations in their own root mean squares, so that every parameter is of size one."""

    def __init__(self, moves: Values) -> None:
        deviation = np.zeros_like(moves)
        deviation[:, 1:] = moves.cumsum(axis=1)[:, :-1]
        self._scale = float(np.sqrt((moves**2).mean()))
        self._reach = float(np.sqrt((deviation**2).mean())) / self._scale or 1.0
        self._change, self._deviation = moves.ravel() / self._scale, deviation.ravel() / (self._scale * self._reach)
        self._length = moves.shape[1]
        self._ticked = _ticked(self._change)

    def fit(self, regimes: int, jumps: bool) -> _Optimum:
        """The most likely law of this form, from one first guess."""
        guess, number = self._guess(regimes, jumps), len(self._change)
        best = minimize(self._loss, guess, (regimes,), method="BFGS", options={"gtol": _COARSE})
        criterion = 2.0 * number * float(best.fun) + len(best.x) * np.log(number)
        return _Optimum(best.x, regimes, jumps, float(criterion))

    def measured(self, found: _Optimum) -> FittedMoves:
        """The law with its standard errors, by the curvature of the likelihood at its top."""
        b = minimize(self._loss, found.b, (found.regimes,), method="BFGS", options={"gtol": _FINE}).x
        curvature = approx_fprime(b, lambda b: approx_fprime(b, self._loss, _STEP, found.regimes), _STEP)
        variance = np.diag(np.linalg.pinv((curvature + curvature.T) / 2.0)) / len(self._change)
        errors = np.sqrt(np.where(variance > 0, variance, np.nan))
        return FittedMoves(self._estimates(b, errors, found.regimes), found.regimes, found.jumps)

    def _loss(self, b: Values, regimes: int) -> float:
        return -float(self._likelihood(b, regimes).mean())

    def _guess(self, regimes: int, jumps: bool) -> Values:
        """No pull, the spread of what neighbours move, long regimes, and rare jumps of three deviations."""
        pull = -np.polyfit(self._deviation, self._change, 1)[0] if self._deviation.any() else 0.0
        if regimes == 1:
            sigmas = np.array([0.8 if jumps else 1.0])
        else:
            local = np.sqrt(np.convolve(self._change**2, np.full(_WINDOW, 1.0 / _WINDOW), "same"))
            sigmas = np.maximum(np.quantile(local, (np.arange(regimes) + 0.5) / regimes), 0.05)
        stays, jumping = [logit(0.95)] * (regimes > 1), [logit(0.05), np.log(3.0)] * jumps
        return np.array([pull, *np.log(sigmas), *stays, *jumping])

    def _likelihood(self, b: Values, regimes: int) -> Values:
        """The log-likelihood of each move given those before."""
        pull, sigmas, rest = b[0], np.exp(b[1 : 1 + regimes]), list(b[1 + regimes :])
        stay = expit(rest.pop(0)) if regimes > 1 else 1.0
        square = (self._change + pull * self._deviation) ** 2
        variances = sigmas[:, None] ** 2 + self._ticked
        density = _log_normal(square, variances)
        if rest:
            chance, jump = rest
            with_jump = _log_normal(square, variances + np.exp(2.0 * jump))
            density = np.logaddexp(log_expit(-chance) + density, log_expit(chance) + with_jump)
        return density[0] if regimes == 1 else _filtered(density, stay, self._length)

    def _estimates(self, b: Values, errors: Values, regimes: int) -> dict[str, Measured]:
        """The parameters in their own units, with errors by the delta method."""
        order = np.argsort(b[1 : 1 + regimes]) + 1
        names = ["price_volatility"] if regimes == 1 else [f"volatility_regimes[{i}]" for i in range(regimes)]
        units = [self._scale * np.exp(b[i]) for i in order]
        found = {name: Measured(u, u * errors[i]) for name, u, i in zip(names, units, order, strict=True)}
        rest = list(zip(b, errors, strict=True))[1 + regimes :]
        if regimes > 1:
            found["regime_persistence"] = _chance(*rest.pop(0))
        if rest:
            found["jump_probability"] = _chance(*rest[0])
            size = self._scale * np.exp(rest[1][0])
            found["jump_volatility"] = Measured(size, size * rest[1][1])
        found["mean_reversion"] = Measured(b[0] / self._reach, errors[0] / self._reach)
        return {name: Measured(float(value), float(error)) for name, (value, error) in found.items()}


def _chance(b: float, error: float) -> Measured:
    return Measured(float(expit(b)), float(expit(b) * expit(-b) * error))


def _ticked(change: Values) -> float:
    """What standing in ticks adds to the variance of a move: u^2 / 12, u a smallest move; 0 where none is exactly 0.

    Without it, a regime that does not move at all would be infinitely likely.
    """
    size = np.abs(change)
    return float(np.quantile(size[size > 0], _SMALLEST)) ** 2 / 12.0 if (size == 0).any() else 0.0


def _log_normal(square: Values, variance: Values) -> Values:
    return np.asarray(-0.5 * (np.log(2.0 * np.pi * variance) + square / variance))


def _filtered(density: Values, stay: float, length: int) -> Values:
    """Hamilton's filter: log-likelihood of each move given those before, each episode from the stationary law."""
    with needed_for("volatility regimes"):
        from statsmodels.tsa.regime_switching.markov_switching import cy_hamilton_filter_log
    regimes, number = density.shape
    onward = np.full((regimes, regimes), (1.0 - stay) / (regimes - 1))
    np.fill_diagonal(onward, stay)
    transition = onward[:, :, None]
    if number > length:
        transition = np.repeat(transition, number, axis=2)
        transition[:, :, ::length] = 1.0 / regimes
    return np.asarray(cy_hamilton_filter_log(np.full(regimes, 1.0 / regimes), transition, density, 0)[2])
