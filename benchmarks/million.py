"""A million episodes played and scored, a thousand million steps, one long episode: `python -m benchmarks.million`."""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np

from baselines import SCORES, Totals, make_policy
from baselines.evaluation.scoring import play_totals
from benchmarks.throughput import peak_memory, pin_to_one_core
from mm_env import HedgingVectorEnv, MarketParams, market_params
from mm_env.cli.console import print_json, print_table
from mm_env.kernels.vector_kernel import numba_works

POLICIES = ("threshold:10", "band:10:4", "optimal")
LANES = 16_384
LONG = {"one episode of a million requests": (1, 1_000_000), "a thousand episodes of a thousand": (1_000, 1_000)}

Figures = dict[str, float]  # by score


@click.command(context_settings={"show_default": True})
@click.option("--episodes", default=1_000_000, type=click.IntRange(1), help="Episodes to play of each policy.")
@click.option("--policy", "policies", multiple=True, default=POLICIES, help="A policy of `mm-env policies`.")
@click.option("--steps", default=1_000_000_000, type=click.IntRange(0), help="Steps of the vector environment.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Seed of the episodes.")
@click.option("--check", is_flag=True, help="Play all episodes without machine code as well: the same to the last bit?")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def main(episodes: int, policies: tuple[str, ...], steps: int, seed: int, check: bool, as_json: bool) -> None:
    """Play and score many episodes; print seconds of CPU after compiling, nanoseconds a step and peak memory.

    Example: python -m benchmarks.million --policy threshold:10 --episodes 100000 --steps 0
    """
    pin_to_one_core()
    params = market_params()
    costs, figures = [], {}
    for policy in policies:
        cost, totals, figures[policy] = _scored(policy, params, episodes, seed)
        if check:
            known = play_totals(make_policy(policy, params), params, episodes, seed, compiled=False)
            cost["same bits"] = _alike(totals, known)
        costs.append({"policy": policy, **cost})
        del totals  # the next policy's come in their place
    longest = [{"case": case, "ns_per_step": _long(*shape, seed)} for case, shape in LONG.items()]
    stepped = [_stepped(steps, seed)] if steps else []
    if as_json:
        print_json({"episodes": costs, "long": longest, "environment": stepped, "scores": figures})
        return
    for rows in (costs, longest, stepped):
        if rows:
            print_table(list(rows[0]), [[_text(value) for value in row.values()] for row in rows])
    print_table(["score", *figures], [[name, *(_text(found[name]) for found in figures.values())] for name in SCORES])


def _scored(policy: str, params: MarketParams, episodes: int, seed: int) -> tuple[dict[str, Any], Totals, Figures]:
    """What it costs to play and score the episodes; their totals; the figures."""
    rule = make_policy(policy, params)
    play_totals(rule, params, 100, seed, compiled=numba_works())  # compiles
    gc.collect()  # which leaves frames behind in cycles: this one, with the totals to come

    def play() -> tuple[Totals, Figures]:
        totals = play_totals(rule, params, episodes, seed, compiled=numba_works())
        return totals, {name: score.estimate(totals).value for name, score in SCORES.items()}

    seconds, (totals, found) = _timed(play)
    cost = {
        "episodes": episodes,
        "cpu_seconds": seconds,
        "ns_per_step": seconds / episodes / params.num_trades * 1e9,
        "peak_memory_mb": peak_memory(),
    }
    return cost, totals, found


def _long(episodes: int, requests: int, seed: int) -> float:
    """Nanoseconds a step of episodes of so many requests, played and scored."""
    params = market_params(num_trades=requests)
    rule = make_policy("threshold", params)
    play_totals(rule, params, min(episodes, 100), seed, compiled=numba_works())  # compiles
    seconds, _ = _timed(lambda: play_totals(rule, params, episodes, seed + 1, compiled=numba_works()))
    return seconds / episodes / requests * 1e9


def _stepped(steps: int, seed: int) -> dict[str, Any]:
    """So many steps of a vector environment, resets included."""
    env = HedgingVectorEnv(LANES, compiled=numba_works())
    env.reset(seed=seed)
    actions = np.random.default_rng(seed).integers(env.params.inventory_limit + 1, size=(50, LANES))
    env.step(actions[0])

    def play() -> None:
        for call in range(-(-steps // LANES)):
            env.step(actions[call % 50])

    seconds, _ = _timed(play)
    return {"environment_steps": steps, "lanes": LANES, "cpu_seconds": seconds, "steps_per_second": steps / seconds}


def _text(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)


def _timed(play: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of CPU, and what it returned."""
    start = time.process_time()
    found = play()
    return time.process_time() - start, found


def _alike(totals: Totals, others: Totals) -> bool:
    """Whether every number of every episode is the same."""
    names = [field.name for field in dataclasses.fields(Totals)]
    return all(np.array_equal(getattr(totals, name), getattr(others, name)) for name in names)


if __name__ == "__main__":
    main()
