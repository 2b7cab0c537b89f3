"""The notebooks are run from top to bottom, and print what is stored in them."""

import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))


def told(cell):
    """What a cell printed when it was stored."""
    return "".join("".join(out["text"]) for out in cell["outputs"] if out["output_type"] == "stream")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_it_holds(path, tmp_path, monkeypatch):
    if path.stem == "agent":
        pytest.importorskip("stable_baselines3")
    monkeypatch.chdir(tmp_path)
    names = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            code = re.sub(r"^%.*$", "", "".join(cell["source"]), flags=re.M)
            with redirect_stdout(io.StringIO()) as printed:
                exec(compile(code, path.name, "exec"), names)
            assert printed.getvalue() == told(cell)


def test_there_are_three_and_each_holds_pictures():
    assert len(NOTEBOOKS) == 3
    for path in NOTEBOOKS:
        outputs = [out for cell in json.loads(path.read_text())["cells"] for out in cell.get("outputs", [])]
        assert any("image/png" in out.get("data", {}) for out in outputs), path
        assert not any(out["output_type"] == "error" for out in outputs), path
