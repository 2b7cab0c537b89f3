"""`mm-env train`: train PPO and save the policy; an interrupted run goes on with --resume."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mm_env.cli.console import print_json, print_table
from mm_env.cli.options import DEFAULT_MARKET, Command, Place, json_option, read_changes, set_option

if TYPE_CHECKING:
    from train.many_seeds import TrainResult

_LISTED = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")


@click.command(cls=Command)
@click.option("--market", help=f"A market of `mm-env markets`.  [default: {DEFAULT_MARKET}]")
@set_option
@click.option("--seed", type=click.IntRange(0), help="Seed of the training.  [default: 0]")
@click.option("--seeds", metavar="0-9", help="A run for each of these seeds, in folders in that of --out: 0-4,7.")
@click.option("--workers", type=click.IntRange(1), help="Processes, for --seeds.  [default: 1]")
@click.option("--steps", type=click.IntRange(1), help="Environment steps in all.  [default: of the hyperparameters]")
@click.option("--time-limit", type=click.FloatRange(0, min_open=True), help="Stop after so many seconds.")
@click.option("--patience", type=click.IntRange(1), help="Stop after so many evaluations without a rise.")
@click.option("--out", "run_dir", type=Place(folder=True), default=Path("runs/ppo"), help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Go on with the run in that folder; if it has ended, to more --steps.")
@json_option
def train(
    market: str | None,
    changes: tuple[str, ...],
    seed: int | None,
    seeds: str | None,
    workers: int | None,
    steps: int | None,
    time_limit: float | None,
    patience: int | None,
    run_dir: Path,
    resume: bool,
    as_json: bool,
) -> None:
    """Train PPO and save the policy; an interrupted run goes on with --resume.

    The objective, the share of the gap from the threshold rule to the optimum, and the share beyond, of that from the
    best fixed rule, are exact where the market can be solved, else of held-out episodes.

    Example: mm-env train --seed 0 --out runs/ppo-0 && mm-env simulate --policy runs/ppo-0
    """
    from train.many_seeds import TrainResult, train_seeds
    from train.ppo import train_ppo

    asked: dict[str, Any] = {"env_kwargs": read_changes(changes) or None, "total_timesteps": steps, "resume": resume}
    asked |= {"patience": patience, "time_limit": time_limit}
    if seeds is None and workers is not None:
        raise click.UsageError("--workers is for --seeds: one run is trained by one process")
    if seeds is not None and seed is not None:
        raise click.UsageError("give --seed or --seeds, not both")
    if seeds is not None or not sys.stderr.isatty():  # else there is a bar
        click.echo(f"training PPO in {run_dir} ...", err=True)
    try:
        if seeds is None:
            results = [TrainResult.of(train_ppo(market, seed=seed, run_dir=run_dir, **asked))]
        else:
            results = []
            for result in train_seeds(market, read_seeds(seeds), run_dir, workers=workers or 1, **asked):
                results.append(result)
                said = f"seed {result.seed}: objective {result.objective:.4f} after {result.seconds:.0f} s"
                click.echo(said, err=True)
            results.sort(key=lambda result: result.seed)
    except KeyboardInterrupt:
        if run_dir.exists():
            again = ["mm-env", "train", *(["--seeds", seeds] if seeds else []), "--out", str(run_dir), "--resume"]
            click.echo(f"go on with: {shlex.join(again)}", err=True)
        raise
    for result in results:
        where = shlex.join(["mm-env", "simulate", "--policy", result.run])
        click.echo(f"the policy is in {result.run}: {where}", err=True)
    if as_json:
        told = [_figures(result) for result in results]
        print_json(told[0] if seeds is None else told)
    else:
        _print_results(results)
    for result in results:
        for remark in result.remarks:
            click.echo(remark if seeds is None else f"seed {result.seed}: {remark}", err=True)


def read_seeds(text: str) -> list[int]:
    """The seeds that a text lists.

    Example:
        >>> read_seeds("0-2,7")
        [0, 1, 2, 7]
    """
    if not _LISTED.fullmatch(text):
        raise ValueError(f"--seeds {text}: expected numbers and ranges such as 0-9 or 0-4,7")
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds.extend(range(int(first), int(last or first) + 1))
    return seeds


def _figures(result: TrainResult) -> dict[str, Any]:
    found = result._asdict()
    del found["remarks"]
    return found


def _print_results(results: list[TrainResult]) -> None:
    rows = [
        [
            result.run,
            f"{result.steps:,}",
            f"{result.objective:.4f}",
            f"{result.share:.4f}",
            f"{result.share_beyond:.4f}" if result.exact else "",
            f"{result.seconds:.0f}",
        ]
        for result in results
    ]
    if len(results) > 1:
        names = ("objective", "share", "share_beyond")
        rows.append(["mean", "", *(_over_seeds([getattr(result, name) for result in results]) for name in names), ""])
    print_table(["run", "steps", "objective", "share", "share beyond", "seconds"], rows)


def _over_seeds(values: list[float]) -> str:
    """Mean with 95 % interval."""
    import numpy as np

    from baselines.evaluation import scores
    from mm_env.intervals import plus_minus

    mean = scores.mean(np.array(values))
    return plus_minus(mean.value, mean.half_width()) if np.isfinite(mean.value) else ""
