"""`mm-env inspect`: what a file of trades was understood to be, what it holds, and what looks wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from mm_env.cli.console import print_json, print_table
from mm_env.cli.inputs import read_tape
from mm_env.cli.options import Command, json_option, out_option, reading_options, trades_argument, with_options
from mm_env.cli.outputs import write_figure
from mm_env.intervals import half_width, with_interval
from mm_env.market.recordings.recording import Recording
from mm_env.market.recordings.summary import Measured, Summary


@click.command(cls=Command)
@with_options(trades_argument, *reading_options, out_option("matplotlib"), json_option)
def inspect(recorded: Path, out: Path | None, as_json: bool) -> None:
    """What was read from a FILE of trades, what it holds with 95 % intervals, and what looks wrong.

    Example: mm-env inspect trades.csv --column sizes=qty --out out/inspect
    """
    tape = read_tape(recorded, told=False)
    summary = tape.summary()
    assert tape.recording is not None
    if as_json:
        print_json({"read": _read(tape.recording), **_with_intervals(summary.to_dict())})
    else:
        print_summary(summary, tape.recording)
    if out is not None:
        from mm_env.plotting import plot_tape

        write_figure(out / "inspect.png", plot_tape(tape))


def print_summary(summary: Summary, recording: Recording) -> None:
    """What was read and what it holds, as tables."""
    read = ", ".join(f"{role} from {column!r}" for role, column in recording.columns.items())
    click.echo(f"{recording.where}: {summary.rows:,} rows; {read}\n")
    rows = [
        ["requests", f"{summary.clients:,}", "rows in which a client came"],
        ["episodes", f"{summary.episodes:,} of {summary.num_trades:,}", "of so many rows each"],
        ["buys", _told(summary.buys), "share of clients who buy"],
        ["repeats", _told(summary.repeats), "share of clients from the side of the one before"],
        ["volatility", _told(summary.volatility), "standard deviation of a price move, price units"],
        [
            "sizes",
            "{:g} / {:.4g} / {:g}".format(*summary.sizes),
            f"smallest, mean, largest; {summary.different_sizes} different",
        ],
    ]
    if summary.span is not None:
        rows.append(["span", " to ".join(_time(each, recording.dated) for each in summary.span), "first and last time"])
    if summary.gaps is not None:
        rows.append(["gaps", "{:g} / {:g}".format(*summary.gaps), "median and longest between rows"])
    rows += [[f"accepted, {name}", _told(share), "share of quotes"] for name, share in summary.accepted.items()]
    print_table(["figure", "value", "meaning"], rows)
    click.echo("\nMean move of the mid after a request, price units per unit; positive is good for the dealer:\n")
    horizons = [f"{horizon} request{'s' * (horizon > 1)} on" for horizon in summary.markouts["all"]]
    print_table(
        ["clients", "requests", *horizons],
        [[name, f"{summary.tiers[name]:,}", *map(_told, found.values())] for name, found in summary.markouts.items()],
    )
    for remark in summary.remarks:
        click.echo(f"\nlooks wrong: {remark}")


def _time(time: float, dated: bool) -> str:
    """A time as in the file: a date with the time of day, UTC, a number, or seconds since midnight."""
    return str(np.datetime64(round(time * 1000), "ms")).removesuffix(".000") if dated else f"{time:g}"


def _told(figure: Measured) -> str:
    return with_interval(*figure)


def _read(recording: Recording) -> dict[str, Any]:
    return {
        "file": recording.where,
        "columns": dict(recording.columns),
        "left_over": list(recording.left_over),
        "separator": recording.separator,
        "decimal": recording.decimal,
        "duplicates": recording.duplicates,
    }


def _with_intervals(value: Any) -> Any:
    """Every measured figure with its 95 % interval."""
    if isinstance(value, Measured):
        half = half_width(value.standard_error)
        interval = [value.value - half, value.value + half]
        return {"value": value.value, "standard_error": value.standard_error, "interval": interval}
    return {name: _with_intervals(each) for name, each in value.items()} if isinstance(value, dict) else value
