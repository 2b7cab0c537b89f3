"""PPO over training seeds: what share of the gap it closes, and how fast: `python -m benchmarks.learning`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np

from baselines import policy_value
from baselines.evaluation import scores
from baselines.evaluation.gap import Gap
from mm_env import MARKETS, market_params
from mm_env.cli.console import print_json, print_table, progress_bar
from mm_env.intervals import plus_minus

if TYPE_CHECKING:
    from train.ppo import Training


class Result(NamedTuple):
    """What one training seed led to."""

    seed: int
    objective: float  # exact J of the kept policy, price units
    share: float  # of the gap between the seed's rule and the optimum
    share_beyond: float  # of the gap between the best fixed rule and the optimum
    steps: int
    seconds: float


@click.command(context_settings={"show_default": True})
@click.option("--market", default="mm_env/Hedging-v0", help="A market of `mm-env markets`, or all.")
@click.option("--seeds", default=5, type=click.IntRange(2), help="Training seeds.")
@click.option("--seed", default=0, type=click.IntRange(0), help="The first of them.")
@click.option("--recipe", default="ppo", type=click.Choice(["ppo", "plain_ppo"]), help="File of hyperparameters.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the learning curve of one market.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(market: str, seeds: int, seed: int, recipe: str, out: Path | None, as_json: bool) -> None:
    """Train PPO with several seeds; print the exact shares of the gap that each closes, and its wall time.

    J is computed by dynamic programming, not simulated.

    Example: python -m benchmarks.learning --market all --seeds 5
    """
    markets = list(MARKETS) if market == "all" else [market]
    if out is not None and len(markets) > 1:
        raise click.UsageError("--out draws one market: name it by --market")
    for name in markets:
        market_params(name)  # refuse a wrong name before anything is trained
    gaps: dict[str, Gap] = {}
    results: dict[str, list[Result]] = {}
    with progress_bar("training", len(markets) * seeds) as progress:
        for name in markets:
            gaps[name], results[name], runs = Gap.of(market_params(name)), [], []
            for number in range(seed, seed + seeds):
                runs.append(_train(name, number, recipe))
                results[name].append(_result(runs[-1], gaps[name], name))
                progress(1)
            if out is not None:
                draw(runs, out / "learning.png")
    if as_json:
        print_json([_figures(name, gaps[name], results[name]) for name in markets])
    elif market == "all":
        _print_markets(gaps, results)
    else:
        _print_seeds(gaps[market], results[market])


def _train(market: str, seed: int, recipe: str) -> Training:
    from train import train_ppo

    return train_ppo(market, seed=seed, recipe=recipe, progress=False)


def _result(run: Training, gap: Gap, market: str) -> Result:
    objective = policy_value(run.policy, market_params(market))
    return Result(run.plan.seed, objective, *gap.shares(objective), run.timesteps, run.seconds)


def _figures(market: str, gap: Gap, results: list[Result]) -> dict[str, Any]:
    return {"market": market, **gap._asdict(), "seeds": [result._asdict() for result in results]}


def _print_seeds(gap: Gap, results: list[Result]) -> None:
    rows = [[str(r.seed), *(f"{figure:.4f}" for figure in r[1:4]), f"{r.steps:,}", f"{r.seconds:.0f}"] for r in results]
    names = ("objective", "share", "share_beyond")
    rows.append(["mean", *(_over_seeds(results, name) for name in names), "", _seconds(results)])
    print_table(["training seed", "J", "share of gap", "from best rule", "steps", "seconds"], rows)
    print_table(["threshold 10", "best fixed rule", "optimum"], [[f"{value:.4f}" for value in gap]])


def _print_markets(gaps: dict[str, Gap], results: dict[str, list[Result]]) -> None:
    rows = [
        [
            market.removeprefix("mm_env/"),
            f"{gap.threshold:.4f}",
            f"{gap.rule:.4f}",
            _over_seeds(results[market], "objective"),
            f"{gap.optimum:.4f}",
            _over_seeds(results[market], "share"),
            _over_seeds(results[market], "share_beyond"),
            _seconds(results[market]),
        ]
        for market, gap in gaps.items()
    ]
    header = ["market", "threshold 10", "best rule", "PPO", "optimum", "share of gap", "from best rule", "s / seed"]
    print_table(header, rows)


def _over_seeds(results: list[Result], name: str) -> str:
    """Mean with 95 % interval."""
    mean = scores.mean(np.array([getattr(result, name) for result in results]))
    return plus_minus(mean.value, mean.half_width())


def _seconds(results: list[Result]) -> str:
    return f"{np.mean([result.seconds for result in results]):.0f}"


def draw(runs: list[Training], path: Path) -> None:
    """Share of the gap on held-out episodes against wall time, a line for each seed."""
    from matplotlib.figure import Figure

    from mm_env.plotting import save_figure

    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    axes = figure.subplots()
    for run in runs:
        axes.plot(run.curve.seconds, run.curve.share, marker=".", lw=1.2, label=f"seed {run.plan.seed}")
    axes.axhline(1.0, color="#222222", ls="--", lw=1.0, label="exact optimum")
    axes.set_ylim(0.5, 1.02)
    axes.set_xlabel("wall time, seconds (one core, evaluations included)")
    axes.set_ylabel("share of the gap closed\n(held-out episodes)")
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    save_figure(figure, path)


if __name__ == "__main__":
    main()
