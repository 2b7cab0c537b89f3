"""Seeds: what a training draws comes from streams of its seed, far from each other and from those of other seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

LANES, REST = 1, 2  # streams of a training seed: its episodes, and all else that is drawn


def derived_seed(seed: int, stream: int, steps: int) -> int:
    """A 64-bit seed: far from those of other seeds, streams and steps, so that consecutive lanes never meet."""
    return int(np.random.SeedSequence([seed, stream, steps]).generate_state(1, np.uint64)[0])


def begin_episodes(env: VecEnv, seed: int, num_trades: int, steps: int, exact: bool) -> None:
    """Lead the lanes to where they stood after so many steps, or where that cannot be had, to episodes never seen."""
    episodes, under_way = divmod(steps // env.num_envs, num_trades)
    exact = exact and not under_way
    env.seed(derived_seed(seed, LANES, 0 if exact else steps))
    for _ in range(episodes if exact else 0):
        env.reset()
