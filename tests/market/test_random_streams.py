"""The random numbers: where a seed and where a block begins."""

import numpy as np
import pytest

from mm_env.market.random_streams import _jumped, _origins


@pytest.mark.parametrize("seed", [0, 7, 2**70])
@pytest.mark.parametrize("block", [0, 1, 255, 256, 257, 511, 512, 65_536, 10**6 + 3, 2**40 + 5])
def test_a_block_begins_where_numpy_jumps_to(seed, block):
    bits = np.random.PCG64DXSM(seed)
    state, inc = _jumped(bits.state["state"], block)
    assert {"state": state, "inc": inc} == bits.jumped(block).state["state"]


@pytest.mark.parametrize("number", [0, 1, 7, 8, 2000])
@pytest.mark.parametrize("edge", [0, 2**32, 2**64, 2**96, 2**128])
def test_seeds_begin_where_numpys_do(number, edge):
    """Alone or together; of one word, of several, and of more than are seeded together."""
    seeds = list(range(max(edge - number // 2, 0), max(edge - number // 2, 0) + number))
    assert _origins(seeds) == [np.random.PCG64DXSM(seed).state["state"] for seed in seeds]
