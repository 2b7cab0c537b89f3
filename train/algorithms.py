"""train_algorithm: any algorithm of Stable-Baselines3 or sb3-contrib on a market, for comparison with `train_ppo`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from mm_env.envs.action import Actions
from mm_env.envs.observation import Observations
from mm_env.envs.predictor import act_by_rows
from mm_env.extras import needed_for
from mm_env.market.params import MarketParams
from mm_env.registration import market_params

with needed_for("agents that learn"):
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.type_aliases import MaybeCallback

from train.runs.callbacks import callback_list
from train.runs.exact_score import PLAYED, PolicyScore
from train.runs.held_out import FRESH_SEED
from train.sb3_vec_env import SB3VecEnv
from train.seeds import LANES, REST, derived_seed
from train.single_thread import one_thread

MODEL = "model.zip"


class Algorithm(NamedTuple):
    """How one is found, and what it is made with beside its own defaults."""

    package: str
    name: str
    actions: str  # "any", "one list of levels", "numbers" or "masks"
    policy: str = "MlpPolicy"
    n_envs: int = 64
    steps: int = 500_000
    arguments: Mapping[str, Any] = {}


# Not searched for: batches and rates of the algorithms' own papers, sized to many environments at once.
_ROLLOUT = {"n_steps": 100, "gamma": 0.99, "gae_lambda": 0.95}
_REPLAY = {"gamma": 0.99, "batch_size": 256, "buffer_size": 200_000, "train_freq": 1, "learning_starts": 10_000}
ALGORITHMS: Mapping[str, Algorithm] = {
    "a2c": Algorithm("stable_baselines3", "A2C", "any", arguments={"n_steps": 20, "gamma": 0.99, "gae_lambda": 0.95}),
    "dqn": Algorithm(
        "stable_baselines3",
        "DQN",
        "one list of levels",
        n_envs=16,
        steps=200_000,
        arguments={**_REPLAY, "gradient_steps": 2},
    ),
    "sac": Algorithm("stable_baselines3", "SAC", "numbers", n_envs=16, steps=100_000, arguments=_REPLAY),
    "td3": Algorithm("stable_baselines3", "TD3", "numbers", n_envs=16, steps=100_000, arguments=_REPLAY),
    "tqc": Algorithm("sb3_contrib", "TQC", "numbers", n_envs=16, steps=100_000, arguments=_REPLAY),
    "crossq": Algorithm("sb3_contrib", "CrossQ", "numbers", n_envs=16, steps=100_000, arguments=_REPLAY),
    "recurrent-ppo": Algorithm(
        "sb3_contrib", "RecurrentPPO", "any", policy="MlpLstmPolicy", arguments={**_ROLLOUT, "batch_size": 1600}
    ),
    "maskable-ppo": Algorithm("sb3_contrib", "MaskablePPO", "masks", arguments={**_ROLLOUT, "batch_size": 1600}),
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
        arguments: Of the algorithm's class, in the place of those in `ALGORITHMS`; `n_envs` too.
        run_dir: Folder for `model.zip`; None: write nothing.
        callback: What Stable-Baselines3 is to call as the model learns, as its `learn` takes it.

    Raises:
        ValueError: A bad argument, or actions that the algorithm does not take; the message says which it does.
        MissingExtraError: It is one of sb3-contrib, which is not installed.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of ppo, {', '.join(ALGORITHMS)}, got {algorithm!r}")
    entry, given = ALGORITHMS[algorithm], dict(arguments or {})
    params = market if isinstance(market, MarketParams) else market_params(market)
    params = params.replace(**(env_kwargs or {}))
    env = SB3VecEnv(params, given.pop("n_envs", entry.n_envs), reward="expected")
    check_actions(algorithm, env)
    with needed_for("algorithms of sb3-contrib"):
        learner = getattr(import_module(entry.package), entry.name)
    path = None if run_dir is None else Path(run_dir) / MODEL
    if path is not None and path.exists():
        raise ValueError(f"{path.parent} holds a model already: name another folder")
    with one_thread():
        model = learner(
            entry.policy,
            env,
            seed=derived_seed(seed, REST, 0) % 2**32,
            device="cpu",
            **{**entry.arguments, **given},
        )
        env.seed(derived_seed(seed, LANES, 0))
        model.learn(total_timesteps or entry.steps, callback=callback_list(callback))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            model.save(path)
        return _scored(model, params, remembers=algorithm == "recurrent-ppo")


def check_actions(algorithm: str, env: SB3VecEnv) -> None:
    """Raise `ValueError` where the algorithm cannot take the environment's actions."""
    takes, space = ALGORITHMS[algorithm].actions, env.action_space
    if takes == "numbers" and not isinstance(space, spaces.Box):
        raise ValueError(f"{algorithm} acts in numbers, not in {space}: make the market with continuous=True")
    if takes == "one list of levels" and not isinstance(space, spaces.Discrete):
        raise ValueError(f"{algorithm} chooses from one list of levels, not from {space}")
    if takes == "masks" and not (hasattr(env.lanes, "action_masks") and isinstance(space, spaces.Discrete)):
        raise ValueError(f"{algorithm} needs action_masks() over one list of levels, which {space} here does not have")


def _scored(model: BaseAlgorithm, params: MarketParams, remembers: bool) -> AlgorithmResult:
    def policy(observations: Observations) -> Actions:
        return act_by_rows(lambda rows: model.predict(rows, deterministic=True)[0], observations)

    if not remembers:
        return AlgorithmResult(model, PolicyScore.of(policy, params))
    lanes = SB3VecEnv(params, 100, seed=FRESH_SEED)
    returns, _ = evaluate_policy(model, lanes, PLAYED, return_episode_rewards=True)
    return AlgorithmResult(model, PolicyScore.of_returns(np.array(returns)))
