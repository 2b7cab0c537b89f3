import json

import pytest
from click.testing import CliRunner

from mm_env.cli.main import main

pytest.importorskip("pandas")


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_a_file_is_told_drawn_and_printed_as_json(tmp_path):
    path = tmp_path / "trades.csv"
    path.write_text("side,move,qty,venue\nbuy,0.5,2,A\nsell,-0.25,1,A\nbuy,0.125,1,B\n")
    options = ("--column", "sizes=qty", "--column", "price_moves=move")
    found = run("inspect", path, *options, "--out", tmp_path / "out")
    assert found.exit_code == 0, found.output
    assert "sizes from 'qty'" in found.stdout
    assert "looks wrong: columns not used: 'venue'" in found.stdout
    assert (tmp_path / "out" / "inspect.png").exists()
    told = json.loads(run("inspect", path, *options, "--json").stdout)
    assert told["read"]["columns"] == {"sizes": "qty", "price_moves": "move", "sides": "side"}
    assert told["buys"]["value"] == pytest.approx(2 / 3)
    assert told["markouts"]["all"]["1"]["value"] == pytest.approx(-(1.0 + 0.25 + 0.125) / 4)
    assert run("inspect", path).exit_code == 2
    assert "no column 'price_moves'" in run("inspect", path).output


def test_dates_are_told_as_dates(tmp_path):
    path = tmp_path / "trades.csv"
    path.write_text(
        "Time;Side;Price Move;Client Tier\n2024-05-31 09:30:00;buy;0,5;A\n2024-05-31 09:30:02.5;sell;0,1;B\n"
    )
    assert "to take it, columns={'tier': 'Client Tier'} or --column 'tier=Client Tier'" in run("inspect", path).stderr
    found = run("inspect", path, "--column", "tier=Client Tier")
    assert "2024-05-31T09:30:00 to 2024-05-31T09:30:02.500" in found.stdout, found.output
    assert json.loads(run("inspect", path, "--column", "tier=", "--json").stdout)["gaps"] == [2.5, 2.5]
