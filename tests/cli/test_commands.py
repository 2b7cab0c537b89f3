import json
import re
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner

from baselines import POLICIES, best_rule, solve
from mm_env import MARKETS, MarketParams, Tape, market_params, play
from mm_env.cli.main import main
from mm_env.intervals import plus_minus

COMMANDS = sorted(main.commands)


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_help_gives_an_example_of_every_command():
    for command in ((), *([name] for name in COMMANDS)):
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert "Example: mm-env" in result.output


def test_every_command_takes_json():
    for name in COMMANDS:
        assert "--json" in run(name, "--help").output


def test_markets_and_policies_are_listed():
    assert {row["id"] for row in json.loads(run("markets", "--json").output)} == set(MARKETS)
    assert [row["policy"].partition(":")[0] for row in json.loads(run("policies", "--json").output)] == [
        *POLICIES,
        "ppo",
    ]
    assert "hedge_cost_per_unit" in run("markets", "--params").output


def test_parameters_are_listed_with_those_of_a_client_tier():
    rows = {row["field"]: row for row in json.loads(run("markets", "--params", "--json").output)}
    assert {field for field in rows if "[]" not in field} == set(MarketParams().to_dict())
    assert rows["tiers"]["default"] == "[{}]"
    assert {field for field in rows if field.startswith("tiers[].")} == {
        f"tiers[].{name}" for name in ("weight", "sizes", "size_weights", "decay", "logistic")
    }
    assert "ClientTier(" not in run("markets", "--params").output


@pytest.mark.parametrize("market", MARKETS)
def test_a_market_is_told_with_its_reason_and_what_differs(market):
    entry = MARKETS[market]
    output = run("markets", "--market", market).output
    assert entry.summary in output
    assert entry.why in output
    for field in entry.changes:
        assert f"| {field} " in output
    assert json.loads(run("markets", "--market", market, "--json").output)["why"] == entry.why


def test_the_values_told_of_a_market_can_be_set():
    changes = json.loads(run("markets", "--market", "mm_env/FXDealer-v0", "--json").output)["changes"]
    assert MarketParams.from_mapping(changes) == market_params("mm_env/FXDealer-v0")


def test_simulate_tells_scores_and_writes_steps_and_charts(tmp_path):
    out = tmp_path / "out"
    result = run("simulate", "--policy", "threshold:5", "--episodes", 20, "--seed", 3, "--out", out, "--json")
    assert result.exit_code == 0
    figures = json.loads(result.stdout)
    assert figures["episodes"] == 20
    assert figures["policies"]["threshold:5"]["hedge_volume"]["value"] > 0
    assert sorted(path.name for path in out.iterdir()) == ["episode.png", "episodes.csv"]
    assert len((out / "episodes.csv").read_text().splitlines()) == 20 * 100 + 1


def test_compare_prints_a_table_with_intervals(tmp_path):
    result = run("compare", "--episodes", 400, "--out", tmp_path, "--set", "num_trades=30")
    assert result.exit_code == 0
    rows = [line for line in result.stdout.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 5
    assert "| share " in rows[0]
    assert "±" in rows[2]
    assert {"policies.png", "frontier.png", "episode-threshold-10.png"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    "change", ["buy_probability=1", "arrival_probability=0", "risk_aversion=1e8", "inventory_limit=0"]
)
def test_charts_of_odd_markets(tmp_path, change):
    result = run("compare", "--episodes", 20, "--out", tmp_path, "--set", "num_trades=9", "--set", change)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "frontier.png").exists()


def test_a_market_too_large_to_solve_is_compared_without_the_optimum(tmp_path):
    arguments = ["--policy", "never", "--policy", "flat", "--set", "inventory_limit=5000", "--set", "num_trades=5"]
    result = run("compare", "--episodes", 20, "--out", tmp_path, *arguments)
    assert result.exit_code == 0, result.output
    assert "| share " not in result.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"episode.png", "policies.png", "frontier.png"}  # two in one


