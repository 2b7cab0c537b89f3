"""Episodes: what happened, as arrays of shape (episodes, trades). Plots and scores read nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.atomic_write import replacing
from mm_env.extras import needed_for
from mm_env.market import dynamics
from mm_env.market.dynamics import Decision, Move, Step
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.numbers import Flag, Index, Number, Values
from mm_env.market.params import MarketParams
from mm_env.readable import Readable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Episodes(Readable):
    """Played episodes. Every array has shape (episodes, trades) and tells how things stand at the end of a step.

    Attributes:
        params: The market they were played in.
        request: Signed units the client asked for: > 0 he buys, < 0 he sells, 0 nobody came.
        tier: Index of the client's tier.
        informed: Whether the client knew the next price move.
        regime: Index of the volatility regime.
        distance: Of the quote from the mid that the dealer knew, price units.
        inventory: After trade and hedge, units.
        price: The mid after the move, price units.
        price_move: Of the market alone, without what the dealer's own hedges did to it, price units.
        filled: Whether the client traded.
        hedge: Signed units hedged: negative sells.
        order: Signed units ordered, to be hedged `hedge_latency` steps later.
        spread_pnl: Earned from the spread, price units, as are all amounts below.
        hedge_cost: Paid for hedging, >= 0.
        inventory_pnl: Inventory times price move.
        risk_penalty: Running penalty, >= 0.
        reward: spread_pnl - hedge_cost + inventory_pnl - risk_penalty.
        equity: Cash plus inventory at the mid: the PnL so far.
        unrealized_pnl: inventory * (price - trade price) - hedge cost of the last filled trade.
        cumulative_hedge: Units hedged so far.
        unexpected_pnl: inventory_pnl less its expectation given what the dealer knew (0 on a recorded tape).
        threshold: The inventory beyond which the dealer hedged, units; NaN where actions are units to offload.
    """

    params: MarketParams
    request: Values
    tier: NDArray[np.int64]
    informed: NDArray[np.bool_]
    regime: NDArray[np.int64]
    distance: Values
    inventory: Values
    price: Values
    price_move: Values
    filled: NDArray[np.bool_]
    hedge: Values
    order: Values
    spread_pnl: Values
    hedge_cost: Values
    inventory_pnl: Values
    risk_penalty: Values
    reward: Values
    equity: Values
    unrealized_pnl: Values
    cumulative_hedge: Values
    unexpected_pnl: Values
    threshold: Values

    def __len__(self) -> int:
        """The number of episodes."""
        return int(self.inventory.shape[0])

    def __getitem__(self, rows: int | slice) -> Episodes:
        """Some of the episodes, or one: `episodes[0]` has shape (1, trades)."""
        if not isinstance(rows, slice):
            rows = slice(range(len(self))[rows], range(len(self))[rows] + 1)
        return Episodes(self.params, **{name: a[rows] for name, a in self.arrays().items()})

    def first_trades(self, trades: int) -> Episodes:
        """The episodes as they stood after so many trades: what an environment tells of one in progress."""
        return Episodes(self.params, **{name: a[:, :trades] for name, a in self.arrays().items()})

    def plot(self, index: int = 0, title: str | None = None, axes: Any = None) -> Figure:
        """The charts of one episode, as `mm_env.plotting.plot_episode` draws them."""
        from mm_env.plotting import plot_episode

        return plot_episode(self, index, title, axes)

    def facts(self) -> list[tuple[str, str]]:
        """How many there are, what they earned and what they held."""
        told = [("episodes", f"{len(self):,}"), ("trades", f"{self.num_trades:,}")]
        if self.inventory.size:
            pnl, held = self.pnl.mean(), np.abs(self.inventory)
            told += [("mean_pnl", f"{pnl:.4g}"), ("mean_inventory", f"{held.mean():.4g}"), ("max", f"{held.max():g}")]
        return [*told, ("params", repr(self.params))]

    @property
    def num_trades(self) -> int:
        """Trades per episode."""
        return int(self.inventory.shape[1])

    @property
    def pnl(self) -> Values:
        """Profit of each episode, price units: equity after the last trade so far. Shape (episodes,)."""
        return self.equity[:, -1] if self.num_trades else np.zeros(len(self))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, in the order of the class."""
        return {field.name: getattr(self, field.name) for field in fields(self)[1:]}

    @classmethod
    def concatenate(cls, blocks: Sequence[Episodes]) -> Episodes:
        """One after another, all of the same market."""
        columns = {name: [getattr(block, name) for block in blocks] for name in blocks[0].arrays()}
        return cls(blocks[0].params, **{name: _joined(parts) for name, parts in columns.items()})

    def to_dataframe(self, first: int = 0) -> pd.DataFrame:
        """A row per trade: episode (from `first`), trade (from 1) and the arrays that vary in this market, by name.

        Needs pandas.
        """
        with needed_for("tables"):
            import pandas as pd
        indices: NDArray[Any] = np.indices(self.inventory.shape)
        varying = {name: values for name, values in self.arrays().items() if RECORDED[name].varies(self.params)}
        columns = {"episode": indices[0] + first, "trade": indices[1] + 1, **varying}
        return pd.DataFrame({name: values.ravel() for name, values in columns.items()})

    def save(self, path: str | Path) -> None:
        """Write `to_dataframe()` as .csv or .parquet, whole or not at all.

        Raises:
            ValueError: Neither ending.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in (".csv", ".parquet"):
            raise ValueError(f"{path}: episodes are saved as .csv or .parquet")
        table = self.to_dataframe()
        with replacing(path) as temporary:
            if suffix == ".csv":
                table.to_csv(temporary, index=False)
            else:
                with needed_for("Parquet files"):
                    import pyarrow  # noqa: F401  # pandas names every engine that it knows instead
                table.to_parquet(temporary, index=False)


def save_csv(blocks: Iterable[Episodes], path: str | Path) -> None:
    """Write the rows of `to_dataframe` of one block after another, in bounded memory, whole or not at all."""
    first = 0
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        for block in blocks:
            block.to_dataframe(first).to_csv(file, index=False, header=first == 0)
            first += len(block)


class RecordedQuantity(NamedTuple):
    """One array of `Episodes`: what a step puts there; and, in markets where it does not vary, what it is."""

    value: Callable[[ExogenousState, Decision, Step, Move, MarketParams], Number | Index | Flag]
    dtype: type = float
    varies: Callable[[MarketParams], bool] = lambda params: True
    constant: Callable[[MarketParams], float] = lambda params: 0


RECORDED: Mapping[str, RecordedQuantity] = {
    "request": RecordedQuantity(lambda state, decision, step, move, params: state.request.signed_size),
    "tier": RecordedQuantity(
        lambda state, decision, step, move, params: state.request.tier, int, lambda params: len(params.tiers) > 1
    ),
    "informed": RecordedQuantity(
        lambda state, decision, step, move, params: state.request.informed,
        bool,
        lambda params: params.informed_fraction > 0,
    ),
    "regime": RecordedQuantity(
        lambda state, decision, step, move, params: state.observed.regime,
        int,
        lambda params: len(params.volatilities) > 1,
    ),
    "distance": RecordedQuantity(
        lambda state, decision, step, move, params: decision.distance,
        float,
        lambda params: params.quote_levels > 1,
        lambda params: params.spread,
    ),
    "inventory": RecordedQuantity(lambda state, decision, step, move, params: step.book.inventory),
    "price": RecordedQuantity(lambda state, decision, step, move, params: step.book.mid),
    "price_move": RecordedQuantity(lambda state, decision, step, move, params: move.change),
    "filled": RecordedQuantity(lambda state, decision, step, move, params: step.filled, bool),
    "hedge": RecordedQuantity(lambda state, decision, step, move, params: step.hedge),
    "order": RecordedQuantity(
        lambda state, decision, step, move, params: step.order, varies=lambda params: params.hedge_latency > 0
    ),
    "spread_pnl": RecordedQuantity(lambda state, decision, step, move, params: step.spread_pnl),
    "hedge_cost": RecordedQuantity(lambda state, decision, step, move, params: step.hedge_cost),
    "inventory_pnl": RecordedQuantity(lambda state, decision, step, move, params: step.inventory_pnl),
    "risk_penalty": RecordedQuantity(lambda state, decision, step, move, params: step.risk_penalty),
    "reward": RecordedQuantity(
        lambda state, decision, step, move, params: dynamics.realised_reward(step, move, params)
    ),
    "equity": RecordedQuantity(lambda state, decision, step, move, params: step.book.equity),
    "unrealized_pnl": RecordedQuantity(lambda state, decision, step, move, params: step.book.unrealized_pnl),
    "cumulative_hedge": RecordedQuantity(lambda state, decision, step, move, params: step.book.cumulative_hedge),
    "unexpected_pnl": RecordedQuantity(
        lambda state, decision, step, move, params: step.inventory_pnl - dynamics.expected_pnl(step, move, params)
    ),
    "threshold": RecordedQuantity(
        lambda state, decision, step, move, params: decision.threshold,
        float,
        lambda params: params.hedge_action != "units",
        lambda params: np.nan,
    ),
}


class Recorder:
    """Writes what the law returned, step after step, into the arrays of `Episodes`."""

    def __init__(self, params: MarketParams, episodes: int) -> None:
        self._params = params
        self._shape = (params.num_trades, episodes)  # a step writes a row
        self._rows: dict[str, NDArray[Any]] = {
            name: np.empty(self._shape, record.dtype) for name, record in RECORDED.items() if record.varies(params)
        }
        self._steps = 0

    def record(self, state: ExogenousState, decision: Decision, step: Step, move: Move, steps: int = 1) -> None:
        """Append one step of every episode, or several: then the numbers have shape (steps, episodes)."""
        for name, rows in self._rows.items():
            value = RECORDED[name].value(state, decision, step, move, self._params)
            rows[self._steps : self._steps + steps] = value
        self._steps += steps

    def episodes(self) -> Episodes:
        """What has been recorded so far."""
        rows = {"order": self._rows["hedge"], **self._rows}  # executed at once, unless it varies
        for name in RECORDED.keys() - rows.keys():
            constant: NDArray[Any] = np.array(RECORDED[name].constant(self._params), RECORDED[name].dtype)
            rows[name] = np.broadcast_to(constant, self._shape)
        return Episodes(self._params, **{name: rows[name][: self._steps].T for name in RECORDED})


def step_info(step: Step, cost: Number = 0.0) -> dict[str, Any]:
    """What `info` tells of a step: the named parts of the reward, the book at its end, and the cost of the cap."""
    book, filled, hedge, order, spread_pnl, hedge_cost, inventory_pnl, risk_penalty = step
    info = {
        "spread_pnl": spread_pnl,
        "hedge_cost": hedge_cost,
        "inventory_pnl": inventory_pnl,
        "risk_penalty": risk_penalty,
        "filled": filled,
        "hedge": hedge,
        "inventory": book.inventory,
        "price": book.mid,
        "equity": book.equity,
        "unrealized_pnl": book.unrealized_pnl,
        "cumulative_hedge": book.cumulative_hedge,
        "cost": cost,
    }
    if book.in_flight:
        info["order"] = order
    return info


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Blocks one after another; what never varies stays one number in memory."""
    if all(part.size and not any(part.strides) for part in parts):
        return np.broadcast_to(parts[0][:1, :1], (sum(map(len, parts)), parts[0].shape[1]))
    return np.concatenate([part.T for part in parts], axis=1).T
