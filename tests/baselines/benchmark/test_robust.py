"""The robust track: the same market to look at, other numbers behind it, and what lies between rule and informed."""

import numpy as np
import pytest

from baselines import make_policy
from baselines.benchmark.robust import DRAWS, RANGES, markdown, mixture, robust
from baselines.solver.fixed_rules import best_rule_of, rule_values
from baselines.solver.optimum import solve
from mm_env import MARKETS, MarketParams, market_params, observation_names
from mm_env.envs.action import hedge_levels, quote_levels

TICKET = "mm_env/TicketFee-v0"


@pytest.mark.parametrize("market", MARKETS)
def test_what_is_drawn_is_hidden(market):
    """Every market of a mixture shows and takes the same, and differs in what is said, within its range."""
    params = market_params(market)
    drawn = mixture(market)
    assert len(drawn) == len(set(drawn)) == DRAWS
    assert drawn == mixture(market)
    for one in drawn:
        assert observation_names(one) == observation_names(params)
        assert hedge_levels(one).tolist() == hedge_levels(params).tolist()
        assert quote_levels(one).tolist() == quote_levels(params).tolist()
        differs = {name for name, value in one.to_dict().items() if params.to_dict()[name] != value}
        assert differs == {"tiers" if name == "decay" else name for name in RANGES[market]}
        for name, (low, high) in RANGES[market].items():
            assert low <= (one.tiers[0].decay if name == "decay" else getattr(one, name)) <= high


def test_the_ends_of_the_scale():
    """The mixture's best rule scores 0; who is told the numbers 1, which is the mean of the optima; nobody is above."""
    drawn = mixture(TICKET)
    rule = best_rule_of(drawn)
    grid = hedge_levels(drawn[0])
    every = np.mean([rule_values(params, grid, np.full(len(grid), params.spread)) for params in drawn], axis=0)
    assert rule.value == every.max()
    names = [f"threshold:{rule.threshold}", "never", "optimal", "best-band"]
    found = robust(names, make_policy, markets=[TICKET])[TICKET]
    assert found["informed"] == pytest.approx(np.mean([solve(params).value for params in drawn]), abs=1e-12)
    scores = [found["agents"][name]["score"] for name in names]
    assert scores[0] == pytest.approx(0.0, abs=1e-9)
    assert max(scores) < 1.0
    assert scores[1] < 0.0 < scores[2]
    assert f"| never | {scores[1]:.3f} | {scores[1]:.3f} |" in markdown({TICKET: found})


def test_one_market_is_a_mixture_of_itself():
    params = MarketParams(num_trades=20, inventory_limit=5)
    assert best_rule_of([params, params]) == best_rule_of([params])


def test_who_draws_is_played():
    found = robust(["random"], make_policy, markets=[TICKET])[TICKET]["agents"]["random"]
    assert found["standard_error"] > 0


def test_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no suite 'v9'"):
        robust(["never"], make_policy, "v9")
    with pytest.raises(ValueError, match="mm_env/Moon-v0 is not in suite 'v1'"):
        robust(["never"], make_policy, "v1", ["mm_env/Moon-v0"])
    with pytest.raises(ValueError, match="agents must have names of their own"):
        robust(["never", "never"], make_policy, "v1", ["mm_env/TicketFee-v0"])
