"""Do the tests bite? Puts one fault at a time into the sources and reports those that no test of their file sees.

Example: python -m tests.mutants --sample 20 --seed 0
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tokenize
from pathlib import Path
from typing import NamedTuple

import click

ROOT = Path(__file__).parents[1]
TESTS = {  # of each source, the tests that have to see its faults
    "mm_env/market/dynamics.py": ["tests/market/test_dynamics.py", "tests/market/test_mechanisms.py"],
    "mm_env/market/flow.py": ["tests/market/test_flow.py", "tests/market/test_tape.py"],
    "mm_env/market/transition_law.py": ["tests/market/test_flow.py"],
    "mm_env/market/competition.py": ["tests/envs/test_dealers_env.py"],
    "baselines/solver/market_mdp.py": ["tests/baselines/solver/test_optimum.py"],
    "baselines/solver/optimum.py": ["tests/baselines/solver/test_optimum.py"],
    "baselines/evaluation/scores.py": ["tests/baselines/evaluation/test_scores.py"],
    "mm_env/envs/observation.py": ["tests/envs/test_observation.py", "tests/baselines/policies/test_registry.py"],
    "mm_env/envs/action.py": ["tests/envs/test_hedging_env.py", "tests/baselines/policies/test_registry.py"],
}
_PAIRS = ("+ -", "* /", "< <=", "> >=", "== !=", "& |", "and or", "minimum maximum", "0.0 1.0", "0.5 0.6")
SWAPS = dict(pair.split()[::step] for pair in _PAIRS for step in (1, -1))
EQUIVALENT: dict[tuple[str, str], str] = {}  # source and line after the fault: why no test can see it


class Mutant(NamedTuple):
    """One fault."""

    source: str
    line: int
    text: str  # of the line with the fault
    whole: str  # of the file with the fault


def mutants(source: str) -> list[Mutant]:
    """Every fault of one token; types, docstrings and imports have none that matter."""
    text = (ROOT / source).read_text()
    lines, found = text.splitlines(keepends=True), []
    annotation = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        (row, column), line = token.start, lines[token.start[0] - 1]
        annotation = row if token.string in ("->", "import", "TypeAlias") else annotation
        declares = ": " in line[:column] and "=" not in line
        typed = row == annotation or declares or line.lstrip().startswith(("def ", "class ", "@"))
        if token.string in SWAPS and not typed and token.type in (tokenize.OP, tokenize.NAME, tokenize.NUMBER):
            changed = line[:column] + SWAPS[token.string] + line[column + len(token.string) :]
            whole = "".join([*lines[: row - 1], changed, *lines[row:]])
            if (source, changed.strip()) not in EQUIVALENT:
                found.append(Mutant(source, row, changed.strip(), whole))
    return found


def survives(mutant: Mutant) -> bool:
    """Whether the tests of its file pass with the fault in place."""
    with tempfile.TemporaryDirectory() as folder:
        for package in ("mm_env", "baselines", "train", "tests"):
            shutil.copytree(
                ROOT / package, Path(folder) / package, ignore=shutil.ignore_patterns("__pycache__", "data")
            )
        shutil.copy(ROOT / "pyproject.toml", folder)
        (Path(folder) / mutant.source).write_text(mutant.whole)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
        env = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run([*command, *TESTS[mutant.source]], cwd=folder, env=env, capture_output=True)
    return ended.returncode == 0


@click.command()
@click.option("--source", "sources", multiple=True, type=click.Choice(list(TESTS)), help="Only this file; repeatable.")
@click.option("--sample", type=click.IntRange(1), help="Try so many, drawn at random.  [default: all]")
@click.option("--seed", default=0, help="Of the sample.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(sources: tuple[str, ...], sample: int | None, seed: int, as_json: bool) -> None:
    """Put faults into the sources one at a time; exit code 1 if the tests of a file miss one.

    Example: python -m tests.mutants --source mm_env/market/dynamics.py --sample 20
    """
    every = [mutant for source in sources or TESTS for mutant in mutants(source)]
    tried = random.Random(seed).sample(every, min(sample or len(every), len(every)))
    missed = []
    with click.progressbar(tried, label="mutants", file=sys.stderr) as bar:
        missed = [mutant for mutant in bar if survives(mutant)]
    if as_json:
        rows = [{"source": m.source, "line": m.line, "text": m.text} for m in missed]
        click.echo(json.dumps({"tried": len(tried), "of": len(every), "survivors": rows}, indent=2))
    else:
        click.echo(f"{len(tried) - len(missed)} of {len(tried)} seen, out of {len(every)} possible")
        for mutant in missed:
            click.echo(f"{mutant.source}:{mutant.line}: {mutant.text}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
