"""What a policy reacts to is found over all that it could see, and named."""

import numpy as np
import pytest

from baselines import policy_value
from baselines.policies.random_policy import RandomPolicy
from baselines.solver.market_mdp import MarketMDP
from baselines.solver.probing import LAST_TRADE, asked_twice, differing, reactions, views
from mm_env import DealersParams, market_params
from mm_env.envs.action import encode_action, quote_levels
from mm_env.envs.observation import observation_names
from mm_env.market.dynamics import Decision

PARAMS = DealersParams(num_dealers=2, num_trades=4, inventory_limit=2, quote_levels=4, tick=0.01, transparent=True)
NAMES = observation_names(PARAMS)
COLUMNS = (*LAST_TRADE, "rival_1")


def hedging_when(condition):
    """Quotes the lowest distance, and hedges everything in the rows where the condition holds."""

    def policy(observations):
        threshold = np.where(condition(dict(zip(NAMES, observations.T, strict=True))), 0, PARAMS.inventory_limit)
        return encode_action(threshold, observations, PARAMS, PARAMS.lowest_quote)

    return policy


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (lambda seen: seen["inventory"] > 0, ()),
        (lambda seen: seen["won"] > 0, ("won",)),
        (lambda seen: seen["best_quote"] > 0.5, ("best_quote",)),
        (lambda seen: seen["rival_1"] < 0, ("rival_1",)),
        (lambda seen: (seen["won"] < 0) & (seen["time_left"] < 0.3), ("won",)),  # at the last request alone
        (lambda seen: (seen["won"] > 0) | (seen["rival_1"] > 0), ("won", "rival_1")),
    ],
)
def test_what_is_reacted_to_is_named(condition, found):
    assert reactions(hedging_when(condition), MarketMDP(PARAMS.alone()), PARAMS, COLUMNS) == found


def test_the_views_hold_all_that_a_dealer_could_see():
    seen = list(views(MarketMDP(PARAMS.alone()), PARAMS))
    assert [view[0, NAMES.index("time_left")] for view in seen] == [1.0, 0.75, 0.5, 0.25]
    assert not seen[0][:, [NAMES.index(name) for name in COLUMNS]].any()  # nothing was traded before
    for view in seen[1:]:
        column = dict(zip(NAMES, view.T, strict=True))
        assert set(column["won"]) == {-1, 0, 1}
        assert set(column["rival_1"]) == {-1, -0.5, 0, 0.5, 1}
        assert set(column["inventory"]) == {-1, -0.5, 0, 0.5, 1}
        assert not column["best_quote"][column["won"] == 0].any()
        quotes = np.float32(quote_levels(PARAMS) / PARAMS.widest_quote)
        assert set(column["best_quote"][column["won"] != 0]) == set(quotes)


def test_rows_differ_where_any_part_does():
    one = Decision(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 0.0]), None)
    other = Decision(np.array([1.0, 9.0, 3.0]), np.array([0.0, 0.0, 1.0]), None)
    assert differing(one, other, 3).tolist() == [1, 2]
    assert differing(one, one, 3).tolist() == []
    assert differing(one, one._replace(max_units=np.zeros(3)), 3).tolist() == [0, 1, 2]


class Remembers:
    """Holds 15, and 3 once it has seen the first trade of an episode."""

    kept = 15

    def __call__(self, observations):
        if (observations[:, 1] == 1).all():
            self.kept = 3
        return np.full(len(observations), self.kept)


def mean_of_the_rows(observations):
    return np.where(observations[:, 0] > observations[:, 0].mean() + 0.01, 0, 20)


@pytest.mark.parametrize(
    ("policy", "message"), [(Remembers(), "once it has seen other trades"), (mean_of_the_rows, "each row")]
)
def test_a_policy_that_remembers_or_minds_other_rows_has_no_exact_value(policy, message):
    """Asked twice in a row both decide the same; their values were 0.9055 and 0.9073, and played 0.9442 and 0.8177."""
    with pytest.raises(ValueError, match=message):
        policy_value(policy, market_params(num_trades=20))


def test_a_network_whose_quotes_are_rounded_otherwise_among_other_rows_has_an_exact_value():
    params = market_params("mm_env/DynamicSpread-v0", num_trades=6, continuous=True)

    def rounds(observations):
        noise = 1e-7 * (len(observations) % 7)
        return np.tile(np.float32([-0.1, -0.3 + noise]), (len(observations), 1))

    assert np.isfinite(policy_value(rounds, params))


def test_who_decides_otherwise_when_asked_again_is_refused():
    generator = np.random.default_rng(0)
    draws = hedging_when(lambda seen: generator.random(len(seen["won"])) < 0.5)
    with pytest.raises(ValueError, match="asked twice about the same"):
        asked_twice(draws, next(views(MarketMDP(PARAMS.alone()), PARAMS)), PARAMS)


@pytest.mark.parametrize("word", ["memoryless", "pure"])
def test_who_says_that_he_does_not_draw_is_asked_less_and_still_found_out(word):
    params = market_params(num_trades=40)
    asked = []

    def rule(observations):
        asked.append(len(observations))
        return np.full(len(observations), 5)

    value, often = policy_value(rule, params), len(asked)
    setattr(rule, word, True)
    asked.clear()
    assert policy_value(rule, params) == value
    assert len(asked) == often - 40 + 5
    liar = RandomPolicy(params)
    setattr(liar, word, True)
    with pytest.raises(ValueError, match="asked twice about the same"):
        policy_value(liar, params)


def test_a_step_is_laid_out_again_when_decisions_change(monkeypatch):
    """The same at every trade: laid out for the last one and for the others; by turns: every time."""
    params = market_params(num_trades=10)
    laid_out, stage = [], MarketMDP.stage

    def counted(self, decision, last):
        laid_out.append(last)
        return stage(self, decision, last)

    monkeypatch.setattr(MarketMDP, "stage", counted)
    policy_value(lambda seen: np.full(len(seen), 5), params)
    assert laid_out == [True, False]
    laid_out.clear()
    policy_value(lambda seen: np.where(np.round(seen[:, 1] * 10) % 2, 5, 6), params)
    assert len(laid_out) == 10
