"""Machine code on disk: read by other processes, and ignored with a warning where it is not what it should be."""

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("numba")

from mm_env.kernels import machine_code_cache
from mm_env.kernels.vector_kernel import kernel

PROGRAM = (("out",), ("x",), 1, ("t0 = where(x[i] > 1.0, x[i] + k0, -x[i])",), (("out[0]", "t0"),))
X = np.array([1.0, 2.0, -3.0])
EXPECTED = [-1.0, 2.1, 3.0]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder."""
    monkeypatch.setenv("MM_ENV_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def compiled():
    """The program as a new process would have it: what it answers, and whether it had to be compiled."""
    kernel.cache_clear()
    loops, out = kernel(*PROGRAM), np.empty((1, 3))
    loops(0, 3, out, X, np.array([0.1]))
    assert out[0].tolist() == EXPECTED
    return sum(loops.stats.cache_misses.values()) == 1


def test_it_is_compiled_once(cache):
    assert compiled()
    assert not compiled()
    (file,) = cache.iterdir()
    code = (
        "import numpy as np; from mm_env.kernels.vector_kernel import kernel; "
        f"loops, out = kernel(*{PROGRAM!r}), np.empty((1, 3)); "
        f"loops(0, 3, out, np.array({X.tolist()}), np.array([0.1])); "
        "print(out[0].tolist(), sum(loops.stats.cache_hits.values()))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split("]") == [str(EXPECTED)[:-1], " 1\n"]
    assert list(cache.iterdir()) == [file]


def test_another_text_or_version_is_another_file(cache, monkeypatch):
    assert compiled()
    monkeypatch.setattr(machine_code_cache, "_versions", lambda: ("of another Numba",))
    assert compiled()
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(file.read_bytes()[:5000] + b"!" + file.read_bytes()[5001:]),
    ],
)
def test_a_damaged_file_is_ignored_and_written_anew(cache, damage):
    assert compiled()
    (file,) = cache.iterdir()
    damage(file)
    with pytest.warns(UserWarning, match=r"machinecode is ignored: it is damaged"):
        assert compiled()
    assert not compiled()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners of files as POSIX has them")
def test_what_others_could_have_written_is_not_read(cache):
    assert compiled()
    cache.chmod(0o777)
    with pytest.warns(UserWarning, match="not yours alone to write"):
        assert compiled()


def test_without_a_place_to_write_it_is_compiled(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MM_ENV_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match="machine code is not kept in"):
        assert compiled()
    monkeypatch.setenv("MM_ENV_CACHE_DIR", "")
    assert compiled()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_was_not_used_for_longest_is_let_go(cache, monkeypatch):
    assert compiled()
    (file,) = cache.iterdir()
    monkeypatch.setattr(machine_code_cache, "_MOST_FILES", 2)
    for place in range(3):
        (cache / f"{place}.machinecode").touch()
        os.utime(cache / f"{place}.machinecode", (place, place))
    monkeypatch.setattr(machine_code_cache, "_versions", lambda: ("of another Numba",))
    assert compiled()
    assert len(list(cache.iterdir())) == 2
    assert file.exists()
