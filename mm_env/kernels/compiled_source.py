"""CompiledSource: the episodes of an `EpisodeSource`, their random numbers drawn by machine code."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.kernels.random_numbers import columns
from mm_env.market.flow import prepared, simulate
from mm_env.market.market_paths import MarketPaths
from mm_env.market.random_streams import RandomDraws, leaps
from mm_env.market.tape import EpisodeSource, neighbours


class CompiledSource(EpisodeSource):
    """The same episodes; `rows` draws them with the lanes side by side, and has nothing to transpose. Needs Numba."""

    def refill(self, noise: RandomDraws, lanes: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        """Draw block `numbers[i]` of lane `lanes[i]`, ascending, for every i; the noise is `sized` for every lane."""
        states, number, where = self._states(lanes.tolist(), numbers.tolist()), len(self._seeds), neighbours(lanes)
        if isinstance(where, slice):
            columns().fill(states, noise, number, where.start)
            return
        some = RandomDraws.sized(self._params, self.block * len(lanes), None, time_first=True)
        columns().fill(states, some, len(lanes))
        for values, new in zip(noise.arrays(), some.arrays(), strict=True):
            self.noise_by_lane(values, number)[..., lanes] = self.noise_by_lane(new, len(lanes))

    def noise_by_lane(self, values: NDArray[Any], lanes: int) -> NDArray[Any]:
        """A view of noise with time first in memory, shape (block, num_trades, ..., lanes)."""
        return self._by_lane(np.moveaxis(values, 0, -1), lanes)

    def _by_lane(self, values: NDArray[Any], lanes: int) -> NDArray[Any]:
        """A view of shape (block, num_trades, ..., lanes) of values of shape (num_trades, ..., block * lanes)."""
        return np.moveaxis(values.reshape(*values.shape[:-1], self.block, lanes), -2, 0)

    def noise(self, lanes: Sequence[int], numbers: Sequence[int]) -> tuple[NDArray[Any], ...]:
        """The random numbers alone, as `flow` takes them: each of shape (num_trades, block * lanes)."""
        return tuple([values.T for values in prepared(self._side_by_side(lanes, numbers), self._params).arrays()])

    def rows(self, lanes: Sequence[int], numbers: Sequence[int]) -> MarketPaths:
        """What `draw` draws as arrays of shape (block, num_trades, ..., lanes)."""
        if self._replay is not None:
            return super().rows(lanes, numbers)
        return simulate(self._side_by_side(lanes, numbers), self._params).map(partial(self._by_lane, lanes=len(lanes)))

    def _side_by_side(self, lanes: Sequence[int], numbers: Sequence[int]) -> RandomDraws:
        """The random numbers of these blocks, time first in memory."""
        self._noise = RandomDraws.sized(self._params, self.block * len(lanes), self._noise, time_first=True)
        columns().fill(self._states(lanes, numbers), self._noise, len(lanes))
        return self._noise

    def _draws(self, lanes: Sequence[int], numbers: Sequence[int]) -> RandomDraws:
        noise = RandomDraws.sized(self._params, self.block * len(lanes), self._noise)
        columns().fill(self._states(lanes, numbers), noise)
        return noise

    def _states(self, lanes: Sequence[int], numbers: Sequence[int]) -> NDArray[np.uint64]:
        """The generators where these blocks begin."""
        states: NDArray[np.uint64] = columns().begun(self._streams.origins[lanes], leaps(numbers))
        return states
