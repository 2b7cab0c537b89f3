"""The value of inventory where demand is exponential: the closed form of Cartea, Jaimungal and Penalva.

With omega = exp(kappa h) the dynamic programming equation becomes linear (section 10.2, eq. 10.11):

    h(t, q) = (1 / kappa) ln omega(t, q),   omega(t, .) = exp((T - t) M) omega(T, .)

    M[q, q]     = -phi kappa q^2
    M[q, q - 1] = lambda+ / e    (a client buys)
    M[q, q + 1] = lambda- / e    (a client sells)

Source: Cartea, Jaimungal and Penalva (2015), "Algorithmic and High-Frequency Trading", Cambridge, section 10.2.
"""

from __future__ import annotations

import math

import numpy as np

from baselines.policies.demand import Demand
from mm_env.market import dynamics
from mm_env.market.numbers import Values
from mm_env.market.params import MarketParams

_LARGEST_LIMIT = 1000  # the matrix has a row and a column for every inventory
_LARGEST_EXPONENT = 700.0  # exp(-it) is still a number
_TERMS = 24  # of a power series with argument at most 1: 1 / 24! is far below rounding
_STEADY = 1e-12  # values that all grow alike, to this, go on doing so


def generator(params: MarketParams, demand: Demand, regime: int = 0) -> Values:
    """M of the module's text, per step of the law; shape (inventories, inventories).

    phi is the law's risk penalty per step, 0.5 gamma sigma^2. lambda+ and lambda- are the units that clients would buy
    and sell in a step at distance 0, in single units.

    Example:
        >>> params = MarketParams(inventory_limit=1, risk_aversion=2.0, price_volatility=1.0)
        >>> generator(params, Demand(np.array([3.0]), 3.0, 0.5 * math.e, 1.0))
        array([[-3. ,  0.5,  0. ],
               [ 0.5,  0. ,  0.5],
               [ 0. ,  0.5, -3. ]])
    """
    q = np.arange(-params.inventory_limit, params.inventory_limit + 1.0)
    phi, kappa = params.risk_weights[regime], demand.decay
    units = 2.0 * demand.rate * demand.size
    bought, sold = units * params.buy_probability, units * (1.0 - params.buy_probability)
    off_diagonal = np.ones(len(q) - 1) / math.e
    return np.asarray(
        np.diag(-phi * kappa * q * q) + np.diag(bought * off_diagonal, -1) + np.diag(sold * off_diagonal, +1)
    )


def end_values(params: MarketParams, regime: int = 0) -> Values:
    """The value h(T, q), price units: less what the law charges for the last inventory, -alpha q^2 in the book."""
    q = np.arange(-params.inventory_limit, params.inventory_limit + 1.0)
    charged = dynamics.hedging_cost(np.abs(q), params.hedge_costs[regime], params)
    return -np.asarray(charged) if params.liquidate_at_end else np.zeros_like(q)


def inventory_values(params: MarketParams, demand: Demand, regime: int = 0) -> Values:
    """The value h with 0, 1, 2, ... steps to go, price units; shape (steps, inventories).

    The steps end with the episode, or where h has become steady: after that, differences between inventories stay.

    Raises:
        ValueError: `inventory_limit`, or what it costs to hold that much, is too large.
    """
    _check_size(params, demand, regime)
    with np.errstate(divide="ignore"):
        onward = np.log(exponential(generator(params, demand, regime)))
    kappa = demand.decay
    values = [end_values(params, regime)]
    for _ in range(params.num_trades):
        # In logarithms: omega itself would underflow at large inventories.
        values.append(_log_sum_exp(onward + kappa * values[-1]) / kappa)
        if np.ptp(values[-1] - values[-2]) <= _STEADY * np.abs(values[-1]).max():
            break
    return np.array(values)


def _log_sum_exp(terms: Values) -> Values:
    """`scipy.special.logsumexp` over the columns of finite rows, which it overwrites: a quarter of the time."""
    largest = terms.max(axis=1)
    terms -= largest[:, None]
    return np.asarray(np.log(np.exp(terms, out=terms).sum(axis=1)) + largest)


def _check_size(params: MarketParams, demand: Demand, regime: int) -> None:
    limit = params.inventory_limit
    if limit > _LARGEST_LIMIT:
        raise ValueError(
            f"inventory_limit={limit} is too large for the closed form of Cartea and Jaimungal: "
            f"at most {_LARGEST_LIMIT}"
        )
    penalty = params.risk_weights[regime] * limit**2
    if penalty * demand.decay > _LARGEST_EXPONENT:
        raise ValueError(
            f"risk_aversion={params.risk_aversion} with inventory_limit={limit} is too much for the closed form of "
            f"Cartea and Jaimungal: the risk penalty of a full book must be at most "
            f"{_LARGEST_EXPONENT / demand.decay:g} price units a step, got {penalty:g}"
        )


def exponential(matrix: Values) -> Values:
    """exp(M) of a matrix whose entries off the diagonal are >= 0, every entry to full relative precision.

    `scipy.linalg.expm` is exact relative to the largest entry only; the logarithm of the smallest matters here. With
    the diagonal shifted to be >= 0 every term of the power series is, and nothing cancels.

    Example:
        >>> exponential(np.array([[-1.0, 1.0], [0.0, -1.0]])) / np.exp(-1.0)
        array([[1., 1.],
               [0., 1.]])
    """
    shift = max(0.0, -float(matrix.diagonal().min()))
    positive = matrix + shift * np.eye(len(matrix))
    pieces = 2 ** max(0, math.ceil(math.log2(max(float(positive.sum(axis=1).max()), 1.0))))
    term = np.exp(-shift / pieces) * np.eye(len(matrix))
    total = term
    for number in range(1, _TERMS):
        term = term @ positive / (pieces * number)
        total = total + term
    return np.linalg.matrix_power(total, pieces)
