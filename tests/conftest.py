"""What all tests share: windows are shown on no screen, machine code is kept apart, and unseeded spaces are seeded."""

import os
from itertools import count

import pytest
from gymnasium.spaces import Space

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")


@pytest.fixture(scope="session", autouse=True)
def _machine_code_of_tests_alone(tmp_path_factory):
    """Random markets would fill the user's cache folder; those that workers of one run share are compiled once."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.getbasetemp()
        shared = folder.parent if folder.name.startswith("popen-") else folder
        patch.setenv("MM_ENV_CACHE_DIR", str(shared / "machine-code"))
        yield


@pytest.fixture(autouse=True)
def _what_passes_once_passes_again(monkeypatch):
    """A space that was given no seed gets the next number of the test."""
    seeds, seed_space = count(), Space.seed
    monkeypatch.setattr(
        Space, "seed", lambda space, seed=None: seed_space(space, next(seeds) if seed is None else seed)
    )
