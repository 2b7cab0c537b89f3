import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

import torch

from baselines import policy_value
from mm_env import MarketParams
from mm_env.envs.observation import observation_names
from train import load_policy
from train.policies.network_policy import Layer
from train.policies.parameter_ranges import market_at, parameter_columns
from train.policies.randomised_policy import RandomisedPolicy
from train.randomised import randomised_training
from train.randomised.randomised_training import scores_over, train_randomised
from train.randomised.randomised_vec_env import RandomisedVecEnv
from train.runs.checkpoints import checkpoints

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


@pytest.mark.parametrize(  # in the third rollout, and in the midst of learning from it
    ("place", "name", "call"), [(RandomisedVecEnv, "step_wait", 25), (torch.nn.utils, "clip_grad_norm_", 11)]
)
def test_a_resumed_run_ends_bit_for_bit_as_if_it_had_not_been_interrupted(tmp_path, monkeypatch, place, name, call):
    def trained(folder, **changes):
        arguments = {"seed": 1, "total_timesteps": 800, "hyperparameters": SMALL, "progress": False, **changes}
        return train_randomised(PARAMS, RANGES, run_dir=tmp_path / folder, **arguments)

    monkeypatch.setattr(randomised_training, "CHECKPOINTS", 2)
    whole = trained("whole")
    with monkeypatch.context() as patch:
        interrupt_at(patch, place, name, call)
        with pytest.raises(KeyboardInterrupt):
            trained("cut")
    assert list(checkpoints(tmp_path / "cut")) == [2 * 160]
    with pytest.raises(ValueError, match=r"cut holds a run already: .*--resume"):
        trained("cut")
    with pytest.raises(ValueError, match="cannot resume another run: seed is 1, asked for 2"):
        trained("cut", resume=True, seed=2)
    torch.manual_seed(9)  # whatever stands in the other process
    assert trained("cut", resume=True).training == whole.training
    one, other = (tmp_path / folder / "policy.safetensors" for folder in ("whole", "cut"))
    assert one.read_bytes() == other.read_bytes()
    trained("cut", resume=True)  # it has ended
    assert one.read_bytes() == other.read_bytes()


def interrupt_at(patch, place, name, call):
    calls, function = iter(range(1, 10**9)), getattr(place, name)

    def interrupted(*arguments, **keywords):
        if next(calls) == call:
            raise KeyboardInterrupt
        return function(*arguments, **keywords)

    patch.setattr(place, name, interrupted)


def test_there_has_to_be_a_run_to_resume(tmp_path):
    with pytest.raises(ValueError, match="randomised.yml: cannot be read"):
        train_randomised(PARAMS, RANGES, run_dir=tmp_path, resume=True)
    with pytest.raises(ValueError, match="resume needs the run_dir"):
        train_randomised(PARAMS, RANGES, resume=True)


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
