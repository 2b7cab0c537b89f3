import numpy as np
import pytest

from mm_env import MarketParams

pytest.importorskip("stable_baselines3")

import torch
from stable_baselines3 import PPO

from train import OrdinalPolicy, PairedRolloutBuffer, SB3VecEnv
from train.policies.network_policy import NetworkPolicy

SMALL = MarketParams(num_trades=5, inventory_limit=4, hedge_threshold=2)
PAIRED = {"n_steps": 5, "batch_size": 40, "n_epochs": 1, "gamma": 1.0, "device": "cpu"}


def paired(market=SMALL):
    return SB3VecEnv(market, 16, reward="expected", lanes_per_tape=8)


@pytest.mark.parametrize("market", [SMALL, SMALL.replace(quote_levels=3, tick=0.02)])
def test_an_ordinal_policy_is_a_network_of_the_same_actions(market):
    model = PPO(OrdinalPolicy, paired(market=market), seed=1, rollout_buffer_class=PairedRolloutBuffer, **PAIRED)
    model.learn(4000)
    observations = np.random.default_rng(0).uniform(-1, 1, (500, 3)).astype(np.float32)
    policy = NetworkPolicy.of(model, market)
    np.testing.assert_array_equal(policy(observations), model.predict(observations, deterministic=True)[0])


def test_an_ordinal_policy_moves_all_levels_above():
    model = PPO(OrdinalPolicy, paired(), **PAIRED)
    head = model.policy.action_net
    features = torch.zeros(1, head.linear.in_features)
    with torch.no_grad():
        head.linear.bias[:] = torch.tensor([0.0, 1.0, 0.0, -3.0, 1.0])
        assert head(features).tolist() == [[0.0, 1.0, 1.0, -2.0, -1.0]]
    assert set(model.policy.optimizer.param_groups[0]["params"]) == set(model.policy.parameters())


def test_an_ordinal_policy_needs_levels():
    with pytest.raises(ValueError, match="OrdinalPolicy is for actions that are levels"):
        PPO(OrdinalPolicy, paired(market=SMALL.replace(continuous=True)), **PAIRED)
