"""`mm-env benchmark`: one exact score for any agent, in a file that anyone can check."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mm_env.atomic_write import write_text
from mm_env.cli.console import print_json
from mm_env.cli.inputs import read_policy
from mm_env.cli.options import Command, Place, json_option, out_option, ray_option, trust_option
from mm_env.cli.outputs import write_page, writing
from mm_env.extras import needed_for

if TYPE_CHECKING:
    from baselines.benchmark.run import Load


@click.command(cls=Command)
@click.option(
    "--policies",
    "--policy",
    multiple=True,
    help="Agents, by commas or repeated: names of `mm-env policies`, saved policies, MODULE:FUNCTION; {market} and "
    "{seed} may stand in a path; NAME=SOURCE to name one.  [default: every rule]",
)
@click.option("--suite", default="v1", help="Which markets.")
@click.option("--market", "markets", multiple=True, help="Only this one of them; repeatable.")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one for each core]")
@ray_option
@click.option("--resume", is_flag=True, help="Keep what an interrupted run left in --out.")
@click.option(
    "--verify",
    "recorded",
    type=Place(folder=False),
    help="Recompute this results.json; exit code 1 if it differs.",
)
@click.option(
    "--robust",
    "hidden",
    is_flag=True,
    help="The robust track instead: the markets' numbers are drawn and hidden; writes robust.json and robust.md.",
)
@click.option("--html", type=Place(folder=False), help="Write a report to this file: one page, without network.")
@out_option()
@json_option
@trust_option
def benchmark(
    policies: tuple[str, ...],
    suite: str,
    markets: tuple[str, ...],
    workers: int | None,
    ray: str | None,
    resume: bool,
    recorded: Path | None,
    hidden: bool,
    html: Path | None,
    out: Path | None,
    as_json: bool,
    trust_pickle: bool,
) -> None:
    """Score agents in every market of a suite: 0 is the best fixed rule, 1 the exact optimum.

    With --out, write results.json, results.csv and results.md there. docs/benchmark.md says what the score means.

    Example: mm-env benchmark --policies best-band,optimal,ppo=runs/{market}/seed-{seed} --out out/benchmark
    """
    from baselines import POLICIES
    from baselines.benchmark import results, robust, run

    load = partial(read_policy, trust_pickle=trust_pickle)
    number = workers or os.cpu_count() or 1
    if html is not None:
        with needed_for("the report"):
            import plotly  # noqa: F401  # before anything is computed
    if recorded is not None:
        found = run.verify(recorded, load, number, ray)
        if found:
            raise click.ClickException(f"{recorded} is not what was recomputed:\n" + "\n".join(found[:10]))
        click.echo(f"{recorded}: recomputed, every number to 1e-9")
        _report(html, results.read(recorded), load, number)
        return
    kept = None if out is None else out / run.PARTIAL
    if kept is not None and not resume:
        shutil.rmtree(kept, ignore_errors=True)
    sources = [source for text in policies for source in text.split(",")] or list(POLICIES)
    if hidden:
        _place(robust.robust(sources, load, suite, markets, number, ray, _tell), out, as_json)
        return
    scored, seconds = run.benchmark(sources, load, suite, markets, number, kept, ray, _tell)
    if as_json:
        print_json(scored)
    else:
        click.echo(results.markdown(scored), nl=False)
    if out is not None and kept is not None:
        results.write(scored, out)
        rows = [f"{task},{took:.3f}" for task, took in seconds.items()]
        with writing(out):
            write_text(out / "seconds.csv", "\n".join(["task,cpu_seconds", *rows]) + "\n")
        shutil.rmtree(kept, ignore_errors=True)
    _report(html, scored, load, number)


def _place(found: dict[str, Any], out: Path | None, as_json: bool) -> None:
    """Tell and write what the robust track found."""
    from baselines.benchmark.robust import markdown

    if as_json:
        print_json(found)
    else:
        click.echo(markdown(found), nl=False)
    if out is not None:
        with writing(out):
            write_text(out / "robust.json", json.dumps(found, indent=1) + "\n")
            write_text(out / "robust.md", markdown(found))


def _report(path: Path | None, scored: dict[str, Any], load: Load, workers: int) -> None:
    """Write the page, if it was asked for: the scores, what the best agents make of the same tapes, and learning."""
    if path is not None:
        from baselines.benchmark.learning_curves import learning_curves
        from baselines.benchmark.played import played
        from baselines.benchmark.report import page

        click.echo("playing the best agents for the report", err=True)
        write_page(path, page(scored, played(scored, load, workers), learning_curves(scored)))


def _tell(done: int, every: int) -> None:
    click.echo(f"\r{done} of {every}" + ("\n" if done == every else ""), err=True, nl=False)
