"""The pages of the site that are written when it is built: `make docs` builds it whole, with warnings as errors."""

import importlib.util
import json
import re
from pathlib import Path

import mm_env
from baselines import solve

DOCS = Path(__file__).parents[1] / "docs"


def market_pages():
    return module_of_docs("market_pages")


def module_of_docs(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_registered_market_has_a_page(tmp_path, monkeypatch):
    """What is hard in it, why, every field that differs, the optimum's value and its charts: from the registry."""
    entry = mm_env.MARKETS["mm_env/DynamicSpread-v0"]._replace(summary="a toy", why="Because | of it.")
    changes = {**entry.changes, "num_trades": 7, "inventory_limit": 5, "hedge_threshold": 3}
    monkeypatch.setitem(mm_env.MARKETS, "mm_env/Toy-v0", entry._replace(changes=changes))
    pages = market_pages()
    monkeypatch.setattr(pages, "MARKETS", {"mm_env/Toy-v0": mm_env.MARKETS["mm_env/Toy-v0"]})
    pages.write(tmp_path)
    page = (tmp_path / "Toy-v0.md").read_text()
    params = mm_env.market_params("mm_env/Toy-v0")
    assert all(text in page for text in ("# Toy-v0\n", "*A toy.*", "Because | of it.", f"{solve(params).value:.4f}"))
    assert set(re.findall(r"^\| `(\w+)` \|", page, flags=re.M)) == changes.keys()
    charts = re.findall(r"!\[.*\]\((.*)\)", page)
    assert len(charts) == 3  # hedges, quotes and an episode
    assert all((tmp_path / chart).exists() for chart in charts)
    assert "[Toy-v0](Toy-v0.md)" in (tmp_path / "index.md").read_text()
    fields = re.findall(r"^\| `(\S+)` \|", (tmp_path / "parameters.md").read_text(), flags=re.M)
    assert fields == [row[0] for row in mm_env.MarketParams.describe()]


def test_a_page_has_every_rule_and_agent_of_the_benchmark():
    results = json.loads((DOCS.parent / "results" / "v1" / "results.json").read_text())
    market = "mm_env/TicketFee-v0"
    told = market_pages()._scores(market)
    cells = {cell["agent"]: cell for cell in results["cells"] if cell["market"] == market}
    assert sorted(re.findall(r"^\| `(\S+)` \|", told, flags=re.M)) == sorted(results["agents"])
    optimum, band = (cells[name]["objective"] for name in ("optimal", "best-band"))
    assert f"| `optimal` | {optimum:.4f} | 1.000 |" in told
    assert f"| `best-band` | {band:.4f} | {cells['best-band']['score']:.3f} |" in told
    assert re.search(r"\| `random` \| \S+ ± \S+ \| \S+ ± \S+ \|", told)


def test_the_page_on_machine_code_is_what_the_package_runs():
    """Else write it anew: `python docs/speed_page.py`."""
    assert (DOCS / "speed.md").read_text() == module_of_docs("speed_page").page()
