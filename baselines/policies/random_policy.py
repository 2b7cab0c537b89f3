"""RandomPolicy: what a policy that knows nothing achieves."""

from __future__ import annotations

import numpy as np

from mm_env.envs.action import Actions, action_sizes
from mm_env.envs.observation import Observations
from mm_env.envs.predictor import Predictor
from mm_env.market.params import MarketParams


class RandomPolicy(Predictor):
    """Every action with the same probability, drawn anew at every step."""

    def __init__(self, params: MarketParams, seed: int = 0) -> None:
        self._params = params
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Start the random numbers of `seed`, a stream apart from the market's."""
        self._generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...)."""
        shape, sizes = np.shape(observations)[:-1], action_sizes(self._params)
        if self._params.continuous:
            return self._generator.uniform(-1.0, 1.0, (*shape, len(sizes))).astype(np.float32)
        if len(sizes) == 1:
            return self._generator.integers(sizes[0], size=shape)
        return self._generator.integers(sizes, size=(*shape, len(sizes)))
