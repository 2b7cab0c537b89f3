"""CompiledSource: the episodes of an `EpisodeSource`, their random numbers drawn by machine code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mm_env.kernels.random_numbers import columns
from mm_env.market.flow import prepared, simulate
from mm_env.market.market_paths import MarketPaths
from mm_env.market.random_streams import RandomDraws
from mm_env.market.tape import EpisodeSource


class CompiledSource(EpisodeSource):
    """The same episodes; `rows` draws them with the lanes side by side, and has nothing to transpose. Needs Numba."""

    def _draws(self, lanes: Sequence[int], numbers: Sequence[int]) -> RandomDraws:
        noise = RandomDraws.sized(self._params, self.block * len(lanes), self._noise)
        columns().fill(self._streams.states(lanes, numbers), noise, time_first=False)
        return noise

    def noise_rows(self, lanes: Sequence[int], numbers: Sequence[int]) -> tuple[Any, ...]:
        """The random numbers alone, as `flow` takes them: each of shape (block, num_trades, lanes)."""
        noise = self._turned(lanes, numbers)
        rows = prepared(noise, self._params).arrays()
        return tuple([values.T.reshape(-1, self.block, len(lanes)).swapaxes(0, 1) for values in rows])

    def _turned(self, lanes: Sequence[int], numbers: Sequence[int]) -> RandomDraws:
        """The random numbers of these blocks, the lanes side by side."""
        self._noise = RandomDraws.sized(self._params, self.block * len(lanes), self._noise, time_first=True)
        columns().fill(self._streams.states(lanes, numbers), self._noise, time_first=True)
        return self._noise

    def rows(self, lanes: Sequence[int], numbers: Sequence[int]) -> MarketPaths:
        """What `draw` draws as arrays of shape (block, num_trades, ..., lanes)."""
        if self._replay is not None:
            return super().rows(lanes, numbers)

        def by_lane(values: Any) -> Any:
            return np.moveaxis(values.reshape(*values.shape[:-1], self.block, len(lanes)), -2, 0)

        return simulate(self._turned(lanes, numbers), self._params).map(by_lane)
