"""Two processes, or threads, against one, the same figures: `python -m benchmarks.workers`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from statistics import median
from typing import Any

import click
import gymnasium as gym

from baselines import compare, make_policy
from mm_env import market_params, play
from mm_env.cli.console import print_json, print_table
from mm_env.kernels.vector_kernel import numba_works

STEPS = 2_000  # of the lanes, after a seeded reset: as many as are drawn at once
POLICIES = ("linear-skew", "avellaneda-stoikov", "glft", "cartea-jaimungal")


def jobs(market: str, episodes: int, lanes: int, seed: int) -> dict[str, Callable[[int], Any]]:
    """What is done, by so many workers."""
    params = market_params(market)
    policies = {name: make_policy(name, params) for name in POLICIES}

    def played(workers: int) -> Any:
        return play(policies[POLICIES[0]], params, episodes, seed, workers=workers).equity.tobytes()

    def compared(workers: int) -> Any:
        return repr(compare(policies, params, episodes, seed=seed, workers=workers).to_dict())

    @cache
    def vector(threads: int) -> Any:
        env = gym.make_vec(
            market, num_envs=lanes, vectorization_mode="vector_entry_point", compiled=numba_works(), threads=threads
        )
        env.reset(seed=seed)
        env.action_space.seed(seed)
        return env, env.action_space.sample()

    def stepped(threads: int) -> Any:
        env, actions = vector(threads)
        env.reset(seed=seed)
        for _ in range(STEPS):
            observations, *_ = env.step(actions)
        return observations.tobytes()

    return {
        f"play {POLICIES[0]}": played,
        f"compare {len(POLICIES)} policies": compared,
        f"reset and step {lanes:,} lanes": stepped,
    }


@click.command(context_settings={"show_default": True})
@click.option("--market", default="mm_env/DynamicSpread-v0", help="A market with quotes.")
@click.option("--episodes", default=50_000, type=click.IntRange(1), help="Of every policy.")
@click.option("--lanes", default=32_768, type=click.IntRange(1), help="Of the vector environment that threads share.")
@click.option("--workers", default=2, type=click.IntRange(2), help="Processes, of lanes threads, against one.")
@click.option("--rounds", default=5, type=click.IntRange(1), help="Alternating; the medians are told.")
@click.option("--seed", default=0, type=click.IntRange(0))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(market: str, episodes: int, lanes: int, workers: int, rounds: int, seed: int, as_json: bool) -> None:
    """Print seconds that pass with one process and with several, starting them included, and whether all is the same.

    For a machine with nothing else to do. Example: python -m benchmarks.workers --rounds 3
    """
    rows = []
    for name, job in jobs(market, episodes, lanes, seed).items():
        times: dict[int, list[float]] = {1: [], workers: []}
        found = set()
        for number in list(times) * rounds:
            seconds, result = _timed(partial(job, number))
            times[number].append(seconds)
            found.add(result)
        one, several = median(times[1]), median(times[workers])
        row = {"job": name, "one": one, f"{workers} workers": several, "speed-up": one / several}
        rows.append({**row, "same bits": len(found) == 1})
    if as_json:
        print_json({"market": market, "episodes": episodes, "jobs": rows})
        return
    print_table(list(rows[0]), [[f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows])


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that passed, and what it returned."""
    start = time.perf_counter()
    found = run()
    return time.perf_counter() - start, found


if __name__ == "__main__":
    main()
