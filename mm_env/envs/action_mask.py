"""The mask of an action: which levels an algorithm has to tell apart, given what the dealer holds and who asks."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from mm_env.envs.action import hedge_levels
from mm_env.market import dynamics
from mm_env.market.dynamics import Book, Request
from mm_env.market.numbers import size
from mm_env.market.params import MarketParams


def action_mask(book: Book, request: Request, params: MarketParams) -> NDArray[np.bool_]:
    """Which levels are worth choosing; what is masked does the same as the largest level that is not.

    Every threshold, target or number of units from the position on, as it may be after the trade, is the same decision:
    of these the smallest stays. Where nobody can trade, since nobody came or the cap forbids it, every quote is: the
    lowest stays.

    Args:
        book: What each dealer holds, parts of shape (...).
        request: Who asks, parts of shape (...).
        params: The market.

    Returns:
        True where a level is worth choosing, as sb3-contrib's MaskablePPO wants it: those of each part of the action
        one after another, shape (..., sum of the levels); one for each action if flat, shape (..., actions).

    Raises:
        ValueError: Actions are continuous, and have no levels.
    """
    if params.continuous:
        raise ValueError("continuous=True: actions are numbers, which have no mask")
    asked, position = request.signed_size, dynamics.net_position(book.inventory, book.in_flight)
    fits = dynamics.fits(book.inventory - asked, book.in_flight, params)
    tradable = np.asarray(fits & (asked != 0))
    surely = request.reservation is None and params.num_dealers == 1
    if_not = np.where(tradable & surely, 0.0, size(position))
    largest = np.maximum(if_not, np.where(tradable, size(position - asked), 0.0))
    below = np.concatenate([[-1.0], hedge_levels(params)[:-1]])  # the level under each: it leaves something to hedge
    parts = [below < largest[..., None]] * (2 if params.hedge_action == "band" else 1)  # of thresholds and of targets
    if params.quote_levels > 1:
        parts.append(tradable[..., None] | (np.arange(params.quote_levels) == 0))
    return reduce(_pairs, parts) if params.flat else np.concatenate(parts, axis=-1)


def _pairs(ones: NDArray[np.bool_], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask of every pair of levels, in the order of rows; of shape (..., levels) as its arguments."""
    both = ones[..., :, None] & others[..., None, :]
    return both.reshape(*both.shape[:-2], -1)
