"""`mm-env train`: train an agent and save the policy; an interrupted run of PPO goes on with --resume."""

from __future__ import annotations

import re
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mm_env.cli.console import print_json, print_table
from mm_env.cli.options import DEFAULT_MARKET, Command, Place, json_option, ray_option, read_changes, set_option
from mm_env.cli.randomise import read_ranges, refuse_options, train_over_ranges
from mm_env.cli.rivals import train_among_rivals
from mm_env.intervals import with_interval
from mm_env.registration import has_rivals

if TYPE_CHECKING:
    from train.many_seeds import TrainResult

# as in train.algorithms, which imports PyTorch; a test compares them
ALGOS = ("ppo", "deep-hedging", "a2c", "dqn", "sac", "td3", "tqc", "crossq", "recurrent-ppo", "maskable-ppo")
_LISTED = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")


@click.command(cls=Command)
@click.option("--market", help=f"A market of `mm-env markets`.  [default: {DEFAULT_MARKET}]")
@set_option
@click.option("--seed", type=click.IntRange(0), help="Seed of the training.  [default: 0]")
@click.option("--seeds", metavar="0-9", help="A run for each of these seeds, in folders in that of --out: 0-4,7.")
@click.option("--workers", type=click.IntRange(1), help="Processes, for --seeds.  [default: 1]")
@ray_option
@click.option("--steps", type=click.IntRange(1), help="Environment steps in all.  [default: of the hyperparameters]")
@click.option("--time-limit", type=click.FloatRange(0, min_open=True), help="Stop after so many seconds.")
@click.option("--patience", type=click.IntRange(1), help="Stop after so many evaluations that bring no rise.")
@click.option(
    "--algo",
    default="ppo",
    type=click.Choice(ALGOS),
    show_default=True,
    help="ppo and deep-hedging are ours; others of Stable-Baselines3 and sb3-contrib.",
)
@click.option("--track", type=click.Choice(["wandb", "mlflow"]), help="Log to this tracker too.")
@click.option(
    "--randomise",
    metavar="NAME=LOW:HIGH,...",
    help="Draw these parameters of the market for every episode, for one policy that serves all of them.",
)
@click.option("--hide-parameters", is_flag=True, help="With --randomise: the agent does not see them.")
@click.option("--out", "run_dir", type=Place(folder=True), default=Path("runs/ppo"), help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Go on with the run in that folder; if it has ended, to more --steps.")
@json_option
def train(
    market: str | None,
    changes: tuple[str, ...],
    seed: int | None,
    seeds: str | None,
    workers: int | None,
    ray: str | None,
    steps: int | None,
    time_limit: float | None,
    patience: int | None,
    algo: str,
    track: str | None,
    randomise: str | None,
    hide_parameters: bool,
    run_dir: Path,
    resume: bool,
    as_json: bool,
) -> None:
    """Train an agent and save the policy; an interrupted run of PPO goes on with --resume.

    The objective, the share of the gap from the threshold rule to the optimum, and the share beyond, of that from the
    best fixed rule, are exact where the market can be solved, else of fresh episodes. With --randomise there is a row
    for each of nine markets spread over the ranges, each against its own rules and its own optimum. In
    mm_env/DealerVsRules-v0 there is a row for the agent and for each of its rivals.

    Example: mm-env train --seed 0 --out runs/ppo-0 && mm-env simulate --policy runs/ppo-0
    """
    asked: dict[str, Any] = {"env_kwargs": read_changes(changes) or None, "total_timesteps": steps}
    limits = {"patience": patience, "time_limit": time_limit}
    others = {"seed": seed, "seeds": seeds, "workers": workers, "ray": ray, "track": track, "resume": resume}
    if randomise is not None:
        refuse_options({**others, **limits, "seed": None, "resume": None, "algo": algo != "ppo"}, "--randomise")
        asked |= {"shown": not hide_parameters, "seed": seed or 0, "run_dir": run_dir, "resume": resume}
        train_over_ranges(market, read_ranges(randomise), asked, as_json)
        return
    if hide_parameters:
        raise click.UsageError("--hide-parameters is for --randomise")
    if market is not None and has_rivals(market):
        refuse_options({**others, **limits, "seed": None, "algo": algo != "ppo"}, f"--market {market}")
        train_among_rivals(market, seed or 0, run_dir, asked, as_json)
        return
    _check_together(algo, {**others, **limits})
    if algo == "ppo":
        asked |= {**limits, "resume": resume}
    if seeds is not None or not sys.stderr.isatty():  # else there is a bar
        click.echo(f"training {algo.upper()} in {run_dir} ...", err=True)
    try:
        if algo != "ppo":
            results = [_other(algo, market, seed, run_dir, asked)]
        elif seeds is None:
            results = [_one(market, seed, track, run_dir, asked)]
        else:
            results = _several(market, read_seeds(seeds), run_dir, {**asked, "workers": workers or 1, "ray": ray})
    except KeyboardInterrupt:
        if run_dir.exists() and algo == "ppo":
            again = ["mm-env", "train", *(["--seeds", seeds] if seeds else []), "--out", str(run_dir), "--resume"]
            click.echo(f"go on with: {shlex.join(again)}", err=True)
        raise
    for result in results if algo == "ppo" else []:
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


def _check_together(algo: str, given: dict[str, Any]) -> None:
    """Refuse options that do not go together."""
    named = {name.replace("_", "-") for name, value in given.items() if value is not None and value is not False}
    if algo != "ppo" and (only := sorted(named - {"seed"})):
        raise click.UsageError(f"--{only[0]} is for --algo ppo, not for {algo}")
    if (only := sorted(named & {"workers", "ray"})) and "seeds" not in named:
        raise click.UsageError(f"--{only[0]} is for --seeds: one run is trained by one process")
    for name in ("seed", "track"):
        if {name, "seeds"} <= named:
            raise click.UsageError(f"give --{name} or --seeds, not both")


def _one(market: str | None, seed: int | None, track: str | None, run_dir: Path, asked: dict[str, Any]) -> TrainResult:
    from train.many_seeds import TrainResult
    from train.ppo import train_ppo

    if track is None:
        return TrainResult.of(train_ppo(market, seed=seed, run_dir=run_dir, **asked))
    from train.trackers import Tracker

    given = {"market": market, "seed": seed, **asked}
    tracker = Tracker(track, str(run_dir), {name: value for name, value in given.items() if value is not None})
    try:
        return TrainResult.of(train_ppo(market, seed=seed, run_dir=run_dir, writers=[tracker], **asked))
    finally:
        tracker.close()


def _several(market: str | None, seeds: list[int], run_dir: Path, asked: dict[str, Any]) -> list[TrainResult]:
    from train.many_seeds import train_seeds

    results = []
    for result in train_seeds(market, seeds, run_dir, **asked):
        results.append(result)
        click.echo(f"seed {result.seed}: objective {result.objective:.4f} after {result.seconds:.0f} s", err=True)
    return sorted(results, key=lambda result: result.seed)


def _other(algo: str, market: str | None, seed: int | None, run_dir: Path, asked: dict[str, Any]) -> TrainResult:
    from train.many_seeds import TrainResult

    start, given = time.monotonic(), {"seed": seed or 0, "run_dir": run_dir, **asked}
    if algo == "deep-hedging":
        from train.deep_hedging.deep_hedger import train_deep_hedger

        hedger = train_deep_hedger(market or DEFAULT_MARKET, **given)
        steps, score = hedger.timesteps, hedger.score
    else:
        from train.algorithms import train_algorithm

        found = train_algorithm(algo, market or DEFAULT_MARKET, **given)
        steps, score = found.timesteps, found.score
    seconds, nan = time.monotonic() - start, float("nan")
    shares = (nan, nan) if score.exact is None else (score.exact.share, score.exact.share_beyond)
    remarks = [f"The settings of {algo} were chosen in VolatilityRegimes alone, by a few tries; --algo ppo is tuned."]
    if score.exact is None:
        remarks.append(f"J is of 2,000 episodes played: {with_interval(score.objective, score.standard_error)}.")
    known = score.exact is not None
    return TrainResult(seed or 0, str(run_dir), steps, score.objective, known, *shares, seconds, remarks)


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

    mean = scores.mean(np.array(values))
    return str(mean) if np.isfinite(mean.value) else ""
