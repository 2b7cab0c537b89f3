"""Seeds: what a training draws comes from streams of its seed, far from each other and from those of other seeds."""

from __future__ import annotations

import numpy as np

LANES, REST = 1, 2  # streams of a training seed: its episodes, and all else that is drawn


def derived_seed(seed: int, stream: int, steps: int) -> int:
    """A 64-bit seed: far from those of other seeds, streams and steps, so that consecutive lanes never meet."""
    return int(np.random.SeedSequence([seed, stream, steps]).generate_state(1, np.uint64)[0])
