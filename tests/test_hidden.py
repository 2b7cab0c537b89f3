"""What a market hides is not told by what it shows: hidden numbers regressed on all that was shown so far."""

import numpy as np
import pytest
from scipy.stats import chi2, norm

from mm_env import DealersParams, HedgingEnv, MarketParams, Tape
from mm_env.envs.dealers_market import DealersMarket, stack_decisions
from mm_env.envs.observation import observation_names
from mm_env.market.dynamics import Decision

FOUR_ERRORS = 2 * norm.sf(4)
EPISODES = 3000

LATENT = {
    "one move": {"quote_latency": 1, "mean_reversion": 0.01, "price_volatility": 0.1},
    "three moves, strong pull": {"quote_latency": 3, "mean_reversion": 0.3},
    "regimes and sides": {
        "quote_latency": 2,
        "mean_reversion": 0.2,
        "volatility_regimes": (0.1, 0.5),
        "flow_persistence": 0.6,
        "arrival_probability": 0.8,
    },
    "without a pull": {"quote_latency": 2},
}


def tells_nothing(hidden, *shown):
    """Whether what is shown goes with what is hidden no more than chance does; all of shape (n,)."""
    table = np.stack([np.broadcast_to(column, hidden.shape) for column in shown], axis=1).astype(float)
    table = table[:, table.std(axis=0) > 0]
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    centred = hidden - hidden.mean()
    weights = centred[:, None] * table  # their covariance holds also where the hidden's variance differs by row
    covariance = weights.T @ weights
    total = weights.sum(axis=0)
    rank = np.linalg.matrix_rank(covariance)
    return bool(chi2.sf(total @ np.linalg.pinv(covariance, hermitian=True) @ total, rank) > FOUR_ERRORS)


@pytest.mark.parametrize("case", LATENT)
def test_latency_hides_the_mid(case):
    """Of the known deviation y, m moves old, the law tells that the mid has since lost a share of it, and no more."""
    params = MarketParams.from_mapping({"num_trades": 10, **LATENT[case]})
    paths = Tape.draw(params, seed=2, episodes=EPISODES).paths
    seen, share, m = paths.observed, params.mean_reversion, params.quote_latency
    for t in range(m, 10):
        known = np.broadcast_to(seen.deviation, paths.change.shape)[t]
        hidden = paths.mid_error[t] - ((1 - share) ** m - 1) * known
        history = [np.broadcast_to(part, paths.change.shape)[: t + 1] for part in (seen.deviation, seen.regime)]
        assert tells_nothing(hidden, *[row for part in (*history, paths.side[: t + 1]) for row in part])


@pytest.mark.parametrize("case", LATENT)
def test_what_is_expected_is_all_that_the_dealer_can_know(case):
    params = MarketParams.from_mapping({"num_trades": 10, **LATENT[case]})
    paths = Tape.draw(params, seed=3, episodes=EPISODES).paths
    shape = paths.change.shape
    for t in range(10):
        history = [np.broadcast_to(part, shape)[: t + 1] for part in (paths.observed.deviation, paths.side)]
        surprise = (paths.change - paths.expected)[t]
        assert tells_nothing(surprise, *[row for part in history for row in part])
        assert abs(surprise.mean()) <= 4 * surprise.std() / EPISODES**0.5


def test_the_test_finds_what_is_told():
    params = MarketParams(num_trades=10, quote_latency=1, mean_reversion=0.01)
    paths = Tape.draw(params, seed=2, episodes=EPISODES).paths
    deviation = paths.change.cumsum(axis=0)[4]
    assert not tells_nothing(paths.mid_error[5], deviation, paths.observed.deviation[5])
    assert not tells_nothing(paths.mid_error[5], deviation + 0.5 * np.random.default_rng(0).standard_normal(EPISODES))


@pytest.mark.parametrize("changes", [{"quote_latency": 1}, {"quote_latency": 3}, {"view_noise": 0.1}])
def test_the_last_trade_does_not_tell_how_stale_the_quotes_are(changes):
    """Two dealers who draw their quotes, and clients who take any: each regresses on all that he saw and quoted."""
    params = DealersParams(num_trades=8, num_dealers=2, transparent=True, tick=0.01, quote_levels=8, **changes)
    tape, market = Tape.draw(params, seed=4, episodes=EPISODES), DealersMarket(params, EPISODES)
    generator, history = np.random.default_rng(0), []
    for t in range(8):
        state, move = tape.state(t), tape.move(t, params)
        history.append(np.moveaxis(market.observe(state, 8 - t), -1, 1))  # (seats, columns, markets)
        hidden = np.broadcast_to(state.request.mid_error, (2, EPISODES))
        if t >= params.quote_latency:
            for seat in range(2):
                assert tells_nothing(hidden[seat], *np.concatenate([part[seat] for part in history]))
        quotes = generator.integers(0, 8, (2, EPISODES)) * 0.01
        decision = stack_decisions([Decision(quotes[seat], 5.0, None) for seat in range(2)], EPISODES)
        history.append(np.stack([quotes, quotes * state.request.side], axis=1))
        step = market.step(state.request, tape.paths.at(t).preference, decision, move)
        signed = (
            np.asarray(state.request.side)
            * market.observe(state, 8 - t)[..., observation_names(params).index("best_quote")]
        )
        history.append(signed[:, None])
        assert step.filled.any()


@pytest.mark.parametrize("clients", [{"tiers": [{"decay": 30.0}]}, {"informed_fraction": 0.1}])
def test_where_trades_tell_what_is_hidden_nothing_is_expected(clients):
    market = {"quote_latency": 1, "mean_reversion": 0.01, **clients}
    with pytest.raises(ValueError, match="quote_latency=1 and mean_reversion=0.01 needs clients who accept any"):
        HedgingEnv(reward="expected", **market)
    HedgingEnv(**market)
    HedgingEnv(reward="expected", quote_latency=1, mean_reversion=0.01)
