"""Agents that learn.

The names below are imported when they are first used, so that `import train` and `load_policy` do without PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mm_env.extras import needed_for
from mm_env.sibling_packages import check_sibling

if TYPE_CHECKING:
    from train.paired_rollout_buffer import PairedRolloutBuffer
    from train.policies.mirrored_policy import MirroredPolicy
    from train.policies.ordinal_policy import OrdinalPolicy
    from train.policies.saved_policy import load_policy
    from train.ppo import train_ppo
    from train.sb3_vec_env import SB3VecEnv

check_sibling("baselines")

__all__ = ["MirroredPolicy", "OrdinalPolicy", "PairedRolloutBuffer", "SB3VecEnv", "load_policy", "train_ppo"]

_MODULES = {
    "MirroredPolicy": "policies.mirrored_policy",
    "OrdinalPolicy": "policies.ordinal_policy",
    "PairedRolloutBuffer": "paired_rollout_buffer",
    "SB3VecEnv": "sb3_vec_env",
    "load_policy": "policies.saved_policy",
    "train_ppo": "ppo",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with needed_for("agents that learn"):
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
