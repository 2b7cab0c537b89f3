"""Virtual environments of clients whose pins do not go together."""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
import venv
from pathlib import Path
from typing import NamedTuple

import click

ROOT = Path(__file__).parents[1]


class Environment(NamedTuple):
    """A virtual environment: what pip installs in it, and what it installs against its own pins."""

    requirements: str
    constraints: str = "constraints.txt"
    unpinned: str = ""


def prepared(name: str, folder: Path, needed: Environment) -> Path:
    """The interpreter of a virtual environment, which is made anew if what it needs has changed."""
    place = folder / name
    python, stamp = place / "bin" / "python", place / "requirements.txt"
    if stamp.exists() and stamp.read_text() == repr(needed):
        return python
    click.echo(f"installing {name}: {needed.requirements} {needed.unpinned}", err=True)
    venv.create(place, with_pip=True, clear=True)
    install = [str(python), "-m", "pip", "install", "-q"]
    subprocess.run([*install, "-c", needed.constraints, *shlex.split(needed.requirements)], cwd=ROOT, check=True)
    if needed.unpinned:
        subprocess.run([*install, "--no-deps", *shlex.split(needed.unpinned)], cwd=ROOT, check=True)
    stamp.write_text(repr(needed))
    return python


def surroundings(python: Path, folder: Path) -> dict[str, str]:
    """One thread, no network, and no token of Ray's written into the home folder."""
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    ray = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(), "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    here = {
        "PYTHONPATH": f"{ROOT}{os.pathsep}.",
        "OMP_NUM_THREADS": "1",
        "PATH": path,
        "MINARI_DATASETS_PATH": str(folder),
    }
    return {**os.environ, **here, **ray}
