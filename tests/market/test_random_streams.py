"""The random numbers: where a block begins."""

import numpy as np
import pytest

from mm_env.market.random_streams import _jumped


@pytest.mark.parametrize("seed", [0, 7, 2**70])
@pytest.mark.parametrize("block", [0, 1, 255, 256, 257, 511, 512, 65_536, 10**6 + 3, 2**40 + 5])
def test_a_block_begins_where_numpy_jumps_to(seed, block):
    bits = np.random.PCG64DXSM(seed)
    assert _jumped(bits.state["state"], block)["state"] == bits.jumped(block).state["state"]
