"""`mm-env compete`: several dealers for the same clients, and a league table with intervals."""

from __future__ import annotations

from pathlib import Path

import click

from mm_env.cli.console import print_json, progress_bar
from mm_env.cli.inputs import read_policy
from mm_env.cli.options import Command, json_option, out_option, read_changes, seed_option, set_option, workers_option
from mm_env.cli.outputs import write_figure
from mm_env.cli.tables import print_league
from mm_env.registration import DEALERS, dealers_params


@click.command(cls=Command)
@click.option("--market", default=DEALERS, help="A market of `mm-env markets`, for several dealers.")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    default=("threshold:3:0.03", "linear-skew", "avellaneda-stoikov"),
    help="A policy of `mm-env policies`, or a folder of a saved one; repeatable, the same one may sit twice.",
)
@click.option("--seats", hidden=True, help="The same, separated by commas: the old spelling.")
@click.option("--episodes", default=20_000, type=click.IntRange(2), help="Episodes; each is played from every seat.")
@set_option
@seed_option
@workers_option
@out_option("matplotlib")
@json_option
def compete(
    market: str,
    policies: tuple[str, ...],
    seats: str | None,
    episodes: int,
    changes: tuple[str, ...],
    seed: int,
    workers: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Let several dealers compete for the same clients; print a league table with 95 % intervals.

    Each policy has every seat in turn, on the same tapes. --set takes the parameters of `mm_env.DealersParams`:
    view_noise=0.01, transparent=true, ...

    Example: mm-env compete --policy threshold:3:0.03 --policy threshold:10:0.04 --episodes 2000
    """
    from baselines.evaluation.league import league
    from mm_env.envs.dealers_market import play_dealers

    names = list(policies) if seats is None else [name.strip() for name in seats.split(",")]
    asked = {"num_dealers": len(names), **read_changes(changes)}
    if asked["num_dealers"] != len(names):
        raise ValueError(f"num_dealers={asked['num_dealers']}, but --policy names {len(names)}")
    params = dealers_params(market, **asked)
    chosen = {}
    with progress_bar("making the policies"):
        for seat, name in enumerate(names):
            label = name if names.count(name) == 1 else f"{name} ({names[: seat + 1].count(name)})"
            chosen[label] = read_policy(name, params, seed + seat, trust_pickle=False)
    with progress_bar("playing", episodes * len(names)) as advance:
        result = league(chosen, params, episodes, seed, advance, workers)
    if as_json:
        print_json(result.to_dict())
    else:
        print_league(result)
    if out is not None:
        from mm_env.plotting import plot_dealers

        played = play_dealers(list(chosen.values()), params, 1, seed)
        write_figure(out / "dealers.png", plot_dealers(dict(zip(chosen, played, strict=True))))
