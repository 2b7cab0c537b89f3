"""What several commands do with what they played: score it with a progress bar, and write figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mm_env.cli.console import progress_bar
from mm_env.market.params import MarketParams

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from baselines import Comparison
    from mm_env.envs.action import PolicyFunction
    from mm_env.market.tape import Tape


def compare_with_progress(
    policies: Mapping[str, PolicyFunction], params: MarketParams, episodes: int, seed: int, tape: Tape | None
) -> Comparison:
    """Play several policies on the same tapes, with a progress bar."""
    from baselines import compare

    with progress_bar("playing", episodes * len(policies)) as advance:
        return compare(policies, params, episodes, seed, tape, advance)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Say that the file, or folder, was written where it was."""
    yield path
    click.echo(f"wrote {path}", err=True)


def write_figure(path: Path, figure: Figure) -> None:
    """Save a figure and say where."""
    from mm_env.plotting import save_figure

    with writing(path):
        save_figure(figure, path)


def draw_policies(out: Path, name: str, policies: Mapping[str, PolicyFunction], params: MarketParams) -> None:
    """Save the charts of what policies would do: hedge thresholds, and quotes where the agent quotes."""
    from mm_env.plotting import plot_policies, plot_quotes

    write_figure(out / f"{name}.png", plot_policies(policies, params))
    if params.quote_levels > 1 and params.arrival_probability > 0:
        write_figure(out / f"{name}-quotes.png", plot_quotes(policies, params))


def file_name(policy: str) -> str:
    """The name of a policy as part of a file's name."""
    return "".join(c if c.isalnum() else "-" for c in policy).strip("-")
