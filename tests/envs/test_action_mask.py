"""Masks of actions: what is masked changes nothing, and what is not does."""

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_env import HedgingEnv, HedgingVectorEnv, MarketParams, market_params
from mm_env.envs.action import action_sizes, level_sizes
from mm_env.envs.action_mask import action_mask
from mm_env.envs.dealers_vector_env import DealersVectorEnv
from mm_env.market.dynamics import Book, Request, initial_book
from tests.envs.test_hedging_vector_env import assert_same
from tests.markets import IDS, market_parameters

QUOTING = MarketParams(tick=0.01, quote_levels=3, tiers=[{"decay": 20.0}])


CHANGES = [{}, {"flat": True}, {"hedge_action": "units", "hedge_levels": None}, {"hedge_action": "band"}]


def kept(action, mask, params):
    """The largest levels up to the action's that are not masked."""
    if params.flat:
        sizes = level_sizes(params)
        whole, levels = mask.reshape(sizes), np.unravel_index(action, sizes)
        marginal = [whole.any(axis=tuple({*range(len(sizes))} - {part})) for part in range(len(sizes))]
        return int(np.ravel_multi_index([_kept(*pair) for pair in zip(levels, marginal, strict=True)], sizes))
    parts = np.split(mask, np.cumsum(action_sizes(params))[:-1])
    found = [_kept(level, part) for level, part in zip(np.atleast_1d(action), parts, strict=True)]
    return found[0] if len(found) == 1 else np.array(found)


def _kept(level, mask):
    return int(np.flatnonzero(mask[: level + 1])[-1])


def assert_masked_levels_change_nothing(env, other, params, episodes=2):
    env.action_space.seed(0)
    masked = 0
    for number in range(episodes):
        seed = {"seed": 3} if number == 0 else {}
        assert_same(env.reset(**seed), other.reset(**seed))
        for _ in range(params.num_trades):
            action, mask = env.action_space.sample(), env.action_masks()
            assert mask.dtype == np.bool_
            assert mask.shape == (sum(action_sizes(params)),)
            representative = kept(action, mask, params)
            masked += not np.array_equal(representative, action)
            assert_same(env.step(action), other.step(representative))
    return masked


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("market", IDS)
def test_what_is_masked_changes_nothing(market, changes):
    params = market_params(market, **changes)
    env, other = (HedgingEnv(**params.to_dict()) for _ in range(2))
    assert assert_masked_levels_change_nothing(env, other, params, 1) > params.num_trades / 10


@settings(max_examples=20, deadline=None)
@given(market_parameters(continuous=False), st.booleans())
def test_nor_does_it_in_any_market(params, flat):
    params = params.replace(flat=flat)
    env, other = (HedgingEnv(**params.to_dict(), compiled=False) for _ in range(2))
    assert_masked_levels_change_nothing(env, other, params, 1)


@pytest.mark.parametrize("form", ["", "Flat"])
def test_nor_among_rivals(form):
    env, other = (gym.make(f"mm_env/DealerVsRules{form}-v0").unwrapped for _ in range(2))
    assert assert_masked_levels_change_nothing(env, other, env.params, 1) > 10


def test_levels_that_do_differ_stay():
    """Long 4, and the client buys 1: after the trade, which is sure, 3 are left."""
    params, book = MarketParams(inventory_limit=6), initial_book(MarketParams())._replace(inventory=4.0)
    assert action_mask(book, Request(1.0, 1.0), params).tolist() == [True] * 4 + [False] * 3
    assert action_mask(book, Request(-1.0, -1.0), params).tolist() == [True] * 6 + [False]  # 5 are held
    assert action_mask(book, Request(1.0, 1.0, reservation=0.1), params).sum() == 5  # 4 if he refuses
    assert action_mask(book, Request(0.0, 0.0), params).sum() == 5
    full = book._replace(inventory=-6.0)
    assert action_mask(full, Request(1.0, 1.0), params).all()  # rejected
    late = book._replace(in_flight=(-3.0,))
    assert action_mask(late, Request(0.0, 0.0), params).tolist() == [True] * 2 + [False] * 5
    coarse = params.replace(hedge_levels=3)  # 0, 3, 6
    assert action_mask(book, Request(0.0, 0.0), coarse).all()  # 4 - 3 = 1 is hedged by the second, none by the third
    assert action_mask(book, Request(1.0, 1.0), coarse).tolist() == [True, True, False]


def test_quotes_matter_where_somebody_may_trade():
    book = initial_book(QUOTING)
    for params, quotes in ((QUOTING, lambda mask: mask[21:]), (QUOTING.replace(flat=True), lambda mask: mask[:3])):
        assert quotes(action_mask(book, Request(1.0, 1.0, reservation=0.0), params)).tolist() == [True] * 3
        for nobody in (Request(0.0, 0.0), Request(1.0, 21.0)):  # nobody came; more than the cap allows
            assert quotes(action_mask(book, nobody, params)).tolist() == [True, False, False]


def test_lanes_have_the_masks_of_singles():
    lanes, singles = HedgingVectorEnv(3, **QUOTING.to_dict()), [HedgingEnv(**QUOTING.to_dict()) for _ in range(3)]
    lanes.reset(seed=5)
    for lane, env in enumerate(singles):
        env.reset(seed=5 + lane)
    for trade in range(100):
        np.testing.assert_array_equal(lanes.action_masks(), [env.action_masks() for env in singles])
        for mine, single in zip(lanes.call("action_masks"), singles, strict=True):
            np.testing.assert_array_equal(mine, single.action_masks())
        actions = np.array([[trade % 21, trade % 3]] * 3)
        lanes.step(actions)
        for env in singles:
            env.step(actions[0])


def test_lanes_of_dealers_have_their_own():
    lanes = DealersVectorEnv(6, num_dealers=3, arrival_probability=0.5)
    lanes.reset(seed=1)
    for _ in range(20):
        masks = lanes.action_masks()
        assert masks.shape == (6, 21 + 16)
        for lane, mask in enumerate(masks):
            seat, market = divmod(lane, 2)
            alone = Book(*(part[seat, market] for part in lanes._market.book[:6]))
            asked = Request(*(part[market] for part in lanes._state.request[:2]), reservation=0.0)
            np.testing.assert_array_equal(mask, action_mask(alone, asked, lanes.params))
        lanes.step(lanes.action_space.sample())


def test_what_has_no_mask_says_so():
    env = HedgingEnv(continuous=True)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="continuous=True"):
        env.action_masks()
    with pytest.raises(gym.error.ResetNeeded):
        HedgingEnv().action_masks()


def test_sb3_contrib_learns_with_them():
    contrib = pytest.importorskip("sb3_contrib")
    env = gym.make("mm_env/DynamicSpread-v0")
    model = contrib.MaskablePPO("MlpPolicy", env, n_steps=64, n_epochs=1, batch_size=64, device="cpu").learn(64)
    observation, _ = env.reset(seed=0)
    action, _ = model.predict(observation, action_masks=env.unwrapped.action_masks(), deterministic=True)
    assert env.unwrapped.action_masks()[int(action[0])]
