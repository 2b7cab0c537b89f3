import json
from importlib.util import find_spec

import pytest
from click.testing import CliRunner

pytest.importorskip("stable_baselines3")

from baselines import policy_value
from mm_env import market_params
from mm_env.cli.commands.train import ALGOS
from mm_env.cli.main import main
from train.algorithms import ALGORITHMS, MODEL, train_algorithm
from train.policies.saved_policy import read_policy

SMALL = {"num_trades": 10, "inventory_limit": 5, "hedge_threshold": 2}
FEW = {"total_timesteps": 200, "arguments": {"n_envs": 4}}
REPLAY = {"total_timesteps": 200, "arguments": {"n_envs": 4, "learning_starts": 100, "batch_size": 16}}
contrib = pytest.mark.skipif(find_spec("sb3_contrib") is None, reason="sb3-contrib is not installed")


def test_the_command_knows_every_algorithm():
    assert ("ppo", "deep-hedging", *ALGORITHMS) == ALGOS


@pytest.mark.parametrize(
    ("algorithm", "market", "arguments"),
    [
        ("a2c", "mm_env/Hedging-v0", FEW),
        ("a2c", "mm_env/DynamicSpread-v0", FEW),
        ("dqn", "mm_env/Hedging-v0", REPLAY),
        ("sac", "mm_env/Hedging-v0", REPLAY),
        ("td3", "mm_env/DynamicSpread-v0", REPLAY),
        pytest.param("tqc", "mm_env/Hedging-v0", REPLAY, marks=contrib),
        pytest.param("crossq", "mm_env/Hedging-v0", REPLAY, marks=contrib),
        pytest.param("recurrent-ppo", "mm_env/Hedging-v0", FEW, marks=contrib),
        pytest.param("maskable-ppo", "mm_env/Hedging-v0", FEW, marks=contrib),
    ],
)
def test_algorithms_train_and_are_scored(algorithm, market, arguments, tmp_path):
    numbers = ALGORITHMS[algorithm].actions == "numbers"
    changes = {**SMALL, "continuous": True} if numbers else SMALL
    found = train_algorithm(algorithm, market, env_kwargs=changes, run_dir=tmp_path, **arguments)
    assert found.model.num_timesteps >= 200
    assert (tmp_path / MODEL).exists()
    if algorithm == "recurrent-ppo":
        assert found.score.exact is None
        assert found.score.standard_error > 0
        return
    params = market_params(market, **changes)

    if algorithm == "maskable-ppo":
        policy = read_policy(tmp_path / MODEL, params, trust_pickle=True)
        assert found.score.objective == policy_value(policy, params)
        return

    def policy(observations):
        flat = observations.reshape(-1, observations.shape[-1])
        actions = type(found.model).load(tmp_path / MODEL).predict(flat, deterministic=True)[0]
        return actions.reshape(*observations.shape[:-1], *actions.shape[1:])

    assert found.score.objective == found.score.exact.objective == policy_value(policy, params)
    with pytest.raises(ValueError, match="holds a model already"):
        train_algorithm(algorithm, market, env_kwargs=changes, run_dir=tmp_path, **arguments)


@pytest.mark.parametrize(
    ("algorithm", "market", "message"),
    [
        ("sac", "mm_env/Hedging-v0", "sac acts in numbers, not in Discrete(21): make the market with continuous=True"),
        ("dqn", "mm_env/DynamicSpread-v0", "dqn chooses from one list of levels, not from MultiDiscrete"),
        ("maskable-ppo", "mm_env/DynamicSpread-v0", "maskable-ppo needs action_masks() over one list of levels"),
    ],
)
def test_what_an_algorithm_cannot_do_is_refused_with_the_reason(algorithm, market, message, tmp_path):
    result = CliRunner().invoke(main, ["train", "--algo", algorithm, "--market", market, "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("algorithm", ["a2c", "deep-hedging"])
def test_the_command_trains_one_and_says_that_it_is_not_tuned(algorithm, tmp_path):
    arguments = ["--algo", algorithm, "--steps", "1280", "--set", "num_trades=10", "--out", str(tmp_path), "--json"]
    result = CliRunner().invoke(main, ["train", *arguments])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["steps"] >= 1280
    assert f"The settings of {algorithm} were chosen in VolatilityRegimes alone" in result.stderr


@pytest.mark.parametrize("option", [["--seeds", "0-1"], ["--resume"], ["--patience", "2"], ["--track", "wandb"]])
def test_what_only_ppo_can_is_refused(option):
    result = CliRunner().invoke(main, ["train", "--algo", "a2c", *option])
    assert result.exit_code == 2
    assert f"{option[0]} is for --algo ppo, not for a2c" in result.output
