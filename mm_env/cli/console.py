"""What the command line prints: tables that paste into Markdown, JSON, and progress on standard error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from threading import Timer
from typing import Any

import click
import numpy as np

_WIDE = 200  # columns of a table that is read by no terminal, so that it pastes
_WHOLE = 24  # characters: cells of a column as narrow as that stay on one line
_SLOW = 2.0  # seconds: what takes longer says so


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table; on a terminal too narrow for it, one line for each cell."""
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDE
    table, least = Table(box=MARKDOWN), 1
    for name, *cells in zip(header, *rows, strict=True):
        natural = max(map(len, (name, *cells)))
        table.add_column(name, no_wrap=natural <= _WHOLE)
        least += 3 + min(natural, _WHOLE)
    for row in rows:
        table.add_row(*row)
    if least <= console.width:
        console.print(table)
    else:
        _print_records(header, rows, console.width)


def _print_records(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> None:
    """A block for each row: its first cell, and the others indented below, each after its name."""
    margin = 2 + max(map(len, header[1:]), default=0)
    for first, *cells in rows:
        click.echo(f"{header[0]}: {first}")
        for name, cell in zip(header[1:], cells, strict=True):
            lines = wrap(cell, max(width - margin - 3, 1), break_on_hyphens=False)
            for place, line in enumerate(lines):
                click.echo(f"  {('' if place else name).ljust(margin)}{line}")


def print_rows(header: Sequence[str], rows: Sequence[Sequence[str]], as_json: bool) -> None:
    """Print rows as a table, or as a JSON list of objects."""
    if as_json:
        print_json([dict(zip(header, row, strict=True)) for row in rows])
    else:
        print_table(header, rows)


def print_json(value: Any) -> None:
    """Print strict JSON: NaN and infinities become null."""
    click.echo(json.dumps(_finite(value), indent=2))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


@contextmanager
def progress_bar(task: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, or where that is no terminal a line if it takes long; yields what advances it.

    Args:
        task: What is done, in a word or two.
        total: How much there is to do; None: nobody knows.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if console.is_terminal:
        with Progress(console=console, transient=True) as progress:
            number = progress.add_task(task, total=total)
            yield lambda done: progress.advance(number, done)
        return
    line = Timer(_SLOW, lambda: console.print(f"{task} ..."))
    line.daemon = True
    line.start()
    try:
        yield lambda done: None
    finally:
        line.cancel()
