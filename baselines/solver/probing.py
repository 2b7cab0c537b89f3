"""What an exact value needs of a policy, found by asking it over what it could see, not by trust."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from baselines.solver.market_mdp import MarketMDP
from mm_env.envs.action import PolicyFunction, decide, quote_levels
from mm_env.envs.observation import Observations, observation_names, observe
from mm_env.market.dynamics import Decision
from mm_env.market.numbers import evenly_spaced
from mm_env.market.params import DealersParams, MarketParams

LAST_TRADE = ("won", "best_quote")  # columns that tell of the last trade
_TIPPED = 0.05  # of the rows may be decided otherwise among others: rounding can tip a network to the next level
_ASKED_AGAIN = 5  # trades, to find out whether a policy remembers
_DRAWS = 8  # views of each inventory and request, at every number of trades left


class NotAFunctionError(ValueError):
    """A policy that draws or remembers: no function of the observation, so that it has no exact value."""


def asked_twice(policy: PolicyFunction, observations: Observations, params: MarketParams) -> Decision:
    """What a policy decides about rows of observations; parts of shape (rows,).

    Raises:
        NotAFunctionError: Asked again, it decides otherwise, since it draws or remembers.
        ValueError: Its actions are bad.
    """
    first, second = (decide(policy, observations.copy(), params) for _ in range(2))
    if len(differing(first, second, len(observations))):
        raise NotAFunctionError(
            "policy must be a function of the observation, but asked twice about the same it decided otherwise: "
            "what draws or remembers has no exact value here, mm_env.play and baselines.compare estimate it"
        )
    return first


def trades_asked_again(params: MarketParams) -> set[int]:
    """The trades of an episode about which `check_asked_later` asks once more."""
    return set(evenly_spaced(params.num_trades, _ASKED_AGAIN).tolist())


def check_asked_later(
    policy: PolicyFunction, decided: Mapping[int, tuple[Observations, Decision]], params: MarketParams
) -> None:
    """Ask a policy again, now in the order of an episode, and about half of the rows alone.

    Args:
        policy: It was asked about the trades backwards in time.
        decided: By trade, what it was asked and what it decided.
        params: The market.

    Raises:
        NotAFunctionError: It decides otherwise: it remembers other trades, or minds the other rows.
    """
    for _, (seen, before) in sorted(decided.items()):
        if len(differing(before, decide(policy, seen.copy(), params), len(seen))):
            raise NotAFunctionError(
                "policy must be a function of the observation, but decides otherwise once it has seen other trades: "
                "what remembers has no exact value here, mm_env.play and baselines.compare estimate it"
            )
        half = len(seen) // 2
        alone = decide(policy, seen[:half].copy(), params)
        both = [(np.asarray(a), np.asarray(b)) for a, b in zip(before, alone, strict=True) if a is not None]
        tipped = np.any([~np.isclose(a[:half], b, rtol=1e-4) for a, b in both if a.ndim], axis=0)
        if np.mean(tipped) > _TIPPED:
            raise NotAFunctionError(
                "policy must decide about each row of observations by itself, but decides otherwise about the same "
                "rows among others"
            )


def differing(one: Decision, other: Decision, rows: int) -> NDArray[np.intp]:
    """The rows in which two decisions are not the same."""
    differ = np.zeros(rows, dtype=np.bool_)
    for a, b in zip(one, other, strict=True):
        differ |= (a is None) != (b is None) if a is None or b is None else np.asarray(a) != np.asarray(b)
    return np.flatnonzero(differ)


def reactions(policy: PolicyFunction, mdp: MarketMDP, params: DealersParams, columns: Sequence[str]) -> tuple[str, ...]:
    """Which of these columns of the observation change what a policy decides, over the values that they could have.

    Raises:
        ValueError: As of `asked_twice`.
    """
    names = observation_names(params)
    places = [names.index(column) for column in columns]
    for seen in views(mdp, params):
        blind = seen.copy()
        blind[:, places] = 0.0
        now = asked_twice(policy, blind, params)
        if not len(differing(now, asked_twice(policy, seen, params), len(seen))):
            continue
        found = []
        for column, place in zip(columns, places, strict=True):  # one after another, each on top of those before
            blind[:, place] = seen[:, place]
            before, now = now, asked_twice(policy, blind, params)
            if len(differing(before, now, len(seen))):
                found.append(column)
        return tuple(found)
    return ()


def views(mdp: MarketMDP, params: DealersParams) -> Iterator[Observations]:
    """For every number of trades left, each inventory and request with drawn values of what else a dealer sees.

    The last trade was won, lost or missing, at any quote of the grid; each rival holds any inventory that the cap
    allows. Before the first trade there was none. Rows of observations.
    """
    names = observation_names(params)
    generator = np.random.default_rng(0)
    observed = mdp.exogenous.observed._replace(rivals=(0.0,) * (params.num_dealers - 1))
    for left in range(params.num_trades, 0, -1):
        once = observe(mdp.book, mdp.exogenous._replace(observed=observed), left, params)
        seen = np.ascontiguousarray(np.tile(once.reshape(-1, once.shape[-1]), (_DRAWS, 1)))
        if left < params.num_trades:
            won = generator.integers(-1, 2, len(seen))
            seen[:, names.index("won")] = won
            quotes = generator.choice(quote_levels(params), len(seen)) / params.widest_quote
            seen[:, names.index("best_quote")] = np.where(won == 0, 0.0, quotes)
            limit = params.inventory_limit
            for place in (place for place, name in enumerate(names) if name.startswith("rival_")):
                seen[:, place] = generator.integers(-limit, limit + 1, len(seen)) / (limit or 1)
        yield seen
