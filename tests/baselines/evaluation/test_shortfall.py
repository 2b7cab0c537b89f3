import numpy as np
import pytest

from baselines import make_policy, policy_value, solve
from baselines.evaluation.shortfall import shortfall
from mm_env import MarketParams, market_params

SMALL = {"num_trades": 12, "inventory_limit": 3, "hedge_threshold": 2}


@pytest.mark.parametrize("market", ["mm_env/Latency-v0", "mm_env/DynamicSpread-v0", "mm_env/VolatilityRegimes-v0"])
def test_the_losses_add_up_to_what_the_policy_lacks(market):
    params = market_params(market, **SMALL)
    policy = make_policy("threshold:1", params)
    losses = shortfall(policy, params)
    assert losses.shape == (12,)
    assert losses.min() > -1e-12
    assert losses.sum() == pytest.approx(solve(params).value - policy_value(policy, params), abs=1e-12)
    np.testing.assert_allclose(shortfall(solve(params).policy, params), 0.0, atol=1e-12)


def test_a_mistake_is_lost_at_the_request_where_it_is_made():
    params = MarketParams(**SMALL)
    best = solve(params).policy

    def hasty(observations):
        """Hedges all at the last request but one, which costs more than the risk of it."""
        last = np.round(observations[..., 1] * params.num_trades) == 2
        return np.where(last, 0, best(observations))

    losses = shortfall(hasty, params)
    assert losses[10] > 1e-3
    np.testing.assert_allclose(np.delete(losses, 10), 0.0, atol=1e-12)
