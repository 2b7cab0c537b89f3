"""The page of the game: a browser plays it, and its figures are those of the environment."""

import re
import shutil
import subprocess

import pytest

from baselines import make_policy, policy_value, solve
from mm_env import MarketParams, market_params, play
from mm_env.game import game_page

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PLAY = """<script>
const slider = document.getElementById("threshold");
slider.value = 4;
slider.dispatchEvent(new Event("input"));
document.getElementById("next").click();
document.getElementById("one").click();
document.getElementById("ten").click();
document.getElementById("rest").click();
</script></body>"""


def page_of(params, tapes=3):
    rivals = {name: make_policy(name, params) for name in ("threshold:10", "optimal")}
    values = policy_value(rivals["threshold:10"], params), solve(params).value
    return game_page(params, rivals, values, "a <market>", seed=5, tapes=tapes), values


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
@pytest.mark.parametrize("market", ["mm_env/Hedging-v0", "mm_env/Latency-v0", "mm_env/DynamicSpread-v0"])
def test_a_browser_finds_the_figures_of_the_environment(market, tmp_path):
    """The visitor keeps to threshold 4 and the middle quote on the second tape."""
    params = market_params(market)
    page, (rule, optimum) = page_of(params)
    (tmp_path / "game.html").write_text(page.replace("</body>", PLAY), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom"]
    command = [BROWSER, *options, f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "game.html").as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    cells = re.findall(r"<tr><td>(.*?)</td></tr>", shown)
    table = {row[0]: row[1:] for row in (cell.split("</td><td>") for cell in cells)}

    middle = params.lowest_quote + params.tick * (params.quote_levels // 2)
    visitor = f"threshold:4:{middle}" if params.quote_levels > 1 else "threshold:4"
    named = {"you": visitor, "threshold:10": "threshold:10", "optimal": "optimal"}
    runs = {name: play(make_policy(policy, params), params, 2, seed=5)[1] for name, policy in named.items()}
    rewards = {name: (run.reward - run.unexpected_pnl).sum() for name, run in runs.items()}
    assert table.keys() == named.keys()
    for name, run in runs.items():
        score = (rewards[name] - rewards["threshold:10"]) / (optimum - rule)
        missed = int(((run.request != 0) & ~run.filled).sum())
        figures = (score, rewards[name], run.pnl[0], run.cumulative_hedge[0, -1], missed)
        assert [float(cell) for cell in table[name]] == pytest.approx(figures, abs=0.00501)
    assert f"Your score on this tape: {table['you'][0]}" in shown


def test_the_page_needs_nothing_else():
    page, _ = page_of(MarketParams(num_trades=20), tapes=1)
    assert not re.findall(r"(?:src|href)=|https?://(?!www\.w3\.org/2000/svg)|@import|url\(", page)
    assert "/*LAW*/" not in page
    assert "/*DATA*/" not in page


def test_what_cannot_be_played_is_refused():
    params = MarketParams(num_trades=5)
    never = {"never": make_policy("never", params)}
    with pytest.raises(ValueError, match="hedge_action='threshold', got 'units'"):
        game_page(params.replace(hedge_action="units"), never, (0.0, 1.0), "x")
    with pytest.raises(ValueError, match="policies must hold one or more"):
        game_page(params, {}, (0.0, 1.0), "x")
    with pytest.raises(ValueError, match="worth more than the first policy"):
        game_page(params, never, (1.0, 1.0), "x")
