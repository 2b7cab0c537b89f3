import numpy as np
import pytest
from scipy import stats

from baselines import SCORES, compare, make_policy, share_of_gap
from baselines.evaluation import scores
from baselines.evaluation.totals import Totals
from mm_env import MarketParams, Tape, market_params, play
from tests.markets import IDS


@pytest.fixture(scope="module")
def totals():
    params = MarketParams(inventory_limit=5, arrival_probability=0.9)
    return Totals.of(play(make_policy("threshold:4", params), params, 2000, seed=5))


@pytest.mark.parametrize("name", [name for name in SCORES if name != "var"])
def test_every_interval_agrees_with_a_bootstrap(totals, name):
    estimate = SCORES[name].estimate(totals)

    def statistic(rows):
        fields = {field: getattr(totals, field)[rows] for field in totals.__dataclass_fields__}
        return SCORES[name].estimate(Totals(**fields)).value

    rng = np.random.default_rng(0)
    values = [statistic(rng.integers(len(totals), size=len(totals))) for _ in range(600)]
    assert estimate.value == pytest.approx(statistic(np.arange(len(totals))))
    assert estimate.standard_error == pytest.approx(np.std(values), rel=0.15, abs=1e-12)
    assert abs(estimate.influence.mean()) <= 1e-9 * (1 + np.abs(estimate.influence).max())


def test_the_interval_of_var_holds_it_as_often_as_it_says():
    """Against repeated samples of a known law: what is drawn or left out moves one quantile by uneven steps."""
    generator, truth = np.random.default_rng(3), stats.norm.ppf(0.05)
    found = [scores.value_at_risk(generator.standard_normal(2000)) for _ in range(500)]
    values = np.arange(1000.0)
    np.testing.assert_array_equal(scores.value_at_risk(values).influence < 0, values <= 49)  # without one of the worst
    deviation = np.std([estimate.value for estimate in found])
    assert np.mean([estimate.standard_error for estimate in found]) == pytest.approx(deviation, rel=0.1)
    covered = [low <= truth <= high for low, high in (estimate.interval() for estimate in found)]
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.isnan(scores.value_at_risk(generator.standard_normal(100)).standard_error)


def test_figures_against_their_definitions(totals):
    pnl = totals.pnl
    figures = {name: score.estimate(totals).value for name, score in SCORES.items()}
    assert figures["pnl"] == pytest.approx(pnl.mean())
    assert figures["sd"] == pytest.approx(pnl.std())
    assert figures["sharpe"] == pytest.approx(pnl.mean() / pnl.std())
    assert figures["cvar"] == pytest.approx(np.sort(pnl)[:100].mean())  # the worst 100 of 2000
    assert figures["fill_rate"] + figures["rejection_rate"] == pytest.approx(1)
    assert figures["internalisation"] == pytest.approx(1 - totals.hedge_volume.sum() / totals.client_volume.sum())


def test_the_distribution_against_its_definitions(totals):
    figures = {name: score.estimate(totals).value for name, score in SCORES.items()}
    assert figures["var"] == np.sort(totals.pnl)[99]  # the 100th of 2000
    assert figures["cvar"] < figures["var"]
    assert figures["turnover"] == pytest.approx((totals.client_volume + totals.hedge_volume).mean())
    assert figures["time_at_cap"] == 0  # a threshold of 4 below a cap of 5


@pytest.mark.parametrize("market", IDS)
def test_the_pnl_is_attributed_to_the_last_digit(market):
    """Spread, inventory, hedging by unit and order, impact: they sum to the PnL in every market."""
    params = market_params(market, hedge_ticket=0.01, num_trades=40)
    totals = Totals.of(play(make_policy("threshold:5", params), params, 100, seed=3))
    parts = totals.spread_pnl + totals.inventory_pnl - (totals.hedge_cost - totals.impact_cost) - totals.impact_cost
    np.testing.assert_allclose(parts, totals.pnl, rtol=0, atol=1e-9 * params.starting_price)
    has_impact = bool(params.hedge_impact or params.permanent_impact)
    assert bool(np.abs(totals.impact_cost).max() > 1e-9) is has_impact
    found = {name: SCORES[name].estimate(totals).value for name in SCORES}
    explained = found["spread_pnl"] + found["inventory_pnl"] - found["plain_hedge_cost"] - found["impact_cost"]
    assert explained == pytest.approx(found["pnl"], abs=1e-9 * params.starting_price)


def test_the_half_life_of_what_halves_at_each_step():
    inventory = 0.5 ** np.arange(6.0)
    square, product = (np.array([values.sum()] * 2) for values in (inventory[:-1] ** 2, inventory[:-1] * inventory[1:]))
    assert scores.half_life(square, product).value == pytest.approx(1.0)
    assert np.isnan(scores.half_life(square, square).value)
    assert np.isnan(scores.half_life(square, -product).value)


def test_intervals_are_students():
    values = np.array([1.0, 2.0, 4.0])
    low, high = scores.mean(values).interval()
    expected = stats.t.interval(0.95, 2, loc=values.mean(), scale=stats.sem(values))
    assert (low, high) == pytest.approx(expected)
    assert np.isnan(scores.mean(values[:1]).interval()).all()


def test_the_control_variate_changes_the_interval_not_the_mean(totals):
    plain, reduced = scores.mean(totals.reward), scores.objective(totals)
    assert abs(plain.value - reduced.value) < 4 * plain.standard_error
    assert reduced.standard_error < 0.3 * plain.standard_error


