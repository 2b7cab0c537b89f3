"""`mm-env replicate`: published experiments in this market, their numbers beside ours."""

from __future__ import annotations

from pathlib import Path

import click

from mm_env.cli.console import print_json, print_table, progress_bar
from mm_env.cli.options import Command, json_option, out_option, seed_option, workers_option
from mm_env.cli.outputs import write_page


@click.command(cls=Command)
@click.option(
    "--experiment",
    "experiments",
    multiple=True,
    help="avellaneda-stoikov, cartea-jaimungal, barzykin-bergault-gueant, bergault-bodor-gueant, nutz-webster-zhao or "
    "winners-curse; repeatable."
    "  [default: all of them]",
)
@click.option("--episodes", default=10_000, type=click.IntRange(2), help="Episodes to play where one is simulated.")
@seed_option
@workers_option
@out_option()
@json_option
def replicate(
    experiments: tuple[str, ...], episodes: int, seed: int, workers: int, out: Path | None, as_json: bool
) -> None:
    """Run published experiments in this market; print their numbers beside ours; exit code 1 if one disagrees.

    With --out, write replications.md there. All of them take about a minute.

    Example: mm-env replicate --experiment avellaneda-stoikov --episodes 2000
    """
    from baselines.reference_check import HEADER
    from baselines.replications.registry import EXPERIMENTS, page
    from baselines.replications.registry import replicate as replicated

    names = experiments or tuple(EXPERIMENTS)
    parts = sum(len(EXPERIMENTS[name].parts) for name in names if name in EXPERIMENTS)
    with progress_bar("replicating", parts) as advance:
        found = replicated(names, episodes, seed, advance, workers)
    if as_json:
        figures = {name: [figure.to_dict() for figure in figures] for name, figures in found.items()}
        print_json({"episodes": episodes, "seed": seed, "experiments": figures})
    else:
        print_table(HEADER, [figure.row() for figures in found.values() for figure in figures])
    if out is not None:
        write_page(out / "replications.md", page(found, episodes, seed))
    missed = [figure.name for figures in found.values() for figure in figures if not figure.agrees]
    if missed:
        raise click.ClickException(f"not as published: {'; '.join(missed)}")
