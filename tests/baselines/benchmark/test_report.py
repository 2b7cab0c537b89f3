"""The report: one page that loads nothing, whose charts show the numbers of the results, whatever is chosen in it."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from baselines import make_policy, policy_value
from baselines.benchmark.learning_curves import learning_curves
from baselines.benchmark.played import played
from baselines.benchmark.report import page
from baselines.benchmark.results import ranked
from baselines.benchmark.run import benchmark
from baselines.benchmark.suite import EVALUATION_SEED
from mm_env import market_params, play

pytest.importorskip("plotly")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MARKETS = ["mm_env/CostlyHedge-v0", "mm_env/TicketFee-v0"]
AGENTS = ["never", "band:5:1", "optimal"]
SHORT = 20  # episodes


@pytest.fixture(scope="module")
def scored():
    return benchmark(AGENTS, make_policy, "v1", MARKETS)[0]


@pytest.fixture(scope="module")
def seen(scored):
    """What is to be seen of each market, of few episodes and points."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("baselines.benchmark.played.EPISODES", SHORT)
        patch.setattr("baselines.benchmark.played._POINTS", 2)
        return played(scored, make_policy)


@pytest.fixture(scope="module")
def text(scored, seen):
    return page(scored, seen)


def data_of(text):
    return json.loads(re.search(r'id="data">(.*?)</script>', text)[1])


def cells(scored, market):
    return {cell["agent"]: cell["score"] for cell in scored["cells"] if cell["market"] == market}


def test_it_loads_nothing_and_is_small(text):
    assert len(text.encode()) < 6_000_000
    outside = text[: text.index("<script>")] + text[text.index("</head>") :]
    assert not re.search(r"(?:src|href)=|@import|url\(", outside)
    assert "<!--" not in outside


def test_every_number_is_in_a_table_too(text, scored):
    for cell in scored["cells"]:
        assert f"<td>{round(cell['score'], 3) + 0.0:.3f}</td>" in text


def test_every_two_agents_are_compared(text, scored):
    found = text[text.index("<summary>Comparisons") :]
    for row in scored["comparisons"]:
        assert f"<td>{abs(row['difference']):.3f}</td>" in found
    assert '<th scope="row">optimal</th><td>band:5:1</td>' in found


def test_without_anything_played_it_has_the_scores(scored):
    data = data_of(page(scored))
    assert data["played"] is data["learning"] is None
    for market in MARKETS:
        assert {name: value for name, (value, _) in data["scores"][market].items()} == cells(scored, market)


def test_names_that_are_hostile_stay_text(scored):
    renamed = json.loads(json.dumps(scored).replace('"band:5:1"', '"<b></script>"'))
    text = page(renamed)
    assert "<b>" not in text[text.index("</head>") : text.rindex("<script>")]  # tables and data


@pytest.mark.parametrize("market", MARKETS)
def test_what_is_drawn_is_what_was_played(seen, market):
    """Mean and sd, parts that sum to the mean, every episode counted, and a tape that is that of `play`."""
    params, found = market_params(market), seen[market]
    for name in AGENTS:
        runs = play(make_policy(name, params), params, SHORT, EVALUATION_SEED)
        its, steps = found["agents"][name], found["tape"][name]
        assert its["pnl"][0] == pytest.approx(runs.pnl.mean())
        assert sum(its["parts"].values()) == pytest.approx(runs.pnl.mean())
        assert 1 - 2 / SHORT <= sum(its["shares"]) <= 1 + 1e-12
        foreseen = runs.pnl - runs.unexpected_pnl.sum(axis=1)
        assert found["frontier"][name][0][:2] == pytest.approx([runs.pnl.std(), foreseen.mean()])
        assert steps["inventory"] == runs.inventory[0].tolist()
        assert len(steps["hedges"]) == np.count_nonzero(runs.hedge[0])
    assert [name for name, points in found["frontier"].items() if len(points) > 1] == [
        "fixed thresholds",
        "fixed bands, to half",
        "optimum over risk aversions",
    ]


@pytest.mark.parametrize("market", MARKETS)
def test_the_map_of_the_optimum_begins_at_its_bands(seen, market):
    maps = seen[market]["maps"]
    inventories = np.array(maps["inventories"])[:, None]
    for panel in maps["panels"]:
        above, below = (np.array(edge, dtype=float) for edge in panel["bands"])
        hedged = np.array(panel["units"]["optimal"]) > 0
        assert not hedged[(inventories < above) & (inventories > below)].any()
        next_to_it = (inventories == above + 0.5) | (inventories == below - 0.5)
        assert hedged[next_to_it].all()
        assert next_to_it.sum() == np.isfinite([above, below]).sum() > 0


