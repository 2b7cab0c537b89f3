"""What a terminal shows: tables that fit it, progress, and one line where there is none."""

import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from mm_env.cli import console
from mm_env.cli.main import main

ROOT = Path(__file__).parents[2]
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
ENV.pop("COLUMNS", None)


def on_a_terminal(columns, *arguments):
    """What a command prints on a terminal so wide, and what on its standard error there."""
    fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
    keyboard, screen = pty.openpty()
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    command = [sys.executable, "-m", "mm_env", *map(str, arguments)]
    with subprocess.Popen(command, stdin=screen, stdout=screen, stderr=screen, env=ENV) as process:
        os.close(screen)
        parts = []
        try:
            while part := os.read(keyboard, 65_536):
                parts.append(part)
        except OSError:  # the other end is closed
            pass
        assert process.wait() == 0, parts
    os.close(keyboard)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(parts).decode()).replace("\r\n", "\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", "--episodes", 50, "--policy", "never", "--set", "num_trades=9"],
        ["compete", "--episodes", 20, "--set", "num_trades=9"],
        ["markets"],
        ["markets", "--params"],
        ["simulate", "--episodes", 50, "--set", "num_trades=9"],
        ["solve", "--market", "mm_env/DynamicSpread-v0", "--set", "num_trades=9"],
    ],
)
def test_tables_fit_a_narrow_terminal(arguments):
    shown = on_a_terminal(60, *arguments)
    tables = [line for line in shown.splitlines() if line.startswith(("|", "  ", "policy:", "field:", "score:", "id:"))]
    assert tables
    assert max(map(len, tables)) <= 60
    assert "…" not in shown


def test_a_wide_terminal_shows_the_table_that_a_file_gets():
    arguments = ("compare", "--episodes", 50, "--policy", "never", "--set", "num_trades=9")
    printed = CliRunner().invoke(main, [str(a) for a in arguments]).stdout
    shown = on_a_terminal(150, *arguments)
    tables = [[line for line in text.splitlines() if line.startswith("|")] for text in (shown, printed)]
    assert tables[0] == tables[1]
    assert len(tables[0]) == 3


def test_nothing_is_lost_where_a_table_does_not_fit(monkeypatch, capsys):
    header, rows = ["policy", "pnl", "meaning"], [["never", "4.7 ± 0.3", "a word " * 30], ["flat", "", "short"]]
    console._print_records(header, rows, 40)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 40
    never = ["policy:", "never", "pnl", "4.7", "±", "0.3", "meaning", *["a", "word"] * 30]
    assert shown.split() == [*never, "policy:", "flat", "meaning", "short"]


def test_what_takes_long_says_one_line_off_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(console, "_SLOW", 0.05)
    with console.progress_bar("thinking", 3) as advance:
        for _ in range(3):
            time.sleep(0.1)
            advance(1)
    with console.progress_bar("blinking"):
        pass
    time.sleep(0.1)
    assert capsys.readouterr().err == "thinking ...\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["solve", "--set", "num_trades=9"], "solving ..."),
        (["solve", "--set", "num_trades=9"], "trying fixed rules ..."),
        (["compare", "--episodes", "9", "--policy", "optimal"], "making the policies ..."),
        (["compare", "--episodes", "9", "--policy", "never"], "playing ..."),
        (["compare", "--episodes", "9", "--policy", "never", "--out", "out"], "drawing ..."),
        (["simulate", "--episodes", "9", "--policy", "optimal", "--set", "num_trades=50"], "making the policy ..."),
        (["simulate", "--episodes", "900", "--out", "out"], "writing every step ..."),
        (["simulate", "--episodes", "900", "--markout"], "following the mid after fills ..."),
        (["compete", "--episodes", "9"], "playing ..."),
    ],
)
def test_every_long_part_of_a_command_says_so(arguments, line, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console, "_SLOW", 0.0)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert line in result.stderr.splitlines()
    assert "..." not in result.stdout


def test_training_says_where_the_policy_is_and_how_to_go_on(monkeypatch, tmp_path):
    pytest.importorskip("stable_baselines3")
    from train import ppo

    run = tmp_path / "my run"
    arguments = ["train", "--steps", "1", "--set", "num_trades=5", "--out", str(run)]

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ppo.PPO, "learn", interrupted)
        stopped = CliRunner().invoke(main, arguments)
    assert stopped.exit_code == 130
    assert stopped.stderr.splitlines() == [
        f"training PPO in {run} ...",
        f"go on with: mm-env train --out '{run}' --resume",
        "interrupted",
    ]
    ended = CliRunner().invoke(main, ["train", "--out", str(run), "--resume", "--json"])
    assert ended.exit_code == 0, ended.output
    assert f"the policy is in {run}: mm-env simulate --policy '{run}'" in ended.stderr.splitlines()
    assert CliRunner().invoke(main, ["simulate", "--policy", str(run), "--set", "num_trades=5"]).exit_code == 0


def test_a_pipe_that_is_closed_ends_a_command_without_a_word():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "mm_env", "policies", "--json"], stdout=write, stderr=subprocess.PIPE, env=ENV, text=True
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
