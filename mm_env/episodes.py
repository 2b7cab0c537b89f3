"""Episodes: what happened, as arrays of shape (episodes, trades). Plots and scores read nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mm_env import market
from mm_env.files import replacing
from mm_env.market import Move, Request, Step
from mm_env.params import MarketParams

if TYPE_CHECKING:
    import pandas as pd

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Episodes:
    """Played episodes. Every array has shape (episodes, trades) and tells how things stand at the end of a step.

    Attributes:
        params: The market they were played in.
        request: Signed units the client asked for: > 0 he buys, < 0 he sells, 0 nobody came.
        inventory: After trade and hedge, units.
        price: The mid after the move, price units.
        filled: Whether the client traded.
        hedge: Signed units hedged: negative sells.
        spread_pnl: Earned from the spread, price units, as are all amounts below.
        hedge_cost: Paid for hedging, >= 0.
        inventory_pnl: Inventory times price move.
        risk_penalty: Running penalty, >= 0.
        reward: spread_pnl - hedge_cost + inventory_pnl - risk_penalty.
        equity: Cash plus inventory at the mid: the PnL so far.
        unrealized_pnl: inventory * (price - trade price) - hedge cost of the last filled trade.
        cumulative_hedge: Units hedged so far.
        surprise: inventory_pnl less its expectation given what the dealer knew (0 on a recorded tape).
    """

    params: MarketParams
    request: Values
    inventory: Values
    price: Values
    filled: NDArray[np.bool_]
    hedge: Values
    spread_pnl: Values
    hedge_cost: Values
    inventory_pnl: Values
    risk_penalty: Values
    reward: Values
    equity: Values
    unrealized_pnl: Values
    cumulative_hedge: Values
    surprise: Values

    def __len__(self) -> int:
        """The number of episodes."""
        return int(self.inventory.shape[0])

    def __getitem__(self, rows: int | slice) -> Episodes:
        """Some of the episodes, or one: `episodes[0]` has shape (1, trades)."""
        if not isinstance(rows, slice):
            rows = slice(range(len(self))[rows], range(len(self))[rows] + 1)
        return Episodes(self.params, **{name: a[rows] for name, a in self.arrays().items()})

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
        names = blocks[0].arrays()
        return cls(
            blocks[0].params,
            **{name: np.concatenate([getattr(b, name).T for b in blocks], axis=1).T for name in names},
        )

    def to_dataframe(self, first: int = 0) -> pd.DataFrame:
        """A row per trade with columns episode (from `first`), trade (from 1) and the arrays by name. Needs pandas."""
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("tables need pandas: pip install 'mm_env[data]'") from error
        indices: NDArray[Any] = np.indices(self.inventory.shape)
        columns = {"episode": indices[0] + first, "trade": indices[1] + 1, **self.arrays()}
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
                table.to_parquet(temporary, index=False)


def save_csv(blocks: Iterable[Episodes], path: str | Path) -> None:
    """Write the rows of `to_dataframe` of one block after another, in bounded memory, whole or not at all."""
    first = 0
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        for block in blocks:
            block.to_dataframe(first).to_csv(file, index=False, header=first == 0)
            first += len(block)


CHANNELS: Mapping[str, Callable[[Request, Step, Move], market.Number]] = {
    "request": lambda request, step, move: request.wanted,
    "inventory": lambda request, step, move: step.book.inventory,
    "price": lambda request, step, move: step.book.mid,
    "filled": lambda request, step, move: step.filled,
    "hedge": lambda request, step, move: step.hedge,
    "spread_pnl": lambda request, step, move: step.spread_pnl,
    "hedge_cost": lambda request, step, move: step.hedge_cost,
    "inventory_pnl": lambda request, step, move: step.inventory_pnl,
    "risk_penalty": lambda request, step, move: step.risk_penalty,
    "reward": lambda request, step, move: market.realised_reward(step, move),
    "equity": lambda request, step, move: step.book.equity,
    "unrealized_pnl": lambda request, step, move: step.book.unrealized_pnl,
    "cumulative_hedge": lambda request, step, move: step.book.cumulative_hedge,
    "surprise": lambda request, step, move: step.inventory_pnl - market.expected_pnl(step, move),
}


class Recorder:
    """Writes what the law returned, step after step, into the arrays of `Episodes`."""

    def __init__(self, params: MarketParams, episodes: int) -> None:
        self._params = params
        shape = (params.num_trades, episodes)  # a step writes a row
        self._rows = {name: np.empty(shape, bool if name == "filled" else float) for name in CHANNELS}
        self._steps = 0

    def record(self, request: Request, step: Step, move: Move) -> None:
        """Append one step of every episode."""
        for name, value in CHANNELS.items():
            self._rows[name][self._steps] = value(request, step, move)
        self._steps += 1

    def episodes(self) -> Episodes:
        """What has been recorded so far."""
        return Episodes(self._params, **{name: rows[: self._steps].T for name, rows in self._rows.items()})
