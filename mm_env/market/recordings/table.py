"""Table: the cells of a file or a data frame, by column, as they stand there. Needs pandas."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_env.atomic_write import replacing
from mm_env.extras import needed_for

_SEPARATORS = ("\t", ";", "|", ",")  # in this order: a decimal comma may stand between semicolons
_MOST_BLANK = 100  # lines before the header
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_TEXT = (".csv", ".tsv", ".txt")
_COLUMNAR = {".parquet": "read_parquet", ".pq": "read_parquet", ".feather": "read_feather", ".arrow": "read_feather"}


EXAMPLE = Path(__file__).with_name("example.csv")  # a thousand requests; docs/your-own-trades.md tells where from


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a table.

    Attributes:
        where: What messages call it: the path, or "data frame".
        frame: A pandas data frame. Cells of text files are text, whatever they hold; those of others have types.
        first_row: Added to a row's label in the frame, what messages call it: the line of a text file, else from 1 on.
        separator: Between the cells of a text file; None in others.
    """

    where: str
    frame: Any
    first_row: int
    separator: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(map(str, self.frame.columns))

    def column(self, name: str) -> Any:
        """The cells of one column, a pandas series."""
        return self.frame.iloc[:, self.names.index(name)]

    def row(self, place: int) -> int:
        """The number of the row that stands at this place of a column."""
        return int(self.frame.index[place]) + self.first_row


def read_table(source: Any, separator: str | None, encoding: str | None) -> Table:
    """The table in a file, or that a data frame is.

    Args:
        source: The path of a text file (.csv, .tsv, .txt, also packed: .gz, ...), Parquet or Feather; or a data
            frame of pandas, or of any library that Arrow or the dataframe interchange protocol can read. "example":
            the tape that ships.
        separator: Between the cells of a text file; None: whichever of tab, semicolon, bar and comma its header has.
        encoding: Of a text file; None: UTF-8, or UTF-16 where a byte order mark says so.

    Raises:
        ImportError: pandas, or pyarrow where it is needed, is missing.
        ValueError: It cannot be read; the message names the file and, where one is to blame, the row.
    """
    with needed_for("recorded tapes"):
        import pandas as pd
    if not isinstance(source, str | Path):
        return _columnar("data frame", _as_pandas(source))
    path = EXAMPLE if str(source) == "example" else Path(source)
    kind = _kind(path)
    if kind in _COLUMNAR:
        with needed_for("Parquet and Feather files"):
            import pyarrow  # noqa: F401  # pandas names every engine that it knows instead
    try:
        if kind in _COLUMNAR:
            return _columnar(str(path), getattr(pd, _COLUMNAR[kind])(path))
        return _text(path, separator, encoding)
    except TableError:
        raise
    except UnicodeDecodeError as error:
        bad = error.object[error.start : error.start + 1]
        raise ValueError(f"{path}: not {encoding or 'UTF-8'}: byte {bad!r}; pass encoding=, as 'cp1252'") from error
    except Exception as error:  # the readers raise many kinds; each means that the file is not a table
        raise ValueError(f"{path}: cannot be read as {kind[1:]}: {_told(error)}") from error


class TableError(ValueError):
    """A table that can be read and is not one of recorded trades; the message names the place."""


def _as_pandas(source: Any) -> Any:
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__dataframe__"):
        with needed_for("data frames that are not of pandas"):
            import pyarrow as pa
            from pyarrow import interchange

        is_arrow = hasattr(source, "__arrow_c_stream__")
        return (pa.table(source) if is_arrow else interchange.from_dataframe(source)).to_pandas()
    raise ValueError(f"a tape is read from a path or a data frame, got {type(source).__name__}")


