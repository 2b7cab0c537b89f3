"""A user's own `baselines.py` or `train.py` is never run by a command of ours, and the error says what to do."""

import os
import subprocess
import sys
from importlib import import_module

import gymnasium as gym
import pytest

import mm_env

CALLS = {
    "baselines": [
        ["-m", "mm_env", "compare", "--episodes", "10"],
        ["-m", "mm_env", "policies"],
        ["-c", "import gymnasium, mm_env; gymnasium.make('mm_env/DealerVsRules-v0')"],
        ["-c", "import gymnasium, mm_env; gymnasium.make_vec('mm_env/DealerVsRules-v0', num_envs=2)"],
    ],
    "train": [["-m", "mm_env", "train", "--steps", "1"], ["-m", "mm_env", "compare", "--ppo"]],
}


def run(arguments, folder):
    """As a user in that folder would, who has mm_env installed."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = os.pathsep.join([str(folder), root])  # the folder comes first, as the current one does
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )


@pytest.mark.parametrize("as_package", [False, True])
@pytest.mark.parametrize(("name", "arguments"), [(name, call) for name, calls in CALLS.items() for call in calls])
def test_a_foreign_module_is_named_and_not_run(name, arguments, as_package, tmp_path):
    foreign = tmp_path / name / "__init__.py" if as_package else tmp_path / f"{name}.py"
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("open('was-run', 'w').close()\n")
    ended = run(arguments, tmp_path)
    assert ended.returncode == 1
    assert f"{name!r} is {foreign}" in ended.stderr.replace("\n", " ").replace("  ", " ")
    assert "Python looks in the current folder first" in ended.stderr
    assert "Rename it, or run from another folder" in ended.stderr
    assert not (tmp_path / "was-run").exists()


def test_ours_are_found(tmp_path):
    ended = run(["-m", "mm_env", "policies"], tmp_path)
    assert ended.returncode == 0, ended.stderr


def test_no_entry_point_given_as_a_string_leaves_mm_env():
    """The import contract cannot read strings, so they stay inside: what they import, it sees."""
    assert mm_env.MARKETS.keys() < gym.registry.keys()
    entries = [spec for name, spec in gym.registry.items() if name.startswith("mm_env/")]
    assert len(entries) >= 9
    for spec in entries:
        for entry in (spec.entry_point, spec.vector_entry_point):
            module, _, attribute = entry.partition(":")
            assert module.split(".")[0] == "mm_env"
            assert callable(getattr(import_module(module), attribute))
