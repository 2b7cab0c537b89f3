"""train_randomised: PPO for one policy that serves every market of a range."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from baselines.evaluation.gap import Gap
from baselines.solver.optimum import policy_value
from mm_env.extras import needed_for
from mm_env.market.params import MarketParams
from mm_env.registration import params_of_market, short_id

with needed_for("agents that learn"):
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import ConvertCallback
    from stable_baselines3.common.utils import set_random_seed
    from tqdm import tqdm

from train.hyperparams import check_hyperparameters, ppo_arguments, ppo_callbacks, read_hyperparameters
from train.policies.parameter_ranges import Ranges, market_at
from train.policies.randomised_policy import RandomisedPolicy
from train.policies.saved_policy import save_policy
from train.randomised.randomised_vec_env import RandomisedVecEnv
from train.seeds import LANES, REST, derived_seed
from train.single_thread import one_thread


def train_randomised(
    market: str | MarketParams,
    ranges: Ranges,
    *,
    shown: bool = True,
    seed: int = 0,
    total_timesteps: int | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    run_dir: str | Path | None = None,
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
        run_dir: Folder for the policy, which `load_policy(run_dir, params)` reads for any market of the ranges; None:
            write nothing.
        progress: Show a progress bar, on a terminal.

    Returns:
        The policy as it is at the end.

    Raises:
        ValueError: A bad argument; the message names it.
    """
    params, env = params_of_market(market), short_id(market) if isinstance(market, str) else None
    plan = {**read_hyperparameters(env), **(hyperparameters or {})}
    reward = plan.pop("env_kwargs", {}).get("reward", "expected")
    check_hyperparameters(plan)
    lanes = {name: plan[name] for name in ("reward_scale", "lanes_per_tape") if name in plan}
    groups = max(plan["n_envs"] // max(plan.get("lanes_per_tape", 1), 8), 1)
    steps = total_timesteps or int(plan["n_timesteps"])
    with one_thread(), tqdm(total=steps, unit="step", disable=None if progress else True) as bar:
        set_random_seed(derived_seed(seed, REST, 0) % 2**32)
        venv = RandomisedVecEnv(params, ranges, plan["n_envs"], groups, shown, reward=reward, **lanes)
        venv.seed(derived_seed(seed, LANES, 0))
        arguments = ppo_arguments(plan, params)
        if "signs" in arguments.get("policy_kwargs", {}):  # the parameters are the same in the mirror
            arguments["policy_kwargs"]["signs"] += (1.0,) * (len(ranges) if shown else 0)
        model = PPO(env=venv, device="cpu", **arguments)
        progressed = ConvertCallback(lambda found, _: bool(bar.update(model.num_timesteps - bar.n)) or True)
        model.learn(steps, callback=[progressed, *ppo_callbacks(plan)])
        venv.close()
    training = {
        "algorithm": "ppo",
        "seed": seed,
        "timesteps": model.num_timesteps,
        "randomised": {name: list(ends) for name, ends in ranges.items()},
    }
    policy = RandomisedPolicy.of(model, params, ranges if shown else {}, env, training)
    if run_dir is not None:
        save_policy(policy, run_dir)
    return policy


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
