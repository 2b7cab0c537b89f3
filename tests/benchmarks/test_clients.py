"""What docs/tools.md shows is what `make test-clients` runs; the clients themselves are not needed here."""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import clients
from benchmarks.clients import (
    CLIENTS,
    ENVIRONMENTS,
    LONGEST,
    TOOLS,
    Outcome,
    Section,
    main,
    outcome_of,
    page,
    run_section,
)

HEADINGS = re.findall(r"^## (.*)$", TOOLS.read_text(), flags=re.M)


def test_every_section_is_a_client_and_every_client_a_section():
    assert [client.title for client in CLIENTS] == HEADINGS
    assert {client.environment for client in CLIENTS} == set(ENVIRONMENTS)


@pytest.mark.parametrize("title", HEADINGS)
def test_a_section_is_short_and_says_what_stands_in_the_way(title):
    section = Section.of(title)
    assert 1 <= section.lines <= LONGEST
    assert section.obstacle.endswith(".")
    for language, code in section.blocks:
        if language == "python":
            compile(code, title, "exec")
        else:
            subprocess.run(["bash", "-n", "-c", code], check=True)


def of_one(monkeypatch, tmp_path, code):
    """A page of one client, whose code this is."""
    monkeypatch.setattr(clients, "TOOLS", tmp_path / "tools.md")
    monkeypatch.setattr(clients, "CLIENTS", (clients.Client("Toy", "numpy"),))
    (tmp_path / "tools.md").write_text(f"# Tools\n\n## Toy\n\n```python\n{code}```\n\nIn the way: a\nstone.\n")
    monkeypatch.chdir(tmp_path)


def test_a_policy_is_scored_exactly(monkeypatch, tmp_path):
    of_one(
        monkeypatch,
        tmp_path,
        "from baselines import solve\nmarket='mm_env/Imbalance-v0'\npolicy=solve(market).policy\n",
    )
    outcome = run_section("Toy")
    assert outcome.learned == "1.00 of the gap from threshold 10, 1.00 from the best rule"
    assert outcome.version == f"numpy {np.__version__}"
    assert outcome.obstacle == "a stone."


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import numpy as np\npolicy = lambda seen: np.full(len(seen), 0)\n", "nothing was learned"),
        ("x = 1\n", "neither"),
    ],
)
def test_who_learned_nothing_has_failed(monkeypatch, tmp_path, code, said):
    of_one(monkeypatch, tmp_path, code)
    with pytest.raises(ValueError, match=said):
        run_section("Toy")


def test_what_was_found_before_is_taken_while_the_code_is_the_same(monkeypatch, tmp_path):
    of_one(monkeypatch, tmp_path, "result = 1\n")
    tries = []

    def run(client, python, cleanrl):
        tries.append(client.title)
        return Outcome(client.title, "1", "1", f"try {len(tries)}", 0.5, "")

    monkeypatch.setattr(clients, "prepared", lambda *_: Path("python"))
    monkeypatch.setattr(clients, "_run", run)
    toy = clients.CLIENTS[0]
    told = [outcome_of(toy, tmp_path, None, resume).learned for resume in (True, True, False)]
    assert told == ["try 1", "try 1", "try 2"]
    (tmp_path / "tools.md").write_text((tmp_path / "tools.md").read_text().replace("result = 1", "result = 2"))
    assert outcome_of(toy, tmp_path, None, True).learned == "try 3"
    assert outcome_of(toy, tmp_path, None, True).obstacle == "a stone."


def test_a_failure_is_told_and_ends_with_one(monkeypatch, tmp_path):
    of_one(monkeypatch, tmp_path, "result = 1\n")
    failed = Outcome("Toy", "1", "1", "", 0.0, "a stone.", "failed: it fell")
    monkeypatch.setattr(clients, "outcome_of", lambda *_: failed)
    found = CliRunner().invoke(main, ["--out", str(tmp_path), "--json"])
    assert found.exit_code == 1
    assert json.loads(found.stdout)[0]["failure"] == "failed: it fell"
    assert "| [Toy](tools.md#toy) | 1 | 1 | failed: it fell |  | a stone. |" in (tmp_path / "clients.md").read_text()
    assert CliRunner().invoke(main, ["--only", "Toi"]).exit_code == 2


def test_the_page_that_is_shown_is_of_these_clients():
    told = (TOOLS.parent / clients.PAGE).read_text()
    assert re.findall(r"^\| \[(.*?)\]\(", told, flags=re.M) == HEADINGS
    assert told.startswith(page([]).splitlines()[0])