class TestCompare:
    params = MarketParams()

    def policies(self, *names):
        return {name: make_policy(name, self.params) for name in names}

    def test_shares_run_from_the_rule_to_the_optimum(self):
        result = compare(self.policies("threshold", "optimal", "best-threshold", "never"), self.params, 3000)
        assert result.share("threshold").value == 0
        assert result.share("optimal").value == pytest.approx(1)
        assert 0.98 < result.share("best-threshold").value < 1
        assert result.share("never").value < 0

    def test_the_share_interval_covers_the_exact_share(self):
        from baselines import policy_value

        rule, middle, best = (
            policy_value(make_policy(n, self.params), self.params) for n in ("threshold", "threshold:5", "optimal")
        )
        exact = (middle - rule) / (best - rule)
        covered = 0
        for seed in range(20):
            share = compare(self.policies("threshold:5"), self.params, 500, seed).share("threshold:5")
            covered += share.interval()[0] <= exact <= share.interval()[1]
        assert covered >= 16  # of 19 expected

    def test_paired_differences_are_sharper(self):
        result = compare(self.policies("threshold:2", "threshold:3"), self.params, 3000)
        paired = result.difference("threshold:2", "threshold:3", "pnl")
        apart = [result.score(name, "pnl").standard_error for name in result.totals]
        assert paired.standard_error < 0.7 * np.hypot(*apart)

    def test_where_there_is_no_gap_there_is_no_share(self):
        params = MarketParams(hedge_threshold=0, price_volatility=0, hedge_cost_per_unit=0)
        result = compare({"flat": make_policy("flat", params)}, params, 50)
        assert np.isnan(result.share("flat").value)

    def test_recorded_tapes_have_no_optimum(self):
        tape = Tape.draw(self.params, 0, 30)
        recorded = Tape.replay(tape.paths.side.T, tape.paths.change.T)
        result = compare(self.policies("threshold", "never"), self.params, tape=recorded)
        assert "share" not in result.names()
        np.testing.assert_allclose(
            result.totals["never"].pnl, compare(self.policies("never"), self.params, 30).totals["never"].pnl
        )

    def test_the_same_seed_gives_the_same_table(self):
        tables = [compare(self.policies("random", "never"), self.params, 200, seed=9).to_dict() for _ in range(2)]
        assert repr(tables[0]) == repr(tables[1])

    def test_no_policy_is_refused(self):
        with pytest.raises(ValueError, match="at least one policy"):
            compare({}, self.params)


def test_share_of_gap_by_hand():
    a, b, c = (scores.mean(np.array(x)) for x in ([1.0, 3.0], [0.0, 0.0], [4.0, 4.0]))
    share = share_of_gap(a, b, c)
    assert share.value == 0.5
    assert share.influence.tolist() == [-0.25, 0.25]


def test_what_is_constant_has_no_spread_and_no_sharpe():
    values = np.full(20, 0.1) * 3
    assert scores.standard_deviation(values).value == 0
    assert np.isnan(scores.sharpe(values).value)


def test_a_tail_of_a_few_episodes_has_no_interval():
    values = np.random.default_rng(0).normal(size=399)
    assert np.isnan(scores.expected_shortfall(values).interval()).all()
    assert np.isfinite(scores.expected_shortfall(np.append(values, 0.0)).interval()).all()


def test_ends_already_played_are_not_played_again():
    params = MarketParams(num_trades=20)
    policies = {name: make_policy(name, params) for name in ("optimal", "threshold", "never")}
    together = compare(policies, params, 300, seed=2)
    alone = compare({"never": policies["never"]}, params, 300, seed=2)
    assert together.ends[0] is together.totals["threshold"]
    assert together.ends[1] is together.totals["optimal"]
    assert alone.share("never").value == together.share("never").value


def test_a_market_too_large_to_solve_has_no_share():
    params = MarketParams(inventory_limit=5000, num_trades=3)
    assert "share" not in compare({"never": make_policy("never", params)}, params, 20).names()


def left_out(totals, episode):
    """The same episodes but one."""
    return Totals(**{name: np.delete(getattr(totals, name), episode) for name in totals.__dataclass_fields__})


@pytest.mark.parametrize("name", [name for name in SCORES if name != "var"])
def test_an_influence_is_what_leaving_the_episode_out_changes(totals, name):
    """psi(episode) is about (n - 1) (T of all - T of the others), sign included: no standard error shows a sign."""
    estimate, number = SCORES[name].estimate(totals), len(totals)
    episodes = range(0, number, 20)
    changes = [estimate.value - SCORES[name].estimate(left_out(totals, episode)).value for episode in episodes]
    largest = np.abs(estimate.influence).max()
    np.testing.assert_allclose(
        np.multiply(number - 1, changes), estimate.influence[::20], atol=0.02 * largest, err_msg=name
    )


def test_a_paired_difference_of_internalisation_has_the_influence_of_the_first_less_that_of_the_second():
    params = MarketParams(inventory_limit=5)
    tape = Tape.draw(params, 1, 400)
    one, other = (Totals.of(play(make_policy(f"threshold:{k}", params), params, tape=tape)) for k in (1, 4))
    estimate = SCORES["internalisation"].estimate

    def difference(first, second):
        return (
            1
            - first.hedge_volume.sum() / first.client_volume.sum()
            - (1 - second.hedge_volume.sum() / second.client_volume.sum())
        )

    paired = estimate(one) - estimate(other)
    assert paired.value == pytest.approx(difference(one, other))
    assert paired.value < -0.1  # who holds less hedges more
    changes = [paired.value - difference(left_out(one, i), left_out(other, i)) for i in range(400)]
    np.testing.assert_allclose(np.multiply(399, changes), paired.influence, rtol=0.02, atol=1e-3)
