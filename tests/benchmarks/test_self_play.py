import json

import pytest
from click.testing import CliRunner

pytest.importorskip("stable_baselines3")

from benchmarks import self_play
from benchmarks.self_play import POINTS, Point, main


def test_the_page_is_of_the_points_of_every_seed(tmp_path, monkeypatch):
    def fake(params, seed, steps, progress):
        return [Point(seed, 100 * i, 0.4 / (1 + i) + 0.1 * seed, 0.5) for i in range(POINTS + 1)]

    small = self_play.duel().replace(inventory_limit=2, num_trades=3)
    monkeypatch.setattr(self_play, "duel", lambda: small)
    monkeypatch.setattr(self_play, "played", fake)
    result = CliRunner().invoke(main, ["--seeds", "2", "--out", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)) == 2 * (POINTS + 1)
    page = (tmp_path / "self-play.md").read_text()
    assert "| 100 | 0.2 ± 0.6 | 0.5000 | 50.0% |" in page
    assert (tmp_path / "self-play.png").stat().st_size > 10_000


def test_a_run_is_assessed_from_its_beginning_to_its_end():
    params = self_play.duel().replace(inventory_limit=2, num_trades=10)
    points = self_play.played(params, seed=1, steps=24_000, progress=lambda number: None)
    assert [point.steps for point in points] == [0, 24_000]
    assert all(point.exploitability > 0 for point in points)
