"""The episodes that the tests of the figures draw."""

import pytest

from mm_env import play
from mm_env.episodes import Episodes
from tests.plotting.artists import PARAMS, always


@pytest.fixture(scope="module")
def hedged() -> Episodes:
    return play(always(3), PARAMS, episodes=4, seed=1)


@pytest.fixture(scope="module")
def unhedged() -> Episodes:
    return play(always(6), PARAMS, episodes=4, seed=1)
