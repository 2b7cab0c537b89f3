"""RLlib trains the dealers, and the single environment: `make test-rllib`. Without Ray only refusals are tested."""

import secrets
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from mm_env import DealersParams, play_dealers
from mm_env.envs.dealers_market import DEALERS_DEFAULTS
from train.policies.saved_policy import load_policy
from train.rllib_dealers import dealers_config, main, policy_of

PARAMS = DealersParams.from_mapping({**DEALERS_DEFAULTS, "num_dealers": 2, "num_trades": 10})
DEALERS = ("dealer_0", "dealer_1")


@pytest.fixture(scope="module")
def ray(tmp_path_factory):
    """Ray, not started. It reads its token once, and leaves neither one nor results in the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        found = pytest.importorskip("ray")
        results = tmp_path_factory.mktemp("ray_results")
        patch.setattr("ray.tune.trainable.trainable.DEFAULT_STORAGE_PATH", str(results))
        yield found


@pytest.fixture
def started(ray):
    with ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False):
        yield


def played(policies, params, seed, markets):
    """What each dealer makes of the first episode of each market, in our own environment."""
    from mm_env.envs.dealers_env import DealersEnv

    env, returns = DealersEnv(reward="expected", **params.to_dict()), {dealer: [] for dealer in DEALERS}
    for market in range(markets):
        seen, _ = env.reset(seed=seed + market)
        earned = dict.fromkeys(DEALERS, 0.0)
        while env.agents:
            seen, rewards, *_ = env.step({dealer: policies[dealer](seen[dealer]) for dealer in env.agents})
            earned = {dealer: earned[dealer] + rewards[dealer] for dealer in DEALERS}
        for dealer in DEALERS:
            returns[dealer].append(earned[dealer])
    return returns


@pytest.mark.slow
def test_every_dealer_learns_a_module_of_his_own(started):
    config = dealers_config(PARAMS, iterations=2, seed=1)
    assert [config.policy_mapping_fn(dealer, None) for dealer in DEALERS] == list(DEALERS)
    algorithm = config.build_algo()
    before = {dealer: policy_of(algorithm.get_module(dealer), PARAMS) for dealer in DEALERS}
    results = [algorithm.train()["env_runners"] for _ in range(2)]
    after = {dealer: policy_of(algorithm.get_module(dealer), PARAMS) for dealer in DEALERS}
    algorithm.stop()
    for result in results:
        returns = result["agent_episode_returns_mean"]
        assert set(returns) == set(DEALERS)
        assert result["episode_len_mean"] == result["episode_len_min"] == result["episode_len_max"] == 10
        assert result["episode_return_mean"] == pytest.approx(sum(returns.values()))
        assert all(0 < abs(value) < PARAMS.num_trades * PARAMS.widest_quote for value in returns.values())
    for mine, his in ((after["dealer_0"], after["dealer_1"]), *((before[d], after[d]) for d in DEALERS)):
        assert all((a.weight != b.weight).any() for a, b in zip(mine.layers, his.layers, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("continuous", [False, True])
def test_rllib_plays_what_the_policies_play_here(started, continuous):
    """Its first greedy episodes are those of our environment, its markets seeded one after another."""
    params = PARAMS.replace(continuous=continuous)
    algorithm = dealers_config(params, seed=2).build_algo()
    policies = {dealer: policy_of(algorithm.get_module(dealer), params) for dealer in DEALERS}
    runner = algorithm.env_runner
    episodes = runner.sample(num_episodes=runner.num_envs, explore=False)
    algorithm.stop()
    expected = played(policies, params, algorithm.config.seed, runner.num_envs)
    for dealer in DEALERS:
        found = [episode.agent_episodes[dealer].get_return() for episode in episodes]
        np.testing.assert_allclose(np.sort(found), np.sort(expected[dealer]), atol=1e-5)


@pytest.mark.slow
def test_the_command_shows_every_dealer_and_keeps_his_policy(ray, tmp_path):
    arguments = ["--iterations", "1", "--episodes", "20", "--set", "num_trades=10", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    rows = [line.split("|")[1].strip() for line in result.output.splitlines() if line.startswith("| dealer_")]
    assert rows == list(DEALERS)
    policies = [load_policy(tmp_path / "run" / dealer, PARAMS) for dealer in DEALERS]
    assert all(np.isfinite(seat.reward).all() for seat in play_dealers(policies, PARAMS, 20))


@pytest.mark.slow
def test_the_single_environment_works_as_it_is(started):
    from ray.rllib.algorithms.ppo import PPOConfig

    config = PPOConfig().environment("mm_env:mm_env/Hedging-v0", env_config={"num_trades": 20})
    config.env_runners(num_env_runners=0).training(train_batch_size_per_learner=200, minibatch_size=100, num_epochs=1)
    algorithm = config.build_algo()
    result = algorithm.train()["env_runners"]
    algorithm.stop()
    assert result["episode_len_mean"] == 20
    assert result["num_episodes"] == 10
    assert np.isfinite(result["episode_return_mean"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dealers", "1"], "1 is not in the range"),
        (["--set", "num_trades=0"], "num_trades"),
        (["--set", "num_dealers=3"], "--dealers"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_once(arguments, message):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_without_ray_it_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    result = CliRunner().invoke(main, ["--iterations", "1"])
    assert result.exit_code == 1
    assert "pip install 'mm_env[rllib]'" in result.output
