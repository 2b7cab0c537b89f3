"""Totals: what the scores need of each episode, summed up; from what was kept of its steps, or step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.episodes import RECORDED, Episodes
from mm_env.market.dynamics import Decision, Move, Step, hedging_cost
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.numbers import ElementaryFunctions, Number, Values, size
from mm_env.market.params import MarketParams


class Told(NamedTuple):
    """What totals are made of: numbers of one step, or arrays of shape (episodes, trades)."""

    request: Any  # these are arrays of `Episodes`
    inventory: Any
    filled: Any
    hedge: Any
    spread_pnl: Any
    hedge_cost: Any
    inventory_pnl: Any
    reward: Any
    equity: Any
    cumulative_hedge: Any
    unexpected_pnl: Any
    inventory_before: Any  # one step before, 0 at the first, units
    peak: Any  # largest equity so far, at least 0, price units
    unit_cost: Any  # what hedging a unit costs, price units
    last: Any  # whether the episode ends with the step


class Total(NamedTuple):
    """One number of an episode: the last, the largest, the sum or the mean of one of each step."""

    of: str  # "last", "largest", "sum" or "mean"
    value: Callable[[Told, MarketParams], Any]


TOTALS: Mapping[str, Total] = {
    "pnl": Total("last", lambda told, params: told.equity),
    "reward": Total("sum", lambda told, params: told.reward),
    "unexpected_pnl": Total("sum", lambda told, params: told.unexpected_pnl),
    "spread_pnl": Total("sum", lambda told, params: told.spread_pnl),
    "drawdown": Total("largest", lambda told, params: told.peak - told.equity),
    "mean_inventory": Total("mean", lambda told, params: size(told.inventory)),
    "max_inventory": Total("largest", lambda told, params: size(told.inventory)),
    "hedge_volume": Total("last", lambda told, params: told.cumulative_hedge),
    "hedge_cost": Total("sum", lambda told, params: told.hedge_cost),
    "impact_cost": Total("sum", lambda told, params: _impact_cost(told, params)),
    "inventory_pnl": Total("sum", lambda told, params: told.inventory_pnl),
    "at_cap": Total("sum", lambda told, params: size(told.inventory) == params.inventory_limit),
    "inventory_square": Total("sum", lambda told, params: told.inventory_before * told.inventory_before),
    "inventory_product": Total("sum", lambda told, params: told.inventory_before * told.inventory),
    "steps": Total("sum", lambda told, params: 1.0),
    "requests": Total("sum", lambda told, params: told.request != 0),
    "fills": Total("sum", lambda told, params: told.filled),
    "client_volume": Total("sum", lambda told, params: size(told.request) * told.filled),
}


@dataclass(frozen=True, eq=False)
class Totals:
    """What the scores need of each episode: arrays of shape (episodes,). A million episodes take 150 MB.

    `TOTALS` says how each is made.
    """

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
        """Sum played episodes up: in the order of their steps, so that an episode's totals are its own."""
        told, params = _told(episodes), episodes.params

        def over_time(total: Total) -> Values:
            values = np.ascontiguousarray(np.broadcast_to(total.value(told, params), episodes.inventory.shape).T)
            if total.of == "last":
                return np.array(values[-1])
            if total.of == "largest":
                return np.asarray(values.max(axis=0))
            alone = values.shape[1] == 1  # one column would be summed in pairs
            summed = values.cumsum(axis=0, dtype=np.float64)[-1] if alone else values.sum(axis=0, dtype=np.float64)
            return np.asarray(summed / len(values) if total.of == "mean" else summed)

        return cls(**{name: over_time(total) for name, total in TOTALS.items()})

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


class RunningTotals(NamedTuple):
    """The totals of the steps so far, and what the next step needs of the one before."""

    peak: Number
    inventory: Number
    so_far: tuple[Number, ...]  # in the order of `TOTALS`

    @classmethod
    def start(cls) -> RunningTotals:
        """Before the first step: adding to -0.0 leaves any number as it is."""
        start = {"last": 0.0, "largest": -np.inf, "sum": -0.0, "mean": -0.0}
        return cls(0.0, 0.0, tuple(start[total.of] for total in TOTALS.values()))

    @staticmethod
    def numbers() -> int:
        """How many they are."""
        return 2 + len(TOTALS)

    def after(
        self,
        state: ExogenousState,
        decision: Decision,
        step: Step,
        move: Move,
        params: MarketParams,
        xp: ElementaryFunctions,
    ) -> RunningTotals:
        """With one more step."""
        names = Told._fields[: Told._fields.index("inventory_before")]
        known = {name: RECORDED[name].value(state, decision, step, move, params) for name in names}
        peak = xp.maximum(self.peak, step.book.equity)
        told = Told(**known, inventory_before=self.inventory, peak=peak, unit_cost=move.hedge_cost, last=move.last)

        def added(total: Total, before: Any) -> Any:
            value = total.value(told, params)
            if total.of == "last":
                return value
            return xp.maximum(before, value) if total.of == "largest" else before + value

        so_far = tuple(map(added, TOTALS.values(), self.so_far))
        return RunningTotals(peak, step.book.inventory, so_far)

    @staticmethod
    def ended(numbers: Values, steps: int) -> Totals:
        """The totals of episodes that had so many steps; their numbers in order, shape (numbers, episodes)."""
        named = zip(TOTALS.items(), numbers[-len(TOTALS) :], strict=True)
        return Totals(**{name: values / steps if total.of == "mean" else values for (name, total), values in named})


def _told(episodes: Episodes) -> Told:
    """All steps of played episodes."""
    known = {name: values for name, values in episodes.arrays().items() if name in Told._fields}
    before = np.zeros_like(episodes.inventory)
    before[:, 1:] = episodes.inventory[:, :-1]
    return Told(
        **known,
        inventory_before=before,
        peak=np.maximum.accumulate(np.maximum(episodes.equity, 0.0), axis=1),
        unit_cost=np.asarray(episodes.params.hedge_costs)[episodes.regime],
        last=np.arange(1, episodes.num_trades + 1) == episodes.num_trades,
    )


def _impact_cost(told: Told, params: MarketParams) -> Any:
    """What hedging cost beyond what it costs by the unit and by the order, price units; by the law."""
    plain = params.replace(hedge_impact=0.0, permanent_impact=0.0)
    if plain == params:
        return 0.0
    cost = hedging_cost(size(told.hedge), told.unit_cost, plain)
    if plain.liquidate_at_end:
        cost = cost + told.last * hedging_cost(size(told.inventory), told.unit_cost, plain)
    return told.hedge_cost - cost
