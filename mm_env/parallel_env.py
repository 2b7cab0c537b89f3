"""The door that PettingZoo's conventions ask for: `mm_env.parallel_env.parallel_env()` makes a `DealersEnv`."""

from mm_env.envs.dealers_env import DealersEnv, parallel_env

__all__ = ["DealersEnv", "parallel_env"]
