"""The Policy protocol, and POLICIES: the table of names. Add a policy by adding an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from baselines.optimal import best_rule, solve
from baselines.simple import RandomPolicy
from baselines.threshold import ThresholdPolicy
from mm_env.action import Actions
from mm_env.observation import Observations
from mm_env.params import MarketParams


class Policy(Protocol):
    """From what is observed to what is done, many dealers at once.

    A policy that draws random numbers also has `reset(seed: int)`, which `mm_env.play` calls first.
    """

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...)."""
        ...


class Entry(NamedTuple):
    """One named policy. `make` takes the market, the text after the colon ("" if none) and a seed."""

    summary: str
    make: Callable[[MarketParams, str, int], Policy]
    argument: str = ""  # what may follow the colon


POLICIES: Mapping[str, Entry] = {
    "random": Entry("an action drawn anew at every step", lambda params, _, seed: RandomPolicy(params, seed)),
    "never": Entry("never hedge", lambda params, _, __: ThresholdPolicy(params.inventory_limit, params)),
    "flat": Entry("always hedge everything", lambda params, _, __: ThresholdPolicy(0, params)),
    "threshold": Entry(
        "hedge what exceeds K units; default: the market's hedge_threshold",
        lambda params, text, _: ThresholdPolicy(_threshold(text, params), params),
        argument="K",
    ),
    "best-threshold": Entry(
        "the best fixed threshold of this market, and the best fixed quote, by the exact solver",
        lambda params, _, __: _best_threshold(params),
    ),
    "optimal": Entry("the exact optimum, by dynamic programming", lambda params, _, __: solve(params).policy),
}


def make_policy(name: str, params: MarketParams, seed: int = 0) -> Policy:
    """The policy of that name for this market.

    Args:
        name: A name of `POLICIES`, with its argument after a colon where it takes one: "threshold:10".
        params: The market.
        seed: For policies that draw random numbers, until `reset(seed)`, which `mm_env.play` calls.

    Raises:
        ValueError: No such policy, or a bad argument.

    Example:
        >>> make_policy("threshold:5", MarketParams()).threshold
        5
    """
    head, colon, text = name.partition(":")
    if head not in POLICIES:
        raise ValueError(f"no policy {name!r}; known: {', '.join(POLICIES)}")
    entry = POLICIES[head]
    if colon and not entry.argument:
        raise ValueError(f"policy {head!r} takes no argument, got {name!r}")
    if colon and not text:
        raise ValueError(f"{name!r}: expected {head}:{entry.argument}")
    return entry.make(params, text, seed)


def _best_threshold(params: MarketParams) -> ThresholdPolicy:
    rule = best_rule(params)
    return ThresholdPolicy(rule.threshold, params, rule.distance)


def _threshold(text: str, params: MarketParams) -> int:
    if not text:
        return params.hedge_threshold
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"threshold:K needs a whole number K >= 0, got {text!r}")
    return min(int(text), params.inventory_limit)
