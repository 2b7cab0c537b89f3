"""The door that PettingZoo's conventions ask for: `parallel_env()` makes a `DealersEnv`, and `env()` its AEC form."""

from mm_env.envs.dealers_env import DealersEnv, env, parallel_env

__all__ = ["DealersEnv", "env", "parallel_env"]
