import pytest

pytest.importorskip("torch")

from baselines import policy_value
from mm_env import market_params
from train import load_policy
from train.deep_hedging.deep_hedger import train_deep_hedger

SMALL = {"num_trades": 20, "inventory_limit": 5, "hedge_threshold": 2}


def test_it_beats_the_best_rule_and_is_what_it_saves(tmp_path):
    market = "mm_env/VolatilityRegimes-v0"
    found = train_deep_hedger(
        market,
        env_kwargs=SMALL,
        seed=1,
        total_timesteps=80 * 20 * 64,
        arguments={"episodes": 64, "learning_rate": 0.02},
        run_dir=tmp_path,
        progress=False,
    )
    params = market_params(market, **SMALL)
    assert found.score.objective == policy_value(load_policy(tmp_path), params)
    assert found.score.exact.share_beyond > 0.3
    assert found.timesteps == 80 * 20 * 64
    assert len(found.smooth_objective) == 80
    assert found.smooth_objective[-1] > found.smooth_objective[0]


def test_equal_seeds_learn_equal_policies():
    arguments = {"env_kwargs": SMALL, "total_timesteps": 1280, "arguments": {"episodes": 32}, "progress": False}
    one, two, other = (train_deep_hedger(seed=seed, **arguments) for seed in (4, 4, 5))
    assert one.smooth_objective == two.smooth_objective != other.smooth_objective


def test_unknown_arguments_are_named():
    with pytest.raises(ValueError, match="must be among n_timesteps, .*, got gamma"):
        train_deep_hedger(arguments={"gamma": 0.9})
