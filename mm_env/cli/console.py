"""What the command line prints: tables that paste into Markdown, JSON, and progress on standard error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
import numpy as np

_WIDE = 200  # columns: a table that a narrow terminal wraps still pastes


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    table = Table(*header, box=MARKDOWN)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False, width=_WIDE).print(table)


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
def progress_bar(task: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error; yields the function that advances it."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        number = progress.add_task(task, total=total)
        yield lambda done: progress.advance(number, done)
