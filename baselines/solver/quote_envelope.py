"""QuoteEnvelope: the best quote for a request, as a function of what the dealer gains by trading."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from mm_env.market.numbers import Integers, Values


class QuoteEnvelope(NamedTuple):
    """The best quote for a request, as a function of x: how much better off the trade leaves the dealer, spread apart.

    Quote i earns f_i (v delta_i + x) in the mean, where f_i is the probability that the client accepts it. Each quote
    is a straight line in x, so that the best of them is their upper envelope, a convex function of x.
    """

    breaks: Values  # where the best quote changes, price units, increasing
    lines: Integers  # the best quote below, between and above the breaks
    chance: Values  # f_i
    spread: Values  # v delta_i, price units

    @classmethod
    def of(cls, chance: Values, spread: Values) -> QuoteEnvelope:
        """Find the lines that are anywhere the highest."""
        order = np.lexsort((chance * spread, chance))
        hull: list[int] = []
        for line in order.tolist():
            while hull and _overtakes(line, hull[-1], chance, spread) <= (
                _overtakes(hull[-1], hull[-2], chance, spread) if len(hull) > 1 else -np.inf
            ):
                hull.pop()
            hull.append(line)
        breaks = [_overtakes(b, a, chance, spread) for a, b in itertools.pairwise(hull)]
        return cls(np.array(breaks), np.array(hull), chance, spread)

    def best(self, gain: Values) -> Integers:
        """The best quote for each x."""
        if len(self.lines) == 1:
            return np.broadcast_to(self.lines, gain.shape)
        return np.asarray(self.lines[np.searchsorted(self.breaks, gain)])

    def worth(self, gain: Values) -> Values:
        """f_i (v delta_i + x) of the best quote."""
        if len(self.lines) == 1:
            return np.asarray(self.chance[self.lines[0]] * (self.spread[self.lines[0]] + gain))
        best = self.best(gain)
        return np.asarray(self.chance[best] * (self.spread[best] + gain))


def _overtakes(steep: int, flat: int, chance: Values, spread: Values) -> float:
    """Where the line f (s + x) of the larger slope f overtakes the other; -inf if it is always above."""
    if chance[steep] == chance[flat]:
        return -np.inf
    return float((chance[flat] * spread[flat] - chance[steep] * spread[steep]) / (chance[steep] - chance[flat]))
