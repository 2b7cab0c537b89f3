"""The steps of episodes under way: those that somebody may ask for are kept, and no others."""

import numpy as np
from gymnasium.vector import AutoresetMode

from mm_env.envs.hedging_env import HedgingEnv
from mm_env.envs.hedging_vector_env import HedgingVectorEnv


def test_lanes_that_part_show_their_own_episodes_and_old_steps_are_let_go():
    lanes = HedgingVectorEnv(2, num_trades=4, autoreset_mode=AutoresetMode.DISABLED, render_mode="rgb_array")
    lanes.reset(seed=0)
    lanes.step(np.array([20, 20]))
    lanes.reset(options={"reset_mask": np.array([False, True])})  # from now on the second is a request behind
    ended = np.array([False, False])
    for _ in range(40):
        if ended.any():
            lanes.reset(options={"reset_mask": ended})
        assert len(lanes._history._steps) <= 4
        ended = lanes.step(np.array([20, 20]))[2]
    one = HedgingEnv(num_trades=4, render_mode="rgb_array")
    one.reset(seed=1)
    for _ in range(10):  # episodes that the second lane has begun before this one
        one.reset()
    while one._trade < lanes._history.episodes(1).num_trades:
        one.step(20)
    np.testing.assert_array_equal(lanes._history.episodes(1).price, one.episodes().price)
