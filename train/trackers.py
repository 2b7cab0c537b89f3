"""Trackers: what Stable-Baselines3 logs, sent on to Weights & Biases or MLflow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from mm_env.extras import needed_for

with needed_for("agents that learn"):
    from stable_baselines3.common.logger import KVWriter

TRACKERS = ("wandb", "mlflow")
PROJECT = "mm_env"


class Tracker(KVWriter):  # type: ignore[misc, unused-ignore]
    """Sends every number that is logged to one tracker; its own environment variables say where that keeps it.

    The run begins there when the first number comes.

    Args:
        name: "wandb" or "mlflow"; has to be installed.
        run: What the run is called there.
        settings: What it was set to.

    Raises:
        ValueError: There is no such tracker.
        MissingExtraError: It is not installed.
    """

    def __init__(self, name: str, run: str, settings: Mapping[str, Any]) -> None:
        if name not in TRACKERS:
            raise ValueError(f"tracker must be one of {', '.join(TRACKERS)}, got {name!r}")
        with needed_for("runs that are tracked"):
            self._client: Any = import_module(name)
        self._name, self._run, self._settings = name, run, dict(settings)
        self._begun = False

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        """Send the numbers of one step; what is not a finite number is left out."""
        if not self._begun:
            self._begin()
        numbers = {key: float(value) for key, value in key_values.items() if _is_number(value)}
        if self._name == "wandb":
            self._client.log({**numbers, "steps": step})
        else:
            self._client.log_metrics(numbers, step=step)

    def close(self) -> None:
        """End the run there."""
        if self._begun:
            self._client.finish() if self._name == "wandb" else self._client.end_run()
        self._begun = False

    def _begin(self) -> None:
        if self._name == "wandb":
            self._client.init(project=PROJECT, name=self._run, config=self._settings)
        else:
            self._client.set_experiment(PROJECT)
            self._client.start_run(run_name=self._run)
            self._client.log_params({key: str(value)[:500] for key, value in self._settings.items()})
        self._begun = True


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except TypeError:
        return False
