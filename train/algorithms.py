"""train_algorithm: any algorithm of Stable-Baselines3 or sb3-contrib on a market, for comparison with `train_ppo`."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from mm_env.envs.action import Actions
from mm_env.envs.observation import Observations, observation_names
from mm_env.extras import needed_for
from mm_env.market.params import MarketParams
from mm_env.registration import native

with needed_for("agents that learn"):
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.noise import NormalActionNoise
    from stable_baselines3.common.type_aliases import MaybeCallback

from train.hyperparams import DEFAULT, FOLDER, read_yaml, with_schedules
from train.policies.model_policy import ModelPolicy
from train.policies.time_hinges import TIME_LEFT
from train.runs.callbacks import callback_list
from train.runs.checkpoints import save_model
from train.runs.exact_score import PolicyScore
from train.runs.train_config import named_market
from train.sb3_vec_env import SB3VecEnv
from train.seeds import LANES, REST, derived_seed
from train.single_thread import one_thread

MODEL = "model.zip"


class Algorithm(NamedTuple):
    """Where one is found, and what it takes."""

    package: str
    name: str
    actions: str  # "any", "one list of levels", "numbers" or "masks"


ALGORITHMS: Mapping[str, Algorithm] = {
    "a2c": Algorithm("stable_baselines3", "A2C", "any"),
    "dqn": Algorithm("stable_baselines3", "DQN", "one list of levels"),
    "sac": Algorithm("stable_baselines3", "SAC", "numbers"),
    "td3": Algorithm("stable_baselines3", "TD3", "numbers"),
    "tqc": Algorithm("sb3_contrib", "TQC", "numbers"),
    "crossq": Algorithm("sb3_contrib", "CrossQ", "numbers"),
    "recurrent-ppo": Algorithm("sb3_contrib", "RecurrentPPO", "any"),
    "maskable-ppo": Algorithm("sb3_contrib", "MaskablePPO", "masks"),
}


class AlgorithmResult(NamedTuple):
    """What an algorithm learned.

    Attributes:
        model: At the end of its steps.
        score: Of its deterministic policy; of episodes played also where the policy remembers.
    """

    model: BaseAlgorithm
    score: PolicyScore

    @property
    def timesteps(self) -> int:
        """Steps learned from."""
        return int(self.model.num_timesteps)


def train_algorithm(
    algorithm: str,
    market: str | MarketParams = "mm_env/Hedging-v0",
    *,
    env_kwargs: Mapping[str, Any] | None = None,
    seed: int = 0,
    total_timesteps: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    run_dir: str | Path | None = None,
    callback: MaybeCallback = None,
) -> AlgorithmResult:
    """Train an algorithm by its name, on the reward `expected`, and score it.

    Args:
        algorithm: A name of `ALGORITHMS`. PPO has `train_ppo`.
        market: A registered id, or the parameters themselves.
        env_kwargs: Changes to the market's parameters; `continuous=True` for algorithms that act in numbers.
        seed: Of weights, exploration and episodes.
        total_timesteps: Instead of the algorithm's own number.
        arguments: Changes to what the algorithm is made with by `hyperparameters/<algorithm>.yml`: arguments of its
            class, `n_envs`, `policy` and `reward_scale`, which every reward is multiplied by.
        run_dir: Folder for `model.zip`; None: write nothing.
        callback: What Stable-Baselines3 is to call as the model learns, as its `learn` takes it.

    Raises:
        ValueError: A bad argument, or actions that the algorithm does not take; the message says which it does.
        MissingExtraError: It is one of sb3-contrib, which is not installed.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of ppo, {', '.join(ALGORITHMS)}, got {algorithm!r}")
    entry, (name, params) = ALGORITHMS[algorithm], named_market(market)
    params = params.replace(**(env_kwargs or {}))
    given = {**read_settings(algorithm, name), **copy.deepcopy(dict(arguments or {}))}  # the learners write into them
    steps, scale = given.pop("n_timesteps"), given.pop("reward_scale")
    env = SB3VecEnv(params, given.pop("n_envs"), reward="expected", reward_scale=scale)
    check_actions(algorithm, env)
    with needed_for("algorithms of sb3-contrib"):
        learner = getattr(import_module(entry.package), entry.name)
    path = None if run_dir is None else Path(run_dir) / MODEL
    if path is not None and path.exists():
        raise ValueError(f"{path.parent} holds a model already: name another folder")
    with one_thread():
        arguments = with_noise(with_schedules(given), env.action_space)
        model = learner(env=env, seed=derived_seed(seed, REST, 0) % 2**32, device="cpu", **arguments)
        env.seed(derived_seed(seed, LANES, 0))
        model.learn(total_timesteps or steps, callback=callback_list(callback))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_model(model, path)
        return _scored(model, params, remembers=algorithm == "recurrent-ppo")