@pytest.mark.parametrize("change", ["mean_reversion=0.1", "quote_latency=1", "inventory_limit=5000"])
def test_without_an_optimum_the_usual_policies_are_compared_as_far_as_they_go(change):
    result = run("compare", "--episodes", 20, "--set", "num_trades=5", "--set", change)
    assert result.exit_code == 0, result.output
    assert "| share " not in result.stdout
    assert f"without optimal: {change}" in result.stderr
    assert [line.split("|")[1].strip() for line in result.stdout.splitlines() if line.startswith("|")][2:] == [
        "random",
        "never",
        "threshold:10",
    ]
    assert run("simulate", "--episodes", 20, "--set", "num_trades=5", "--set", change).exit_code == 0


def test_lists_and_mappings_are_set_as_json():
    changes = ("--set", "volatility_regimes=[0.1, 0.6]", "--set", 'tiers=[{"decay": 20}, {"sizes": [1, 2]}]')
    found = json.loads(run("simulate", "--episodes", 5, "--json", *changes).stdout)["market"]
    assert found["volatility_regimes"] == [0.1, 0.6]
    assert [tier["decay"] for tier in found["tiers"]] == [20, 0]


def test_differences_are_paired_in_the_json():
    found = json.loads(run("compare", "--episodes", 50, "--policy", "flat", "--policy", "never", "--json").stdout)
    assert set(found["less flat"]["never"]["pnl"]) == {"value", "low", "high"}


def test_what_compare_trains_is_kept(tmp_path, monkeypatch):
    """It takes the place of the run that was there before."""
    ppo = pytest.importorskip("train.ppo", exc_type=ImportError)
    small = {"n_timesteps": 1, "n_envs": 8, "n_steps": 5, "batch_size": 40}
    monkeypatch.setattr(ppo, "train_ppo", partial(ppo.train_ppo, hyperparameters=small, eval_episodes=10))
    old = tmp_path / "ppo" / "rl_model_9_steps.zip"
    ppo.begin_run(old.parent, None, seed=0)
    old.touch()
    told = run("compare", "--set", "num_trades=5", "--policy", "random", "--ppo", "--episodes", 10, "--out", tmp_path)
    assert f"the run is kept: mm-env simulate --policy {old.parent}" in told.stderr, told.output
    assert json.loads((old.parent / "policy.json").read_text())["market"]["num_trades"] == 5
    assert not old.exists()
    assert (tmp_path / "ppo-1" / old.name).exists()


