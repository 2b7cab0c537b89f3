"""Policies are models to the tools of Stable-Baselines3."""

import numpy as np
import pytest

from baselines import POLICIES, make_policy
from baselines.solver.best_response import best_response
from mm_env import DealersParams, market_params
from mm_env.envs.predictor import Predictor
from mm_env.registration import DEALERS_DEFAULTS

PARAMS = market_params("mm_env/DynamicSpread-v0", num_trades=5)


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_of_the_table_predicts_what_it_does(name):
    policy, again = make_policy(name, PARAMS), make_policy(name, PARAMS)
    observations = np.array([[0.5, 0.4, 1.0], [-0.1, 0.2, -1.0]], np.float32)
    actions, state = policy.predict(observations, state=("kept",), episode_start=np.ones(2), deterministic=True)
    np.testing.assert_array_equal(actions, again(observations))
    assert state == ("kept",)
    assert make_policy(name, PARAMS).predict(observations[0].tolist())[0].shape == (2,)


def test_a_best_response_predicts_too():
    params = DealersParams.from_mapping({**DEALERS_DEFAULTS, "num_dealers": 2, "inventory_limit": 3, "num_trades": 4})
    best = best_response(params, [make_policy("threshold:2", params)])
    assert isinstance(best, Predictor)


def test_evaluate_policy_takes_them():
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    from train import SB3VecEnv

    lanes = SB3VecEnv("mm_env/CostlyHedge-v0", n_envs=4, seed=0)
    params = market_params("mm_env/CostlyHedge-v0")
    returns = {
        name: evaluation.evaluate_policy(make_policy(name, params), lanes, n_eval_episodes=40, warn=False)[0]
        for name in ("optimal", "flat")
    }
    assert returns["optimal"] > returns["flat"] + 1
