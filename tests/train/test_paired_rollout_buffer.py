import numpy as np
import pytest

from mm_env import MarketParams

pytest.importorskip("stable_baselines3")

import torch
from stable_baselines3 import PPO

from train import PairedRolloutBuffer, SB3VecEnv
from train.paired_rollout_buffer import less_the_others

SMALL = MarketParams(num_trades=5, inventory_limit=4, hedge_threshold=2)
PAIRED = {"n_steps": 5, "batch_size": 40, "n_epochs": 1, "gamma": 1.0, "device": "cpu"}


def paired(lanes=16, group=8, market=SMALL):
    return SB3VecEnv(market, lanes, reward="expected", lanes_per_tape=group)


def test_the_seed_of_ppo_keeps_the_groups():
    model = PPO("MlpPolicy", paired(64), seed=3, rollout_buffer_class=PairedRolloutBuffer, **PAIRED)
    model.learn(640)
    assert model.rollout_buffer.lanes_per_tape == 8
    model = PPO("MlpPolicy", model.get_env(), seed=4, rollout_buffer_class=PairedRolloutBuffer, **PAIRED)
    first = model.get_env().reset().reshape(8, 8, -1)
    assert (first == first[:, :1]).all()
    assert len(np.unique(first[:, 0], axis=0)) > 1


def test_lanes_that_share_no_tape_are_refused():
    model = PPO("MlpPolicy", paired(64, group=1), seed=3, rollout_buffer_class=PairedRolloutBuffer, **PAIRED)
    with pytest.raises(ValueError, match="do not share a tape"):
        model.learn(320)
    model = PPO(
        "MlpPolicy",
        paired(64, group=4),
        rollout_buffer_class=PairedRolloutBuffer,
        rollout_buffer_kwargs={"lanes_per_tape": 8},
        **PAIRED,
    )
    with pytest.raises(ValueError, match="groups of 8 lanes do not share a tape"):
        model.learn(320)


@pytest.mark.parametrize("group", [0, 1, 5])
def test_the_buffer_refuses_groups_that_do_not_divide_the_lanes(group):
    with pytest.raises(ValueError, match="lanes_per_tape must be at least 2 and divide n_envs=16"):
        PPO(
            "MlpPolicy",
            paired(),
            rollout_buffer_class=PairedRolloutBuffer,
            rollout_buffer_kwargs={"lanes_per_tape": group},
            **PAIRED,
        )


def test_the_gradient_keeps_its_mean_and_loses_variance():
    market = SMALL.replace(num_trades=20, flow_persistence=0.9)
    env = paired(64, market=market)
    model = PPO("MlpPolicy", env, seed=0, **{**PAIRED, "n_steps": 20, "batch_size": 1280})
    _, callback = model._setup_learn(10**6)
    plain, less = [], []
    for _ in range(60):
        model.collect_rollouts(env, callback, model.rollout_buffer, 20)
        advantages = model.rollout_buffer.advantages.copy()
        for found, used in ((plain, advantages), (less, less_the_others(advantages, 8))):
            found.append(gradient(model, used))
    plain, less = np.array(plain), np.array(less)
    difference = plain - less
    errors = difference.std(axis=0, ddof=1) / len(difference) ** 0.5
    assert (np.abs(difference.mean(axis=0)) <= 4.5 * errors + 1e-9).all()
    assert less.var(axis=0).sum() < 0.5 * plain.var(axis=0).sum()


def gradient(model, advantages):
    """That of the mean of log pi times the advantage, in the biases of the last layer."""
    buffer = model.rollout_buffer
    observations = torch.as_tensor(buffer.observations.reshape(-1, buffer.observations.shape[-1]))
    actions = torch.as_tensor(buffer.actions.reshape(-1))
    _, log_prob, _ = model.policy.evaluate_actions(observations, actions)
    objective = (log_prob * torch.as_tensor(advantages.reshape(-1))).mean()
    return torch.autograd.grad(objective, model.policy.action_net.bias)[0].numpy()
