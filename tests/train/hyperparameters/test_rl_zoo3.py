import subprocess
import sys
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

from mm_env import MARKETS, market_params
from mm_env.registration import native
from train import MirroredPolicy
from train.algorithms import ALGORITHMS, read_settings
from train.hyperparameters import plain_rl_zoo3
from train.hyperparameters.rl_zoo3 import SharedTapes, hyperparams, in_zoo_terms
from train.hyperparams import RULES, read_yaml, recipe_table
from train.paired_rollout_buffer import PairedRolloutBuffer
from train.policies.mirrored_policy import mirror_signs

ZOO = {"env_wrapper", "vec_env_wrapper", "rollout_buffer_class", "rollout_buffer_kwargs", "env_kwargs", "callback"}


def test_every_entry_is_translated():
    assert hyperparams.keys() == recipe_table("ppo").keys() >= MARKETS.keys()
    for entry in hyperparams.values():
        assert set(entry) <= (RULES.keys() | ZOO) - {"lanes_per_tape", "reward_scale", "final_gae_lambda", "settled"}
        assert isinstance(entry.get("ent_coef", 0.0), float)
        assert entry["policy"] in ("MlpPolicy", "train.OrdinalPolicy", "train.MirroredPolicy")


def test_a_policy_is_told_what_changes_its_sign_and_where_the_time_left_is():
    text = "dict(net_arch=[8, 8], activation_fn=nn.ReLU, time_hinges=[0.1])"
    entry = in_zoo_terms({"policy": "MirroredPolicy", "policy_kwargs": text}, "mm_env/Latency-v0")
    assert entry["policy"] == "train.MirroredPolicy"
    env = make_vec_env("mm_env/Latency-v0", 2)
    model = PPO(MirroredPolicy, env, policy_kwargs=entry["policy_kwargs"], device="cpu")
    assert model.policy._signs == mirror_signs(market_params("mm_env/Latency-v0"))
    assert model.policy.features_extractor.column == 1


FOLDER = Path(plain_rl_zoo3.__file__).parent
OTHERS = ("a2c", "dqn", "sac", "td3", "tqc", "crossq")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_other_algorithms_have_every_market_in_a_form_that_they_take(algorithm):
    table, takes = read_yaml(FOLDER / f"{algorithm}.yml"), ALGORITHMS[algorithm].actions
    assert [native(name) for name in table] == list(MARKETS)
    for name, values in table.items():
        space = gym.make(name).action_space
        assert {"any": gym.spaces.Space, "numbers": gym.spaces.Box}.get(takes, gym.spaces.Discrete) in type(
            space
        ).__mro__
        assert values["env_kwargs"] == {"reward": "expected"}
        found = read_settings(algorithm, name)
        assert found.pop("reward_scale") == (0.03 if "FXDealer" in name else 1.0)
        assert found == {key: value for key, value in values.items() if not key.startswith("env_")}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("rl_zoo3") is None, reason="rl_zoo3 is not installed")
@pytest.mark.parametrize("algorithm", ["ppo", "plain ppo", *OTHERS])
def test_rl_zoo3_builds_every_entry(algorithm, tmp_path):
    from rl_zoo3.exp_manager import ExperimentManager

    config = {"ppo": "train.hyperparameters.rl_zoo3", "plain ppo": "train.hyperparameters.plain_rl_zoo3"}
    table = {"ppo": hyperparams, "plain ppo": plain_rl_zoo3.hyperparams}
    for market in table.get(algorithm) or read_yaml(FOLDER / f"{algorithm}.yml"):
        manager = ExperimentManager(
            Namespace(),
            algorithm.rpartition(" ")[2],
            market,
            str(tmp_path),
            config=config.get(algorithm, str(FOLDER / f"{algorithm}.yml")),
            hyperparams={"n_envs": 8} | ({"buffer_size": 100} if algorithm in OTHERS[1:] else {}),
            eval_freq=-1,
            verbose=0,
            device="cpu",
        )
        model, _ = manager.setup_experiment()
        assert model.n_envs == 8
        model.env.close()


def test_lanes_of_a_group_are_on_one_tape_and_ppo_learns_from_it():
    env = SharedTapes(make_vec_env("mm_env/Imbalance-v0", 8, seed=3, env_kwargs={"num_trades": 5}), 4)
    paired = {"rollout_buffer_class": PairedRolloutBuffer, "rollout_buffer_kwargs": {"lanes_per_tape": 4}}
    model = PPO("MlpPolicy", env, seed=3, n_steps=5, batch_size=20, device="cpu", **paired)
    first = env.reset().reshape(2, 4, -1)
    assert (first == first[:, :1]).all()
    model.learn(80)
    assert len(np.unique(np.concatenate([SharedTapes.reset(env) for _ in range(9)]), axis=0)) > 1


def test_rewards_are_scaled_where_the_file_says_so():
    entry = in_zoo_terms({"policy": "MlpPolicy", "reward_scale": 0.5})
    [(name, arguments)] = entry["env_wrapper"][0].items()
    module, _, wrapper = name.rpartition(".")
    from mm_env import HedgingEnv

    plain, scaled = HedgingEnv(), getattr(sys.modules[module], wrapper)(HedgingEnv(), **arguments)
    for env in (plain, scaled):
        env.reset(seed=1)
    assert [scaled.step(3)[1] for _ in range(20)] == [0.5 * plain.step(3)[1] for _ in range(20)]


@pytest.mark.skipif(find_spec("rl_zoo3") is None, reason="rl_zoo3 is not installed")
@pytest.mark.parametrize("market", ["mm_env/Imbalance-v0", "mm_env/FXDealer-v0"])
def test_rl_zoo3_trains_with_it(market, tmp_path):
    command = "-m rl_zoo3.train --algo ppo --gym-packages mm_env --conf-file train.hyperparameters.rl_zoo3 -n 1000"
    small = ["--hyperparams", "n_envs:16", "batch_size:160", "n_steps:10", "--eval-freq", "-1", "--seed", "5"]
    ended = subprocess.run(
        [sys.executable, *command.split(), *small, "--env", market, "-f", str(tmp_path)], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert list(tmp_path.glob("ppo/*/*.zip"))
