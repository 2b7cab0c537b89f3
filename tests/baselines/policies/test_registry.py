import numpy as np
import pytest

from baselines import POLICIES, best_rule, make_policy
from baselines.policies.threshold import ThresholdPolicy
from mm_env import MarketParams, play
from mm_env.envs.action import encode_action
from mm_env.envs.observation import decode_observation, observation_names, observe
from mm_env.market.dynamics import Request, initial_book
from mm_env.market.exogenous_state import ExogenousState


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("thresold:10", "no policy 'thresold:10'; did you mean 'threshold'"),
        ("threshold:", "expected threshold:K:QUOTE"),
        ("threshold:-1", "whole number K >= 0"),
        ("threshold:1.5", "whole number K >= 0"),
        ("threshold:nan", "whole number K >= 0"),
        ("threshold:²", "whole number K >= 0"),
        ("never:3", "takes no argument"),
        ("", "no policy ''"),
    ],
)
def test_bad_names_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        make_policy(name, MarketParams())


def test_names_mean_what_they_say():
    params = MarketParams(hedge_threshold=7)
    zeros = np.zeros((4, len(observation_names())), dtype=np.float32)
    means = {"never": 20, "flat": 0, "threshold": 7, "threshold:3": 3, "threshold:99": 20}
    for name, action in means.items():
        assert make_policy(name, params)(zeros).tolist() == [action] * 4
    assert make_policy("best-threshold", params)(zeros)[0] == best_rule(params).threshold


@pytest.mark.parametrize("name", POLICIES)
def test_any_leading_shape_of_observations(name):
    params = MarketParams()
    policy = make_policy(name, params)
    observation = np.array([0.1, 0.5, 1.0], dtype=np.float32)
    assert np.shape(policy(observation)) == ()
    assert policy(np.broadcast_to(observation, (2, 5, 3))).shape == (2, 5)
    assert policy(np.empty((0, 3), dtype=np.float32)).shape == (0,)


def test_random_is_reproducible_and_uniform():
    params = MarketParams()
    policy = make_policy("random", params, seed=1)
    zeros = np.zeros((21_000, 3), dtype=np.float32)
    counts = np.bincount(policy(zeros), minlength=21)
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)
    np.testing.assert_array_equal(play(policy, params, 5).reward, play(policy, params, 5).reward)


def test_a_threshold_off_the_grid_is_refused():
    params = MarketParams(hedge_levels=5)
    assert play(make_policy("threshold:10", params), params, 2).num_trades == 100
    with pytest.raises(ValueError, match=r"threshold 7 is not one of the hedge levels \[0, 5, 10, 15, 20\]"):
        play(make_policy("threshold:7", params), params, 2)
    for threshold in (-1, 2.5, float("nan"), "a", None):
        with pytest.raises(ValueError, match="threshold must be"):
            ThresholdPolicy(threshold, params)


@pytest.mark.parametrize("changes", [{}, {"inventory_limit": 977, "num_trades": 99_991}, {"inventory_limit": 0}])
def test_what_is_observed_can_be_read_back(changes):
    params = MarketParams(**changes)
    limit = params.inventory_limit
    inventory = np.arange(-limit, limit + 1.0)
    left = np.linspace(0, params.num_trades, inventory.size).round()
    side = np.where(inventory % 2 == 0, 1.0, -1.0)
    request = Request(side, side)
    state = ExogenousState(request)
    view = decode_observation(observe(initial_book(params)._replace(inventory=inventory), state, left, params), params)
    np.testing.assert_array_equal(view.inventory, inventory)
    np.testing.assert_array_equal(view.trades_left, left)
    np.testing.assert_array_equal(view.request.side, request.side)


def test_encode_knows_the_trade_to_come():
    """In units, hedging beyond 10 at inventory -10 when a client buys means offloading 1."""
    params = MarketParams(hedge_action="units")
    seen = observe(
        initial_book(params)._replace(inventory=np.array([-10.0, 10.0])), ExogenousState(Request(1.0, 1.0)), 50, params
    )
    assert encode_action(10, seen, params).tolist() == [1, 0]
