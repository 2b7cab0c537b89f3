"""Recording: a table of trades as arrays, one row for each episode, with word of how it was understood."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.market.numbers import Values
from mm_env.market.recordings import cells
from mm_env.market.recordings.columns import assign_columns
from mm_env.market.recordings.table import Table, TableError, check_last_row, read_table

LARGEST_SIZE = 1_000_000
LARGEST_MOVE = 1e9
_MOST = 32  # tiers, and regimes
_NUMBERS = ("request", "sizes", "price_moves", "mid", "bid", "ask", "quote", "reservation")  # may have decimal commas


class TapeWarning(UserWarning):
    """Something about a recorded tape that may well be wrong."""


@dataclass(frozen=True, eq=False)
class Recording:
    """What was read. Arrays have shape (episodes, trades), in the order of the episodes' first rows.

    Attributes:
        where: The file, or "data frame".
        columns: The column that each role was read from.
        left_over: The columns that nothing was read from.
        separator: Between the cells of a text file; None in others.
        decimal: The decimal mark.
        episodes: The label of every episode.
        sides: +1 the client buys, -1 he sells, 0 nobody came.
        price_moves: Of the mid after the request, price units.
        sizes: Units.
        time: As in the file, or seconds since 1970 or midnight; None without such a column, as below.
        dated: Whether the times are dates, in seconds since 1970, UTC.
        tier: Index among `tiers`.
        tiers: The labels of the tiers.
        accepted: Whether the client accepted the quote.
        quote: Its distance from the mid, price units.
        reservation: The largest distance that the client would have accepted, price units.
        regime: Index of the volatility regime.
        duplicates: Rows that repeat another one in every column, the time included.
    """

    where: str
    columns: Mapping[str, str]
    left_over: tuple[str, ...]
    separator: str | None
    decimal: str
    episodes: tuple[str, ...]
    sides: Values
    price_moves: Values
    sizes: Values
    time: Values | None = None
    dated: bool = False
    tier: NDArray[np.int64] | None = None
    tiers: tuple[str, ...] = ()
    accepted: NDArray[np.bool_] | None = None
    quote: Values | None = None
    reservation: Values | None = None
    regime: Values | None = None
    duplicates: int = 0

    def remarks(self) -> list[str]:
        """What may well be wrong with it, with numbers."""
        buys, sells = int((self.sides > 0).sum()), int((self.sides < 0).sum())
        rows = self.sides.size
        found = []
        if self.left_over:
            found.append(f"columns not used: {', '.join(map(repr, self.left_over))}")
        if self.duplicates:
            found.append(f"{self.duplicates:,} of {rows:,} rows repeat another one in every column, the time included")
        for name, number, other in (("sell", sells, buys), ("buy", buys, sells)):
            if number == 0:
                found.append(f"not a single client {name}s among {rows:,} rows: {other:,} do the other")
        if not self.price_moves.any():
            found.append(f"the mid never moves: all {rows:,} price moves are 0")
        return found


def read_recording(
    source: Any,
    columns: Mapping[str, str | None],
    sort: bool,
    separator: str | None,
    decimal: str | None,
    encoding: str | None,
    true: str | None,
) -> Recording:
    """The recording in a file or a data frame; `Tape.read` tells what the arguments are.

    Warns:
        TapeWarning: For each of its `remarks`.

    Raises:
        ValueError: It is none; the message names file, row, column and what stands there.
    """
    if true not in (None, "buy", "sell"):
        raise ValueError(f"true must be 'buy' or 'sell', what the client does where a side is true; got {true!r}")
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal must be '.' or ',', got {decimal!r}")
    table = read_table(source, separator, encoding)
    taken, left = assign_columns(table.names, columns, table.where)
    check_last_row(table, table.names)
    told = [taken[role] for role in _NUMBERS if role in taken]
    mark = cells.decimal_mark(table, told, decimal)
    found = _read(table, taken, left, mark, sort, true)
    for remark in found.remarks():
        warnings.warn(f"{table.where}: {remark}", TapeWarning, stacklevel=3)
    return found


def _read(
    table: Table, taken: Mapping[str, str], left: tuple[str, ...], decimal: str, sort: bool, true: str | None
) -> Recording:
    rows = len(table.frame)
    episode, labels = cells.labels(table, taken["episode"]) if "episode" in taken else (np.zeros(rows, np.int64), ("",))
    time, dated = cells.times(table, taken["time"], decimal) if "time" in taken else (None, False)
    side, size = _clients(table, taken, decimal, true)
    values: dict[str, Any] = {"sides": side, "sizes": size, "time": time, **_prices(table, taken, decimal)}
    tiers: tuple[str, ...] = ()
    if "tier" in taken:
        values["tier"], tiers = cells.labels(table, taken["tier"])
        if len(tiers) > _MOST:
            raise TableError(f"{table.where}: column {taken['tier']!r} tells {len(tiers)} tiers, at most {_MOST}")
    if "accepted" in taken:
        values["accepted"] = cells.flags(table, taken["accepted"])
    if "quote" in taken:
        values["quote"] = cells.numbers(table, taken["quote"], decimal)
    if "reservation" in taken:
        values["reservation"] = cells.numbers(table, taken["reservation"], decimal, finite=False)
    if "regime" in taken:
        values["regime"] = cells.whole_numbers(table, taken["regime"], decimal, 0, _MOST - 1)
    order, numbers = _order(table, episode, time if sort else None)
    shape = (len(numbers), rows // len(numbers))
    shaped = {name: each[order].reshape(shape) for name, each in values.items() if each is not None}
    if time is not None:
        _check_time(table, taken["time"], shaped["time"], order)
    if "mid" in shaped:
        shaped = _moved(shaped, table.where)
    return Recording(
        where=table.where,
        columns=dict(taken),
        left_over=left,
        separator=table.separator,
        decimal=decimal,
        episodes=tuple(labels[number] for number in numbers),
        dated=dated,
        tiers=tiers,
        duplicates=int(table.frame.duplicated().sum()) if time is not None else 0,
        **shaped,
    )


def _clients(table: Table, taken: Mapping[str, str], decimal: str, true: str | None) -> tuple[Values, Values]:
    """Sides and sizes: told apart, or as signed units."""
    if "request" in taken:
        signed = cells.whole_numbers(table, taken["request"], decimal, -LARGEST_SIZE, LARGEST_SIZE)
        return np.sign(signed), np.maximum(np.abs(signed), 1.0)
    side = cells.sides(table, taken["sides"], decimal, true)
    if "sizes" not in taken:
        return side, np.ones_like(side)
    came = side != 0
    shown = Table(table.where, table.frame[came], table.first_row)  # of nobody's request the size does not matter
    size = np.ones_like(side)
    if came.any():
        size[came] = cells.whole_numbers(shown, taken["sizes"], decimal, 1, LARGEST_SIZE)
    return side, size


def _prices(table: Table, taken: Mapping[str, str], decimal: str) -> dict[str, Values]:
    if "price_moves" in taken:
        return {"price_moves": cells.numbers(table, taken["price_moves"], decimal, LARGEST_MOVE)}
    if "mid" in taken:
        return {"mid": cells.numbers(table, taken["mid"], decimal)}
    bid, ask = (cells.numbers(table, taken[role], decimal) for role in ("bid", "ask"))
    if (bid > ask).any():
        place = int(np.argmax(bid > ask))
        cells.refuse(table, taken["bid"], place, f"a bid above the ask, {ask[place]:g}")
    return {"mid": (bid + ask) / 2.0}


def _order(table: Table, episode: NDArray[np.int64], time: Values | None) -> tuple[NDArray[np.intp], list[int]]:
    """The places of the rows, episode after episode as they first appear, and the episodes' numbers."""
    numbers, first, lengths = np.unique(episode, return_index=True, return_counts=True)
    if lengths.min() != lengths.max():
        raise TableError(f"{table.where}: episodes differ in length: {sorted(set(lengths.tolist()))}")
    appears = first[np.searchsorted(numbers, episode)]
    order = np.lexsort((appears,) if time is None else (time, appears))
    return order, numbers[np.argsort(first)].tolist()


def _check_time(table: Table, name: str, time: Values, order: NDArray[np.intp]) -> None:
    """Raise `ValueError` at the first row whose time is before that of the row above it, of the same episode."""
    back = np.diff(time, axis=1) < 0
    if back.any():
        places = order.reshape(time.shape)[:, 1:][back]
        cells.refuse(table, name, int(places.min()), "earlier than the row before; sort=True (--sort) sorts by time")


def _moved(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Price moves from mids: the next request's mid less a request's own. The last request has none and is left out."""
    mid = values.pop("mid")
    if mid.shape[1] < 2:
        raise TableError(f"{where}: the moves of a mid need two requests an episode or more")
    return {name: each[:, :-1] for name, each in values.items()} | {"price_moves": np.diff(mid, axis=1)}
