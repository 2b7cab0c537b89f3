"""Where policies lose what they lack to the optimum: `python -m benchmarks.shortfall --market mm_env/Latency-v0`."""

from __future__ import annotations

import click
import numpy as np

from baselines.evaluation.gap import Gap
from baselines.evaluation.shortfall import shortfall
from mm_env import market_params
from mm_env.cli.console import print_json, print_table
from mm_env.cli.inputs import read_policy


@click.command(context_settings={"show_default": True})
@click.option("--market", default="mm_env/Latency-v0", help="Of `mm-env markets`.")
@click.option("--policy", "names", multiple=True, default=("ppo",), help="A name, or the folder of a run; repeatable.")
@click.option("--parts", default=10, type=click.IntRange(1), help="Of the episode, of as many requests each.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Of policies that are made with one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(market: str, names: tuple[str, ...], parts: int, seed: int, as_json: bool) -> None:
    """Print what a policy loses to the optimum in each part of the episode, as a share of what no fixed rule can have.

    Example: python -m benchmarks.shortfall --market mm_env/Latency-v0 --policy ppo --parts 20
    """
    params, gap = market_params(market), Gap.of(market_params(market))
    rows, found = [], []
    for name in names:
        lost = shortfall(read_policy(name, params, seed, False), params) / (gap.optimum - gap.rule)
        pieces = [float(piece.sum()) + 0.0 for piece in np.array_split(lost, parts)]
        found.append({"policy": name, "from_best_rule": 1.0 - sum(pieces), "lost": pieces})
        rows.append([name, f"{1.0 - sum(pieces):.4f}", *(f"{piece:.4f}" for piece in pieces)])
    if as_json:
        print_json(found)
        return
    ends = np.cumsum([len(piece) for piece in np.array_split(np.arange(params.num_trades), parts)])
    print_table(["policy", "from best rule", *(f"lost to request {end}" for end in ends)], rows)


if __name__ == "__main__":
    main()
