"""Comparisons and leagues by several processes: the same figures."""

from baselines import compare, make_policy
from baselines.evaluation.league import league
from mm_env import market_params
from mm_env.registration import dealers_params


def test_several_workers_find_what_one_finds():
    params, seen = market_params(num_trades=5), []
    policies = {name: make_policy(name, params) for name in ("never", "random", "optimal")}
    one, two = (compare(policies, params, 30, progress=seen.append, workers=workers) for workers in (1, 2))
    assert repr(one.to_dict()) == repr(two.to_dict())  # nan is nan
    assert sum(seen) == 2 * 90
    several = dealers_params(num_dealers=2, num_trades=5)
    dealers = {name: make_policy(name, several) for name in ("threshold:3:0.03", "linear-skew")}
    one, two = (league(dealers, several, 30, progress=seen.append, workers=workers) for workers in (1, 2))
    assert repr(one.to_dict()) == repr(two.to_dict())  # nan is nan
    assert sum(seen) == 2 * 90 + 2 * 60