def read_settings(algorithm: str, market: str | None) -> dict[str, Any]:
    """The entry of a market, whatever its form, in `hyperparameters/<algorithm>.yml`, or that of `DEFAULT`.

    What rl_zoo3 needs a wrapper for is `reward_scale` here.
    """
    table = {native(name): entry for name, entry in read_yaml(FOLDER / f"{algorithm}.yml").items()}
    found = table.get(native(market or DEFAULT)) or table[DEFAULT]
    values = {name: value for name, value in found.items() if name not in ("env_kwargs", "env_wrapper")}
    scales = [given["factor"] for wrapper in found.get("env_wrapper", []) for given in wrapper.values()]
    return {**values, "reward_scale": math.prod(scales)}


def with_noise(settings: Mapping[str, Any], space: spaces.Space[Any]) -> dict[str, Any]:
    """Settings with the noise of each action that rl_zoo3 makes of `noise_std`, where they name a `noise_type`.

    Raises:
        ValueError: It is not "normal".
    """
    arguments = dict(settings)
    if "noise_type" not in arguments:
        return arguments
    if (kind := arguments.pop("noise_type")) != "normal":
        raise ValueError(f"noise_type must be normal, got {kind!r}")
    size = np.ones(space.shape or 1)
    std = arguments.pop("noise_std")
    return {**arguments, "action_noise": NormalActionNoise(0.0 * size, std * size)}


def check_actions(algorithm: str, env: SB3VecEnv) -> None:
    """Raise `ValueError` where the algorithm cannot take the environment's actions."""
    takes, space = ALGORITHMS[algorithm].actions, env.action_space
    if takes == "numbers" and not isinstance(space, spaces.Box):
        raise ValueError(f"{algorithm} acts in numbers, not in {space}: make the market with continuous=True")
    if takes == "one list of levels" and not isinstance(space, spaces.Discrete):
        raise ValueError(f"{algorithm} chooses from one list of levels, not from {space}")
    if takes == "masks" and not (hasattr(env.lanes, "action_masks") and isinstance(space, spaces.Discrete)):
        raise ValueError(f"{algorithm} needs action_masks() over one list of levels, which {space} here does not have")


class _Remembering:
    """A recurrent model's deterministic policy; an observation of an episode's first request begins it anew."""

    def __init__(self, model: Any, params: MarketParams) -> None:
        self._model, self._state = model, None
        self._time_left = observation_names(params).index(TIME_LEFT)

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (N, observations), of the same episodes from call to call, to actions."""
        begun = observations[:, self._time_left] >= 1.0
        state = None if begun.all() else self._state
        actions, self._state = self._model.predict(observations, state, begun, deterministic=True)
        return np.asarray(actions)


def _scored(model: BaseAlgorithm, params: MarketParams, remembers: bool) -> AlgorithmResult:
    if remembers:
        return AlgorithmResult(model, PolicyScore.played(_Remembering(model, params), params))
    return AlgorithmResult(model, PolicyScore.of(ModelPolicy(model.policy, params), params))
