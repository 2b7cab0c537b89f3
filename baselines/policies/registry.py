"""The Policy protocol, and POLICIES: the table of names. Add a policy by adding an entry."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from baselines.policies.band import BandPolicy, PausingBandPolicy
from baselines.policies.quoting import (
    AvellanedaStoikov,
    CarteaJaimungal,
    GueantLehalleFernandezTapia,
    LinearSkew,
    QuotingPolicy,
)
from baselines.policies.random_policy import RandomPolicy
from baselines.policies.threshold import ThresholdPolicy
from baselines.solver.fixed_rules import best_band, best_rule
from baselines.solver.optimum import last_solution
from mm_env.envs.action import Actions
from mm_env.envs.observation import Observations
from mm_env.market.params import MarketParams
from mm_env.market.validation import suggestion
from mm_env.registration import params_of_market


class Policy(Protocol):
    """From what is observed to what is done, many dealers at once.

    A policy that draws random numbers also has `reset(seed: int)`, which `mm_env.play` calls first.
    """

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...)."""
        ...


class PolicyEntry(NamedTuple):
    """One named policy. `make` takes the market, the text after the colon ("" if none) and a seed."""

    summary: str
    make: Callable[[MarketParams, str, int], Policy]
    argument: str = ""  # what may follow the colon


POLICIES: Mapping[str, PolicyEntry] = {
    "random": PolicyEntry("an action drawn anew at every step", lambda params, _, seed: RandomPolicy(params, seed)),
    "never": PolicyEntry("never hedge", lambda params, _, __: ThresholdPolicy(params.inventory_limit, params)),
    "flat": PolicyEntry("always hedge everything", lambda params, _, __: ThresholdPolicy(0, params)),
    "threshold": PolicyEntry(
        "hedge what exceeds K units, orders in flight included; default: the market's hedge_threshold; quote QUOTE "
        "from the mid, default: the spread",
        lambda params, text, _: _fixed_rule(text, params),
        argument="K:QUOTE",
    ),
    "band": PolicyEntry(
        "hedge to T what exceeds H, and not again within N requests; default: the market's hedge_threshold, to half",
        lambda params, text, _: _band(text, params),
        argument="H:T:N",
    ),
    "linear-skew": PolicyEntry(
        "quote the spread, up to SLOPE (default: the spread) tighter where that brings the inventory back, wider where "
        "not; threshold K",
        lambda params, text, _: _linear_skew(text, params),
        argument="SLOPE:K",
    ),
    "avellaneda-stoikov": PolicyEntry(
        "quote around the reservation price (2008); threshold K",
        lambda params, text, _: _quoting(AvellanedaStoikov, text, params),
        argument="K",
    ),
    "glft": PolicyEntry(
        "quote as Gueant, Lehalle and Fernandez-Tapia far from the end (2013); threshold K",
        lambda params, text, _: _quoting(GueantLehalleFernandezTapia, text, params),
        argument="K",
    ),
    "cartea-jaimungal": PolicyEntry(
        "quote by the closed form under a running inventory penalty (2015); threshold K",
        lambda params, text, _: _quoting(CarteaJaimungal, text, params),
        argument="K",
    ),
    "best-threshold": PolicyEntry(
        "the best fixed threshold of this market, and the best fixed quote, by the exact solver",
        lambda params, _, __: _best_threshold(params),
    ),
    "best-band": PolicyEntry(
        "the best fixed threshold and target of this market, and the best fixed quote, by the exact solver",
        lambda params, _, __: _best_band(params),
    ),
    "optimal": PolicyEntry(
        "the exact optimum, by dynamic programming", lambda params, _, __: last_solution(params).policy
    ),
}


def make_policy(name: str, params: MarketParams | str, seed: int = 0) -> Policy:
    """The policy of that name for this market.

    Args:
        name: A name of `POLICIES`, with its argument after a colon where it takes one: "threshold:10".
        params: The market, or the id of a registered one.
        seed: For policies that draw random numbers, until `reset(seed)`, which `mm_env.play` calls.

    Raises:
        ValueError: No such policy, or a bad argument.

    Example:
        >>> make_policy("threshold:5", MarketParams()).threshold
        5
    """
    params = params_of_market(params)
    head, colon, text = name.partition(":")
    if head not in POLICIES:
        raise ValueError(f"no policy {name!r}; {suggestion(head, list(POLICIES))}")
    entry = POLICIES[head]
    if colon and not entry.argument:
        raise ValueError(f"policy {head!r} takes no argument, got {name!r}")
    if colon and not text:
        raise ValueError(f"{name!r}: expected {head}:{entry.argument}")
    return entry.make(params, text, seed)


def _best_threshold(params: MarketParams) -> ThresholdPolicy:
    rule = best_rule(params)
    return ThresholdPolicy(rule.threshold, params, rule.distance)


def _best_band(params: MarketParams) -> BandPolicy:
    rule = best_band(params)
    return BandPolicy(rule.threshold, rule.target, params, rule.distance)


def _band(text: str, params: MarketParams) -> BandPolicy | PausingBandPolicy:
    parts = text.split(":") if text else []
    if len(parts) == 1 or len(parts) > 3:
        raise ValueError(f"band:H:T or band:H:T:N needs two or three whole numbers, got {text!r}")
    threshold = _threshold(parts[0] if parts else "", params)
    band = BandPolicy(threshold, _threshold(parts[1], params) if parts else threshold // 2, params)
    return PausingBandPolicy(band, _pause(parts[2])) if len(parts) == 3 else band


def _pause(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(f"band:H:T:N needs a whole number N >= 1 of requests, got {text!r}")
    return int(text)


def _linear_skew(text: str, params: MarketParams) -> LinearSkew:
    slope, colon, threshold = text.partition(":")
    if colon and not threshold:
        raise ValueError(f"linear-skew:SLOPE:K needs a whole number K >= 0 after the colon, got {text!r}")
    return LinearSkew(_threshold(threshold, params), params, _number("linear-skew:SLOPE:K", slope) if text else None)


def _fixed_rule(text: str, params: MarketParams) -> ThresholdPolicy:
    threshold, colon, quote = text.partition(":")
    distance = _number("threshold:K:QUOTE", quote) if colon else None
    return ThresholdPolicy(_threshold(threshold, params), params, distance)


def _number(expected: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{expected} needs a number, got {text!r}")
    return value


def _quoting(kind: type[QuotingPolicy], text: str, params: MarketParams) -> QuotingPolicy:
    return kind(_threshold(text, params), params)


def _threshold(text: str, params: MarketParams) -> int:
    if not text:
        return params.rule_threshold
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"the hedge threshold must be a whole number K >= 0, got {text!r}")
    return min(int(text), params.inventory_limit)
