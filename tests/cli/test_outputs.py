"""What is written where: known before anything is played, and said."""

import os

import pytest
from click.testing import CliRunner

from mm_env.cli.main import main


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def played(monkeypatch):
    """What is played before a command ends."""
    blocks = []
    monkeypatch.setattr("baselines.evaluation.comparison.play_totals", lambda *a, **k: blocks.append(a))
    return blocks


@pytest.mark.parametrize("command", ["simulate", "compare", "solve", "compete", "replicate"])
@pytest.mark.parametrize("option", ["--out", "--out=   "])
def test_a_folder_has_a_name(command, option, played):
    result = run(command, *([option, ""] if option == "--out" else [option]))
    assert result.exit_code == 2
    assert "'--out': must not be empty" in " ".join(result.output.split())
    assert not played


@pytest.mark.parametrize("arguments", [("train", "--out", ""), ("simulate", "--tape", ""), ("compare", "--tape", " ")])
def test_so_have_runs_and_tapes(arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"'{arguments[1]}': must not be empty" in " ".join(result.output.split())


@pytest.mark.parametrize("command", ["simulate", "compare"])
def test_a_folder_that_cannot_be_is_told_before_anything_is_played(command, tmp_path, played):
    (tmp_path / "file").write_text("")
    for place, code in (("file", 2), ("file/under", 1)):
        result = run(command, "--episodes", 5, "--out", tmp_path / place)
        assert result.exit_code == code
        assert "Traceback" not in result.output
        assert place.partition("/")[0] in result.output
    assert not played


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_told_before_anything_is_played(tmp_path, played):
    tmp_path.chmod(0o500)
    result = run("simulate", "--episodes", 5, "--out", tmp_path)
    assert result.exit_code == 1
    assert "Permission denied" in result.output
    assert not played


@pytest.mark.parametrize(
    "arguments",
    [
        ("simulate", "--episodes", 2),
        ("compare", "--episodes", 20, "--policy", "never"),
        ("solve", "--market", "mm_env/DynamicSpread-v0"),
        ("compete", "--episodes", 2),
    ],
)
def test_every_file_that_is_written_is_told(arguments, tmp_path):
    result = run(*arguments, "--set", "num_trades=5", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    told = {line.removeprefix("wrote ") for line in result.stderr.splitlines() if line.startswith("wrote ")}
    assert told == {str(path) for path in tmp_path.rglob("*") if path.is_file()}
