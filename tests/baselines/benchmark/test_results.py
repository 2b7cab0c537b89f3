"""The results file: checked as a whole, refused with the reason where it is not what was written."""

import json

import pytest

from baselines import make_policy
from baselines.benchmark import results as files
from baselines.benchmark.run import benchmark, verify

MARKETS = ["mm_env/CostlyHedge-v0", "mm_env/TicketFee-v0", "mm_env/Hedging-v0"]
AGENTS = ["never", "band:5:1", "mine=best-band", "optimal"]


@pytest.fixture(scope="module")
def scored():
    return benchmark(AGENTS, make_policy, "v1", MARKETS)[0]


@pytest.fixture
def path(scored, tmp_path):
    files.write(scored, tmp_path)
    return tmp_path / "results.json"


def change(path, alter, signed=True):
    """Alter the file as a forger would who knows the format."""
    results = json.loads(path.read_text())
    alter(results)
    if signed:
        results["checksum"] = files.checksum(results)
    path.write_text(json.dumps(results))


def test_what_was_written_is_what_is_recomputed(path):
    assert verify(path, make_policy) == []


def test_every_agent_is_in_every_market_with_its_score(scored):
    cells = scored["cells"]
    assert [(cell["agent"], cell["market"]) for cell in cells] == [
        (agent.rpartition("=")[0] or agent, market) for agent in AGENTS for market in MARKETS
    ]
    best = {cell["market"]: cell["score"] for cell in cells if cell["agent"] == "optimal"}
    assert best == pytest.approx(dict.fromkeys(MARKETS, 1.0))
    assert not scored["complete"]
    assert scored["markets"]["mm_env/Hedging-v0"]["scored"] is False


def test_the_league_is_of_scored_markets_alone(scored):
    cells = [cell for cell in scored["cells"] if cell["agent"] == "never" and "Hedging" not in cell["market"]]
    assert scored["league"]["never"]["mean"]["value"] == pytest.approx(sum(cell["score"] for cell in cells) / 2)


def test_a_market_alone_that_is_only_shown_has_no_league():
    scored, _ = benchmark(["never"], make_policy, "v1", ["mm_env/Hedging-v0"])
    assert scored["league"] == {}
    assert "score by market" in files.markdown(scored)


def test_a_changed_digit_is_refused(path):
    text = path.read_text()
    digits = str(json.loads(text)["cells"][0]["objective"])
    path.write_text(text.replace(digits, digits[:-1] + str((int(digits[-1]) + 1) % 10), 1))
    with pytest.raises(ValueError, match="changed since it was written"):
        verify(path, make_policy)


def test_a_better_score_is_not_believed_though_it_is_signed(path):
    def alter(results):
        results["cells"][0]["objective"] += 1e-6

    change(path, alter)
    assert any(found.startswith("cells[0].objective is") for found in verify(path, make_policy))


def test_a_seed_that_was_left_out_is_missed(path):
    change(path, lambda results: results["cells"].pop())
    assert verify(path, make_policy)[0] == "cells has 11 entries in the file, recomputed it has 12"


def test_another_market_is_not_believed(path):
    change(path, lambda results: results["markets"]["mm_env/TicketFee-v0"]["params"].update(hedge_ticket=0.1))
    (found,) = verify(path, make_policy)
    assert found == "markets.mm_env/TicketFee-v0.params.hedge_ticket is 0.1 in the file, recomputed it is 0.05"


def test_a_parameter_that_came_later_has_its_default(path):
    change(path, lambda results: [market["params"].pop("hedge_latency") for market in results["markets"].values()])
    assert verify(path, make_policy) == []


def test_a_missing_market_is_refused(path):
    change(path, lambda results: results.update(complete=True))
    with pytest.raises(ValueError, match="mm_env/Imbalance-v0 is missing"):
        verify(path, make_policy)


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (lambda results: results.update(format="mm_env benchmark 0"), "format is not"),
        (lambda results: results.pop("league"), "'league' is missing"),
        (lambda results: results.update(cells={}), "'cells' is missing or of another kind"),
        (lambda results: results.update(suite="v0"), "no suite 'v0'"),
    ],
)
def test_a_foreign_file_is_refused(path, alter, reason):
    change(path, alter)
    with pytest.raises(ValueError, match=reason):
        files.read(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}'])
def test_what_is_no_results_file_is_refused(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ValueError, match=r"results.json: not a (whole )?results file"):
        files.read(tmp_path / "results.json")


def test_half_a_file_is_refused(path):
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a whole results file"):
        files.read(path)


def test_the_table_has_the_best_first_and_every_market(scored):
    lines = files.markdown(scored).splitlines()
    agents = [line.split("|")[1].strip() for line in lines if line.startswith("|")]
    assert agents[2:6] == ["optimal", "mine", "never", "band:5:1"]
    assert lines[7] == "| score by market | CostlyHedge-v0 | TicketFee-v0 | Hedging-v0 |"
