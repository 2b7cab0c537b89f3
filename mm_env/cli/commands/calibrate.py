"""`mm-env calibrate`: a market from a file of trades, with the estimates' intervals, as a file that --market takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from mm_env.cli.console import print_json, print_table, progress_bar
from mm_env.cli.inputs import read_market, read_tape, warnings_told
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
from mm_env.intervals import with_interval

if TYPE_CHECKING:
    from baselines.calibration.sensitivity import Shortfall


@click.command(cls=Command)
@with_options(trades_argument, *reading_options, market_option, set_option)
@click.option("--keep", multiple=True, metavar="FIELD", help="Leave as --market and --set have it; repeatable.")
@click.option("--out", type=Place(folder=False), help="Where to write the market, as my-market.toml.")
@click.option("--sensitivity", "draws", type=click.IntRange(1), help="What errors cost, in so many drawn markets.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Seed of the drawn markets.")
@json_option
def calibrate(
    recorded: Path,
    market: str,
    changes: tuple[str, ...],
    keep: tuple[str, ...],
    out: Path | None,
    draws: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Estimate a market from a FILE of trades; what the file cannot tell is that of --market and --set.

    Example: mm-env calibrate example --set spread=0.05 --out my-market.toml
    """
    from baselines.calibration.estimates import calibrate as calibrated
    from baselines.calibration.market_file import write_market
    from baselines.calibration.sensitivity import sensitivity

    if out is not None and out.suffix != ".toml":
        raise ValueError(f"--out {out}: a market is written as .toml")
    tape = read_tape(recorded)
    base = read_market(market, changes)
    with warnings_told(), progress_bar("estimating"):
        found = calibrated(tape, base, keep)
    markets = sensitivity(found, draws, seed) if draws else []
    if as_json:
        drawn = [each._asdict() for each in markets]
        estimates = {name: figure._asdict() for name, figure in found.estimates.items()}
        print_json(
            {
                "estimates": estimates,
                "kept": list(found.kept),
                "left_out": list(found.left_out),
                "market": found.params.to_dict(),
                "drawn": drawn,
            }
        )
    else:
        rows = [[name, with_interval(*figure)] for name, figure in found.estimates.items()]
        print_table(["parameter", "estimate, 95 %"], rows)
        if found.left_out:
            click.echo(f"\nnot told apart from 0, so that the market is without: {', '.join(found.left_out)}")
        click.echo(f"\nnot told by the file, or to be kept: {', '.join(found.kept)}")
        if markets:
            _print_shortfalls(markets)
    if out is not None:
        with writing(out):
            write_market(found, out, str(recorded))


def _print_shortfalls(markets: Sequence[Shortfall]) -> None:
    """How far what is best for the estimate falls short of the optimum of the drawn markets."""
    optimum, policy, rule = np.array(markets).T
    rows = [
        [name, f"{short.mean():.5f}", f"{short.max():.5f}"]
        for name, short in (("optimal for the estimate", optimum - policy), ("best fixed rule for it", optimum - rule))
    ]
    mean = f"({optimum.mean():.4f} on average)"
    click.echo(f"\nIn {len(markets)} markets drawn from the errors, short of their optimum {mean}:\n")
    print_table(["policy", "mean, price units", "worst"], rows)
