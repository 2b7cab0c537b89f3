"""The faults that `python -m tests.mutants` puts in: each is one token of valid code, and what is listed is there."""

import ast

import pytest

from tests import mutants


@pytest.mark.parametrize("file", mutants.SUITES)
def test_every_fault_is_one_token_of_valid_code(file):
    source = (mutants.ROOT / file).read_text(encoding="utf-8")
    for mutant in mutants.mutants(file)[::15]:
        faulty = mutant.applied(source)
        ast.parse(faulty)
        changed = [one for one, other in zip(source.splitlines(), faulty.splitlines(), strict=True) if one != other]
        assert [line.strip() for line in changed] == [mutant.text]


@pytest.mark.parametrize("file", mutants.SUITES)
def test_the_tests_of_every_file_are_there(file):
    assert all((mutants.ROOT / path).is_file() for path in mutants.SUITES[file])
    assert mutants.mutants(file)


def test_types_and_messages_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    text = "def f(x: int | None = 1) -> int | str:\n    if x < 2:\n"
    text += '        raise ValueError(f"{x + 1}")\n    return -x + 3\n'
    (tmp_path / "some.py").write_text(text)
    changes = [(mutant.line, mutant.before, mutant.after) for mutant in mutants.mutants("some.py")]
    assert changes == [(1, "1", "2"), (2, "<", "<="), (2, "2", "3"), (4, "-", "+"), (4, "+", "-"), (4, "3", "4")]


@pytest.mark.parametrize("entry", mutants.listed(), ids=lambda entry: entry["line"])
def test_what_is_listed_as_changing_nothing_is_still_there(entry):
    assert len(entry["reason"]) > 20
    assert any(mutants.is_listed(mutant, [entry]) for mutant in mutants.mutants(entry["file"]))
