"""CPU time of environment steps beside peers, in one run, on one thread: `python -m benchmarks.throughput`.

Every contestant plays uniform random actions, resets included. Rounds alternate between contestants, so that a slow
minute of the machine slows all of them; the median round counts.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import click
import gymnasium as gym
import numpy as np

import mm_env
from mm_env.cli.console import print_json, print_table
from mm_env.kernels.vector_kernel import numba_works
from mm_env.registration import VERSUS

OURS, PEER = "mm_env/Hedging-v0", "CartPole-v1"
WITHOUT = "without Numba"
LANES = (1, 64, 256, 1024, 4096, 16384)
STEPS_A_ROUND = 4_000  # about two refills of our lanes' tapes: every round pays for drawing

Round = Callable[[], float]  # plays one round and returns the nanoseconds of CPU of one environment step


@click.command(context_settings={"show_default": True})
@click.option("--rounds", default=7, type=click.IntRange(1), help="Rounds of each contestant.")
@click.option("--lanes", default=LANES, multiple=True, type=click.IntRange(1), help="Of a vector; may be repeated.")
@click.option("--markets", "every_market", is_flag=True, help="Every market that ships, 4,096 lanes, instead.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Seed of markets and actions.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(rounds: int, lanes: tuple[int, ...], every_market: bool, seed: int, as_json: bool) -> None:
    """Nanoseconds per environment step, single and vector, beside Gymnasium's CartPole and gym-anytrading.

    Vectors of ours are made with compiled=True where Numba is installed, and shown without it too.

    Example: python -m benchmarks.throughput --rounds 7
    """
    pin_to_one_core()
    if every_market:
        _compare_markets(rounds, seed, as_json)
        return
    found = {"single": medians({name: single(name, seed) for name in singles()}, rounds)}
    for number in lanes:
        vectors = {
            OURS: vector(OURS, number, seed, compiled=numba_works()),
            WITHOUT: vector(OURS, number, seed, compiled=False),
            PEER: vector(PEER, number, seed),
        }
        found[f"vector of {number}"] = medians(vectors, rounds)
    if as_json:
        print_json(found)
        return
    rows = []
    for case, times in found.items():
        ratio = times[PEER] / times[OURS]
        others = [f"{name} {times[name]:,.0f}" for name in times if name not in (OURS, PEER)]
        rows.append([case, f"{times[OURS]:,.1f}", f"{times[PEER]:,.1f}", f"{ratio:.2f} x", *others])
    width = max(map(len, rows))
    header = ["case", f"{OURS}, ns", f"{PEER}, ns", "faster by", "others, ns"][:width]
    print_table(header, [row + [""] * (width - len(row)) for row in rows])


def _compare_markets(rounds: int, seed: int, as_json: bool) -> None:
    """Both environments of every market: vectors beside that of the seed's market, single ones beside CartPole."""
    names = [*mm_env.MARKETS, VERSUS]
    found = medians({name: vector(name, 4096, seed, compiled=numba_works()) for name in names}, rounds)
    alone = medians({name: single(name, seed) for name in (*found, PEER)}, rounds)
    if as_json:
        print_json({"vector of 4096": found, "single": alone})
        return
    rows = [
        [
            name,
            f"{time:,.1f}",
            f"{found[OURS] / time:.2f} x",
            f"{alone[name]:,.0f}",
            f"{alone[PEER] / alone[name]:.2f} x",
        ]
        for name, time in found.items()
    ]
    print_table(["market", "4,096 lanes, ns", f"speed of {OURS}", "single, ns", f"speed of {PEER}"], rows)


def singles() -> list[str]:
    """Single environments: ours, CartPole, one dealer among rivals and, where it is installed, gym-anytrading's."""
    try:
        import_module("gym_anytrading")
    except ImportError:
        return [OURS, PEER, VERSUS]
    return [OURS, PEER, VERSUS, "stocks-v0"]


def single(name: str, seed: int) -> Round:
    """One environment through `gym.make`."""
    env = gym.make(name)
    env.action_space.seed(seed)
    actions = np.array([env.action_space.sample() for _ in range(20 * STEPS_A_ROUND)]).tolist()
    env.reset(seed=seed)

    def play() -> float:
        start = time.process_time()
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return (time.process_time() - start) / len(actions) * 1e9

    return play


def vector(name: str, lanes: int, seed: int, **arguments: Any) -> Round:
    """A vector environment through `gym.make_vec`; what it compiles is compiled before the first round."""
    env = gym.make_vec(name, num_envs=lanes, vectorization_mode="vector_entry_point", **arguments)
    env.action_space.seed(seed)
    actions = [env.action_space.sample() for _ in range(50)]
    env.reset(seed=seed)
    env.step(actions[0])

    def play() -> float:
        start = time.process_time()
        for step in range(STEPS_A_ROUND):
            env.step(actions[step % 50])
        return (time.process_time() - start) / STEPS_A_ROUND / lanes * 1e9

    return play


def medians(contestants: Mapping[str, Round], rounds: int) -> dict[str, float]:
    """The median round of each, rounds alternating."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, play in contestants.items():
            times[name].append(play())
    return {name: float(np.median(values)) for name, values in times.items()}


def pin_to_one_core() -> None:
    """Stay on one core where the system lets us."""
    system: Any = os
    if hasattr(system, "sched_setaffinity"):
        system.sched_setaffinity(0, {min(system.sched_getaffinity(0))})


def peak_memory() -> int:
    """The most memory that this process has had, megabytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, bytes
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


if __name__ == "__main__":
    main()
