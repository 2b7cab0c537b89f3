import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from baselines import policy_value
from mm_env import MarketParams
from mm_env.envs.observation import observation_names
from train import load_policy
from train.policies.network_policy import Layer
from train.policies.parameter_ranges import market_at, parameter_columns
from train.policies.randomised_policy import RandomisedPolicy
from train.randomised.randomised_training import scores_over, train_randomised

PARAMS = MarketParams(num_trades=10, inventory_limit=5, hedge_threshold=2)
RANGES = {"risk_aversion": (0.002, 0.2), "hedge_cost_per_unit": (0.01, 0.1)}
SMALL = {"n_envs": 16, "lanes_per_tape": 2, "n_steps": 10, "batch_size": 160}


def test_a_told_policy_is_saved_and_serves_every_market_of_its_ranges(tmp_path):
    policy = train_randomised(PARAMS, RANGES, seed=1, total_timesteps=480, hyperparameters=SMALL, run_dir=tmp_path)
    for shares in ((0.0, 1.0), (0.3, 0.6)):
        params = market_at(PARAMS, RANGES, shares)
        read, own = load_policy(tmp_path, params), policy.in_market(params)
        seen = np.random.default_rng(0).uniform(-1, 1, (200, len(observation_names(params)))).astype(np.float32)
        np.testing.assert_array_equal(read(seen), own(seen))
        assert policy_value(read, params) == policy_value(own, params)
    with pytest.raises(ValueError, match=r"risk_aversion=0.5 is outside"):
        load_policy(tmp_path, PARAMS.replace(risk_aversion=0.5))
    assert policy.training["randomised"] == {name: list(ends) for name, ends in RANGES.items()}


def test_a_policy_that_is_told_nothing_is_a_plain_one(tmp_path):
    policy = train_randomised(PARAMS, RANGES, shown=False, total_timesteps=320, hyperparameters=SMALL, run_dir=tmp_path)
    assert load_policy(tmp_path).sizes() == policy.sizes() == [3, 32, 32, 6]
    assert policy.in_market(PARAMS.replace(risk_aversion=0.5)).params.risk_aversion == 0.5


def test_what_a_market_adds_is_what_its_columns_would():
    rng = np.random.default_rng(3)
    layers = tuple(
        Layer(rng.normal(size=shape).astype(np.float32), rng.normal(size=shape[0]).astype(np.float32))
        for shape in ((8, 5), (6, 8))
    )
    policy = RandomisedPolicy(layers, "relu", PARAMS, RANGES)
    params = market_at(PARAMS, RANGES, (0.2, 0.9))
    seen = rng.uniform(-1, 1, (500, 3)).astype(np.float32)
    whole = np.concatenate([seen, np.tile(parameter_columns(params, RANGES), (500, 1))], axis=1)
    hidden = np.maximum(whole @ layers[0].weight.T + layers[0].bias, 0)
    np.testing.assert_array_equal(
        policy.in_market(params)(seen), (hidden @ layers[1].weight.T + layers[1].bias).argmax(-1)
    )


def test_scores_are_those_of_each_market():
    policy = train_randomised(PARAMS, RANGES, total_timesteps=160, hyperparameters=SMALL)
    found = list(scores_over(policy, RANGES, places=2))
    assert [tuple(score.parameters.values()) for score in found] == [
        (0.002, 0.01),
        (0.002, 0.1),
        (0.2, 0.01),
        (0.2, 0.1),
    ]
    for score in found:
        params = PARAMS.replace(**score.parameters)
        assert score.objective == policy_value(policy.in_market(params), params) <= score.gap.optimum + 1e-9