def test_the_game_is_played_against_rule_ppo_and_optimum(tmp_path):
    """Where no PPO comes trained, against the best threshold in its place."""
    cheap = ("--set", "hedge_cost_per_unit=0.02")
    for changes, other in ((), "ppo"), (cheap, "best-threshold"):
        out = tmp_path / "game.html"
        assert run("game", "--tapes", 1, "--out", out, *changes).exit_code == 0
        (data,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', out.read_text())
        assert list(json.loads(data)["decisions"]) == ["threshold:10", other, "optimal"]


def test_equal_seeds_print_equal_tables():
    arguments = ("compare", "--episodes", 50, "--policy", "random", "--seed", 4)
    assert run(*arguments).stdout == run(*arguments).stdout != run(*arguments[:-1], 5).stdout


def test_solve_is_the_solver(tmp_path):
    found = json.loads(run("solve", "--set", "num_trades=20", "--json", "--out", tmp_path).stdout)
    assert found["value"] >= max(rule["value"] for rule in found["rules"])
    assert len(found["thresholds"]) == len(found["trades"]) == 20
    assert np.shape(found["thresholds"][0]) == (len(found["inventories"]), len(found["scenes"]))
    assert [path.name for path in tmp_path.iterdir()] == ["optimal.png"]
    assert "exact optimum" in run("solve").output


@pytest.mark.parametrize("market", MARKETS)
def test_solve_prints_short_tables_in_every_market(market, tmp_path):
    small = ["--set", "num_trades=15", "--set", "inventory_limit=12", "--set", "hedge_levels=5"]
    result = run("solve", "--market", market, *small, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "The optimum hedges nothing" in result.stdout or "the optimum hedges nothing" in result.stdout
    quotes = market_params(market).quote_levels > 1
    assert ("It quotes at this distance" in result.stdout) == quotes
    assert (tmp_path / "optimal-quotes.png").exists() == quotes
    tables = re.findall(r"(?:^\|.*\n)+", result.stdout, re.MULTILINE)
    assert len(tables) == (3 if quotes else 2)
    assert all(len(table.splitlines()) <= 2 + 15 for table in tables)
    assert MARKETS[market].why not in result.stdout  # of other numbers


def test_solve_tells_how_far_the_best_fixed_rule_falls_short():
    output = run("solve", "--market", "mm_env/Imbalance-v0").stdout
    assert MARKETS["mm_env/Imbalance-v0"].why in output
    params = market_params("mm_env/Imbalance-v0")
    best, optimum = best_rule(params), solve(params).value
    share = 100 * (optimum - best.value) / optimum
    assert share > 3
    (row,) = [line for line in output.splitlines() if "best fixed rule" in line]
    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        f"best fixed rule: threshold {best.threshold}",
        f"{best.value:.4f}",
        f"{share:.2f} %",
    ]


def test_dealers_compete(tmp_path):
    seats = ("--policy", "threshold:3:0.03", "--policy", "threshold:3:0.03", "--policy", "linear-skew")
    result = run("compete", *seats, "--episodes", 300, "--set", "num_trades=20", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "threshold:3:0.03 (2)" in result.output
    assert "win_rate" in result.output
    assert (tmp_path / "dealers.png").stat().st_size > 10_000
    told = json.loads(run("compete", "--episodes", 100, "--set", "num_trades=20", "--json").output)["policies"]
    assert sum(figures["win_rate"]["value"] for figures in told.values()) == pytest.approx(1.0)
    refused = run("compete", "--policy", "thresold", "--policy", "flat")
    assert refused.exit_code == 2
    assert "no policy 'thresold'" in refused.output


def test_dealers_compete_in_any_market():
    small = ("--episodes", 20, "--set", "num_trades=5", "--json")
    found = json.loads(run("compete", "--market", "mm_env/Latency-v0", "--policy", "flat", *small).stdout)
    assert found["market"]["hedge_latency"] == 2
    assert found["market"]["num_dealers"] == len(found["policies"]) == 1
    refused = run("compete", "--market", "Latency-v0")
    assert refused.exit_code == 2
    assert "did you mean 'mm_env/Latency-v0'" in refused.output


def test_old_spellings_work_and_are_hidden(tmp_path):
    small = ("--episodes", 20, "--set", "num_trades=5", "--json")
    new = run("compete", "--policy", "flat", "--policy", "threshold:3:0.03", *small)
    old = run("compete", "--seats", "flat, threshold:3:0.03", *small)
    assert old.exit_code == 0
    assert old.stdout == new.stdout
    for name in COMMANDS:
        shown = run(name, "--help").output
        assert "--seats" not in shown
        assert "--run" not in shown
    pytest.importorskip("stable_baselines3")
    for arguments in (["--run", tmp_path], [f"--run={tmp_path}"], ["--out", tmp_path]):
        refused = run("train", *arguments, "--resume")
        assert f"{tmp_path / 'config.yml'}: cannot be read" in refused.output.replace("\n", "")


def test_scores_have_one_name_in_tables_and_json():
    small = ("--episodes", 20, "--set", "num_trades=5")
    for name in ("compare", "compete"):
        header = next(line for line in run(name, *small).stdout.splitlines() if line.startswith("|"))
        columns = [cell.strip() for cell in header.split("|")[1:-1]]
        told = json.loads(run(name, *small, "--json").stdout)["policies"]
        assert columns[0] == "policy"
        assert set(columns[1:]) <= set(next(iter(told.values()))) | {"share"}
    rows = run("simulate", *small).stdout.splitlines()
    told = json.loads(run("simulate", *small, "--json").stdout)["policies"]
    assert [row.split("|")[1].strip() for row in rows if row.startswith("|")][2:] == list(told["threshold"])


def test_a_threshold_beyond_the_cap_is_said_once():
    for name in ("simulate", "compare"):
        for change in ("inventory_limit=5", "hedge_threshold=30"):
            result = run(name, "--episodes", 2, "--set", "num_trades=5", "--set", change)
            assert result.output.count("the threshold rule never hedges") == 1


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (["simulate", "--policy", "thresold:10"], "threshold"),
        (["solve", "--market", "Latency-v0"], "mm_env/Latency-v0"),
        (["solve", "--market", "Latenci"], "mm_env/Latency-v0"),
        (["markets", "--market", "Latency-v0"], "mm_env/Latency-v0"),
        (["replicate", "--experiment", "avelaneda"], "avellaneda-stoikov"),
        (["simulate", "--set", "market=3"], "tick"),
        (["simulate", "--set", "self=3"], "tick"),
        (["compete", "--set", "market=3"], "tick"),
    ],
)
def test_the_nearest_name_is_suggested(arguments, nearest):
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"did you mean '{nearest}'" in result.output or (nearest == "tick" and "is not a market" in result.output)


