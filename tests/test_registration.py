"""The ids: each market also with continuous and, where it quotes, with flat actions, made by one rule."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from mm_env import MARKETS, market_params
from mm_env.envs.action import action_sizes
from mm_env.registration import ACTION_FORMS, FORMS, VERSUS, find_market, in_form
from tests.envs.test_hedging_vector_env import assert_same
from tests.markets import WINDOWLESS

ALL_FORMS = [*FORMS, *(in_form(VERSUS, form) for form in ACTION_FORMS)]
CONTINUOUS = in_form("mm_env/Hedging-v0", "Continuous")


def native_id(name):
    return next(name.replace(form, "") for form in ACTION_FORMS if form in name)


def in_the_form(levels, native, form):
    """The same decision as the levels, in the form's own terms."""
    if isinstance(form, gym.spaces.Box):
        steps = np.atleast_1d(native.n if isinstance(native, gym.spaces.Discrete) else native.nvec) - 1
        return 2.0 * np.atleast_1d(levels) / steps - 1.0
    return int(np.ravel_multi_index(tuple(levels), native.nvec))


def test_every_market_has_its_forms():
    assert {in_form(name, "Continuous") for name in MARKETS} < FORMS.keys()
    flat = {name for name in FORMS if "Flat" in name}
    assert flat == {in_form(name, "Flat") for name in MARKETS if len(action_sizes(market_params(name))) > 1}
    assert set(ALL_FORMS) < gym.registry.keys()
    assert market_params(CONTINUOUS) == market_params(continuous=True)
    assert find_market(CONTINUOUS).why == MARKETS["mm_env/Hedging-v0"].why
    with pytest.raises(ValueError, match="has rivals"):
        market_params(in_form(VERSUS, "Flat"))
    with pytest.raises(ValueError, match="flat and continuous exclude each other"):
        gym.make(CONTINUOUS, flat=True)


@pytest.mark.parametrize("name", ALL_FORMS)
def test_a_form_is_the_native_market_step_by_step(name):
    native, form = gym.make(native_id(name)), gym.make(name)
    assert isinstance(form.action_space, gym.spaces.Box if "Continuous" in name else gym.spaces.Discrete)
    native.action_space.seed(1)
    exact = isinstance(native.action_space, gym.spaces.Discrete) or "Flat" in name  # no quote is rounded
    assert_same(native.reset(seed=9), form.reset(seed=9))
    for _ in range(native.unwrapped.params.num_trades):
        levels = native.action_space.sample()
        if VERSUS in native.spec.id and levels[1] == 2:
            levels[1] = 3  # 0.02 is what the rivals quote: a quote that is rounded would not tie with them
        mine = form.step(in_the_form(levels, native.action_space, form.action_space))
        theirs = native.step(levels)
        if exact:
            assert_same(mine, theirs)
        assert_close(mine, theirs)


@pytest.mark.parametrize("name", [name for name in ALL_FORMS if "DynamicSpread" in name or "VsRules" in name])
def test_so_is_its_vector(name):
    native, form = (gym.make_vec(each, num_envs=3, num_trades=20) for each in (native_id(name), name))
    single = native.single_action_space
    native.action_space.seed(1)
    native.reset(seed=9)
    form.reset(seed=9)
    for _ in range(30):
        levels = native.action_space.sample()
        levels[levels == 2] = 3
        mine = form.step(np.array([in_the_form(row, single, form.single_action_space) for row in levels]))
        assert_close(mine, native.step(levels))


def assert_close(mine, theirs):
    np.testing.assert_allclose(mine[0], theirs[0], atol=1e-6)
    np.testing.assert_allclose(mine[1], theirs[1], atol=1e-9)
    for flag in (2, 3):
        np.testing.assert_array_equal(mine[flag], theirs[flag])
    assert mine[4].keys() == theirs[4].keys()
    for key, value in theirs[4].items():
        np.testing.assert_allclose(mine[4][key], value, atol=1e-8)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ALL_FORMS)
def test_the_checkers_accept_a_form(name):
    check_env(gym.make(name).unwrapped, skip_render_check=WINDOWLESS)
    sb3 = pytest.importorskip("stable_baselines3.common.env_checker")
    sb3.check_env(gym.make(name).unwrapped)
