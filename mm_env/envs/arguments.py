"""The arguments that environments share, checked where they enter."""

from __future__ import annotations

from typing import Any

from mm_env.market.dynamics import REWARDS, Reward
from mm_env.market.numbers import Number
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape, check_tape


def checked_reward(name: str, tape: Tape | None, params: MarketParams) -> Reward[Number]:
    """The law's reward of that name, in a market that the tape, if there is one, can be played in."""
    if tape is not None:
        check_tape(tape, params)
    return reward_function(name, tape, params)


def reward_function(name: str, tape: Tape | None, params: MarketParams | None = None) -> Reward[Number]:
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
