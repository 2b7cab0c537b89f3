"""How near two learners come to an equilibrium: `python -m benchmarks.self_play --out docs` writes self-play.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np

from baselines import make_policy
from baselines.evaluation import scores
from baselines.solver.best_response import exploitability, response_value
from benchmarks.competition import market
from mm_env import DealersParams
from mm_env.atomic_write import write_text
from mm_env.cli.console import print_json, print_table, progress_bar
from mm_env.readable import markdown_rows

if TYPE_CHECKING:
    from mm_env.envs.action import PolicyFunction

HIDDEN = ("won", "best_quote")  # what no best response could follow; inventories, request and time are seen
RULES = ("threshold:3", "linear-skew:0.02:3", "glft:3")
POINTS = 12  # evaluations of a run
HEADER = ("steps", "exploitability", "J of a dealer", "exploitability / J")


class Point(NamedTuple):
    """A policy in both seats."""

    seed: int
    steps: int
    exploitability: float  # what the best response to it would gain, price units
    objective: float  # J of each dealer, price units


def duel() -> DealersParams:
    """Two dealers who see each other's inventory, in a market that is solved in a second."""
    return market(2, transparent=True, inventory_limit=8, num_trades=50)


@click.command(context_settings={"show_default": True})
@click.option("--seeds", default=3, type=click.IntRange(2), help="Training seeds.")
@click.option("--seed", default=0, type=click.IntRange(0), help="The first of them.")
@click.option("--steps", default=2_400_000, type=click.IntRange(POINTS), help="Steps of both dealers together.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for self-play.md and self-play.png.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(seeds: int, seed: int, steps: int, out: Path | None, as_json: bool) -> None:
    """Let one network learn in both seats of a market; print its exact exploitability as it learns.

    Example: python -m benchmarks.self_play --seeds 2 --steps 1200000
    """
    runs = []
    with progress_bar("training", seeds * (POINTS + 1)) as progress:
        for number in range(seed, seed + seeds):
            runs.append(played(duel(), number, steps, progress))
    if as_json:
        print_json([point._asdict() for run in runs for point in run])
    else:
        print_table(HEADER, _rows(runs))
    if out is not None:
        draw(runs, out / "self-play.png")
        write_text(out / "self-play.md", _page(runs, f"--seeds {seeds} --seed {seed} --steps {steps}"))


def played(params: DealersParams, seed: int, steps: int, progress: Callable[[int], None]) -> list[Point]:
    """Train once; how exploitable the policy is at the beginning and as it learns."""
    from stable_baselines3.common.callbacks import BaseCallback

    from train.dealer import dealer_policy, train_dealer

    points: list[Point] = []

    class Watch(BaseCallback):
        """Assesses the policy between updates."""

        def _on_step(self) -> bool:
            return True

        def _on_rollout_start(self) -> None:
            if self.num_timesteps >= len(points) * steps / POINTS:
                self.assess()

        def _on_training_end(self) -> None:
            self.assess()

        def assess(self) -> None:
            policy = dealer_policy(self.model, params, hidden=HIDDEN)
            points.append(_point(policy, params, seed, self.num_timesteps))
            progress(1)

    train_dealer(params, seed=seed, total_timesteps=steps, hidden=HIDDEN, callback=Watch(), progress=False)
    return points


def _point(policy: PolicyFunction, params: DealersParams, seed: int, steps: int) -> Point:
    return Point(seed, steps, exploitability(policy, params), response_value(policy, params, [policy]))


def _rows(runs: list[list[Point]]) -> list[list[str]]:
    rows = []
    for points in zip(*runs, strict=True):
        gains, values = (np.array([getattr(p, name) for p in points]) for name in ("exploitability", "objective"))
        share = f"{gains.mean() / values.mean():.1%}" if values.mean() > 0 else ""
        rows.append([f"{points[0].steps:,}", str(scores.mean(gains)), str(scores.mean(values)), share])
    return rows


def draw(runs: list[list[Point]], path: Path) -> None:
    """Exploitability over training, a line for each seed."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    from mm_env.plotting import save_figure
    from mm_env.plotting.style import series_style, tidy

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for number, run in enumerate(runs):
        steps, gains = zip(*((point.steps / 1e6, point.exploitability) for point in run), strict=True)
        axes.plot(steps, gains, **series_style(number), ms=4, lw=1.6, label=f"seed {run[0].seed}")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    tidy(axes)
    axes.set_xlabel("steps of both dealers together, millions")
    axes.set_ylabel("exploitability, price units\n(exact; 0 is an equilibrium)")
    axes.legend(frameon=False)
    save_figure(figure, path)


def _page(runs: list[list[Point]], options: str) -> str:
    params = duel()
    rules = [_point(make_policy(name, params), params, 0, 0) for name in RULES]
    ends, least = _rows(runs)[-1], min(zip(rules, RULES, strict=True), key=lambda pair: pair[0].exploitability)[1]
    rows = [[name, f"{p.exploitability:.4f}", f"{p.objective:.4f}"] for name, p in zip(RULES, rules, strict=True)]
    lines = [
        "# Two dealers who learn",
        "",
        f"Written by `python -m benchmarks.self_play {options} --out docs`. One network learns in both seats of "
        "`mm_env/Dealers-v0` with two dealers, 50 requests and a cap of 8, in which each sees the other's inventory, "
        "the request and the time left (PPO by `train.dealer.train_dealer`, settings of `mm_env/DealerVsRules-v0`). "
        "*Exploitability* is what the exact best response to the policy (`baselines.best_response`) earns over the "
        "policy itself, both against it: 0 is an equilibrium of the two. Nothing is simulated; ± is a 95 % interval "
        "over training seeds.",
        "",
        "![Exploitability over training](self-play.png)",
        "",
        *markdown_rows(HEADER, _rows(runs)),
        "",
        "The same of fixed rules:",
        "",
        *markdown_rows(("rule in both seats", "exploitability", "J of a dealer"), rows),
        "",
        f"So the learners end where a best response would still gain {ends[1]} of their {ends[2]}; of these rules "
        f"`{least}` is the least exploitable.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
