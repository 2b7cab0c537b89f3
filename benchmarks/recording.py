"""A long recording read, inspected, replayed and scored: `python -m benchmarks.recording`."""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd

from baselines import compare, make_policy
from benchmarks.throughput import peak_memory, pin_to_one_core
from mm_env import Tape, market_params
from mm_env.cli.console import print_json, print_table


@click.command(context_settings={"show_default": True})
@click.option("--requests", default=1_000_000, type=click.IntRange(2), help="Requests of the recording, one episode.")
@click.option("--policy", default="threshold", help="A policy of `mm-env policies`.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Seed that the recording is drawn from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(requests: int, policy: str, seed: int, as_json: bool) -> None:
    """Write a recording with times as CSV, then read, inspect, replay and score it on one core.

    Prints processor seconds, the seconds that passed (more, where others use the core) and peak memory.

    Example: python -m benchmarks.recording --requests 1000000
    """
    pin_to_one_core()
    params = market_params("mm_env/AdverseSelection-v0", num_trades=requests)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trades.csv"
        Tape.draw(params, seed, 1).write(path)
        _give_times(path, seed)
        start, marks = time.perf_counter(), [time.process_time()]
        tape = Tape.read(path)
        marks.append(time.process_time())
        summary = tape.summary()
        marks.append(time.process_time())
        scored = compare({policy: make_policy(policy, params)}, params, tape=tape)
        marks.append(time.process_time())
        wall = time.perf_counter() - start
    seconds = [after - before for before, after in itertools.pairwise(marks)]
    told = {
        "requests": summary.clients,
        **{f"{name}_s": round(s, 2) for name, s in zip(("read", "inspect", "replay_and_score"), seconds, strict=True)},
        "total_s": round(sum(seconds), 2),
        "wall_s": round(wall, 2),
        "us_per_step": round(seconds[2] / requests * 1e6, 2),
        "peak_memory_mb": peak_memory(),
        "pnl": round(scored.score(policy, "pnl").value, 4),
    }
    if as_json:
        print_json(told)
    else:
        print_table(list(told), [[f"{value:,}" for value in told.values()]])


def _give_times(path: Path, seed: int) -> None:
    """Write dates and times of day into the file, half a second apart on average."""
    frame = pd.read_csv(path, dtype=str)
    gaps = np.random.default_rng(seed).exponential(0.5e6, len(frame)).astype("m8[us]")
    frame.insert(0, "time", np.datetime64("2026-01-05T09:00") + gaps.cumsum())
    frame.to_csv(path, index=False)


if __name__ == "__main__":
    main()
