"""The results that are committed: whole, shown in the README as they are, and recomputed."""

from pathlib import Path

import pytest

from baselines import POLICIES
from baselines.benchmark import results as files
from baselines.benchmark.run import benchmark, verify
from baselines.benchmark.suite import SUITES
from mm_env.cli.inputs import read_policy

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "results" / "v1"


def load(source, params, seed):
    return read_policy(source, params, seed, trust_pickle=False)


@pytest.fixture(scope="module")
def recorded():
    return files.read(FOLDER / "results.json")


def test_every_rule_is_in_every_market(recorded):
    assert recorded["complete"]
    assert list(recorded["markets"]) == list(SUITES["v1"].markets)
    assert set(POLICIES) <= set(recorded["agents"])


def test_the_readme_shows_the_league_as_it_is(recorded):
    shown = (ROOT / "README.md").read_text().partition("<!-- results/v1 -->\n")[2].partition("\n<!-- end -->")[0]
    assert shown == files.markdown(recorded).partition("\n\n")[0]
    assert (FOLDER / "results.md").read_text() == files.markdown(recorded)


def test_a_market_of_it_is_recomputed(recorded):
    """The ticket fee: every agent whose policy is here, to 1e-9. All markets: `mm-env benchmark --verify`."""
    market = "mm_env/TicketFee-v0"
    rules = [name for name in recorded["agents"] if name in POLICIES]
    again, _ = benchmark(rules, load, "v1", [market])
    old = [cell for cell in recorded["cells"] if cell["market"] == market and cell["agent"] in rules]
    assert list(files.differences(again["cells"], old)) == []
    assert list(files.differences(again["markets"][market], recorded["markets"][market])) == []


@pytest.mark.slow
def test_all_of_it_is_recomputed(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert verify(FOLDER / "results.json", load, workers=2) == []
