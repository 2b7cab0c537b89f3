"""A million episodes played and scored in bounded memory: `python -m benchmarks.million`."""

from __future__ import annotations

import time

import click

from baselines import SCORES, Totals, make_policy
from benchmarks.throughput import peak_memory, pin_to_one_core
from mm_env import market_params, play_blocks
from mm_env.cli.console import print_json, print_table


@click.command(context_settings={"show_default": True})
@click.option("--episodes", default=1_000_000, type=click.IntRange(1), help="Episodes to play.")
@click.option("--policy", default="threshold", help="A policy of `mm-env policies`.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Seed of the episodes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(episodes: int, policy: str, seed: int, as_json: bool) -> None:
    """Play and score many episodes of one rule; print seconds, nanoseconds a step and peak memory.

    Example: python -m benchmarks.million --episodes 1000000
    """
    pin_to_one_core()
    params = market_params()
    start = time.perf_counter()
    totals = Totals.gather(play_blocks(make_policy(policy, params), params, episodes, seed))
    scores = {name: score.estimate(totals) for name, score in SCORES.items()}
    seconds = time.perf_counter() - start
    cost = {
        "seconds": round(seconds, 1),
        "ns_per_step": round(seconds / episodes / params.num_trades * 1e9, 1),
        "peak_memory_mb": peak_memory(),
    }
    if as_json:
        print_json({**cost, "scores": {name: figure.value for name, figure in scores.items()}})
        return
    print_table(list(cost), [[f"{value:g}" for value in cost.values()]])
    print_table(["score", "value"], [[n, str(f)] for n, f in scores.items()])


if __name__ == "__main__":
    main()
