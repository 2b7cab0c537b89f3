"""Confidence intervals: how wide they are, and how a figure is written with one."""

from __future__ import annotations

import numpy as np

LEVEL = 0.95  # of every interval that is shown


def half_width(standard_error: float, observations: float = np.inf, level: float = LEVEL) -> float:
    """Half the width of a confidence interval, by Student's t with `observations - 1` degrees of freedom.

    Args:
        standard_error: Of the figure, in its unit.
        observations: How many the standard error was estimated from; infinity: it is known, and the normal law holds.
        level: The probability with which the interval holds the truth.

    Returns:
        The half-width in the figure's unit; NaN for fewer than two observations.

    Example:
        >>> round(half_width(1.0), 4), round(half_width(1.0, observations=10), 4)
        (1.96, 2.2622)
    """
    from scipy.special import ndtri, stdtrit  # here, since `import mm_env` does without SciPy

    if observations < 2:
        return float("nan")
    upper = 0.5 + level / 2
    quantile = ndtri(upper) if np.isinf(observations) else stdtrit(observations - 1, upper)
    return float(quantile) * standard_error


def skewed_interval(skewness: float, observations: float, level: float = LEVEL) -> tuple[float, float]:
    """The ends of a confidence interval of a mean whose observations are skewed, less the mean, in standard errors.

    The studentised mean is transformed by a cubic that takes the skewness out of its distribution, up to 1 / n, and
    back. Without skewness the ends are those of Student's t.

    Source: Hall (1992), "On the removal of skewness by transformation", Journal of the Royal Statistical Society B 54.

    Args:
        skewness: Of the observations: their third central moment over the cube of their standard deviation.
        observations: How many.
        level: The probability with which the interval holds the truth.

    Example:
        >>> low, high = skewed_interval(-6.0, observations=500)  # as in the worst 5 % of 500 values
        >>> round(low, 2), round(high, 2)
        (-2.54, 1.66)
    """
    bound = half_width(1.0, observations, level)
    third = skewness / (3.0 * np.sqrt(observations))
    if third == 0:
        return -bound, bound
    low, high = ((np.cbrt(1.0 + 3.0 * third * (t - 0.5 * third)) - 1.0) / third for t in (bound, -bound))
    return -float(low), -float(high)


def with_interval(value: float, standard_error: float) -> str:
    """A figure with its 95 % interval, its standard error being known.

    Example:
        >>> with_interval(0.5, 0.01)
        '0.50 ± 0.02'
    """
    return plus_minus(value, half_width(standard_error))


def plus_minus(value: float, half_width: float) -> str:
    """A figure with its interval, to the digits that the interval supports.

    Example:
        >>> plus_minus(4.71834, 0.00092), plus_minus(1.0, 0.0)
        ('4.7183 ± 0.0009', '1.0000')
    """
    if not np.isfinite(value):
        return "-"
    if not np.isfinite(half_width) or half_width == 0:
        return f"{value:.4f}"
    digits = min(max(1 - int(np.floor(np.log10(half_width))) - 1, 0), 6)
    return f"{round(value, digits) + 0.0:.{digits}f} ± {half_width:.{digits}f}"