def test_markouts_are_told_on_request():
    arguments = ("simulate", "--market", "mm_env/AdverseSelection-v0", "--episodes", 300)
    found = json.loads(run(*arguments, "--markout", "--json").stdout)["markouts"]
    assert "markouts" not in json.loads(run(*arguments, "--json").stdout)
    (first,) = [row for row in found if row["informed"] and row["horizon"] == 1]
    assert first["low"] < -0.3 * (2 / np.pi) ** 0.5 < first["high"]
    output = run(*arguments, "--markout").stdout
    assert "| informed " in output
    assert "20 requests on" in output


def test_a_recorded_tape_is_played(tmp_path):
    pytest.importorskip("pandas")
    path = tmp_path / "tape.csv"
    path.write_text("sides,price_moves\n1,0.5\n1,-0.25\n")
    result = run("simulate", "--policy", "never", "--tape", path, "--set", "num_trades=2", "--json")
    pnl = json.loads(result.stdout)["policies"]["never"]["pnl"]["value"]
    tape = Tape.replay([1, 1], [0.5, -0.25])
    from baselines import make_policy

    params = MarketParams(num_trades=2)
    assert pnl == pytest.approx(play(make_policy("never", params), params, tape=tape).pnl[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["solve", "--market", "mm_env/None-v0"], "no market"),
        (["solve", "--set", "spread"], "expected FIELD=VALUE"),
        (["solve", "--set", "spread=nan"], "spread must be a number"),
        (["solve", "--set", "spread=wide"], "spread must be a number"),
        (["solve", "--set", "num_trades=1e3"], "num_trades must be a whole number"),
        (["solve", "--set", "spread=[0.1]"], "spread must be a number"),
        (["solve", "--set", "tiers=[{"], "--set tiers=[{: not JSON: Expecting property name"),
        (["solve", "--set", 'tiers={"decay": 20}'], "tiers must be a list"),
        (["solve", "--set", 'tiers=[{"dekay": 20}]'], "tiers[0]: 'dekay' is not a parameter of a client tier"),
        (["solve", "--set", "mean_reversion=0.1"], "mean_reversion=0.1 has no finite list of outcomes"),
        (["solve", "--set", "quote_latency=1"], "quote_latency=1 has no finite list of outcomes"),
        (["solve", "--set", "inventory_limit=5000"], "inventory_limit=5000 with 5001 hedge levels is too large"),
        (["compare", "--policy", "optimal", "--set", "mean_reversion=0.1"], "mean_reversion=0.1 has no finite"),
        (["solve", "--set", "spraed=1"], "did you mean 'spread'"),
        (["simulate", "--policy", "nobody"], "no policy 'nobody'"),
        (["simulate", "--policy", "threshold:x"], "whole number"),
        (["simulate", "--tape", "none.csv"], "cannot be read"),
        (["simulate", "--episodes", "0"], "episodes"),
        (["simulate", "--seed", "-1"], "seed"),
        (["markets", "--market", "mm_env/None-v0"], "no market 'mm_env/None-v0'"),
        (["markets", "--market", "mm_env/Latency-v0", "--params"], "give one of them"),
        (["fly"], "No such command"),
        (["compare", "--policy", ""], "no policy ''"),
        (["simulate", "--policy", "threshold:" + "9" * 5000], "digits"),
    ],
)
def test_bad_usage_is_exit_code_2_and_no_traceback(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_it_runs_as_a_module():
    result = subprocess.run([sys.executable, "-m", "mm_env", "--version"], capture_output=True, text=True, check=True)
    assert "0.1.0" in result.stdout


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [(4.71834, 0.00092, "4.7183 ± 0.0009"), (98.7, 0.1, "98.7 ± 0.1"), (5.0, 12.0, "5 ± 12"), (float("nan"), 1, "-")],
)
def test_figures_show_the_digits_that_count(value, half, text):
    assert plus_minus(value, half) == text


