"""PPO over training seeds: what share of the gap it closes, and how fast: `python -m benchmarks.learning`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from baselines import make_policy, policy_value, scores, solve
from mm_env import MarketParams, market_params
from mm_env.console import plus_minus, print_json, print_table

if TYPE_CHECKING:
    from train.ppo import Training


@click.command(context_settings={"show_default": True})
@click.option("--market", default="mm_env/Hedging-v0", help="A market of `mm-env markets`.")
@click.option("--seeds", default=5, type=click.IntRange(2), help="Training seeds.")
@click.option("--seed", default=0, type=click.IntRange(0), help="The first of them.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the learning curve.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(market: str, seeds: int, seed: int, out: Path | None, as_json: bool) -> None:
    """Train PPO with several seeds; print the exact share of the gap each closes, and its wall time.

    Example: python -m benchmarks.learning --seeds 5 --out docs
    """
    from train import train_ppo

    params = market_params(market)
    runs = [train_ppo(market, seed=seed + i) for i in range(seeds)]
    shares = [exact_share(run, params) for run in runs]
    seconds = [run.seconds for run in runs]
    if out is not None:
        draw(runs, out / "learning.png")
    if as_json:
        print_json({"market": market, "seeds": list(range(seed, seed + seeds)), "share": shares, "seconds": seconds})
        return
    rows = [
        [str(seed + i), f"{shares[i]:.4f}", f"{runs[i].timesteps:,}", f"{seconds[i]:.0f}"] for i in range(len(runs))
    ]
    over_seeds = scores.mean(np.array(shares))
    rows.append(["mean", plus_minus(over_seeds.value, over_seeds.half_width()), "", f"{np.mean(seconds):.0f}"])
    print_table(["training seed", "share of gap", "steps", "seconds"], rows)


def exact_share(run: Training, params: MarketParams) -> float:
    """The share of the gap that the kept policy closes, its J computed by dynamic programming, not simulated."""
    rule = policy_value(make_policy("threshold", params), params)
    return (policy_value(run.policy, params) - rule) / (solve(params).value - rule)


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
