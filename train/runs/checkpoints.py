"""Checkpoints: models in a run folder, whole or not there, and how a run goes on from the newest.

A checkpoint is a Stable-Baselines3 model, named as rl_zoo3 names it. Only its tensors are read back, by PyTorch's
reader of weights, which runs no code; they are checked one by one before the model takes them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.save_util import load_from_zip_file

from mm_env.atomic_write import replacing
from train.runs.random_state import RandomState
from train.runs.uninterrupted import uninterrupted

_NAME = re.compile(r"rl_model_(\d{1,15})_steps\.zip")
_KEPT = 2  # the newest, and the one before should the newest be damaged
_ADAM = {"step", "exp_avg", "exp_avg_sq"}  # what Adam remembers of each weight


def checkpoints(folder: Path) -> dict[int, Path]:
    """The checkpoints of a run folder by their steps, newest first."""
    found = {int(match[1]): path for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))}
    return dict(sorted(found.items(), reverse=True))


def checkpoint_path(folder: Path, steps: int) -> Path:
    """Where the checkpoint of a model that has learned from so many steps is kept."""
    return folder / f"rl_model_{steps}_steps.zip"


def save_model(model: BaseAlgorithm, path: Path, state: RandomState | None = None) -> None:
    """Write a model, and where its random numbers stand, whole or not at all. Ctrl-C waits until it is written."""
    with uninterrupted(), replacing(path) as temporary:
        model.save(temporary)
        if state is not None:
            state.add_to(temporary)


def save_checkpoint(model: PPO, folder: Path, steps: int, state: RandomState | None = None) -> None:
    """Write the checkpoint of a model that has learned from `steps` steps; keep it and the one before."""
    save_model(model, checkpoint_path(folder, steps), state)
    for path in list(checkpoints(folder).values())[_KEPT:]:
        path.unlink(missing_ok=True)


def restore_newest(model: PPO, folder: Path) -> int:
    """Give the model the weights and the optimiser's state of the newest whole checkpoint; return its steps.

    A damaged checkpoint is passed over with a warning. A folder without any leaves the model as it is, at 0.

    Raises:
        ValueError: There are checkpoints, and all are damaged.
    """
    found = checkpoints(folder)
    for steps, path in found.items():
        try:
            restore(model, path)
        except ValueError as error:
            warnings.warn(f"passed over a damaged checkpoint: {error}", stacklevel=2)
        else:
            model.num_timesteps = steps
            return steps
    if found:
        raise ValueError(f"{folder}: none of the {len(found)} checkpoints can be read; train afresh in another folder")
    return 0


def restore(model: PPO, path: Path) -> None:
    """Give the model the weights and the optimiser's state in a checkpoint.

    Raises:
        ValueError: The file is not whole, of another network, or holds what is not a finite number. The model is
            then as it was.
    """
    try:
        _, parameters, _ = load_from_zip_file(path, load_data=False, device=model.device)
    except Exception as error:  # the readers raise many kinds; each means that the file is not a checkpoint
        raise ValueError(f"{path}: not a whole checkpoint: {error}") from error
    own = model.get_parameters()
    try:
        _check_names("a whole checkpoint", parameters, own)
        _check_tensors("policy", parameters["policy"], own["policy"])
        memory = _checked_memory(parameters["policy.optimizer"], list(model.policy.parameters()))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    # The groups hold settings, which are the run's own and not for a file to change.
    optimizer: Any = {"state": memory, "param_groups": own["policy.optimizer"]["param_groups"]}
    model.set_parameters({"policy": parameters["policy"], "policy.optimizer": optimizer}, device=model.device)


def _checked_memory(state: Any, weights: list[torch.Tensor]) -> dict[int, Any]:
    """The optimiser's memory of every weight, or a `ValueError`."""
    memory = state.get("state") if isinstance(state, Mapping) else None
    _check_names("policy.optimizer", memory, range(len(weights)))
    assert memory is not None
    for i, weight in enumerate(weights):
        name = f"policy.optimizer of weight {i}"
        _check_names(name, memory[i], _ADAM)
        _check_tensors(name, memory[i], {"step": torch.zeros(()), "exp_avg": weight, "exp_avg_sq": weight})
    return dict(memory)


def _check_names(name: str, values: Any, wanted: Any) -> None:
    if not isinstance(values, Mapping) or set(values) != set(wanted):
        held = sorted(map(str, values)) if isinstance(values, Mapping) else type(values).__name__
        raise ValueError(f"{name} must hold {', '.join(map(str, wanted))}, got {held}")


def _check_tensors(name: str, values: Any, like: Mapping[str, Any]) -> None:
    _check_names(name, values, like)
    for key, wanted in like.items():
        value = values[key]
        if _kind(value) != _kind(wanted):
            raise ValueError(f"{key} of {name} must be {_kind(wanted)}, got {_kind(value)}")
        if not torch.isfinite(value).all():
            raise ValueError(f"{key} of {name} is not finite")


def _kind(value: Any) -> str:
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return f"{value.layout} {value.dtype} of {tuple(value.shape)}"
