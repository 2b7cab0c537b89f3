"""What all figures share: saving, and what importing them needs."""

import subprocess
import sys

import pytest
from matplotlib.figure import Figure

from mm_env.plotting import (
    save_figure,
)


class TestSave:
    @pytest.mark.parametrize(
        ("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF"), ("a.PNG", b"\x89PNG")]
    )
    def test_the_ending_decides_the_format(self, tmp_path, name, start):
        save_figure(Figure(figsize=(1, 1)), tmp_path / "new" / name)
        assert (tmp_path / "new" / name).read_bytes().startswith(start)
        assert [path.name for path in (tmp_path / "new").iterdir()] == [name]

    def test_a_failure_leaves_the_old_file_as_it_was(self, tmp_path, monkeypatch):
        def half_written(self, path, **_):
            path.write_text("half")
            raise OSError("disk full")

        target = tmp_path / "a.png"
        target.write_text("old")
        monkeypatch.setattr(Figure, "savefig", half_written)
        with pytest.raises(OSError, match="disk full"):
            save_figure(Figure(), str(target))
        assert target.read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.parametrize("name", ["a.jpg", "a", "png"])
    def test_another_ending_says_what_is_allowed(self, tmp_path, name):
        with pytest.raises(ValueError, match=r"figures are saved as \.png, \.svg, \.pdf"):
            save_figure(Figure(), tmp_path / name)
        assert not list(tmp_path.iterdir())

    def test_what_is_no_figure_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="must be a matplotlib Figure, got str"):
            save_figure("figure", tmp_path / "a.png")


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_without_matplotlib_the_error_says_what_to_install():
    run = python("import sys; sys.modules['matplotlib'] = None; import mm_env; import mm_env.plotting")
    assert "MissingExtraError: figures need matplotlib: pip install 'mm_env[plot]'" in run.stderr


def test_neither_pyplot_nor_an_environment_is_needed():
    """Matplotlib is not imported with mm_env; pyplot, and with it global state and windows, never."""
    run = python(
        "import sys, mm_env; assert 'matplotlib' not in sys.modules;"
        "import mm_env.plotting; assert 'matplotlib.pyplot' not in sys.modules"
    )
    assert run.returncode == 0, run.stderr
