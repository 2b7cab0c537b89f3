"""The game: one self-contained page of HTML, on which the law runs as the tracer prints it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from typing import Any

from mm_env.envs.action import PolicyFunction, hedge_levels, quote_levels
from mm_env.kernels.javascript import PRELUDE, javascript
from mm_env.kernels.tracing import TraceOps
from mm_env.market import dynamics
from mm_env.market.dynamics import Book, Decision, Request, Step
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape
from mm_env.rollout import play


def game_page(
    params: MarketParams,
    policies: Mapping[str, PolicyFunction],
    values: tuple[float, float],
    title: str,
    seed: int = 0,
    tapes: int = 20,
) -> str:
    """A page of HTML on which a visitor plays the dealer against policies, on the tapes of `seed`.

    His score is his reward less that of the first policy on the same tape, over what the optimum is worth more than
    that policy: 0 is as good as it, and over many tapes its mean is his share of that gap. Rewards count what prices
    are expected to do instead of what they did, as far as that is known: the same mean with less chance in it.

    Args:
        params: The market; of one dealer, whose actions are thresholds.
        policies: Whom he plays against, by name; the first is the yardstick.
        values: The exact J of the first policy, and of the optimum, price units.
        title: What the market is called.
        seed: Of the tapes.
        tapes: How many episodes the page holds.

    Raises:
        ValueError: Another kind of action, no policies, or an optimum that is worth no more than the first policy.
    """
    if params.hedge_action != "threshold":
        raise ValueError(f"the game is played with hedge_action='threshold', got {params.hedge_action!r}")
    if not policies:
        raise ValueError("policies must hold one or more to play against")
    if not values[1] > values[0]:
        raise ValueError(f"the optimum must be worth more than the first policy, got {values[1]} and {values[0]}")
    drawn = Tape.draw(params, seed, tapes)
    played = {name: play(policy, params, tapes, seed) for name, policy in policies.items()}
    data = {
        "title": title,
        "seed": seed,
        "params": params.to_dict(),
        "values": values,
        "fields": {"book": Book._fields, "request": Request._fields, "step": Step._fields},
        "book": dynamics.initial_book(params),
        "thresholds": hedge_levels(params).tolist(),
        "distances": quote_levels(params).tolist(),
        "decisions": {name: [run.threshold.tolist(), run.distance.tolist()] for name, run in played.items()},
        "tapes": [_rows(drawn, number, params) for number in range(tapes)],
    }
    page = files("mm_env.game").joinpath("page.html").read_text(encoding="utf-8")
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    return page.replace("/*LAW*/", PRELUDE + law_source(params)).replace("/*DATA*/", text)


def law_source(params: MarketParams) -> str:
    """The JavaScript of `law(book, request, decision, move)`: `dynamics.rewarded_step` of one market."""
    reward = dynamics.REWARDS["realised" if params.drift_is_hidden else "expected"]
    law = partial(dynamics.rewarded_step, reward=reward, params=params, xp=TraceOps())
    requests, _, moves = Tape.draw(params, 0, 1).episode(0, params)
    return javascript("law", law, (dynamics.initial_book(params), requests[0], Decision(0.0, 0.0, None), moves[0]))


def _rows(tape: Tape, number: int, params: MarketParams) -> list[list[Any]]:
    """One episode as rows of request, regime and price move."""
    requests, observed, moves = tape.episode(number, params)
    return [[r, o.regime, m] for r, o, m in zip(requests, observed, moves, strict=True)]
