"""train_seeds: one run for each training seed, in a folder of its own, on several cores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mm_env.market.params import MarketParams
from mm_env.market.validation import check_whole
from mm_env.pools.ray_pool import spread
from train.ppo import Training, begin_run, train_ppo
from train.runs.train_config import CONFIG


class TrainResult(NamedTuple):
    """What there is to tell of a run; exact where the market can be solved, else of fresh episodes."""

    seed: int
    run: str  # its folder
    steps: int
    objective: float  # J, price units
    exact: bool
    share: float  # of the gap between the threshold rule and the optimum
    share_beyond: float  # of the gap between the best fixed rule and the optimum; NaN where it is not exact
    seconds: float
    remarks: list[str]

    @classmethod
    def of(cls, run: Training) -> TrainResult:
        """Score a run."""
        exact = run.exact
        beyond = float("nan") if exact is None else exact.share_beyond
        scored = (run.objective, exact is not None, run.share, beyond)
        return cls(run.plan.seed, str(run.run_dir), run.timesteps, *scored, run.seconds, run.remarks())


def train_seeds(
    market: str | MarketParams | None,
    seeds: Sequence[int],
    run_dir: str | Path,
    *,
    workers: int = 1,
    ray: str | None = None,
    resume: bool = False,
    env_kwargs: Mapping[str, Any] | None = None,
    total_timesteps: int | None = None,
    **arguments: Any,
) -> Iterator[TrainResult]:
    """Train each seed in `<run_dir>/seed-<seed>`, and yield each result as its run ends.

    All folders are begun before the first run, so that an interrupted call is resumed whole, with any number of
    workers: a run does not depend on what runs beside it.

    Args:
        market: As of `train_ppo`.
        seeds: Training seeds, each once.
        run_dir: The folder of the runs' folders.
        workers: Processes, one run each at a time, unless a cluster is given.
        ray: Address of a cluster, whose machines see the same folders: see `mm_env.pools.ray_pool.on_cluster`.
        resume: Go on with the runs in those folders; those that have ended are scored as they are.
        env_kwargs: As of `train_ppo`.
        total_timesteps: As of `train_ppo`.
        arguments: Others of `train_ppo`.

    Raises:
        ValueError: A bad argument; a folder that holds a run already, or, to resume, none or another one.
    """
    if not seeds or len(set(seeds)) != len(seeds):
        raise ValueError(f"seeds must be different, and at least one, got {list(seeds)}")
    check_whole("workers", workers, 1)
    folders = {seed: Path(run_dir) / f"seed-{seed}" for seed in seeds}
    asked = {"env_kwargs": env_kwargs, "total_timesteps": total_timesteps}
    for seed, folder in folders.items():
        if not resume:
            begin_run(folder, market, seed=seed, **asked, **_of_the_plan(arguments))
        elif not (folder / CONFIG).exists():
            raise ValueError(f"{folder}: there is no run to resume")
    given = {**asked, **arguments, "market": market, "resume": True, "progress": False}
    jobs = [(seed, folder, given) for seed, folder in folders.items()]
    for _, result in spread(_trained, jobs, workers, ray):
        yield result


def _trained(job: tuple[int, Path, dict[str, Any]]) -> TrainResult:
    seed, folder, given = job
    return TrainResult.of(train_ppo(seed=seed, run_dir=folder, **given))


def _of_the_plan(arguments: Mapping[str, Any]) -> dict[str, Any]:
    names = ("recipe", "hyperparameters", "eval_episodes", "eval_freq")
    return {name: arguments[name] for name in names if name in arguments}
