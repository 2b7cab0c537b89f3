"""A policy of his own for every dealer, with RLlib: `python -m train.rllib_dealers --dealers 2 --out runs/rllib`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from baselines.evaluation.league import league
from mm_env.cli.console import print_json, progress_bar
from mm_env.cli.options import Command, json_option, out_option, read_changes, set_option
from mm_env.cli.outputs import writing
from mm_env.cli.tables import print_league
from mm_env.envs.dealers_market import dealer_name
from mm_env.extras import needed_for
from mm_env.market.params import DealersParams
from mm_env.registration import dealers_params
from train.policies.network_policy import Layer, NetworkPolicy
from train.policies.saved_policy import save_policy
from train.seeds import LANES, derived_seed

if TYPE_CHECKING:
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.core.rl_module import RLModule

_MARKETS = 64  # that are played side by side: an iteration is one episode of each


def dealers_config(params: DealersParams, iterations: int = 20, seed: int = 0) -> PPOConfig:
    """PPO for the dealers of one market: the agent `dealer_i` acts and learns with the module `dealer_i`.

    Everything happens in this process. The hyperparameters are near those of `mm_env/DealerVsRules-v0` in
    `hyperparameters/ppo.yml`, but for fewer steps.

    Args:
        params: The market.
        iterations: After so many the learning rate is zero.
        seed: Of weights, exploration and episodes. Different seeds share no episode.
    """
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
    from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
    from ray.rllib.core.rl_module.rl_module import RLModuleSpec
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
    from ray.tune.registry import register_env

    from mm_env.envs.dealers_env import DealersEnv
    from mm_env.registration import DEALERS

    register_env(DEALERS, lambda config: ParallelPettingZooEnv(DealersEnv(**config)))
    dealers = [dealer_name(seat) for seat in range(params.num_dealers)]
    steps = _MARKETS * params.num_trades
    network = DefaultModelConfig(fcnet_hiddens=[32, 32], vf_share_layers=False, free_log_std=params.continuous)
    return (
        PPOConfig()
        .environment(DEALERS, env_config={"reward": "expected", **params.to_dict()})
        .multi_agent(policies=dealers, policy_mapping_fn=lambda agent, *_, **__: agent)
        .rl_module(
            rl_module_spec=MultiRLModuleSpec(rl_module_specs={dealer: RLModuleSpec() for dealer in dealers}),
            model_config=network,
        )
        .env_runners(num_env_runners=0, num_envs_per_env_runner=_MARKETS)
        .learners(num_learners=0)
        .training(
            train_batch_size_per_learner=steps,
            minibatch_size=steps // 16,
            num_epochs=8,
            lr=[[0, 0.005], [iterations * steps, 0.0]],
            gamma=0.98,
            lambda_=0.95,
            clip_param=0.2,
            use_kl_loss=False,
            grad_clip=0.5,
        )
        .debugging(seed=derived_seed(seed, LANES, 0) % 2**31, log_level="ERROR")
    )


def train_dealers(
    params: DealersParams,
    iterations: int = 20,
    seed: int = 0,
    progress: Callable[[int], None] = lambda iterations: None,
) -> dict[str, NetworkPolicy]:
    """Train the dealers of one market together; each learns what is best against what the others have come to do.

    Args:
        params: The market.
        iterations: Of PPO: 64 episodes each.
        seed: Of weights, exploration and episodes. Different seeds share no episode; equal seeds give equal policies
            where PYTHONHASHSEED is the same, since RLlib goes through sets of agents.
        progress: Called with the number of iterations just done.

    Returns:
        The policies by dealer, as they are at the end.

    Raises:
        ImportError: Ray is not installed.
    """
    with needed_for("policies that RLlib trains"):
        import ray

    from train.single_thread import one_thread

    quiet = {"num_cpus": 1, "include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    with nullcontext() if ray.is_initialized() else ray.init(**quiet), one_thread():
        algorithm = dealers_config(params, iterations, seed).build_algo()
        for _ in range(iterations):
            algorithm.train()
            progress(1)
        dealers = (dealer_name(seat) for seat in range(params.num_dealers))
        policies = {name: policy_of(algorithm.get_module(name), params) for name in dealers}
        algorithm.stop()
    return policies


def policy_of(module: RLModule, params: DealersParams) -> NetworkPolicy:
    """The greedy policy of a module of `dealers_config`, in NumPy alone."""
    linear = [*module.encoder.actor_encoder.net.mlp, *module.pi.net.mlp]
    return NetworkPolicy(tuple(Layer.of(part) for part in linear if hasattr(part, "weight")), "tanh", params)


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--dealers", default=2, type=click.IntRange(2), help="Dealers in the market, each with his own policy.")
@click.option("--iterations", default=20, type=click.IntRange(1), help="Iterations of PPO, 64 episodes each.")
@click.option("--episodes", default=2000, type=click.IntRange(2), help="Episodes of the table, from every seat.")
@set_option
@click.option("--seed", default=0, type=click.IntRange(0), help="Seed of the training, and of the table's episodes.")
@out_option()
@json_option
def main(
    dealers: int, iterations: int, episodes: int, changes: tuple[str, ...], seed: int, out: Path | None, as_json: bool
) -> None:
    """Train every dealer of a market with RLlib; print what each earns against the others, with 95 % intervals.

    The table is of greedy play in episodes that nobody was trained on. With --out, save the policies there:
    `mm-env compete` takes their folders.

    Example: python -m train.rllib_dealers --dealers 2 --iterations 20 --seed 0 --out runs/rllib

    Exit codes: 0 done, 1 something is missing or failed, 2 bad usage, 130 interrupted.
    """
    asked = read_changes(changes)
    if "num_dealers" in asked:
        raise ValueError("num_dealers is what --dealers gives")
    params = dealers_params(**{"num_dealers": dealers, **asked})
    with progress_bar("training", iterations) as advance:
        policies = train_dealers(params, iterations, seed, advance)
    with progress_bar("playing", episodes * dealers) as advance:
        result = league(policies, params, episodes, seed, advance)
    if out is not None:
        for name, policy in policies.items():
            with writing(out / name):
                save_policy(policy, out / name)
    if as_json:
        print_json(result.to_dict())
    else:
        print_league(result)


if __name__ == "__main__":
    main()