def test_the_best_six_are_played(seen, scored):
    for market in MARKETS:
        assert [row[0] for row in seen[market]["figures"]] == ranked(scored)
        assert [row[0] for row in seen[market]["differences"]] == ranked(scored)[1:]


def test_runs_tell_how_they_learned(tmp_path, monkeypatch):
    """A share of the gap from the market's own rule becomes a score: its own 1 is 1, that of the best rule 0."""
    monkeypatch.chdir(tmp_path)
    (market, params) = MARKETS[1], market_params(MARKETS[1])
    ends = [policy_value(make_policy(name, params), params) for name in ("threshold", "best-threshold", "optimal")]
    best_rule = (ends[1] - ends[0]) / (ends[2] - ends[0])
    for seed in (3, 4):
        (tmp_path / f"seed-{seed}").mkdir()
        np.savez(tmp_path / f"seed-{seed}/evaluations.npz", seconds=[0.5, 1.5, 2.5], share=[0.0, best_rule, 1.0])
    scored, _ = benchmark(["mine=seed-{seed}", "never"], lambda *_: make_policy("never", params), "v1", [market])
    runs = learning_curves(scored)[market]
    assert [(run["agent"], run["seed"], run["seconds"]) for run in runs] == [
        ("mine", seed, [0.5, 1.5, 2.5]) for seed in (3, 4)
    ]
    assert runs[0]["score"] == pytest.approx([(ends[0] - ends[1]) / (ends[2] - ends[1]), 0.0, 1.0], abs=1e-5)


LOOK = """<script>
const told = [], choose = (id, value) => { at(id).value = value; at(id).dispatchEvent(new Event("change")); };
const look = () => told.push({
  scores: at("scores").data[0], suite: at("suite").data[0], label: at("scores").getAttribute("aria-label"),
  frontier: at("frontier").data.map(trace => [trace.name, trace.x, trace.y]),
  shares: at("shares").data.map(trace => trace.y), tape: at("tape-left").data[0].y, map: at("map-right").data[0].z,
  heading: at("one").textContent,
  tables: [...document.querySelectorAll("[data-market]")].filter(it => !it.hidden).map(it => it.dataset.market)});
look();
choose("market", "mm_env/TicketFee-v0");
at("agent-0").click();
choose("left", "never");
choose("right", "band:5:1");
look();
setTimeout(() => {
  const pre = document.createElement("pre");
  pre.id = "told";
  pre.textContent = JSON.stringify({told, bars: document.querySelectorAll("#scores .point").length});
  document.body.append(pre);
}, 1000);
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_a_browser_draws_what_is_chosen(text, scored, seen, tmp_path):
    """The market and the policies are changed in the page: what is drawn then is that of the results."""
    script = LOOK.replace("const look", "const looked").replace("look();", "looked();")  # the page has a `look`
    (tmp_path / "report.html").write_text(text.replace("</body>", script), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    command = [BROWSER, *options, f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "report.html").as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=180).stdout
    found = json.loads(html.unescape(re.search(r'<pre id="told">(.*?)</pre>', shown, flags=re.S)[1]))
    before, after = found["told"]
    agents = ranked(scored)
    suite = [scored["league"][agent]["iqm"]["value"] for agent in agents]
    assert (before["suite"]["y"], before["suite"]["x"]) == (agents, suite)
    for drawn, market, names in ((before, MARKETS[0], agents), (after, MARKETS[1], agents[1:])):
        assert drawn["heading"].endswith(market.partition("/")[2])
        assert drawn["tables"] == [market]
        assert (drawn["scores"]["y"], drawn["scores"]["x"]) == (names, [cells(scored, market)[name] for name in names])
        assert all(name in drawn["label"] for name in names)
        points = {name: [[x], [y]] for name, [[x, y, _], *more] in seen[market]["frontier"].items() if not more}
        assert {name: [x, y] for name, x, y in drawn["frontier"] if name in AGENTS} == {n: points[n] for n in names}
        assert drawn["shares"] == [seen[market]["agents"][name]["shares"] for name in names]
    assert found["bars"] == len(agents) - 1
    assert after["tape"] == seen[MARKETS[1]]["tape"]["never"]["inventory"]
    units = seen[MARKETS[1]]["maps"]["panels"][0]["units"]["band:5:1"]
    assert after["map"] == [[each or None for each in row] for row in units]
