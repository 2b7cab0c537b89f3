"""Cells: the texts and values of a column as numbers, sides, flags and times, or an error that names the cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from mm_env.market.numbers import Values
from mm_env.market.recordings.table import Table, TableError

_SIDES = {"buy": 1.0, "b": 1.0, "bought": 1.0, "sell": -1.0, "s": -1.0, "sold": -1.0}
_FLAGS = {"true": True, "t": True, "yes": True, "y": True, "false": False, "f": False, "no": False, "n": False}
_MISSING = ("", "na", "n/a", "nan", "null", "none", "nat", "-", "<na>", "#n/a")


def numbers(table: Table, name: str, decimal: str, most: float = np.inf, finite: bool = True) -> Values:
    """A column of finite numbers of at most this size; not `finite`: of numbers that may be infinite."""
    cells = table.column(name)
    if cells.dtype.kind == "b":
        refuse(table, name, 0, "true and false are no numbers")
    if cells.dtype.kind in "iuf" and not _is_extension(cells):
        values: Values = cells.to_numpy(np.float64)
    else:
        values = _parsed(_texts(cells), decimal)
    bad = ~np.isfinite(values) if finite else np.isnan(values)
    if bad.any():
        refuse(table, name, int(np.argmax(bad)), f"not a {'finite ' * finite}number" + _hint(table, name, decimal))
    if (np.abs(values) > most).any():
        refuse(table, name, int(np.argmax(np.abs(values) > most)), f"beyond {most:g}")
    return values


def whole_numbers(table: Table, name: str, decimal: str, low: int, high: int) -> Values:
    """A column of whole numbers within a range."""
    values = numbers(table, name, decimal)
    bad = (values != np.round(values)) | (values < low) | (values > high)
    if bad.any():
        refuse(table, name, int(np.argmax(bad)), f"not a whole number from {low} to {high}")
    return values


def sides(table: Table, name: str, decimal: str, true: str | None) -> Values:
    """A column of sides: +1, -1 and 0; buy and sell, b and s; or true and false, if it is told what true means."""
    cells = table.column(name)
    codes = dict(_SIDES)
    if true is not None:
        codes |= {text: _SIDES[true] * (1 if flag else -1) for text, flag in _FLAGS.items()}
    if cells.dtype.kind in "iuf" and not _is_extension(cells):
        values: Values = cells.to_numpy(np.float64)
    else:
        texts = _texts(cells)
        if true is None and (flags := texts.str.casefold().isin(["true", "false"]).to_numpy(bool)).any():
            refuse(table, name, int(np.argmax(flags)), "does true mean that the client buys? Say true='buy' or 'sell'")
        values = _coded(texts, codes, decimal)
    bad = ~np.isin(values, (-1.0, 0.0, 1.0))
    if bad.any():
        refuse(table, name, int(np.argmax(bad)), "not a side: +1 or buy (the client buys), -1 or sell, 0 (nobody came)")
    return values


def flags(table: Table, name: str) -> NDArray[np.bool_]:
    """A column of true and false: also yes and no, 1 and 0."""
    values = _coded(_texts(table.column(name)), {text: float(flag) for text, flag in _FLAGS.items()}, ".")
    bad = ~np.isin(values, (0.0, 1.0))
    if bad.any():
        refuse(table, name, int(np.argmax(bad)), "not true or false, yes or no, 1 or 0")
    return np.asarray(values == 1.0)


def labels(table: Table, name: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The index of every cell among the different ones, and these in order: as numbers where they are, else as text."""
    texts = _texts(table.column(name))
    absent = texts.str.casefold().isin(_MISSING).to_numpy(bool)
    if absent.any():
        refuse(table, name, int(np.argmax(absent)), "missing")
    codes, found = texts.factorize()
    number = _parsed(found.to_series(), ".")
    order = np.argsort(number if np.isfinite(number).all() else np.asarray(found, dtype=str), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[codes], tuple(str(found[place]) for place in order)


def times(table: Table, name: str, decimal: str) -> tuple[Values, bool]:
    """A column of times as numbers, as they stand, or seconds since 1970 or midnight; and whether they are of dates."""
    import pandas as pd

    cells = table.column(name)
    if cells.dtype.kind in "iuf" and not _is_extension(cells):
        return numbers(table, name, decimal), False
    if cells.dtype.kind == "M":
        found = cells
    else:
        texts = _texts(cells)
        values = _parsed(texts, decimal)
        if np.isfinite(values[:1]).all():
            return numbers(table, name, decimal), False
        clock = texts.str.fullmatch(r"\d+:\d\d(:\d\d([.,]\d+)?)?")
        if clock.iloc[0]:
            spans = texts.where(texts.str.count(":") != 1, texts + ":00").str.replace(",", ".")
            found = pd.to_timedelta(spans, errors="coerce")
        else:
            found = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    missing = found.isna().to_numpy(bool)
    if missing.any():
        refuse(table, name, int(np.argmax(missing)), "not a time: a number, ISO 8601 (2024-05-31 09:30:00) or HH:MM:SS")
    if found.dtype.kind == "M":
        if getattr(found.dtype, "tz", None) is not None:
            found = found.dt.tz_convert("UTC").dt.tz_localize(None)
        return np.asarray(found.to_numpy("M8[ns]").astype(np.int64) / 1e9), True
    return np.asarray(found.to_numpy("m8[ns]").astype(np.int64) / 1e9), False


def decimal_mark(table: Table, names: list[str], told: str | None) -> str:
    """The decimal mark of the columns of numbers: as told, or as their cells leave no doubt about.

    Raises:
        ValueError: Every comma may as well part thousands.
    """
    if told is not None:
        return told
    doubtful: tuple[str, int] | None = None
    for name in names:
        cells = table.column(name)
        if cells.dtype.kind in "biufM":
            continue
        texts = _texts(cells)
        comma = texts.str.fullmatch(r"[+-]?\d*,\d+").to_numpy(bool)
        if not comma.any() or texts.str.contains(".", regex=False).any():
            continue
        if (comma & ~texts.str.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}").to_numpy(bool)).any():
            return ","
        doubtful = doubtful or (name, int(np.argmax(comma)))
    if doubtful is not None:
        refuse(table, *doubtful, "a decimal comma or one between thousands? Say decimal=',' or write it without")
    return "."


def refuse(table: Table, name: str, place: int, why: str) -> NoReturn:
    """Raise the `ValueError` of one cell: file, row, column, what stands there, and what is wrong with it."""
    cell = table.column(name).iloc[place]
    text = repr(str(cell)) if not isinstance(cell, str) else repr(cell)
    missing = str(cell).strip().casefold() in _MISSING
    told = f"missing ({text})" if missing else text
    raise TableError(f"{table.where}, row {table.row(place)}, column {name!r}: {told}: {why}")


def _is_extension(cells: Any) -> bool:
    return not isinstance(cells.dtype, np.dtype)


def _texts(cells: Any) -> Any:
    """The cells as text without spaces around it; nothing where a cell is missing."""
    import pandas as pd

    if not isinstance(cells.dtype, pd.StringDtype):
        cells = cells.astype(object).where(cells.notna(), "").astype(str)
    return cells.fillna("").str.strip()


def _parsed(texts: Any, decimal: str) -> Values:
    """Texts as numbers, NaN where one is none."""
    import pandas as pd

    if decimal == ",":
        texts = texts.where(~texts.str.contains(".", regex=False), "").str.replace(",", ".", regex=False)
    found: Values = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
    return found


def _coded(texts: Any, codes: Mapping[str, float], decimal: str) -> Values:
    """Texts by their codes, and as numbers where they have none."""
    known = texts.str.casefold().map(codes).to_numpy(np.float64)
    return known if not np.isnan(known).any() else np.where(np.isnan(known), _parsed(texts, decimal), known)


def _hint(table: Table, name: str, decimal: str) -> str:
    cells = table.column(name)
    if decimal == "." and cells.dtype.kind not in "iuf" and _texts(cells).str.contains(",", regex=False).any():
        return "; with a decimal comma, say decimal=','"
    return ""
