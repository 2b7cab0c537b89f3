"""Which one-token faults in the law, the solver, the scores and the agent's interface pass the tests of their file.

    python -m tests.mutants --sample 20 --seed 1

Each fault is put into a temporary copy of the tree, the tests of its file are run there until the first failure, and
what passed is listed. Faults that change nothing anybody could see are named, with reasons, in
`equivalent_mutants.toml`.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
EQUIVALENT = Path(__file__).parent / "equivalent_mutants.toml"
SUITES = {
    "mm_env/market/dynamics.py": ("tests/market/test_dynamics.py", "tests/market/test_mechanisms.py"),
    "mm_env/market/flow.py": (
        "tests/market/test_flow.py",
        "tests/market/test_tape.py",
        "tests/market/test_mechanisms.py",
    ),
    "mm_env/market/transition_law.py": ("tests/market/test_flow.py",),
    "mm_env/market/competition.py": ("tests/envs/test_dealers_env.py",),
    "mm_env/envs/observation.py": ("tests/envs/test_observation.py",),
    "mm_env/envs/action.py": ("tests/envs/test_action.py",),
    "baselines/evaluation/scores.py": ("tests/baselines/evaluation/test_scores.py",),
    "baselines/evaluation/totals.py": (
        "tests/baselines/evaluation/test_totals.py",
        "tests/baselines/evaluation/test_scores.py",
    ),
    "baselines/solver/optimum.py": ("tests/baselines/solver/test_optimum.py",),
    "baselines/solver/fixed_rules.py": ("tests/baselines/solver/test_fixed_rules.py",),
    "baselines/solver/quote_envelope.py": ("tests/baselines/solver/test_optimum.py",),
    "baselines/solver/market_mdp.py": ("tests/baselines/solver/test_optimum.py",),
    "baselines/solver/best_response.py": ("tests/baselines/test_dealer_vs_rules.py",),
    "baselines/solver/duel.py": ("tests/baselines/test_dealer_vs_rules.py",),
    "baselines/solver/probing.py": ("tests/baselines/solver/test_probing.py",),
    "baselines/solver/summary.py": ("tests/baselines/solver/test_summary.py",),
}
SWAPS = [("+", "-"), ("*", "/"), ("+=", "-="), ("<", "<="), (">", ">="), ("==", "!="), ("&", "|"), ("and", "or")]
SWAPS += [("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("True", "False"), ("any", "all")]
OTHER = dict(SWAPS) | {after: before for before, after in SWAPS}
FAILED = (1, 2)  # exit codes of pytest: a test failed, or a module of tests could not be imported


@dataclass(frozen=True)
class Mutant:
    """One token of one file replaced by another."""

    file: str
    line: int  # from 1
    column: int  # from 0
    before: str
    after: str
    text: str  # the line without the fault, stripped

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column + 1}: {self.before} -> {self.after}: {self.text}"

    def applied(self, source: str) -> str:
        """The source with the fault in it."""
        lines = source.splitlines(keepends=True)
        old = lines[self.line - 1]
        if old.strip() != self.text:
            raise ValueError(f"{self.file}:{self.line} has changed since the faults were listed")
        lines[self.line - 1] = old[: self.column] + self.after + old[self.column + len(self.before) :]
        return "".join(lines)


def mutants(file: str) -> list[Mutant]:
    """Every fault of a file, in the order of its text."""
    source = (ROOT / file).read_text(encoding="utf-8")
    skipped = list(_skipped(source))
    lines = source.splitlines()
    found: list[Mutant] = []
    previous = tokenize.TokenInfo(tokenize.NEWLINE, "", (0, 0), (0, 0), "")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        after = None if token.string == "*" and not _ends_operand(previous) else _replaced(token)
        previous = token
        if after is None or any(start <= token.start < end for start, end in skipped):
            continue
        line, column = token.start
        found.append(Mutant(file, line, column, token.string, after, lines[line - 1].strip()))
    return found


def _ends_operand(token: tokenize.TokenInfo) -> bool:
    """Whether a star after this token multiplies, and does not unpack."""
    return token.type in (tokenize.NAME, tokenize.NUMBER) or token.string in (")", "]")


def _replaced(token: tokenize.TokenInfo) -> str | None:
    """What a token is replaced by; None: it stays."""
    if token.type == tokenize.NUMBER:
        number = ast.literal_eval(token.string)
        return repr(number + 1)
    return OTHER.get(token.string) if token.type in (tokenize.OP, tokenize.NAME) else None


def _skipped(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where a token is a type, a name to import or part of a message: from and to, as (line, column)."""
    lines = source.splitlines()

    def place(line: int, offset: int) -> tuple[int, int]:
        return line, len(lines[line - 1].encode()[:offset].decode())  # `ast` counts bytes, `tokenize` characters

    for node in ast.walk(ast.parse(source)):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.arg | ast.AnnAssign):
            parts = [node.annotation]
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
                parts.append(node.value)
        elif isinstance(node, ast.FunctionDef):
            parts = [node.returns, *node.decorator_list]
        elif isinstance(node, ast.Import | ast.ImportFrom | ast.Raise | ast.JoinedStr | ast.ClassDef):
            parts = node.bases + node.decorator_list if isinstance(node, ast.ClassDef) else [node]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "cast"):
            parts = [node]
        elif isinstance(node, ast.keyword) and node.arg == "strict":  # of `zip`: holds whatever is zipped here
            parts = [node.value]
        for part in parts:
            if isinstance(part, ast.expr | ast.stmt):
                yield place(part.lineno, part.col_offset), place(part.end_lineno or 0, part.end_col_offset or 0)


