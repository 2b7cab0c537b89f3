"""Windows: what "human" shows, on no screen."""

import copy

import gymnasium as gym
import numpy as np
import pytest

from mm_env.envs.hedging_vector_env import HedgingVectorEnv

pygame = pytest.importorskip("pygame")


@pytest.fixture
def shown(monkeypatch):
    """The size of what the window shows, at every time that it shows something; without waiting."""
    sizes = []
    monkeypatch.setattr(pygame.display, "flip", lambda: sizes.append(pygame.display.get_surface().get_size()))
    monkeypatch.setattr("mm_env.plotting.window.Window.wait", lambda self: None)
    return sizes


def played(env):
    env.reset(seed=0)
    over = False
    while not over:
        over = env.step(env.action_space.sample())[2]
    assert env.render() is None
    return env


@pytest.mark.parametrize("name", ["mm_env/Hedging-v0", "mm_env/DealerVsRules-v0"])
def test_every_step_of_one_dealer_is_shown(name, shown):
    env = played(gym.make(name, render_mode="human", num_trades=3))
    assert shown == [(720, 576)] * 5  # at the start, after each of three steps, and when asked
    pixels = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    same = gym.make(name, render_mode="rgb_array", num_trades=3)
    env.action_space.seed(1)
    for one in (env, same):
        one.reset(seed=4)
        one.step(1 if name.endswith("Hedging-v0") else np.array([1, 2]))
    pixels = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    np.testing.assert_array_equal(pixels, same.render())
    assert copy.deepcopy(env.unwrapped).episodes().num_trades == 1
    env.close()
    env.close()
    assert not pygame.display.get_init()


def test_nine_lanes_stand_side_by_side_in_a_window_that_fits_a_screen(shown):
    lanes = HedgingVectorEnv(12, num_trades=3, render_mode="human")
    lanes.reset(seed=0)
    for _ in range(4):
        lanes.step(np.zeros(12, int))
    assert shown == [(1440, 1152)] * 5
    lanes.close()


def test_dealers_are_shown_together_and_in_turns(shown):
    pytest.importorskip("pettingzoo")
    from mm_env.parallel_env import DealersEnv, env

    together = DealersEnv(num_dealers=2, render_mode="human", num_trades=2)
    together.reset(seed=0)
    while together.agents:
        together.step({agent: together.action_space(agent).sample() for agent in together.agents})
    assert shown == [(720, 576)] * 3
    together.close()
    in_turns = env(num_dealers=2, render_mode="human", num_trades=2)
    in_turns.reset(seed=0)
    in_turns.render()
    in_turns.close()
    assert len(shown) == 5