def _columnar(where: str, frame: Any) -> Table:
    """A table whose cells have types. An index that is more than a count of the rows is columns too."""
    import pandas as pd

    if not isinstance(frame.index, pd.RangeIndex) or frame.index.name is not None:
        frame = frame.reset_index()
    if isinstance(frame.columns, pd.MultiIndex):
        raise TableError(f"{where}: columns of several levels; name each by one word")
    return Table(where, _filled(frame.reset_index(drop=True), where), first_row=1)


def _text(path: Path, separator: str | None, encoding: str | None) -> Table:
    import pandas as pd

    encoding = encoding or _encoding(path)
    options: dict[str, Any] = {"header": None, "dtype": str, "na_filter": False, "encoding": encoding}
    options["skip_blank_lines"] = False
    lines = pd.read_csv(path, sep="\x01", quoting=csv.QUOTE_NONE, nrows=_MOST_BLANK, names=[0], **options)[0]
    blank = int((lines.str.strip() != "").argmax())
    if separator is None:
        separator = next((mark for mark in _SEPARATORS if mark in lines.iloc[blank]), r"\s+")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        cells = pd.read_csv(path, sep=separator, skiprows=blank, skipinitialspace=True, **options)
    cells = cells[(cells != "").any(axis=1)]  # lines that are blank keep their numbers, and are no rows
    header = [str(name).strip() for name in cells.iloc[0]]
    if pd.to_numeric(pd.Series(header), errors="coerce").notna().all():
        raise TableError(f"{path}, row {blank + 1}: no header, but {', '.join(map(repr, header))}")
    frame = cells.iloc[1:]
    unnamed = [place for place, name in enumerate(header) if not name and (frame.iloc[:, place] == "").all()]
    kept = [place for place in range(len(header)) if place not in unnamed]  # as a separator at every line's end makes
    frame = frame.iloc[:, kept]
    frame.columns = pd.Index([header[place] or f"(unnamed {place + 1})" for place in kept])
    return Table(str(path), _filled(frame, str(path)), first_row=blank + 1, separator=separator)


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(2)
    return "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _filled(frame: Any, where: str) -> Any:
    if len(frame) == 0:
        raise TableError(f"{where}: no rows")
    return frame


def _told(error: Exception) -> str:
    """What a reader said, with its "line" where we say "row"; the header is row 1."""
    return str(error).strip().replace("in line ", "in row ")


def write_table(columns: Mapping[str, Any], path: Path) -> None:
    """Write columns as text, Parquet or Feather, whatever the ending says; whole or not at all. Needs pandas."""
    with needed_for("recorded tapes"):
        import pandas as pd
    frame = pd.DataFrame(dict(columns))
    kind = _kind(path)
    with replacing(path) as temporary:
        if kind in _COLUMNAR:
            with needed_for("Parquet and Feather files"):
                import pyarrow  # noqa: F401
            getattr(frame, _COLUMNAR[kind].replace("read", "to"))(temporary)
        else:
            frame.to_csv(temporary, index=False, sep="\t" if kind == ".tsv" else ",")


def _kind(path: Path) -> str:
    """The ending that says what is in a file, or a `ValueError`."""
    kind = next((suffix.lower() for suffix in reversed(path.suffixes) if suffix.lower() not in _PACKED), "")
    if kind not in (*_TEXT, *_COLUMNAR):
        known = ".csv or a .parquet file, .tsv, .txt, .feather or .arrow; text may be packed (.gz, .zip, ...)"
        raise ValueError(f"{path}: a tape is a {known}")
    return kind


def check_last_row(table: Table, columns: Sequence[str]) -> None:
    """Raise `ValueError` if the last row is a total of the others."""
    from mm_env.market.recordings.columns import plain

    for name in columns:
        cell = table.column(name).iloc[-1]
        if isinstance(cell, str) and plain(cell) in (
            "total",
            "totals",
            "sum",
            "summe",
            "grandtotal",
            "average",
            "mean",
        ):
            row = table.row(len(table.frame) - 1)
            raise TableError(f"{table.where}, row {row}, column {name!r}: {cell!r}: a total is not a request")
