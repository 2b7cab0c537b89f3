"""learning_curves: how training runs came to their scores, over wall time, where a run's folder tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from baselines.benchmark.agents import Agent
from baselines.benchmark.results import Results
from baselines.benchmark.suite import Scale

_FILE = "evaluations.npz"  # of a run of `mm-env train`


def learning_curves(results: Results) -> dict[str, list[dict[str, Any]]]:
    """The curves of the runs that the results were made of, by market; none where policies are no folders of runs.

    Returns:
        For each run the agent, the seed, the seconds of wall time, and the score on the run's held-out episodes: the
        share of the gap from the market's own rule, moved to the scale of the benchmark, on which that is exact.
    """
    found: dict[str, list[dict[str, Any]]] = {market: [] for market in results["markets"]}
    for name, its in results["agents"].items():
        agent = Agent.recorded(name, its, list(results["markets"]))
        for market, told in results["markets"].items():
            for seed in agent.seeds[market]:
                path = Path(agent.policy(market, seed)) / _FILE
                if path.is_file():
                    found[market].append({"agent": name, "seed": seed, **_curve(path, Scale(**told["scale"]))})
    return found


def _curve(path: Path, scale: Scale) -> dict[str, list[float]]:
    with np.load(path, allow_pickle=False) as kept:
        seconds, share = kept["seconds"], kept["share"]
    usual = scale.score(scale.usual)
    score = usual + share * (1.0 - usual)
    return {"seconds": seconds.round(2).tolist(), "score": score.round(5).tolist()}
