"""The arguments that environments share, checked where they enter."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mm_env.market import dynamics
from mm_env.market.dynamics import REWARDS, Move, Reward, RewardParts, Step
from mm_env.market.numbers import Number
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape, check_tape


def checked_reward(name: str, tape: Tape | None, params: MarketParams) -> Reward[tuple[Any, Number]]:
    """The law's reward of that name, and beside it the cost, in a market that the tape, if any, can be played in."""
    if tape is not None:
        check_tape(tape, params)
    return partial(_reward_and_cost, reward=reward_function(name, tape, params))


def _reward_and_cost(step: Step, move: Move, params: MarketParams, reward: Reward[Any]) -> tuple[Any, Number]:
    return reward(step, move, params), dynamics.cap_cost(step, params)


def reward_array(reward: Number | RewardParts, shape: tuple[int, ...]) -> NDArray[Any]:
    """A reward as an array of that shape; one of parts with them as its last axis."""
    if not isinstance(reward, tuple):
        return np.asarray(reward)
    return np.stack([np.broadcast_to(part, shape) for part in reward], axis=-1)


def reward_space(reward: str) -> spaces.Box | None:
    """The space of a reward of parts, as MO-Gymnasium's clients ask for it; None of one number, which has none."""
    if reward != "vector":
        return None
    most = RewardParts(spread_pnl=np.inf, hedge_cost=0.0, inventory_pnl=np.inf, risk_penalty=0.0)
    return spaces.Box(-np.inf, np.array(most), dtype=np.float64)


def check_one_number(reward: str) -> None:
    """Raise `ValueError` where a reward has several parts, for agents who learn from one number."""
    if (space := reward_space(reward)) is not None:
        raise ValueError(f"reward={reward!r} has {space.shape[0]} parts: learn from 'realised' or 'expected'")


def reward_function(name: str, tape: Tape | None, params: MarketParams | None = None) -> Reward[Any]:
    """The law's reward of that name; the expected one needs a tape whose law is known."""
    if not isinstance(name, str) or name not in REWARDS:
        raise ValueError(f"reward must be one of {', '.join(map(repr, REWARDS))}, got {name!r}")
    if name == "expected" and tape is not None and tape.replayed:
        raise ValueError("reward='expected' needs drawn episodes: a recorded tape's law is unknown")
    if name == "expected" and params is not None and params.drift_is_hidden:
        raise ValueError(
            f"reward='expected' with quote_latency={params.quote_latency} and mean_reversion={params.mean_reversion} "
            f"needs clients who accept any quote and know nothing: the trades of others tell what the latency hides, "
            f"which has no closed form; use reward='realised'"
        )
    return REWARDS[name]


def plain_seed(seed: Any) -> Any:
    """A seed that is an array or a tensor of one number as that number; any other as it is."""
    if not isinstance(seed, int) and getattr(seed, "shape", None) == () and hasattr(seed, "item"):
        return seed.item()
    return seed


def check_compiled(compiled: object) -> bool | None:
    """`compiled`, or a `ValueError` that says what it may be."""
    if compiled is None or compiled is True or compiled is False:
        return compiled
    raise ValueError(f"compiled must be True, False or None, got {compiled!r}")


def check_render_mode(mode: str | None, allowed: list[str]) -> str | None:
    """`mode`, or a `ValueError` that lists what is allowed."""
    if mode is not None and mode not in allowed:
        raise ValueError(f"render_mode must be None or one of {allowed}, got {mode!r}")
    return mode
