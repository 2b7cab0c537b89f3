"""What the README and the tutorials show is run as it stands: copy, paste, works."""

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from click.testing import CliRunner

import mm_env
from mm_env.cli.main import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SHOWN = README + (ROOT / "docs" / "python.md").read_text()  # which goes on where the README ends
PYTHON = re.findall(r"```python\n(.*?)```", SHOWN, flags=re.S)
TUTORIALS = sorted(page for page in (ROOT / "docs" / "guide").glob("*.md") if "```python" in page.read_text())
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", SHOWN, flags=re.S) for line in block.splitlines()]


@pytest.mark.parametrize("code", [c for c in PYTHON if "train" not in c])
def test_code(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.slow
@pytest.mark.parametrize("code", [c for c in PYTHON if "train" in c])
def test_training_code(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_tutorial(page, tmp_path, monkeypatch):
    """The code of a page is run from top to bottom, and prints what the page says that it prints."""
    pytest.importorskip("stable_baselines3")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    write_files(page.read_text())
    blocks = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", page.read_text(), flags=re.S)
    names = {}
    for code, told in blocks:
        with redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, page.name, "exec"), names)
        assert not told or printed.getvalue() == told
    assert sum(bool(told) for _, told in blocks) >= 4


def write_files(text):
    """The files that a page shows, under the names that it gives them."""
    for name, content in re.findall(r"`(\S+\.(?:toml|py))`[^`]*```(?:toml|python)\n(.*?)```", text, flags=re.S):
        Path(name).write_text(content)


def test_the_tutorials_are_run():
    assert {page.stem for page in TUTORIALS} >= {"learning", "quants", "own"}


@pytest.mark.slow
def test_a_market_in_a_file_is_solved_learned_and_compared(tmp_path, monkeypatch):
    """The commands of the page as they stand, but for a run of fewer steps."""
    pytest.importorskip("stable_baselines3")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "guide" / "own.md").read_text()
    write_files(text)
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.S)
    fewer = {"train": ["--steps", "12800"], "compare": ["--episodes", "100"]}
    for line in "".join(blocks).splitlines():
        _, command, *rest = shlex.split(line, comments=True)
        result = CliRunner().invoke(main, [command, *rest, *fewer.get(command, [])])
        assert result.exit_code == 0, result.output
    assert len(list(Path("out/thin").glob("*.png"))) >= 4


@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith("mm-env") and "train" not in c])
def test_commands(line, tmp_path, monkeypatch):
    if "parquet" in line:
        pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    for part in line.partition("#")[0].split("&&"):
        result = CliRunner().invoke(main, shlex.split(part)[1:])
        assert result.exit_code == 0, result.output


def test_every_run_has_a_folder_of_its_own():
    """Whoever pastes one block after another would be told of a run that is there already."""
    folders = re.findall(r"(?:run_dir=.|train .*--out )(runs/[\w-]+)", SHOWN)
    assert len(folders) >= 3
    assert len(set(folders)) == len(folders)


@pytest.mark.slow
def test_all_blocks_in_order_in_one_folder(tmp_path, monkeypatch):
    """As a new user would paste them: Python into one session, commands into one shell."""
    monkeypatch.chdir(tmp_path)
    session = {}
    for language, block in re.findall(r"```(python|bash)\n(.*?)```", SHOWN, flags=re.S):
        if language == "python":
            exec(compile(block, "README.md", "exec"), session)
            continue
        for line in block.splitlines():
            if line.startswith("mm-env"):
                result = CliRunner().invoke(main, shlex.split(line, comments=True)[1:])
                assert result.exit_code == 0, (line, result.output)


def test_every_link_leads_somewhere():
    folder = Path(__file__).parent.parent
    written = [page for page in (folder / "docs").rglob("*.md") if page.parent.name != "generated"]
    pages = [folder / "README.md", folder / "CONTRIBUTING.md", *sorted(written)]
    for page in pages:
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
        links = [link for link in links if "generated/" not in link]  # written, and checked, by `make docs`
        assert all((page.parent / link).exists() for link in links), page


def test_there_is_something_to_run():
    assert len(PYTHON) >= 2
    assert sum(command.startswith("mm-env") for command in COMMANDS) >= 4
    assert all(name in README for name in mm_env.MARKETS)


def test_the_table_of_markets_is_the_registered_one():
    rows = re.findall(r"^\| `(mm_env/[\w-]+)` \| (.*?) \|$", README, flags=re.M)
    assert rows == [(name, market.summary) for name, market in mm_env.MARKETS.items()]


def test_the_page_of_markets_describes_every_one_in_the_order_of_the_registry():
    page = (ROOT / "docs" / "markets.md").read_text().partition("## The markets")[2]
    names = re.findall(r"^\*\*([\w-]+-v\d+)\*\*", page, flags=re.M)
    assert [f"mm_env/{name}" for name in names] == list(mm_env.MARKETS)


def test_the_page_on_your_own_trades_runs_as_it_stands(tmp_path, monkeypatch):
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "your-own-trades.md").read_text()
    (block,) = re.findall(r"```bash\n(.*?)```", page, flags=re.S)
    for line in block.splitlines():
        result = CliRunner().invoke(main, shlex.split(line, comments=True)[1:])
        assert result.exit_code == 0, result.output
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.S)
    exec(compile(code, "your-own-trades.md", "exec"), {})
