"""Run a benchmark: every agent in every market, on as many processes as asked for, and again where it was cut off."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import mm_env
from baselines.benchmark import results as files
from baselines.benchmark.agents import digest, read_agents
from baselines.benchmark.evaluation import Evaluation
from baselines.benchmark.suite import EVALUATION_SEED, Scale, chosen_markets, find_suite
from mm_env.atomic_write import write_text
from mm_env.envs.action import PolicyFunction
from mm_env.market.params import MarketParams
from mm_env.pools.ray_pool import spread
from mm_env.registration import market_params

Load = Callable[[str, MarketParams, int], PolicyFunction]  # from a source, a market and a seed to a policy
PARTIAL = "partial"  # the folder of what is done already
_SOLVED = ("optimal", "best-threshold", "best-band")  # need the market's optimum or best rule, as its scale does


class Task(NamedTuple):
    """One thing to compute: the scale of a market, or, with an agent, the J of one policy."""

    market: str
    agent: str | None = None
    seed: int = 0
    source: str = ""
    sha256: str | None = None
    episodes: int = 0

    @property
    def key(self) -> str:
        """A name that tasks with another outcome do not share."""
        text = json.dumps([mm_env.__version__, market_params(self.market).to_dict(), *self])
        return hashlib.sha256(text.encode()).hexdigest()


def compute(task: Task, load: Load) -> dict[str, Any]:
    """Do it; the outcome with the seconds of CPU it took, as JSON keeps it."""
    start = time.process_time()
    if task.agent is None:
        outcome = Scale.of(task.market).to_dict()
    else:
        params = market_params(task.market)
        policy = load(task.source, params, EVALUATION_SEED)
        try:
            found = Evaluation.of(policy, params, task.episodes, EVALUATION_SEED)
        except ValueError as error:
            raise ValueError(f"{task.source} in {task.market}: {error}") from error
        names = ("agent", "market", "seed", "source", "sha256")
        outcome = {**{name: getattr(task, name) for name in names}, **found._asdict()}
    return {"outcome": outcome, "seconds": time.process_time() - start}


def benchmark(
    sources: Sequence[str],
    load: Load,
    suite: str = "v1",
    markets: Sequence[str] = (),
    workers: int = 1,
    folder: Path | None = None,
    ray: str | None = None,
    progress: Callable[[int, int], None] = lambda done, every: None,
) -> tuple[files.Results, dict[str, float]]:
    """Score agents in the markets of a suite.

    Args:
        sources: "SOURCE" or "NAME=SOURCE" of each agent: see `Agent`.
        load: Reads a source; picklable where there are several workers.
        suite: A name of `SUITES`.
        markets: Some of the suite's markets. Default: all.
        workers: Processes, unless a cluster is given.
        ray: Address of a cluster to compute on: see `mm_env.pools.ray_pool.on_cluster`. Default: none.
        folder: Where what is done is kept until everything is, and found when run again. Default: nowhere.
        progress: Called with how many of how many tasks are done.

    Returns:
        The results, and the seconds of CPU that each task took, by agent and market.

    Raises:
        ValueError: What is asked for is not there, or a policy gives bad actions.
    """
    chosen, its = chosen_markets(suite, markets), find_suite(suite)
    found = read_agents(sources, chosen)
    agents = {agent.name: agent for agent in found}
    tasks = [Task(market) for market in chosen]
    for agent in found:
        for market in chosen:
            for seed in agent.seeds[market]:
                source = agent.policy(market, seed)
                tasks.append(Task(market, agent.name, seed, source, digest(source), its.episodes))
    done: dict[Task, dict[str, Any]] = {}
    for task, outcome in _computed(tasks, load, workers, folder, ray):
        done[task] = outcome
        progress(len(done), len(tasks))
    scales = {market: Scale(**done[Task(market)]["outcome"]) for market in chosen}
    cells = [done[task]["outcome"] for task in tasks if task.agent is not None]
    seconds = {f"{task.agent or 'scale'} {task.market} {task.seed}": done[task]["seconds"] for task in tasks}
    return files.assemble(suite, agents, scales, cells, _origin(its.episodes)), seconds


def verify(path: Path, load: Load, workers: int = 1, ray: str | None = None) -> list[str]:
    """Recompute the results of a file; what differs, as text. Numbers are compared to 1e-9.

    Raises:
        ValueError: The file is not whole or not of this format, or a policy is not there.
    """
    recorded = files.read(path)
    sources = [f"{name}={agent['source']}" for name, agent in recorded["agents"].items()]
    markets = list(recorded["markets"])
    again, _ = benchmark(sources, load, recorded["suite"], markets, workers, ray=ray)
    return list(files.differences(again, recorded))


def _computed(
    tasks: Iterable[Task], load: Load, workers: int, folder: Path | None, ray: str | None
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Every task with its outcome, as they come."""
    left = []
    for task in tasks:
        outcome = _kept(task, folder)
        if outcome is None:
            left.append(task)
        else:
            yield task, outcome
    for job, outcomes in spread(partial(_compute_all, load=load), _jobs(left), workers, ray):
        for task, outcome in zip(job, outcomes, strict=True):
            if folder is not None:
                write_text(folder / f"{task.key}.json", json.dumps(outcome))
            yield task, outcome


def _jobs(tasks: Iterable[Task]) -> list[tuple[Task, ...]]:
    """Tasks that solve the same market go together, and first; the others are jobs of one. Large markets come first."""
    solving: dict[str, list[Task]] = {}
    others = []
    for task in sorted(tasks, key=lambda task: -_size(market_params(task.market))):
        if task.agent is None or task.source in _SOLVED:
            solving.setdefault(task.market, []).append(task)
        else:
            others.append((task,))
    return [*map(tuple, solving.values()), *others]


def _size(params: MarketParams) -> int:
    """About how many cases there are in an episode: what comes last should be short."""
    requests = sum(len(tier.sizes) for tier in params.tiers)
    states = int((2 * params.inventory_limit + 1) ** (1 + params.hedge_latency))
    return params.num_trades * states * requests


def _compute_all(job: tuple[Task, ...], load: Load) -> list[dict[str, Any]]:
    return [compute(task, load) for task in job]


def _kept(task: Task, folder: Path | None) -> dict[str, Any] | None:
    if folder is None or not (folder / f"{task.key}.json").exists():
        return None
    kept: dict[str, Any] = json.loads((folder / f"{task.key}.json").read_text())
    return kept


def _origin(episodes: int) -> dict[str, Any]:
    versions = {name: version(name) for name in ("scipy", "gymnasium")}
    return {
        "versions": {
            "mm_env": mm_env.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            **versions,
        },
        "commit": _commit(),
        "evaluation": {"episodes": episodes, "seed": EVALUATION_SEED},
    }


def _commit() -> str | None:
    """The commit of the repository that this package is in; None outside one."""
    root = Path(mm_env.__file__).parents[1]
    if not (root / ".git").exists():
        return None
    try:
        shown = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return shown.stdout.strip()
