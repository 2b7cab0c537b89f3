"""What several commands do with what they played: score it with a progress bar, and write figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mm_env.atomic_write import write_text
from mm_env.cli.console import progress_bar
from mm_env.market.params import MarketParams

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from baselines import Comparison
    from mm_env.envs.action import PolicyFunction
    from mm_env.market.tape import Tape

_LOOKED_AT = 200  # episodes, of which one is drawn
_MOST_FRAMES = 200  # of a moving picture: more than 20 seconds nobody watches


def compare_with_progress(
    policies: Mapping[str, PolicyFunction],
    params: MarketParams,
    episodes: int,
    seed: int,
    tape: Tape | None,
    workers: int = 1,
) -> Comparison:
    """Play several policies on the same tapes, with a progress bar."""
    from baselines import compare

    with progress_bar("playing", episodes * len(policies)) as advance:
        return compare(policies, params, episodes, seed, tape, advance, workers)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Say that the file, or folder, was written where it was."""
    yield path
    click.echo(f"wrote {path}", err=True)


def write_page(path: Path, text: str) -> None:
    """Save a text and say where."""
    with writing(path):
        write_text(path, text)


def write_figure(path: Path, figure: Figure) -> None:
    """Save a figure and say where."""
    from mm_env.plotting import save_figure

    with writing(path):
        save_figure(figure, path)


def draw_episodes(
    paths: Mapping[str, Path],
    policies: Mapping[str, PolicyFunction],
    params: MarketParams,
    market: str,
    seed: int,
    tape: Tape | None,
) -> None:
    """Save the charts of one episode under each policy, still or moving as the ending of the path says.

    It is the first that shows hedges and rejections where they occur, the same for all policies.

    Args:
        paths: Where to, by policy; those of one still picture stand in it side by side.
        policies: Those to play.
        params: The market.
        market: Its name in the titles.
        seed: Of the episodes.
        tape: Played instead, if given.
    """
    from mm_env.plotting import MOVIES, episode_frames, plot_episode, save_movie, telling_episode
    from mm_env.rollout import play

    episodes = _LOOKED_AT if tape is None else min(_LOOKED_AT, tape.num_episodes)
    played = {name: play(policy, params, episodes, seed, tape) for name, policy in policies.items()}
    index = telling_episode(played.values())
    origin = f"seed {seed}" if tape is None else "recorded tape"
    for path in dict.fromkeys(paths.values()):
        runs = {name: run for name, run in played.items() if paths[name] == path}
        (name, run), *others = runs.items()
        title = f"{market}, {origin}, episode {index}" if others else f"{name} in {market}, {origin}, episode {index}"
        if path.suffix.lower() in MOVIES:
            every = -(-run.num_trades // _MOST_FRAMES)
            with writing(path), progress_bar("drawing frames"):
                save_movie(episode_frames(run, index, title, every), path)
        else:
            write_figure(path, plot_episode(runs if others else run, index, title))


def draw_policies(out: Path, name: str, policies: Mapping[str, PolicyFunction], params: MarketParams) -> None:
    """Save the charts of what policies would do: hedge thresholds, and quotes where the agent quotes."""
    from mm_env.plotting import plot_policies, plot_quotes

    write_figure(out / f"{name}.png", plot_policies(policies, params))
    if params.quote_levels > 1 and params.arrival_probability > 0:
        write_figure(out / f"{name}-quotes.png", plot_quotes(policies, params))


def file_name(policy: str) -> str:
    """The name of a policy as part of a file's name."""
    return "".join(c if c.isalnum() else "-" for c in policy).strip("-")
