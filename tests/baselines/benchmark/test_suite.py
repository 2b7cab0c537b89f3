"""The scale: 0 is the best fixed rule, 1 the optimum, and nothing fixed is above it; in every market that is scored."""

import numpy as np
import pytest

from baselines import make_policy
from baselines.benchmark.evaluation import Evaluation
from baselines.benchmark.suite import EVALUATION_SEED, SUITES, Scale
from baselines.solver.fixed_rules import rule_values
from mm_env import MARKETS, market_params
from mm_env.envs.action import hedge_levels, quote_levels

V1 = SUITES["v1"]


def value(name, market):
    params = market_params(market)
    return Evaluation.of(make_policy(name, params), params, 100, EVALUATION_SEED)


def test_every_market_is_in_the_suite():
    assert set(V1.markets) == set(MARKETS)
    assert len(V1.scored) == 8
    assert not set(V1.scored) & set(V1.shown)


def test_evaluation_tapes_are_not_those_of_training():
    """Nor those that pick the best of a run: their seeds are all below 2^64."""
    assert EVALUATION_SEED > 2**64


@pytest.mark.parametrize("market", V1.markets)
def test_the_ends_of_the_scale(market):
    scale = Scale.of(market)
    optimum, rule = value("optimal", market), value("best-threshold", market)
    assert optimum.standard_error == rule.standard_error == 0.0
    assert scale.score(optimum.objective) == pytest.approx(1.0, abs=1e-9)
    assert scale.score(rule.objective) == pytest.approx(0.0, abs=1e-9)
    assert value("never", market).objective == pytest.approx(scale.never)
    assert scale.usual <= scale.rule + 1e-9
    if market in V1.scored:
        assert (scale.optimum - scale.rule) / abs(scale.optimum) > 0.03


@pytest.mark.parametrize("market", [market for market in V1.markets if "FX" not in market and "Latency" not in market])
def test_no_fixed_rule_or_band_is_above_the_optimum(market):
    """A thousand of them, drawn."""
    params, generator = market_params(market), np.random.default_rng(5)
    levels, quotes = hedge_levels(params), quote_levels(params)
    thresholds, targets = generator.choice(levels, 1000), generator.choice(levels, 1000)
    distances = generator.choice(quotes, 1000)
    values = rule_values(params, thresholds, distances, targets)
    assert values.max() <= Scale.of(market).optimum + 1e-9
    assert values[targets >= thresholds].max() <= Scale.of(market).rule + 1e-9


def test_a_policy_that_draws_is_played_with_an_interval():
    params = market_params("mm_env/TicketFee-v0")
    found = Evaluation.of(make_policy("random", params), params, 200, EVALUATION_SEED)
    assert found.standard_error > 0
    assert found == Evaluation.of(make_policy("random", params, seed=9), params, 200, EVALUATION_SEED)
    remembers = Evaluation.of(make_policy("band:5:1:3", params), params, 200, EVALUATION_SEED)
    assert remembers.standard_error > 0
