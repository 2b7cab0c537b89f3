"""The published experiments, and the measures they are read by."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from baselines import policy_value, solve
from baselines.policies.quoting import AvellanedaStoikov, CarteaJaimungal
from baselines.reference_check import ReferenceCheck
from baselines.replications import registry
from baselines.replications.avellaneda_stoikov import (
    QuotedAtOnce,
    avellaneda_stoikov_params,
    avellaneda_stoikov_tape,
    both_sides_spread,
)
from baselines.replications.cartea_jaimungal import cartea_jaimungal_params
from baselines.replications.experiment import Experiment
from baselines.replications.fx_desk import desk_params, flat_spread, hedging_begins
from baselines.replications.linear_quadratic import Quadratic
from baselines.replications.registry import EXPERIMENTS, page, replicate
from baselines.replications.winners_curse import largest_of
from mm_env.cli.main import main
from mm_env.rollout import play_tape


def run(*arguments):
    return CliRunner().invoke(main, ["replicate", *map(str, arguments)])


def separate_program(gamma, at_once, episodes):
    """The profits of the inventory strategy, from the paper alone: on its clock, or the second side quoted later.

    The references of the page are its means over 200,000 episodes, both clocks on the same random numbers.
    """
    generator = np.random.default_rng(11)
    dt, inventory, cash, mid = 0.005, np.zeros(episodes), np.zeros(episodes), np.full(episodes, 100.0)
    for step in range(200):
        before = inventory.copy()
        for side in (1, -1):
            held = before if at_once else inventory
            distance = (0.5 - side * held) * gamma * 4.0 * (1.0 - step * dt) + math.log(1.0 + gamma / 1.5) / gamma
            filled = generator.random(episodes) < np.minimum(1.0, 140.0 * dt * np.exp(-1.5 * distance))
            inventory = inventory - side * filled
            cash += side * filled * (mid + side * distance)
        mid = mid + 2.0 * math.sqrt(dt) * generator.choice([-1.0, 1.0], episodes)
    return cash + inventory * mid


def missed(figures):
    return [figure.row() for figure in figures if not figure.agrees]


class TestAvellanedaStoikov:
    def test_tables_1_to_3(self):
        found = replicate(["avellaneda-stoikov"], episodes=1000, seed=1)["avellaneda-stoikov"]
        assert missed(found) == []
        assert len(found) == 3 * 2 * 4 + 4 * 2

    @pytest.mark.parametrize("gamma", [0.1, 0.5])
    def test_both_clocks_against_a_separate_program(self, gamma):
        params = avellaneda_stoikov_params(gamma)
        rule = AvellanedaStoikov(1000, params)
        tape = avellaneda_stoikov_tape(params, 2000, (3, 0))
        for at_once, policy in ((True, QuotedAtOnce(rule)), (False, rule)):
            ours, theirs = play_tape(policy, params, tape).pnl, separate_program(gamma, at_once, 4000)
            error = math.sqrt(ours.var() / len(ours) + theirs.var() / len(theirs))
            assert abs(ours.mean() - theirs.mean()) < 4 * error
            assert ours.std() == pytest.approx(theirs.std(), rel=0.1)

    def test_both_sides_are_quoted_on_the_inventory_before_the_first(self):
        params = avellaneda_stoikov_params(1.0)
        played = play_tape(
            QuotedAtOnce(AvellanedaStoikov(1000, params)), params, avellaneda_stoikov_tape(params, 20, (0, 0))
        )
        before = np.insert(played.inventory, 0, 0.0, axis=1)[:, :-1]
        skew = 0.5 * (played.distance[:, 1::2] - played.distance[:, 0::2])  # ask and bid lie so far below the middle
        to_go = 1.0 - np.arange(200) / 200
        np.testing.assert_allclose(skew, before[:, 0::2] * 4.0 * to_go, atol=1e-3)

    def test_the_tape_alternates_sides_and_moves_after_both(self):
        params = avellaneda_stoikov_params()
        tape = avellaneda_stoikov_tape(params, 50, (0, 0)).paths
        assert (tape.side[0::2] == 1).all()
        assert (tape.side[1::2] == -1).all()
        assert not tape.change[0::2].any()
        np.testing.assert_allclose(np.abs(tape.change[1::2]), 2 * math.sqrt(0.005))

    @pytest.mark.parametrize("distance", [-0.2, 0.0, 0.745])
    def test_quotes_fill_as_often_as_in_the_paper(self, distance):
        params = avellaneda_stoikov_params()
        expected = min(1.0, 140 * 0.005 * math.exp(-1.5 * distance))
        accepted = avellaneda_stoikov_tape(params, 500, (0, 0)).paths.reservation >= distance
        error = math.sqrt(expected * (1 - expected) / accepted.size)
        assert abs(accepted.mean() - expected) < 4 * error

    def test_the_average_spread_is_that_of_the_formula(self):
        """gamma sigma^2 times the mean of T - t over 200 time steps, 201 / 400, and 2 / gamma ln(1 + gamma / k)."""
        rule = AvellanedaStoikov(1000, avellaneda_stoikov_params())
        assert both_sides_spread(rule) == pytest.approx(0.4 * 201 / 400 + 20 * math.log(1 + 0.1 / 1.5))

    def test_the_caps_do_not_bind(self):
        params = avellaneda_stoikov_params()
        played = play_tape(AvellanedaStoikov(1000, params), params, avellaneda_stoikov_tape(params, 200, (0, 0)))
        assert np.abs(played.inventory).max() < 100
        assert np.abs(played.distance).max() < 50
        assert not played.hedge.any()


class TestCarteaJaimungal:
    def test_the_closed_form_to_six_digits(self):
        (figure,) = EXPERIMENTS["cartea-jaimungal"].parts[0](2, 0)
        assert figure.ours == pytest.approx(68.25583476, abs=5e-9)

    def test_a_step_costs_little(self):
        """One client at most in each of 280 steps, where 280 would come: exactly 0.0013 less."""
        params = cartea_jaimungal_params(280)
        value = policy_value(CarteaJaimungal(100, params), params)
        assert 68.25583476 - value == pytest.approx(0.0013, abs=1e-4)

    @pytest.mark.slow
    def test_by_the_exact_solver_and_by_play(self):
        assert missed(replicate(["cartea-jaimungal"], episodes=4000, seed=1)["cartea-jaimungal"]) == []


class TestWinnersCurse:
    def test_the_mean_of_the_largest_is_the_closed_form_for_two_and_three(self):
        assert largest_of(2) == pytest.approx(1 / math.sqrt(math.pi), abs=1e-9)
        assert largest_of(3) == pytest.approx(3 / (2 * math.sqrt(math.pi)), abs=1e-9)
        drawn = np.random.default_rng(0).normal(size=(200_000, 5)).max(axis=1)
        assert abs(drawn.mean() - largest_of(5)) < 4 * drawn.std() / math.sqrt(len(drawn))

    def test_trades_earn_as_much_less_as_their_winners_err(self):
        assert missed(replicate(["winners-curse"], episodes=2000, seed=2)["winners-curse"]) == []


class TestDesk:
    def test_on_a_coarser_grid(self):
        solution = solve(desk_params(360).replace(inventory_limit=60, tick=0.01, quote_levels=121))
        assert flat_spread(solution, 0) == pytest.approx(0.55, abs=0.02)
        assert flat_spread(solution, 1) == pytest.approx(0.26, abs=0.02)
        assert hedging_begins(solution) == pytest.approx(15.69, abs=0.5)

    @pytest.mark.slow
    def test_on_the_fine_one(self):
        found = replicate(["barzykin-bergault-gueant"], episodes=2)["barzykin-bergault-gueant"]
        assert missed(found) == []

    def test_both_clocks_tell_the_same_time(self):
        for steps in (360, 1440):
            params = desk_params(steps)
            assert params.num_trades * params.arrival_probability == pytest.approx(360)
            assert params.num_trades * params.price_volatility**2 == pytest.approx(0.05 * 50**2)


def test_figures_agree_within_their_errors():
    assert ReferenceCheck("sampled", 1.0, 1.5, error=0.1, reference_error=0.1).agrees
    assert not ReferenceCheck("sampled", 1.0, 1.6, error=0.1, reference_error=0.1).agrees
    assert ReferenceCheck("exact", 1.0, 1.01, tolerance=0.02).agrees
    assert not ReferenceCheck("exact", 1.0, 1.03, tolerance=0.02).agrees
    assert not ReferenceCheck("exact", 1.0, math.nan, tolerance=0.02).agrees
    assert ReferenceCheck("sampled", 1.0, 1.5, error=0.3, reference_error=0.4).standard_errors == pytest.approx(1.0)


class TestCommand:
    def test_equal_seeds_print_equal_tables(self):
        arguments = ("--experiment", "avellaneda-stoikov", "--episodes", 60)
        assert run(*arguments).stdout == run(*arguments).stdout != run(*arguments, "--seed", 5).stdout

    def test_json_and_the_page_hold_the_same_numbers(self, tmp_path):
        result = run("--experiment", "avellaneda-stoikov", "--episodes", 60, "--json", "--out", tmp_path)
        assert result.exit_code == 0
        figures = json.loads(result.stdout)["experiments"]["avellaneda-stoikov"]
        assert len(figures) == 32
        text = (tmp_path / "replications.md").read_text(encoding="utf-8")
        for figure in figures:
            assert figure["agrees"]
            assert figure["name"] in text
        assert list(tmp_path.iterdir()) == [tmp_path / "replications.md"]

    def test_what_disagrees_is_exit_code_1(self, monkeypatch):
        wrong = Experiment(
            "title", "source", "setting", [lambda episodes, seed: [ReferenceCheck("a number", 1.0, 2.0)]]
        )
        monkeypatch.setattr(registry, "EXPERIMENTS", {"wrong": wrong})
        result = run()
        assert result.exit_code == 1
        assert "not as published: a number" in result.output

    def test_an_unknown_name_is_bad_usage(self):
        result = run("--experiment", "black-scholes")
        assert result.exit_code == 2
        assert "known: avellaneda-stoikov" in result.output


def test_the_page_in_docs_has_every_experiment_and_agrees():
    text = (Path(__file__).parents[2] / "docs" / "replications.md").read_text(encoding="utf-8")
    for experiment in EXPERIMENTS.values():
        assert experiment.title in text
        assert experiment.setting in text
    assert "NO |" not in text
    assert text.startswith(page({}, 10_000, 0).splitlines()[0])


class TestLinearQuadratic:
    def test_the_lattices_meet_the_riccati_equations(self):
        """What a lattice costs falls with its square: sixteenfold for a quarter of it."""
        found = replicate(["bergault-bodor-gueant", "nutz-webster-zhao"], episodes=2)
        assert [figure.name for figures in found.values() for figure in figures if not figure.agrees] == []
        for figures in found.values():
            coarse, middle, fine = (figure.difference for figure in figures[:3])
            assert coarse < middle < fine < 0
            assert middle / coarse < 1 / 12

    def test_one_request_by_hand(self):
        """Held 2, hedged 2 w / (eta + w) after the client: the loss is eta w / (eta + w) (q^2 + 1)."""
        kept = 0.02 * 0.002 / (0.02 + 0.002)
        assert Quadratic.left(1).lost(2.0) == pytest.approx(kept * 5.0)

    def test_runs_cost_more_and_ask_for_less_hedging_of_what_they_take_back(self):
        alone, runs = Quadratic.left(30), Quadratic.left(30, persistence=0.6)
        assert runs.lost(0.0) > alone.lost(0.0)
        assert runs.a == pytest.approx(alone.a)
        assert runs.b < 0
