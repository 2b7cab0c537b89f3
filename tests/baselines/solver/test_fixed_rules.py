import itertools

import numpy as np
import pytest

from baselines import best_rule, make_policy, policy_value, threshold_values
from baselines.solver import fixed_rules
from baselines.solver.fixed_rules import rule_values
from mm_env import MarketParams, market_params
from mm_env.envs.action import hedge_levels, quote_levels


def test_fixed_thresholds_are_valued_exactly():
    params = MarketParams(num_trades=40, arrival_probability=0.9, buy_probability=0.6, liquidate_at_end=True)
    values = threshold_values(params)
    for threshold, value in values.items():
        assert value == pytest.approx(policy_value(make_policy(f"threshold:{threshold}", params), params), rel=1e-12)
    assert best_rule(params).threshold == max(values, key=values.get)


@pytest.mark.parametrize("changes", [{}, {"hedge_cost_per_unit": 0.05, "risk_aversion": 0.002}])
def test_where_not_all_pairs_are_tried_the_best_of_all_is_found(changes):
    """1,581 pairs of threshold and distance, at first 49 of them; in the second market none of these is the best."""
    params = market_params("mm_env/FXDealer-v0", num_trades=60, inventory_limit=50, **changes)
    pairs = np.array(list(itertools.product(hedge_levels(params), quote_levels(params))))
    assert len(pairs) > 1000
    values = rule_values(params, pairs[:, 0], pairs[:, 1])
    found = best_rule(params)
    assert (found.threshold, found.distance) == tuple(pairs[values.argmax()])
    assert found.value == pytest.approx(values.max(), rel=1e-12)


def test_hedging_everything_is_worth_the_spread_less_the_cost():
    assert threshold_values(MarketParams())[0] == pytest.approx(100 * (0.05 - 0.01))


@pytest.mark.parametrize(
    ("thresholds", "distances", "message"),
    [
        ([2.5], [0.05], "thresholds must be whole"),
        ([-1.0], [0.05], "thresholds must be whole"),
        ([np.nan], [0.05], "thresholds must be whole"),
        ([3.0], [np.nan], "distances must be finite"),
        ([3.0, 4.0], [0.05], "as many"),
    ],
)
def test_rules_that_leave_the_states_are_refused(thresholds, distances, message):
    with pytest.raises(ValueError, match=message):
        rule_values(MarketParams(num_trades=5), np.array(thresholds), np.array(distances))


def test_rules_worked_off_in_several_batches_are_worth_the_same(monkeypatch):
    params = MarketParams(num_trades=5)
    whole = rule_values(params, np.arange(21.0), np.full(21, 0.05))
    monkeypatch.setattr(fixed_rules, "_RULES_AT_ONCE", 1)  # less than one rule: one at a time all the same
    assert rule_values(params, np.arange(21.0), np.full(21, 0.05)).tolist() == whole.tolist()
