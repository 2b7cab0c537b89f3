"""What is told of the optimum is what it does when it plays."""

import numpy as np
import pytest

from baselines import ThresholdPolicy, policy_value, solve
from baselines.solver.summary import benchmarks, gap, no_hedge_bands
from mm_env import MarketParams, market_params, play
from mm_env.envs.observation import decode_observation
from mm_env.market.numbers import evenly_spaced
from tests.markets import IDS


@pytest.mark.parametrize("market", IDS)
def test_within_its_bands_the_optimum_hedges_nothing_and_beyond_it_hedges(market):
    params = market_params(market, num_trades=30, inventory_limit=10, hedge_levels=None)
    solution = solve(params)
    lowest, highest = no_hedge_bands(solution)
    assert lowest.shape == highest.shape == (30, len(solution.mdp.law.start))
    seen = []
    run = play(lambda observations: solution.policy(seen.append(observations) or observations), params, 200, seed=4)
    checked = 0
    for trade, observations in enumerate(seen):
        view = decode_observation(observations, params)
        _, scene = solution.mdp.cases(view)
        calm = np.all([order == 0 for order in view.book.in_flight] or [np.full(200, True)], axis=0)
        traded = calm & (run.filled[:, trade] | (view.request.side == 0))
        after = view.inventory - view.request.signed_size
        inside = (lowest[trade, scene] <= after) & (after <= highest[trade, scene])
        assert not run.order[traded & inside, trade].any()
        if not params.hedge_impact:  # impact makes lots of the excess: the band is not the whole story
            assert run.order[traded & ~inside, trade].all()
        checked += np.count_nonzero(traded)
    assert checked > 1000


def test_fixed_rules_are_told_with_their_exact_values():
    params = market_params("mm_env/DynamicSpread-v0", num_trades=20)
    solution = solve(params)
    best, own, *others = benchmarks(solution)
    assert (best.name, own.name, len(others)) == ("best fixed rule", "the market's rule", 11)
    assert (own.threshold, own.distance) == (params.hedge_threshold, params.spread)
    for rule in (best, own, others[3]):
        policy = ThresholdPolicy(rule.threshold, params, rule.distance)
        assert rule.value == pytest.approx(policy_value(policy, params))
        assert rule.gap == pytest.approx((solution.value - rule.value) / solution.value)
        assert rule.value <= best.value


def test_the_gap_of_a_loss_and_of_nothing():
    assert gap(-3.0, -2.0) == 0.5
    assert np.isnan(gap(1.0, 0.0))


@pytest.mark.parametrize(("trades", "most", "found"), [(1, 3, [0]), (3, 3, [0, 1, 2]), (101, 3, [0, 50, 100])])
def test_thinning_keeps_both_ends(trades, most, found):
    assert evenly_spaced(trades, most).tolist() == found


def test_the_markets_rule_quotes_as_an_agent_can():
    """A spread between two levels is quoted at the nearest, as the policy of that name does."""
    params = MarketParams(num_trades=5, tick=0.02, quote_levels=4, spread=0.035, tiers=[{"decay": 20.0}])
    own = next(rule for rule in benchmarks(solve(params)) if rule.name == "the market's rule")
    assert own.distance == 0.04
    assert own.value == pytest.approx(policy_value(ThresholdPolicy(10, params), params))
