"""`mm-env calibrate`: a market from a file of trades, with the estimates' intervals, as a file that --market takes."""

from __future__ import annotations

from pathlib import Path

import click

from mm_env.cli.console import print_json, print_table
from mm_env.cli.inputs import read_market, read_tape
from mm_env.cli.options import (
    Command,
    Place,
    json_option,
    market_option,
    reading_options,
    set_option,
    trades_argument,
    with_options,
)
from mm_env.cli.outputs import writing
from mm_env.intervals import half_width, plus_minus


@click.command(cls=Command)
@with_options(trades_argument, *reading_options, market_option, set_option)
@click.option("--out", type=Place(folder=False), help="Where to write the market, as my-market.toml.")
@json_option
def calibrate(recorded: Path, market: str, changes: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Estimate a market from a FILE of trades; what the file cannot tell is that of --market and --set.

    Example: mm-env calibrate example --set spread=0.05 --out my-market.toml
    """
    from baselines.calibration.estimates import calibrate as calibrated
    from baselines.calibration.market_file import write_market

    if out is not None and out.suffix != ".toml":
        raise ValueError(f"--out {out}: a market is written as .toml")
    tape = read_tape(recorded)
    found = calibrated(tape, read_market(market, changes))
    if as_json:
        estimates = {name: figure._asdict() for name, figure in found.estimates.items()}
        print_json({"estimates": estimates, "kept": list(found.kept), "market": found.params.to_dict()})
    else:
        rows = [[name, plus_minus(f.value, half_width(f.standard_error))] for name, f in found.estimates.items()]
        print_table(["parameter", "estimate, 95 %"], rows)
        click.echo(f"\nnot told by the file, kept: {', '.join(found.kept)}")
    if out is not None:
        with writing(out):
            write_market(found, out, str(recorded))
