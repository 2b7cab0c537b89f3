"""`mm-env simulate`: play one policy, print its scores, save every step and draw an episode, still or moving."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mm_env.cli.console import print_json, progress_bar
from mm_env.cli.inputs import episodes_to_play, read_policy, read_replay
from mm_env.cli.options import Command, Place, movie_path, play_options
from mm_env.cli.outputs import compare_with_progress, draw_episodes, writing
from mm_env.cli.tables import markout_rows, print_markouts, print_scores
from mm_env.market.params import MarketParams

if TYPE_CHECKING:
    from baselines.evaluation.markouts import Markout
    from mm_env.envs.action import PolicyFunction
    from mm_env.market.tape import Tape


@click.command(cls=Command)
@click.option("--policy", default="threshold", help="A policy of `mm-env policies`, or a folder of a saved one.")
@click.option("--markout", is_flag=True, help="How the mid moves after a fill too: by tier, and informed or not.")
@click.option(
    "--animate",
    type=Place(folder=False),
    callback=movie_path,
    help="A .gif or .mp4 file: the charts of an episode as it is played. MP4 needs ffmpeg.",
)
@play_options(1000, "matplotlib", "pandas")
def simulate(
    policy: str,
    markout: bool,
    animate: Path | None,
    market: str,
    changes: tuple[str, ...],
    episodes: int,
    seed: int,
    recorded: Path | None,
    out: Path | None,
    as_json: bool,
    trust_pickle: bool,
) -> None:
    """Play one policy; print its scores, save every step and draw an episode, still or moving.

    Example: mm-env simulate --policy threshold:10 --episodes 1000 --seed 0 --out out/simulate
    """
    from mm_env.rollout import play_blocks

    params, tape = read_replay(market, changes, recorded, seed)
    with progress_bar("making the policy"):
        chosen = {policy: read_policy(policy, params, seed, trust_pickle)}
    comparison = compare_with_progress(chosen, params, episodes_to_play(episodes, tape), seed, tape)
    found = _markouts(chosen[policy], params, episodes_to_play(episodes, tape), seed, tape) if markout else None
    if as_json:
        print_json(comparison.to_dict() | ({"markouts": markout_rows(found)} if found else {}))
    else:
        print_scores(comparison, policy)
        if found:
            print_markouts(found)
    if out is not None:
        from mm_env.episodes import save_csv

        steps = play_blocks(chosen[policy], params, episodes_to_play(episodes, tape), seed, tape)
        with writing(out / "episodes.csv") as path, progress_bar("writing every step"):
            save_csv(steps, path)
    pictures = [path for path in (out and out / "episode.png", animate) if path is not None]
    for path in pictures:
        draw_episodes({policy: path}, chosen, params, " ".join([market, *changes]), seed, tape)


def _markouts(
    policy: PolicyFunction, params: MarketParams, episodes: int, seed: int, tape: Tape | None
) -> list[Markout]:
    from baselines.evaluation.markouts import markouts
    from mm_env.rollout import play_blocks

    with progress_bar("following the mid after fills"):
        return markouts(play_blocks(policy, params, episodes, seed, tape))
