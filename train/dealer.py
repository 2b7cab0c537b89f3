"""train_dealer: PPO for a dealer who competes, against rivals with fixed policies or against himself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from baselines.dealer_vs_rules import RIVALS, DealerVsRulesVectorEnv
from mm_env.envs.action import PolicyFunction
from mm_env.envs.dealers_vector_env import DealersVectorEnv
from mm_env.envs.observation import Observations, observation_names
from mm_env.extras import needed_for
from mm_env.market.params import DealersParams
from mm_env.registration import has_rivals, params_of_dealers

with needed_for("agents that learn"):
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import ConvertCallback
    from stable_baselines3.common.type_aliases import MaybeCallback
    from stable_baselines3.common.utils import set_random_seed
    from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
    from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn
    from tqdm import tqdm

from train.hyperparams import check_hyperparameters, ppo_arguments, ppo_callbacks, read_hyperparameters
from train.policies.network_policy import NetworkPolicy
from train.runs.callbacks import callback_list
from train.sb3_vec_env import SB3VecEnv
from train.seeds import LANES, REST, derived_seed
from train.single_thread import one_thread

ID = "mm_env/DealerVsRules-v0"  # its entry in hyperparameters/ppo.yml serves self-play as well


def train_dealer(
    params: DealersParams | str,
    rivals: Sequence[str | PolicyFunction] | None = None,
    *,
    seed: int = 0,
    total_timesteps: int | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    hidden: Sequence[str] = (),
    callback: MaybeCallback = None,
    progress: bool = True,
) -> NetworkPolicy:
    """Train PPO on a market of several dealers.

    Args:
        params: The market, or an id: `mm_env/Dealers-v0` has three dealers.
        rivals: Policies of the other seats, or their names; by default those that `mm_env/DealerVsRules-v0` comes with,
            for other ids none. Where there are none: self-play, all seats learn with one network.
        seed: Of weights, exploration and episodes. Different seeds share no episode.
        total_timesteps: Steps of all lanes, instead of the hyperparameter `n_timesteps`.
        hyperparameters: Changes to those of `mm_env/DealerVsRules-v0` in `hyperparameters/ppo.yml`.
        hidden: Columns of the observation that no learner sees: "won" and "best_quote", where a policy is wanted that
            `baselines.best_response` can answer.
        callback: What Stable-Baselines3 is to call as the model learns, as its `learn` takes it; `dealer_policy` makes
            a policy of the model.
        progress: Show a progress bar, on a terminal.

    Returns:
        The policy as it is at the end. `save_policy` keeps it.

    Raises:
        ValueError: A bad argument; the message names it.
    """
    if rivals is None:
        rivals = RIVALS if isinstance(params, str) and has_rivals(params) else ()
    params = params_of_dealers(params)
    if total_timesteps is not None and total_timesteps < 1:
        raise ValueError(f"total_timesteps must be at least 1, got {total_timesteps!r}")
    plan = {**read_hyperparameters(ID), **(hyperparameters or {})}
    learned = plan.pop("env_kwargs", {})
    check_hyperparameters(plan)
    steps = total_timesteps or int(plan["n_timesteps"])
    shown = {**params.to_dict(), "continuous": learned.get("continuous", params.continuous)}
    lanes = {"autoreset_mode": AutoresetMode.SAME_STEP, "reward": learned.get("reward", "expected"), **shown}
    dealers = params.num_dealers
    number = plan["n_envs"] if rivals else max(plan["n_envs"] // dealers, 1) * dealers
    env: VecEnv = SB3VecEnv(
        DealerVsRulesVectorEnv(number, rivals=rivals, **lanes) if rivals else DealersVectorEnv(number, **lanes),
        reward_scale=plan.get("reward_scale", 1.0),
    )
    if hidden:
        env = HiddenColumns(env, hidden_places(params, hidden))
    with one_thread(), tqdm(total=steps, unit="step", disable=None if progress else True) as bar:
        set_random_seed(derived_seed(seed, REST, 0) % 2**32)
        env.seed(derived_seed(seed, LANES, 0))
        model = PPO(env=env, device="cpu", **ppo_arguments(plan, params.replace(continuous=shown["continuous"])))
        progressed = ConvertCallback(lambda found, _: bool(bar.update(model.num_timesteps - bar.n)) or True)
        model.learn(steps, callback=[progressed, *ppo_callbacks(plan), *callback_list(callback)])
    env.close()
    return dealer_policy(model, params, ID if rivals else None, seed, hidden)


def dealer_policy(
    model: PPO, params: DealersParams, env: str | None = None, seed: int = 0, hidden: Sequence[str] = ()
) -> NetworkPolicy:
    """The policy of a model as it is; arguments as of `train_dealer`."""
    policy = NetworkPolicy.of(model, params, env, {"seed": seed, "timesteps": model.num_timesteps})
    first, *others = policy.layers
    weight = first.weight.copy()
    weight[:, hidden_places(params, hidden)] = 0.0
    return replace(policy, layers=(first._replace(weight=weight), *others))


def hidden_places(params: DealersParams, hidden: Sequence[str]) -> list[int]:
    """Which columns of the observation these are.

    Raises:
        ValueError: The market does not show one of them.
    """
    names = observation_names(params)
    if unknown := sorted(set(hidden) - set(names)):
        raise ValueError(f"hidden must be among {', '.join(names)}, got {unknown[0]!r}")
    return [names.index(name) for name in hidden]


class HiddenColumns(VecEnvWrapper):
    """Shows 0 in some columns of the observation."""

    def __init__(self, venv: VecEnv, places: list[int]) -> None:
        super().__init__(venv)
        self._places = places

    def reset(self) -> Observations:
        """Reset the environments."""
        return self._hiding(self.venv.reset())

    def step_wait(self) -> VecEnvStepReturn:
        """What their steps led to; the observations that end episodes are hidden alike."""
        observations, rewards, ended, infos = self.venv.step_wait()
        for info in infos:
            if "terminal_observation" in info:
                info["terminal_observation"] = self._hiding(info["terminal_observation"])
        return self._hiding(observations), rewards, ended, infos

    def _hiding(self, observations: Any) -> Observations:
        shown = np.array(observations)
        shown[..., self._places] = 0.0
        return shown
