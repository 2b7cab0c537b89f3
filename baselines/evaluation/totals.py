"""Totals: what the scores need of each episode, summed up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.episodes import Episodes
from mm_env.market.dynamics import hedging_cost
from mm_env.market.numbers import Values


@dataclass(frozen=True, eq=False)
class Totals:
    """What the scores need of each episode: arrays of shape (episodes,). A million episodes take 150 MB."""

    pnl: Values  # price units
    reward: Values  # sum of rewards
    unexpected_pnl: Values  # the part of pnl that nobody could foresee
    spread_pnl: Values  # price units
    drawdown: Values  # largest fall of equity from a peak, price units
    mean_inventory: Values  # mean |inventory|, units
    max_inventory: Values  # max |inventory|, units
    hedge_volume: Values  # units
    hedge_cost: Values  # price units, impact included
    impact_cost: Values  # the part of it that is quadratic in the units hedged, price units
    inventory_pnl: Values  # price units
    at_cap: Values  # steps that end at the cap
    inventory_square: Values  # sum of q_t^2 over all steps but the last, units^2
    inventory_product: Values  # sum of q_t q_{t+1}, units^2
    steps: Values  # requests that could have come
    requests: Values  # clients that came
    fills: Values  # clients that traded
    client_volume: Values  # units traded with clients

    def __len__(self) -> int:
        """The number of episodes."""
        return len(self.pnl)

    def __getitem__(self, rows: NDArray[Any]) -> Totals:
        """Some of the episodes: by their numbers, or where `rows` is true."""
        return Totals(**{field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)})

    @classmethod
    def of(cls, episodes: Episodes) -> Totals:
        """Sum played episodes up."""
        exposure = np.abs(episodes.inventory)
        peak = np.maximum.accumulate(np.maximum(episodes.equity, 0.0), axis=1)
        return cls(
            pnl=np.array(episodes.pnl),
            reward=episodes.reward.sum(axis=1),
            unexpected_pnl=episodes.unexpected_pnl.sum(axis=1),
            spread_pnl=episodes.spread_pnl.sum(axis=1),
            drawdown=(peak - episodes.equity).max(axis=1),
            mean_inventory=exposure.mean(axis=1),
            max_inventory=exposure.max(axis=1),
            hedge_volume=np.array(episodes.cumulative_hedge[:, -1]),
            hedge_cost=episodes.hedge_cost.sum(axis=1),
            impact_cost=_impact_cost(episodes),
            inventory_pnl=episodes.inventory_pnl.sum(axis=1),
            at_cap=(exposure == episodes.params.inventory_limit).sum(axis=1, dtype=np.float64),
            inventory_square=(episodes.inventory[:, :-1] ** 2).sum(axis=1),
            inventory_product=(episodes.inventory[:, :-1] * episodes.inventory[:, 1:]).sum(axis=1),
            steps=np.full(len(episodes), float(episodes.num_trades)),
            requests=(episodes.request != 0).sum(axis=1, dtype=np.float64),
            fills=episodes.filled.sum(axis=1, dtype=np.float64),
            client_volume=(np.abs(episodes.request) * episodes.filled).sum(axis=1),
        )

    @classmethod
    def gather(cls, blocks: Iterable[Episodes]) -> Totals:
        """Sum up block after block, so that any number of episodes stays in bounded memory."""
        return cls.joined([cls.of(block) for block in blocks])

    @classmethod
    def joined(cls, parts: Sequence[Totals]) -> Totals:
        """Episodes after episodes."""
        return cls._combined(np.concatenate, parts)

    @classmethod
    def average(cls, several: Sequence[Totals]) -> Totals:
        """Of the same episodes played in several ways, such as from different seats."""
        return cls._combined(lambda values: np.mean(values, axis=0), several)

    @classmethod
    def summed(cls, several: Sequence[Totals]) -> Totals:
        """Of all dealers of the same episodes together."""
        return cls._combined(lambda values: np.sum(values, axis=0), several)

    @classmethod
    def _combined(cls, function: Callable[[Sequence[Values]], Values], several: Sequence[Totals]) -> Totals:
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: function([getattr(totals, name) for totals in several]) for name in names})


def _impact_cost(episodes: Episodes) -> Values:
    """What hedging cost each episode beyond what it costs by the unit and by the order, price units; by the law."""
    plain = episodes.params.replace(hedge_impact=0.0, permanent_impact=0.0)
    if plain == episodes.params:
        return np.zeros(len(episodes))
    costs = np.asarray(plain.hedge_costs)[episodes.regime]
    found = np.asarray(hedging_cost(np.abs(episodes.hedge), costs, plain)).sum(axis=1)
    if plain.liquidate_at_end and episodes.num_trades:
        found += hedging_cost(np.abs(episodes.inventory[:, -1]), costs[:, -1], plain)
    return np.asarray(episodes.hedge_cost.sum(axis=1) - found)
