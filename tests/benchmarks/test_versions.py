"""What is told of the contract tests with the oldest and the newest versions; the environments are not made here."""

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from benchmarks import versions
from benchmarks.clients import page
from benchmarks.environments import ROOT
from benchmarks.versions import SHOWN, TESTS, VERSIONS, counted, main, rows


def test_the_tests_are_there():
    assert all((ROOT / path).exists() for path in TESTS)


def test_what_a_report_of_pytest_counts(tmp_path):
    (tmp_path / "test_some.py").write_text(
        "import pytest\n@pytest.mark.parametrize('n', range(3))\ndef test_good(n): pass\n"
        "def test_bad(): assert 0\ndef test_left(): pytest.skip()\n"
        "@pytest.fixture\ndef broken(): raise ValueError\ndef test_error(broken): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=report.xml"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 1
    assert counted(tmp_path / "report.xml") == {"passed": 3, "skipped": 1, "failed": 2}


def test_what_was_found_is_on_the_page(monkeypatch, tmp_path):
    monkeypatch.setattr(versions, "prepared", lambda which, venvs, needed: Path(sys.executable))
    monkeypatch.setattr(versions, "SHOWN", ("numpy",))
    monkeypatch.setattr(versions, "VERSIONS", {"oldest": VERSIONS["oldest"]})
    (tmp_path / "test_one.py").write_text("def test_good(): pass\n")
    monkeypatch.setattr(versions, "TESTS", (str(tmp_path / "test_one.py"),))
    assert rows(tmp_path)[1:] == []
    assert "##" not in page([], rows(tmp_path))
    found = CliRunner().invoke(main, ["--venvs", str(tmp_path), "--json"])
    assert found.exit_code == 0, found.output
    (told,) = json.loads(found.stdout)
    assert told["counts"] == {"passed": 1, "skipped": 0, "failed": 0}
    assert rows(tmp_path)[1][0] == "oldest"
    assert "## Oldest and newest versions" in page([], rows(tmp_path))


def test_every_version_shown_is_pinned_where_it_is_the_oldest():
    assert all(f" {name}==" in VERSIONS["oldest"].requirements for name in SHOWN)
