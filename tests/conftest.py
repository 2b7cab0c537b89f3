"""What all tests share: windows are shown on no screen, and machine code is kept apart."""

import os

import pytest

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
