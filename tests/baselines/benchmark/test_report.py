"""The report: one page that loads nothing, which shows the numbers of the results."""

import json
import re
import shutil
import subprocess

import pytest

from baselines import make_policy
from baselines.benchmark.report import page
from baselines.benchmark.results import ranked
from baselines.benchmark.run import benchmark
from baselines.evaluation.totals import Totals
from mm_env import market_params, play_blocks

pytest.importorskip("plotly")
MARKETS = ["mm_env/CostlyHedge-v0", "mm_env/TicketFee-v0"]


@pytest.fixture(scope="module")
def scored():
    return benchmark(["never", "band:5:1", "optimal"], make_policy, "v1", MARKETS)[0]


@pytest.fixture(scope="module")
def text(scored):
    return page(scored)


def test_it_loads_nothing_and_is_small(text):
    assert len(text.encode()) < 6_000_000
    body = text[text.index("</head>") :]
    assert not re.search(r'(src|href)="', body)
    assert "<link" not in text.partition("<script>")[0]


def test_the_chart_holds_the_scores(text, scored):
    data = json.loads(re.search(r'Plotly\.newPlot\(\s*"chart",\s*(\[.*?\]),\s*\{"', text, flags=re.S)[1])
    assert [trace["name"] for trace in data] == ["these markets (IQM)", "CostlyHedge-v0", "TicketFee-v0"]
    assert [trace["visible"] for trace in data] == [True, False, False]
    for trace, market in zip(data[1:], MARKETS, strict=True):
        cells = {cell["agent"]: cell["score"] for cell in scored["cells"] if cell["market"] == market}
        assert trace["y"] == ranked(scored)
        assert trace["x"] == [cells[agent] for agent in trace["y"]]
    assert data[0]["x"] == [scored["league"][agent]["iqm"]["value"] for agent in data[0]["y"]]


def test_every_number_is_in_a_table_too(text, scored):
    for cell in scored["cells"]:
        assert f"<td>{round(cell['score'], 3) + 0.0:.3f}</td>" in text


def test_what_was_played_is_drawn_and_told(scored):
    """Of each market three charts and a table; the parts of the mean PnL sum to it."""
    found = {market: {name: played_totals(name, market) for name in ("never", "flat")} for market in MARKETS}
    text = page(scored, found)
    charts = json.loads(re.search(r'id="charts">(.*?)</script>', text)[1])
    assert list(charts) == re.findall(r'<section data-market="(.*?)"', text) == MARKETS
    for market, totals in found.items():
        risk, _, parts = charts[market]
        assert [trace["name"] for trace in risk["data"]] == list(totals)
        for place, of_agent in enumerate(totals.values()):
            assert risk["data"][place]["y"] == [pytest.approx(of_agent.pnl.mean())]
            assert sum(part["y"][place] for part in parts["data"]) == pytest.approx(of_agent.pnl.mean())


def played_totals(name, market):
    params = market_params(market)
    return Totals.gather(play_blocks(make_policy(name, params), params, 20, 0))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_browser_draws_a_bar_for_each_agent(text, tmp_path):
    (tmp_path / "report.html").write_text(text)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    address = f"file://{tmp_path}/report.html"
    shown = subprocess.run(["chromium", *options, address], capture_output=True, text=True, check=True, timeout=120)
    assert len(re.findall(r'<g class="point"', shown.stdout)) == 3
    assert "these markets (IQM)" in shown.stdout
