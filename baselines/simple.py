"""RandomPolicy: what a policy that knows nothing achieves."""

from __future__ import annotations

import numpy as np

from mm_env.agent_view import Actions, Observations, action_space
from mm_env.params import MarketParams


class RandomPolicy:
    """Every action with the same probability, drawn anew at every step."""

    def __init__(self, params: MarketParams, seed: int = 0) -> None:
        self._actions = int(action_space(params).n)
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Start the random numbers of `seed`, a stream apart from the market's."""
        self._generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...)."""
        return self._generator.integers(self._actions, size=np.shape(observations)[:-1])