def listed() -> list[dict[str, str]]:
    """The faults that are known to change nothing: file, text of the line, change and reason."""
    entries: list[dict[str, str]] = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    return entries


def is_listed(mutant: Mutant, entries: list[dict[str, str]]) -> bool:
    """Whether a fault is among those that change nothing."""
    change = f"{mutant.before} -> {mutant.after}"
    return any((e["file"], e["line"], e["change"]) == (mutant.file, mutant.text, change) for e in entries)


def copy_tree(folder: Path) -> None:
    """What the tests need, for the faults to be put into."""
    for name in ("mm_env", "baselines", "train", "tests", "benchmarks", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)


def failed(folder: Path, file: str, timeout: float | None = None) -> bool:
    """Whether the tests of a file fail in a copy of the tree, or do not end in so many seconds."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        code = subprocess.run(
            [*command, *SUITES[file]], cwd=folder, env=environment, timeout=timeout, **quiet
        ).returncode
    except subprocess.TimeoutExpired:
        return True
    if code not in (0, *FAILED):
        raise SystemExit(f"{' '.join(SUITES[file])}: pytest ended with exit code {code}")
    return code != 0


def survivors(chosen: list[Mutant]) -> Iterator[Mutant]:
    """Those that pass the tests of their file; one line of progress each on stderr."""
    limits: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copy_tree(folder)
        sources = {file: (folder / file).read_text(encoding="utf-8") for file in SUITES}  # whatever is edited meanwhile
        for number, mutant in enumerate(chosen, start=1):
            if mutant.file not in limits:
                began = time.monotonic()
                if failed(folder, mutant.file):
                    raise SystemExit(f"{mutant.file}: its tests fail without a fault")
                limits[mutant.file] = 30.0 + 5.0 * (time.monotonic() - began)
            path, source = folder / mutant.file, sources[mutant.file]
            path.write_text(mutant.applied(source), encoding="utf-8")
            killed = failed(folder, mutant.file, limits[mutant.file])
            path.write_text(source, encoding="utf-8")
            print(
                f"{number}/{len(chosen)} {'killed  ' if killed else 'SURVIVED'} {mutant}", file=sys.stderr, flush=True
            )
            if not killed:
                yield mutant


def main() -> int:
    """Try a sample of the faults; the exit code is 1 if any passed that is not listed as changing nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", action="append", choices=SUITES, help="only faults of this file; may be repeated")
    parser.add_argument("--sample", type=int, help="so many faults, drawn; default: all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw; default 0")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    entries = listed()
    everything = [mutant for file in arguments.source or SUITES for mutant in mutants(file)]
    chosen = [mutant for mutant in everything if not is_listed(mutant, entries)]
    if arguments.sample is not None:
        chosen = random.Random(arguments.seed).sample(chosen, min(arguments.sample, len(chosen)))
        chosen.sort(key=lambda mutant: (mutant.file, mutant.line, mutant.column))
    left = list(survivors(chosen))
    if arguments.json:
        equivalent = sum(is_listed(mutant, entries) for mutant in everything)
        counts = {"faults": len(everything), "equivalent": equivalent, "tried": len(chosen)}
        print(json.dumps({**counts, "survivors": [asdict(mutant) for mutant in left]}, indent=2))
    else:
        print(f"{len(chosen)} of {len(everything)} faults tried, {len(left)} passed unseen")
        print(*left, sep="\n", end="\n" if left else "")
    return int(bool(left))


if __name__ == "__main__":
    sys.exit(main())
