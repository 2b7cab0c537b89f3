"""train_randomised: PPO for one policy that serves every market of a range."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from baselines.evaluation.gap import Gap
from baselines.solver.optimum import policy_value
from mm_env.extras import needed_for
from mm_env.market.params import MarketParams
from mm_env.registration import params_of_market, short_id

with needed_for("agents that learn"):
    from stable_baselines3 import PPO
    from stable_baselines3.common.utils import set_random_seed

from train.hyperparams import (
    check_hyperparameters,
    ppo_arguments,
    ppo_callbacks,
    read_hyperparameters,
    read_yaml,
    write_yaml,
)
from train.policies.parameter_ranges import Ranges, check_ranges, market_at
from train.policies.randomised_policy import RandomisedPolicy
from train.policies.saved_policy import save_policy
from train.randomised.randomised_vec_env import RandomisedVecEnv
from train.runs.checkpoint_callback import CheckpointCallback
from train.runs.checkpoints import checkpoint_path, checkpoints, restore_newest
from train.runs.random_state import RandomState
from train.seeds import REST, begin_episodes, derived_seed
from train.single_thread import one_thread

RUN = "randomised.yml"  # what a run folder was set to
CHECKPOINTS = 20  # of a run


def train_randomised(
    market: str | MarketParams,
    ranges: Ranges,
    *,
    shown: bool = True,
    seed: int = 0,
    total_timesteps: int | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    run_dir: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
) -> RandomisedPolicy:
    """Train PPO in markets drawn anew for every episode.

    Args:
        market: A registered id, or the parameters themselves; what is in no range stays as it is there.
        ranges: From names of parameters to their lowest and highest value.
        shown: The agent sees the parameters; else one behaviour has to serve all of them.
        seed: Of weights, exploration, markets and episodes.
        total_timesteps: Instead of the hyperparameter `n_timesteps`.
        hyperparameters: Changes to those of the market in `hyperparameters/ppo.yml`.
        run_dir: Folder for checkpoints and for the policy, which `load_policy(run_dir, params)` reads for any market of
            the ranges; None: write nothing.
        resume: Go on with the run in that folder, which was set to the same: the policy is then what it would have
            been, bit for bit.
        progress: Show a progress bar, on a terminal.

    Returns:
        The policy as it is at the end.

    Raises:
        ValueError: A bad argument; a folder that holds a run already, or, to resume, none or another one.
    """
    params, env = params_of_market(market), short_id(market) if isinstance(market, str) else None
    plan = {**read_hyperparameters(env), **(hyperparameters or {})}
    if total_timesteps is not None:
        plan["n_timesteps"] = total_timesteps
    reward = plan.pop("env_kwargs", {}).get("reward", "expected")
    check_hyperparameters(plan)
    check_ranges(params, ranges)
    randomised = {name: list(ends) for name, ends in ranges.items()}
    told = {"env": env, "market": params.to_dict(), "reward": reward, "hyperparameters": plan, "seed": seed}
    folder = None if run_dir is None else Path(run_dir)
    _begin(folder, {**told, "randomised": randomised, "shown": shown}, resume)
    model = _learned(params, ranges, shown, seed, reward, plan, folder, progress)
    training = {"algorithm": "ppo", "seed": seed, "timesteps": model.num_timesteps, "randomised": randomised}
    policy = RandomisedPolicy.of(model, params, ranges if shown else {}, env, training)
    if folder is not None:
        save_policy(policy, folder)
    return policy


def _begin(folder: Path | None, told: dict[str, Any], resume: bool) -> None:
    """Write down what a new run is set to, or see that the run to go on with was set to the same."""
    if folder is None:
        if resume:
            raise ValueError("resume needs the run_dir of the run to go on with")
        return
    if not resume:
        if folder.exists() and (not folder.is_dir() or (folder / RUN).exists() or checkpoints(folder)):
            raise ValueError(f"{folder} holds a run already: go on with it by resume=True (--resume), or name another")
        write_yaml(told, folder / RUN)
        return
    stored = read_yaml(folder / RUN)
    asked = yaml.safe_load(yaml.safe_dump(told))  # tuples as a file keeps them
    if differ := [name for name in {**asked, **stored} if asked.get(name) != stored.get(name)]:
        listed = "; ".join(f"{name} is {stored.get(name)!r}, asked for {asked.get(name)!r}" for name in differ)
        raise ValueError(f"cannot resume another run: {listed}")


def _learned(
    params: MarketParams,
    ranges: Ranges,
    shown: bool,
    seed: int,
    reward: str,
    plan: Mapping[str, Any],
    folder: Path | None,
    progress: bool,
) -> PPO:
    """The model at the end of its steps."""
    lanes = {name: plan[name] for name in ("reward_scale", "lanes_per_tape") if name in plan}
    groups = max(plan["n_envs"] // max(plan.get("lanes_per_tape", 1), 8), 1)
    total, state = int(plan["n_timesteps"]), None
    with one_thread():
        venv = RandomisedVecEnv(params, ranges, plan["n_envs"], groups, shown, reward=reward, **lanes)
        arguments = ppo_arguments(plan, params)
        if "signs" in arguments.get("policy_kwargs", {}):  # the parameters are the same in the mirror
            arguments["policy_kwargs"]["signs"] += (1.0,) * (len(ranges) if shown else 0)
        set_random_seed(derived_seed(seed, REST, 0) % 2**32)
        model = PPO(env=venv, device="cpu", **arguments)
        if folder is not None and restore_newest(model, folder):
            state = RandomState.read(checkpoint_path(folder, model.num_timesteps), model)
        steps = model.num_timesteps
        begin_episodes(venv, seed, params.num_trades, steps, exact=state is not None)
        keeper = CheckpointCallback(model, folder, total, -(-total // CHECKPOINTS), progress, state)
        try:
            if steps < total:
                called = [keeper, *ppo_callbacks(plan)]
                model.learn(total - steps, callback=called, reset_num_timesteps=False)
        except KeyboardInterrupt:
            keeper.save_checkpoint()
            raise
        finally:
            keeper.close()
            venv.close()
    return model


class MarketScore(NamedTuple):
    """What a policy is worth in one market of its ranges, beside what is best there; exact, price units."""

    parameters: dict[str, float]
    objective: float
    gap: Gap
    share: float  # of the gap between the threshold rule and the optimum of this market
    share_beyond: float  # of the gap between the best fixed rule and the optimum of this market


def scores_over(policy: RandomisedPolicy, ranges: Ranges, places: int = 3) -> Iterator[MarketScore]:
    """The exact scores of a policy in markets spread evenly over the ranges, ends included, `places` for a parameter.

    Raises:
        UnsolvableError: The markets are too large to solve or not finite.
    """
    evenly = [place / (places - 1) for place in range(places)]
    for shares in itertools.product(evenly, repeat=len(ranges)):
        params = market_at(policy.params, ranges, shares)
        objective, gap = policy_value(policy.in_market(params), params), Gap.of(params)
        yield MarketScore({name: getattr(params, name) for name in ranges}, objective, gap, *gap.shares(objective))
