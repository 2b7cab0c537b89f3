"""Markouts: how the mid moves after a fill, which tells what a kind of client costs the dealer who trades with him."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from baselines.evaluation.scores import Estimate, ratio
from mm_env.episodes import Episodes
from mm_env.market.numbers import Values
from mm_env.market.params import MarketParams
from mm_env.market.validation import is_whole

HORIZONS = (1, 5, 10, 20)  # requests


@dataclass(frozen=True, eq=False)
class Markout:
    """The markout of one kind of client.

    Attributes:
        tier: Index of the clients' tier; None: all.
        informed: Whether they knew the next price move; None: both who did and who did not.
        fills: How many of them traded, in all episodes.
        estimates: By horizon in requests, price units per unit traded; positive is good for the dealer. NaN where no
            fill had so many requests after it.
    """

    tier: int | None
    informed: bool | None
    fills: int
    estimates: dict[int, Estimate]


def markouts(blocks: Iterable[Episodes], horizons: Sequence[int] = HORIZONS) -> list[Markout]:
    """The mean move of the mid after a fill, for every kind of client that the market has.

        markout(h) = sum of v * (-d) * (m_{t+h} - m_t) / sum of v

    over the fills that have h requests or more left of their episode, the own one included. m_t is the mid at request
    t, before the move that follows it; d = +1 where the client bought v units, -1 where he sold. The mid moves with
    the dealer's own hedges too where they have a permanent impact.

    Args:
        blocks: Played episodes of one market, as `mm_env.play_blocks` gives them: in bounded memory.
        horizons: In requests, each 1 or more.

    Returns:
        All clients first; then by tier and by informed or not where the market has these.

    Raises:
        ValueError: A bad horizon, or no episodes.

    Example:
        >>> from mm_env import MarketParams, play
        >>> toxic = MarketParams(informed_fraction=1.0)
        >>> always_hedge = lambda observations: np.zeros(len(observations), dtype=int)
        >>> everyone, informed, _ = markouts([play(always_hedge, toxic, episodes=500)])
        >>> informed.estimates[1].value < -0.2  # -0.3 * sqrt(2 / pi)
        True
    """
    for horizon in horizons:
        if not is_whole(horizon) or horizon < 1:
            raise ValueError(f"horizons must be whole numbers of 1 or more, got {horizon!r}")
    sums: list[Values] = []
    kinds: list[tuple[int | None, bool | None]] = []
    for block in blocks:
        kinds = _kinds(block.params)
        sums.append(np.stack([_sums(block, tier, informed, horizons) for tier, informed in kinds]))
    if not sums:
        raise ValueError("markouts need one episode or more")
    moved, volume, fills = np.moveaxis(np.concatenate(sums, axis=-1), 1, 0)  # each (kinds, horizons, episodes)
    return [
        Markout(*kind, int(fills[i, 0].sum()), {h: ratio(moved[i, j], volume[i, j]) for j, h in enumerate(horizons)})
        for i, kind in enumerate(kinds)
    ]


def _kinds(params: MarketParams) -> list[tuple[int | None, bool | None]]:
    """Tier and informed or not of every row; None: any."""
    tiers = [None, *range(len(params.tiers))] if len(params.tiers) > 1 else [None]
    informed = [None, True, False] if params.informed_fraction > 0 else [None]
    return list(itertools.product(tiers, informed))


def _sums(episodes: Episodes, tier: int | None, informed: bool | None, horizons: Sequence[int]) -> Values:
    """Units times move, units, and fills whatever the horizon: shape (3, horizons, episodes)."""
    chosen = episodes.filled & (tier is None or episodes.tier == tier)
    chosen = chosen & (informed is None or episodes.informed == informed)
    traded = np.where(chosen, episodes.request, 0.0)  # d v
    mid = np.insert(episodes.price, 0, episodes.params.starting_price, axis=1)
    found = np.zeros((3, len(horizons), len(episodes)))
    found[2] = chosen.sum(axis=1)
    for j, horizon in enumerate(horizons):
        early = traded[:, : max(mid.shape[1] - horizon, 0)]
        found[0, j] = -(early * (mid[:, horizon:] - mid[:, : early.shape[1]])).sum(axis=1)
        found[1, j] = np.abs(early).sum(axis=1)
    return found
