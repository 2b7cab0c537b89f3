"""`mm-env train`: train PPO and save the policy; an interrupted run goes on with --resume."""

from __future__ import annotations

from pathlib import Path

import click

from mm_env.cli.console import print_json, print_table
from mm_env.cli.options import DEFAULT_MARKET, Command, Place, json_option, read_changes, set_option


@click.command(cls=Command)
@click.option("--market", help=f"A market of `mm-env markets`.  [default: {DEFAULT_MARKET}]")
@set_option
@click.option("--seed", type=click.IntRange(0), help="Seed of the training.  [default: 0]")
@click.option("--steps", type=click.IntRange(1), help="Environment steps in all.  [default: of the hyperparameters]")
@click.option("--run", "run_dir", type=Place(folder=True), default=Path("runs/ppo"), help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Go on with the interrupted run in that folder, as it was begun.")
@json_option
def train(
    market: str | None,
    changes: tuple[str, ...],
    seed: int | None,
    steps: int | None,
    run_dir: Path,
    resume: bool,
    as_json: bool,
) -> None:
    """Train PPO and save the policy; an interrupted run goes on with --resume.

    J and the shares are exact where the market can be solved, else of held-out episodes.

    Example: mm-env train --seed 0 --run runs/ppo-0 && mm-env simulate --policy runs/ppo-0
    """
    from train.ppo import train_ppo

    env_kwargs = read_changes(changes) or None
    run = train_ppo(market, env_kwargs=env_kwargs, seed=seed, total_timesteps=steps, run_dir=run_dir, resume=resume)
    exact = run.exact
    objective, share = (run.objective, run.share) if exact is None else (exact.objective, exact.share)
    found = {
        "run": str(run_dir),
        "steps": run.timesteps,
        "J": objective,
        "exact": exact is not None,
        "share": share,
        "share_beyond": float("nan") if exact is None else exact.share_beyond,
        "seconds": run.seconds,
    }
    if as_json:
        print_json(found)
    else:
        beyond = "" if exact is None else f"{exact.share_beyond:.4f}"
        row = [str(run_dir), f"{run.timesteps:,}", f"{objective:.4f}", f"{share:.4f}", beyond, f"{run.seconds:.0f}"]
        print_table(["run", "steps", "J", "share of gap", "from best rule", "seconds"], [row])
    for remark in run.remarks():
        click.echo(remark, err=True)