def test_a_file_of_trades_is_read_as_told_and_what_looks_wrong_is_said(tmp_path):
    pytest.importorskip("pandas")
    path = tmp_path / "trades.csv"
    path.write_text("when;way;move;qty;venue\n2;true;0,5;1;A\n1;true;-0,25;2;B\n")
    columns = (
        "--column",
        "sides=way",
        "--column",
        "price_moves=move",
        "--column",
        "sizes=qty",
        "--column",
        "time=when",
    )
    result = run("simulate", "--policy", "never", "--tape", path, *columns, "--true", "sell", "--sort", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["market"]["num_trades"] == 2  # as many as the tape has
    assert result.stderr.count("columns not used: 'venue'") == 1
    assert result.stderr.count("not a single client buys among 2 rows") == 1
    assert "--column sizes=qty" in run("simulate", "--tape", path, *columns[:4], "--true", "sell").output
    assert "earlier than the row before" in run("simulate", "--tape", path, *columns, "--true", "sell").output
    assert "expected NAME=COLUMN" in run("simulate", "--tape", path, "--column", "sizes").output


class TestPolicyOfAModule:
    """MODULE:FUNCTION makes a policy for a market, from a file in the current folder."""

    @pytest.fixture(autouse=True)
    def theirs(self, tmp_path, monkeypatch):
        (tmp_path / "theirs_of_test.py").write_text(
            "def two(params):\n    return lambda observations: [2] * len(observations)\n\n\n"
            "def bare(observations):\n    return observations[:, 0]\n"
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(tmp_path)

    def test_it_is_played(self):
        played = run("simulate", "--policy", "theirs_of_test:two", "--episodes", 20, "--json")
        rule = run("simulate", "--policy", "threshold:2", "--episodes", 20, "--json")
        found, expected = (next(iter(json.loads(each.stdout)["policies"].values())) for each in (played, rule))
        assert found["objective"] == expected["objective"]

    @pytest.mark.parametrize("name", ["bare", "nowhere"])
    def test_what_makes_none_says_what_is_expected(self, name):
        result = run("simulate", "--policy", f"theirs_of_test:{name}", "--episodes", 20)
        assert result.exit_code == 2
        assert "a function from the market's parameters to a policy" in result.output
