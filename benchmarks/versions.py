"""The oldest and the newest versions of clients that are supported: the contract tests with each."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import click

from benchmarks.environments import ROOT, Environment, prepared, surroundings
from mm_env.atomic_write import write_text
from mm_env.cli.console import print_json
from mm_env.readable import text_table

SHOWN = ("gymnasium", "numpy", "stable-baselines3", "sb3-contrib", "pettingzoo")
COUNTS = ("passed", "skipped", "failed")
_TESTED = "-e .[plot,data,multi,contrib] pytest hypothesis"
VERSIONS = {
    "oldest": Environment(
        f"{_TESTED} gymnasium==1.2.2 numpy==2.0.2 stable-baselines3==2.7.0 sb3-contrib==2.7.0 pettingzoo==1.24.3"
    ),
    "newest": Environment(_TESTED),
}
TESTS = (
    "tests/envs",
    "tests/test_registration.py",
    "tests/baselines/test_dealer_vs_rules.py",
    "tests/train/test_sb3_vec_env.py",
    "tests/train/test_algorithms.py",
    "tests/train/test_ppo.py",
)
KEPT = "versions-{}.json"  # what came of each
_LIST = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"


class Tested(NamedTuple):
    """What came of the contract tests with some versions."""

    which: str
    versions: dict[str, str]
    counts: dict[str, int]


def tested(which: str, venvs: Path) -> Tested:
    """Run the contract tests in one of `VERSIONS`, and keep what came of them."""
    python = prepared(which, venvs, VERSIONS[which])
    said = subprocess.run([str(python), "-c", _LIST, *SHOWN], check=True, capture_output=True, text=True).stdout
    report = venvs / f"{which}.xml"
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", f"--junitxml={report}"]
    subprocess.run([*command, *TESTS], cwd=ROOT, env=surroundings(python, venvs), check=False)
    found = Tested(which, json.loads(said), counted(report))
    write_text(venvs / KEPT.format(which), json.dumps(found))
    return found


def counted(report: Path) -> dict[str, int]:
    """How many tests passed, were skipped and failed, as a report of pytest says."""
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    tests, skipped, *failed = (int(suite.attrib[name]) for name in ("tests", "skipped", "failures", "errors"))
    return dict(zip(COUNTS, (tests - skipped - sum(failed), skipped, sum(failed)), strict=True))


def rows(venvs: Path) -> list[list[str]]:
    """The table of what was found last, header first; only that where nothing was."""
    kept = (venvs / KEPT.format(which) for which in VERSIONS)
    found = [Tested(*json.loads(path.read_text())) for path in kept if path.exists()]
    header = ["versions", *SHOWN, *COUNTS]
    return [header, *([each.which, *each.versions.values(), *map(str, each.counts.values())] for each in found)]


@click.command(context_settings={"show_default": True})
@click.option("--only", multiple=True, type=click.Choice(list(VERSIONS)), help="Some of them.")
@click.option("--venvs", type=click.Path(path_type=Path), default=Path(".venv-clients"), help="Where clients are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(only: tuple[str, ...], venvs: Path, as_json: bool) -> None:
    """Run the contract tests with the oldest and the newest versions; `benchmarks.clients --table` shows what came.

    The tests have their own seeds. It ends with 1 if one failed.

    Example: python -m benchmarks.versions --only oldest
    """
    venvs = venvs.resolve()
    found = [tested(which, venvs) for which in only or VERSIONS]
    if as_json:
        print_json([each._asdict() for each in found])
    else:
        click.echo(text_table([*SHOWN, *COUNTS], [[*e.versions.values(), *map(str, e.counts.values())] for e in found]))
    if any(each.counts["failed"] for each in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
