"""`mm-env compare`: play several policies on the same tapes, print a table with intervals, and draw them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

import click

from mm_env.cli.console import print_json, progress_bar
from mm_env.cli.inputs import COMPARED, episodes_to_play, make_policies, read_replay, usual_policies
from mm_env.cli.options import Command, play_options, workers_option
from mm_env.cli.outputs import compare_with_progress, draw_episodes, draw_policies, file_name, write_figure
from mm_env.cli.tables import print_comparison
from mm_env.market.params import MarketParams

if TYPE_CHECKING:
    from mm_env.envs.action import PolicyFunction
    from mm_env.market.tape import Tape


@click.command(cls=Command)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    help="A policy of `mm-env policies`, or a folder of a saved one; repeatable."
    f"  [default: {', '.join(COMPARED)}, as far as the market can be solved]",
)
@click.option("--ppo", is_flag=True, help="Train PPO on the spot and compare it too; --out keeps the run, as `ppo`.")
@play_options(20_000, "matplotlib")
@workers_option
def compare(
    policies: tuple[str, ...],
    ppo: bool,
    market: str,
    changes: tuple[str, ...],
    episodes: int,
    seed: int,
    recorded: Path | None,
    out: Path | None,
    as_json: bool,
    trust_pickle: bool,
    workers: int,
) -> None:
    """Play several policies on the same tapes; print a table with 95 % intervals, and draw them: two side by side.

    Example: mm-env compare --policy never --policy threshold:10 --policy optimal --out out/compare
    """
    params, tape = read_replay(market, changes, recorded, seed)
    with progress_bar("making the policies"):
        chosen = make_policies(policies, params, seed, trust_pickle) if policies else usual_policies(params, seed)
    if ppo:
        chosen["ppo"] = _trained(params, seed, None if out is None else out / "ppo")
    comparison = compare_with_progress(chosen, params, episodes_to_play(episodes, tape), seed, tape, workers)
    if as_json:
        print_json(comparison.to_dict())
    else:
        print_comparison(comparison)
    if out is not None:
        with progress_bar("drawing"):
            _draw_comparison(out, chosen, params, " ".join([market, *changes]), seed, tape)


def _trained(params: MarketParams, seed: int, run_dir: Path | None) -> PolicyFunction:
    """PPO trained now; a run that is in that folder already is moved aside, to the first free name after it."""
    from train.ppo import train_ppo
    from train.runs.train_config import CONFIG

    click.echo("training PPO", err=True)
    if run_dir is not None and (run_dir / CONFIG).is_file():
        numbered = (run_dir.with_name(f"{run_dir.name}-{number}") for number in count(1))
        aside = run_dir.rename(next(place for place in numbered if not place.exists()))
        click.echo(f"the run that was there is in {aside}", err=True)
    policy = train_ppo(params, seed=seed, run_dir=run_dir).policy
    if run_dir is not None:
        click.echo(f"the run is kept: {join(['mm-env', 'simulate', '--policy', str(run_dir)])}", err=True)
    return policy


def _draw_comparison(
    out: Path, policies: Mapping[str, PolicyFunction], params: MarketParams, market: str, seed: int, tape: Tape | None
) -> None:
    from baselines.evaluation.frontier import frontier
    from baselines.policies.random_policy import RandomPolicy
    from mm_env.plotting import plot_frontier

    abreast = len(policies) == 2
    paths = {name: out / ("episode.png" if abreast else f"episode-{file_name(name)}.png") for name in policies}
    draw_episodes(paths, policies, params, market, seed, tape)
    functions = {name: policy for name, policy in policies.items() if not isinstance(policy, RandomPolicy)}
    if functions:  # what is drawn anew each time is no chart
        draw_policies(out, "policies", functions, params)
    if tape is None:
        write_figure(out / "frontier.png", plot_frontier(frontier(policies, params, seed=seed)))
