"""What an agent says: the action, its space, and the decision that it stands for.

An action is an index into `hedge_levels` (the hedge threshold of this step, or the units to offload now), with
`hedge_action="band"` another one (the target that it hedges to), and, where the agent quotes, one into `quote_levels`.
With `flat=True` all are one number, and with `continuous=True` they are numbers from -1 (lowest level) to 1 (highest).
Policies go the other way: `encode` turns a threshold and a distance into an action.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from mm_env.envs.observation import Observations, decode_observation
from mm_env.market import dynamics
from mm_env.market.dynamics import Decision
from mm_env.market.numbers import Number, Values
from mm_env.market.params import MarketParams

Actions = NDArray[Any]  # (...) indices; (..., parts) where there are several; float32 where actions are continuous
_SEQUENCES, _index = (tuple, np.ndarray), operator.index  # looked up at every step
_ROUNDING = 4.0 * float(np.finfo(np.float32).eps)  # what clients lose who rescale actions in single precision

PolicyFunction = Callable[[Observations], Actions]


def hedge_levels(params: MarketParams) -> Values:
    """The hedge thresholds (or units to offload) that the agent chooses from, units.

    Example:
        >>> hedge_levels(MarketParams(inventory_limit=20, hedge_levels=5)).tolist()
        [0.0, 5.0, 10.0, 15.0, 20.0]
    """
    return _hedge_levels(params).copy()


def quote_levels(params: MarketParams) -> Values:
    """The distances from the mid that the agent chooses from, price units; only the spread where it is fixed.

    Example:
        >>> quote_levels(MarketParams(quote_levels=3, tick=0.01)).tolist()
        [0.0, 0.01, 0.02]
    """
    return _quote_levels(params).copy()


@lru_cache(maxsize=256)
def _hedge_levels(params: MarketParams) -> Values:
    number = params.hedge_levels or params.inventory_limit + 1
    return np.asarray(np.linspace(0.0, params.inventory_limit, number).round(), dtype=np.float64)


@lru_cache(maxsize=256)
def _quote_levels(params: MarketParams) -> Values:
    if params.quote_levels == 1:
        return np.array([params.spread])
    return np.asarray(params.lowest_quote + params.tick * np.arange(params.quote_levels))


@lru_cache(maxsize=256)
def action_sizes(params: MarketParams) -> tuple[int, ...]:
    """How many levels the agent chooses from, for each part of the action: one part if it is flat."""
    return (math.prod(level_sizes(params)),) if params.flat else level_sizes(params)


@lru_cache(maxsize=256)
def level_sizes(params: MarketParams) -> tuple[int, ...]:
    """How many levels there are: of thresholds, of targets if the action says any, of quotes if the agent quotes."""
    hedging = (len(_hedge_levels(params)),) * (2 if params.hedge_action == "band" else 1)
    return hedging if params.quote_levels == 1 else (*hedging, params.quote_levels)


def num_hedges(params: MarketParams) -> int:
    """How many ways to hedge an action can say."""
    return int(len(_hedge_levels(params)) ** (2 if params.hedge_action == "band" else 1))


def hedge_options(params: MarketParams) -> Decision:
    """Every way to hedge that an action can say, numbered as `levels_to_action` takes them; nothing is said of quotes.

    Example:
        >>> hedge_options(MarketParams(inventory_limit=1, hedge_action="band"))[1::2]
        (array([0., 0., 1., 1.]), array([0., 1., 0., 1.]))
    """
    levels = _hedge_levels(params)
    if params.hedge_action != "band":
        return make_decision(levels, 0.0, params)
    return make_decision(np.repeat(levels, len(levels)), 0.0, params, np.tile(levels, len(levels)))


def action_space(params: MarketParams) -> spaces.Space[Any]:
    """The space of one action."""
    sizes = action_sizes(params)
    if params.continuous:
        return spaces.Box(-1.0, 1.0, (len(sizes),), np.float32)
    return spaces.Discrete(sizes[0]) if len(sizes) == 1 else spaces.MultiDiscrete(np.array(sizes))


class ActionDecoder:
    """From the action of one dealer to his decision, in plain numbers; those of levels are kept once decoded."""

    def __init__(self, params: MarketParams) -> None:
        self._params = params
        self._continuous = params.continuous
        self._is_index = isinstance(action_space(params), spaces.Discrete)
        self._shape = () if self._is_index else (len(action_sizes(params)),)
        quotes = _quote_levels(params).tolist()
        self._quotes = (quotes[0], quotes[-1]) if len(quotes) > 1 else None
        self._most = len(_hedge_levels(params)) - 1
        self._band = params.hedge_action == "band"
        self._known: dict[Any, Decision] = {}

    def __call__(self, action: Any) -> Decision:
        """The decision, or a `ValueError` that says what an action may be."""
        if self._continuous:
            return self._of_numbers(action)
        try:
            levels = int(_index(action)) if self._is_index else _indices(action)
        except TypeError:
            levels = None
        known = self._known.get(levels)
        if known is not None:
            return known
        if self._is_index and (levels is None or not 0 <= levels < action_sizes(self._params)[0]):
            most = action_sizes(self._params)[0] - 1
            raise ValueError(f"action must be a whole number from 0 to {most}, got {action!r}")
        return self._decoded(action) if levels is None else self._kept(levels, levels)

    def _of_numbers(self, action: Any) -> Decision:
        """The decision of a continuous action: how it hedges is kept by its levels."""
        array = action if type(action) is np.ndarray else _array(action)
        if array.dtype.kind != "f" or array.shape != self._shape:
            return self._decoded(action)
        numbers: list[float] = array.tolist()
        for number in numbers:
            if not -1.0 <= number <= 1.0:
                return self._decoded(action)
        levels: Any = round(_between(numbers[0], 0, self._most))
        if self._band:
            levels = levels, round(_between(numbers[1], 0, self._most))
        known = self._known.get(levels) or self._kept(levels, array)
        if self._quotes is None:
            return known
        distance = _between(numbers[-1], *self._quotes)
        return tuple.__new__(Decision, (distance, *known[1:]))  # what `_replace` does, faster

    def _kept(self, levels: Any, action: Any) -> Decision:
        """The decision of these levels, decoded from an action once."""
        known = self._known.get(levels)
        if known is None:
            known = self._known[levels] = self._decoded(action)
        return known

    def _decoded(self, action: Any) -> Decision:
        array = _array(action)
        if array.shape != self._shape:
            raise ValueError(f"action must have shape {self._shape}, got {action!r}")
        return Decision(*(_plain(part) for part in decode_actions(array[None], 1, self._params)))


def decode_actions(actions: Any, lanes: int, params: MarketParams) -> Decision:
    """The decisions of many dealers, or a `ValueError` that says what their actions may be. Parts of shape (lanes,)."""
    sizes = action_sizes(params)
    if params.continuous:
        return _decode_continuous(_check_box(actions, (lanes, len(sizes))), params)
    if len(level_sizes(params)) == 1:
        return make_decision(_units(_check_indices(actions, (lanes,), sizes[0]), params), params.spread, params)
    if params.flat:
        levels = _levels_of_places(params).take(_check_indices(actions, (lanes,), sizes[0]), axis=1)
    else:
        levels = _check_indices(actions, (lanes, len(sizes)), np.array(sizes))
    distance = _quote_levels(params)[levels[-1]] if params.quote_levels > 1 else params.spread
    target = _units(levels[1], params) if params.hedge_action == "band" else None
    return make_decision(_units(levels[0], params), distance, params, target)


def decide(policy: PolicyFunction, views: Observations, params: MarketParams) -> Decision:
    """What a policy decides, by the meaning that its own market gives to actions, if it has one: levels or numbers.

    A policy that always decides the same may say so: as its attribute `decision`, in plain numbers.
    """
    fixed: Decision | None = getattr(policy, "decision", None)
    if fixed is not None:
        return fixed
    return decode_actions(policy(views), len(views), getattr(policy, "params", params))


@lru_cache(maxsize=256)
def _levels_of_places(params: MarketParams) -> NDArray[np.int64]:
    """The levels that each flat action is the place of, shape (parts, actions)."""
    return np.stack(np.unravel_index(np.arange(action_sizes(params)[0]), level_sizes(params)))


def _units(index: NDArray[np.int64], params: MarketParams) -> NDArray[Any]:
    """The hedge levels of these numbers: where every whole number is a level, they themselves."""
    return index if params.hedge_levels is None else _hedge_levels(params).take(index)


def make_decision(level: Number, distance: Number, params: MarketParams, target: Number | None = None) -> Decision:
    """What a hedge level and a distance stand for: a threshold, with a target where actions have one, or units now."""
    if params.hedge_action == "units":
        return Decision(distance, 0.0, level)
    return Decision(distance, level, None, target)


def encode_action(
    threshold: ArrayLike,
    observations: Observations,
    params: MarketParams,
    distance: ArrayLike | None = None,
    target: ArrayLike | None = None,
) -> Actions:
    """The action that hedges what exceeds `threshold`, and quotes at `distance`, given what is observed.

    Where actions have no target, it is that of a dealer who knows whether the threshold will be exceeded: the target if
    so, else the threshold. He knows it where every client accepts; a client who may refuse is taken to accept.

    Args:
        threshold: Hedge threshold of each row, units, at least 0; above the cap means: do not hedge. Shape (...).
        observations: Shape (..., observations).
        params: The market.
        distance: Distance of the quote from the mid, price units; the nearest level is taken. Shape (...). Default:
            the market's spread. Where the spread is fixed it does not matter.
        target: What is kept of an inventory that exceeds the threshold, units, at least 0. Shape (...). Default: the
            threshold.

    Returns:
        Actions of shape (...), (..., parts) where they have several.

    Raises:
        ValueError: `hedge_levels` leaves a threshold or target out.
    """
    shape = np.shape(observations)[:-1]
    hedge = np.broadcast_to(_hedge_option(threshold, target, observations, params), shape)
    return levels_to_action(hedge, np.broadcast_to(params.spread if distance is None else distance, shape), params)


def levels_to_action(hedge: NDArray[Any], distance: NDArray[Any], params: MarketParams) -> Actions:
    """The action of number `hedge` of `hedge_options` and the quote nearest to `distance`; both of shape (...)."""
    quotes, number = _quote_levels(params), len(_hedge_levels(params))
    wanted = np.asarray(distance, dtype=np.float64)
    hedges = divmod(hedge, number) if params.hedge_action == "band" else (hedge,)
    if params.continuous:
        parts = [level / max(number - 1, 1) for level in hedges]
        if len(quotes) > 1:
            parts.append((wanted - quotes[0]) / (quotes[-1] - quotes[0]))
        return np.clip(2.0 * np.stack(parts, axis=-1) - 1.0, -1.0, 1.0).astype(np.float32)
    if len(quotes) > 1:
        steps = (np.clip(wanted, quotes[0], quotes[-1]) - quotes[0]) / params.tick
        hedges = (*hedges, np.minimum(np.round(steps), len(quotes) - 1))
    elif len(hedges) == 1:
        return np.array(hedge, dtype=np.int64)
    if params.flat:
        return np.asarray(np.ravel_multi_index([np.asarray(part, np.int64) for part in hedges], level_sizes(params)))
    return np.stack(hedges, axis=-1).astype(np.int64)


def _hedge_option(
    threshold: ArrayLike, target: ArrayLike | None, observations: Observations, params: MarketParams
) -> NDArray[np.int64]:
    """The number of the hedge option."""
    limit = params.inventory_limit
    above = np.minimum(np.asarray(threshold, dtype=np.float64), limit)
    kept = above if target is None else np.minimum(np.asarray(target, dtype=np.float64), limit)
    if params.hedge_action == "band":
        return _level_index(above, params) * len(_hedge_levels(params)) + _level_index(kept, params)
    if params.hedge_action == "threshold" and target is None:
        return _level_index(above, params)
    view = decode_observation(observations, params)
    wanted = Decision(params.spread, above, None, None if target is None else kept)
    units = np.asarray(dynamics.units_hedged(view.book, view.request, wanted, params))
    if params.hedge_action == "units":
        return units.astype(np.int64)
    return _level_index(np.where(units > 0, kept, above), params)


def _level_index(kept: Values, params: MarketParams) -> NDArray[np.int64]:
    """Which of the hedge levels these are."""
    levels = _hedge_levels(params)
    index = np.searchsorted(levels, kept)
    if not np.array_equal(levels[index], kept):
        missing = kept[levels[index] != kept].flat[0]
        raise ValueError(f"threshold {missing:g} is not one of the hedge levels {levels.astype(int).tolist()}")
    return np.asarray(index)


def nearest_levels(numbers: NDArray[Any], params: MarketParams) -> NDArray[np.int64]:
    """The levels that numbers from -1, the lowest, to 1, the highest, are nearest to; of the same shape, (..., parts).

    Example:
        >>> nearest_levels(np.array([[-1.0], [0.04], [1.0]]), MarketParams()).tolist()
        [[0], [10], [20]]
    """
    steps = np.array(action_sizes(params)) - 1
    return _nearest(np.asarray(numbers, dtype=np.float64), steps)


def _nearest(numbers: Values, most: Any) -> NDArray[np.int64]:
    """The whole numbers from 0 to `most` that numbers from -1 to 1 are nearest to."""
    return np.asarray(np.round(_between(numbers, 0, most)), dtype=np.int64)


def _between(number: Any, low: float, high: Any) -> Any:
    """What numbers from -1, `low`, to 1, `high`, stand for."""
    return low + (number + 1.0) / 2.0 * (high - low)


def _decode_continuous(actions: Values, params: MarketParams) -> Decision:
    levels, quotes = _hedge_levels(params), _quote_levels(params)
    distance = _between(actions[-1], quotes[0], quotes[-1]) if len(quotes) > 1 else params.spread
    target = levels[_nearest(actions[1], len(levels) - 1)] if params.hedge_action == "band" else None
    return make_decision(levels[_nearest(actions[0], len(levels) - 1)], distance, params, target)


def _check_indices(actions: Any, shape: tuple[int, ...], sizes: Any) -> NDArray[np.int64]:
    """`actions` of that shape, with entries below `sizes`, as integers, lanes last; or a `ValueError`."""
    array = _array(actions)
    if array.dtype.kind not in "iu" or array.shape != shape:
        raise ValueError(f"actions must be whole numbers of shape {shape}, got {array.dtype} of shape {array.shape}")
    whole = np.ascontiguousarray(array.T, np.int64)  # those of one part side by side: read faster
    over = np.maximum.reduce(whole.view(np.uint64), axis=-1) >= sizes  # one pass: what is negative becomes huge
    if over if len(shape) == 1 else over.any():
        place = np.argwhere((array < 0) | (array >= sizes))[0]
        most = np.broadcast_to(sizes, shape)[tuple(place)] - 1
        raise ValueError(f"actions must be from 0 to {most}, got {array[tuple(place)]}{_lane(place, shape)}")
    return whole


def _check_box(actions: Any, shape: tuple[int, ...]) -> Values:
    """`actions` of that shape as floats from -1 to 1, lanes last, or a `ValueError`; rounded beyond, they are these."""
    array = _array(actions)
    if array.dtype.kind not in "iuf" or array.shape != shape:
        raise ValueError(f"actions must be numbers of shape {shape}, got {array.dtype} of shape {array.shape}")
    numbers = np.ascontiguousarray(array.T, np.float64)  # those of one part side by side: computed with faster
    if not np.abs(numbers).max() <= 1.0 + _ROUNDING:
        place = np.argwhere(~(np.abs(array) <= 1.0 + _ROUNDING))[0]
        raise ValueError(f"actions must be from -1 to 1, got {array[tuple(place)]}{_lane(place, shape)}")
    return np.clip(numbers, -1.0, 1.0)


def _lane(place: NDArray[Any], shape: tuple[int, ...]) -> str:
    return f" in lane {place[0]}" if shape[0] > 1 else ""


def _indices(action: Any) -> Any:
    """The whole numbers of an action of several; None if it is none."""
    if isinstance(action, list):
        return tuple([_index(part) for part in action])
    if isinstance(action, np.ndarray) and action.ndim == 1 and action.dtype.kind in "iu":
        return tuple(action.tolist())
    return tuple(map(_index, action)) if isinstance(action, _SEQUENCES) else None


def _array(actions: Any) -> NDArray[Any]:
    if type(actions) is np.ndarray:
        return actions
    if getattr(actions, "requires_grad", False):
        actions = actions.detach()  # of a tensor the numbers, not what they were made of
    try:
        return np.asarray(actions)
    except (ValueError, TypeError, OverflowError, RuntimeError):
        return np.empty(0, dtype=object)


def _plain(part: Any) -> Any:
    return float(part[0]) if isinstance(part, np.ndarray) else part
