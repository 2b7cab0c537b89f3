import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from mm_env import HedgingEnv, HedgingVectorEnv, MarketParams

pytest.importorskip("stable_baselines3")

import torch
from stable_baselines3 import PPO

from train import OrdinalPolicy, PairedRolloutBuffer, SB3VecEnv
from train.network_policy import NetworkPolicy
from train.paired_rollout_buffer import less_the_others

SMALL = MarketParams(num_trades=5, inventory_limit=4, hedge_threshold=2)
PAIRED = {"n_steps": 5, "batch_size": 40, "n_epochs": 1, "gamma": 1.0, "device": "cpu"}


def paired(lanes=16, group=8, market=SMALL):
    return SB3VecEnv(market, lanes, reward="expected", lanes_per_tape=group)


def test_lanes_of_a_group_are_the_same_single_environment():
    lanes = HedgingVectorEnv(6, lanes_per_tape=3, autoreset_mode=AutoresetMode.SAME_STEP, **SMALL.to_dict())
    singles = [HedgingEnv(**SMALL.to_dict()) for _ in range(6)]
    seen = [env.reset(seed=7 + i // 3)[0] for i, env in enumerate(singles)]
    np.testing.assert_array_equal(lanes.reset(seed=7)[0], seen)
    actions = np.random.default_rng(0)
    for _ in range(12):
        chosen = actions.integers(5, size=6)
        observations, rewards, *_ = lanes.step(chosen)
        for i, env in enumerate(singles):
            observation, reward, ended, *_ = env.step(chosen[i])
            assert rewards[i] == reward
            np.testing.assert_array_equal(observations[i], env.reset()[0] if ended else observation)


def test_every_lane_has_its_own_tape_by_default():
    plain, one = HedgingVectorEnv(4, **SMALL.to_dict()), HedgingVectorEnv(4, lanes_per_tape=1, **SMALL.to_dict())
    np.testing.assert_array_equal(plain.reset(seed=3)[0], one.reset(seed=3)[0])
    assert plain.lanes_per_tape == 1


@pytest.mark.parametrize("group", [0, -2, 3, 1.0, True, "2"])
def test_groups_must_divide_the_lanes(group):
    with pytest.raises(ValueError, match="lanes_per_tape must be a whole number that divides num_envs=4"):
        HedgingVectorEnv(4, lanes_per_tape=group, **SMALL.to_dict())


def test_groups_cannot_be_parted():
    lanes = HedgingVectorEnv(4, lanes_per_tape=2, autoreset_mode=AutoresetMode.DISABLED, **SMALL.to_dict())
    lanes.reset(seed=[5, 5, 9, 9])
    with pytest.raises(ValueError, match="seed must be the same for the 2 lanes"):
        lanes.reset(seed=[5, 6, 9, 9])
    with pytest.raises(ValueError, match="reset_mask must be the same for the 2 lanes"):
        lanes.reset(options={"reset_mask": np.array([True, False, False, False])})
    lanes.reset(options={"reset_mask": np.array([False, False, True, True])})


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
