"""`ppo.yml` in rl_zoo3's own terms, for `python -m rl_zoo3.train --conf-file train.hyperparameters.rl_zoo3`.

RL Zoo names classes where `ppo.yml` has a word of its own, and makes many single environments where `train_ppo` makes
one vector environment. What is learned from is the same: groups of lanes on one tape, ordered levels, scaled rewards.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.wrappers import TransformReward
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from mm_env.registration import market_params
from train.hyperparams import DEFAULT, network_arguments, ppo_arguments, ppo_callbacks, recipe_table
from train.paired_rollout_buffer import PairedRolloutBuffer


class SharedTapes(VecEnvWrapper):
    """Neighbouring environments get the same seed, and with it the same clients and prices.

    Args:
        venv: Environments of one market, one each.
        lanes_per_tape: How many neighbours share one.
    """

    def __init__(self, venv: VecEnv, lanes_per_tape: int) -> None:
        super().__init__(venv)
        self.lanes_per_tape = lanes_per_tape

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Lane i is seeded seed + i // lanes_per_tape at the next reset."""
        first: Any = self.venv.seed(seed)[0]
        self.venv._seeds = [first + lane // self.lanes_per_tape for lane in range(self.num_envs)]
        return self.venv._seeds

    def reset(self) -> VecEnvObs:
        """Reset them."""
        return self.venv.reset()

    def step_wait(self) -> VecEnvStepReturn:
        """What their steps led to."""
        return self.venv.step_wait()


class ScaledReward(TransformReward):
    """Every reward times a factor."""

    def __init__(self, env: gym.Env[Any, Any], factor: float) -> None:
        super().__init__(env, lambda reward: factor * float(reward))


def in_zoo_terms(entry: dict[str, Any], market: str = DEFAULT) -> dict[str, Any]:
    """The entry of a market in `ppo.yml` as rl_zoo3 takes it."""
    values = dict(entry)
    group, scale = values.pop("lanes_per_tape", 1), values.pop("reward_scale", 1.0)
    if group > 1:
        values["vec_env_wrapper"] = [{f"{__name__}.SharedTapes": {"lanes_per_tape": group}}]
        values["rollout_buffer_class"] = PairedRolloutBuffer
        values["rollout_buffer_kwargs"] = {"lanes_per_tape": group}
    if scale != 1.0:
        values["env_wrapper"] = [{f"{__name__}.ScaledReward": {"factor": scale}}]
    if callbacks := ppo_callbacks(values):
        values["callback"] = [_named(callback) for callback in callbacks]
    if "ent_coef" in values:
        values["ent_coef"] = ppo_arguments(values)["ent_coef"]
    for name in ("final_gae_lambda", "settled"):
        values.pop(name, None)
    if values["policy"] != "MlpPolicy":
        values["policy_kwargs"] = network_arguments(values, market_params(market))["policy_kwargs"]
        values["policy"] = f"train.{values['policy']}"
    return values


def _named(schedule: Any) -> dict[str, dict[str, float]]:
    """One of our schedules by its class and what that was made with."""
    given = {name: getattr(schedule, name) for name in ("start", "end", "until") if hasattr(schedule, name)}
    return {f"{type(schedule).__module__}.{type(schedule).__name__}": given}


hyperparams = {market: in_zoo_terms(entry, market) for market, entry in recipe_table("ppo").items()}
