"""Clients and prices: what is sampled against what the solver sums, and against closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2, norm

from baselines import solve
from mm_env import MarketParams, Tape, market_params
from mm_env.market.dynamics import Request
from mm_env.market.flow import expected_move, simulate
from mm_env.market.random_streams import RandomDraws
from mm_env.market.transition_law import acceptance, transition_law
from tests.markets import IDS, NOT_FINITE, market_parameters

ROOT = math.sqrt(2 / math.pi)
FOUR_ERRORS = 2 * norm.sf(4)


def close(values, expected, errors=4.0):
    """The mean of independent values is within some standard errors of what is expected."""
    error = values.std() / math.sqrt(values.size)
    return abs(values.mean() - expected) <= errors * error + 1e-9 * (1 + abs(expected))


def share_close(count, number, probability):
    """As many as this probability leads to: within 4 standard errors, by the exact law where they are few."""
    probability = min(max(float(probability), 0.0), 1.0)
    return binomtest(int(count), int(number), probability).pvalue > FOUR_ERRORS or count == number * probability


def state_numbers(tape, law, params):
    """The number of the state in the list of the transition law, at every step, shape (trades, episodes)."""
    c = tape.paths
    size = 1.0 if c.size is None else c.size
    last = c.observed.last_side if params.remembers_side else 0.0
    parts = np.broadcast_arrays(c.side * size, c.tier, last, c.observed.regime)
    request, observed = law.states
    known = np.broadcast_arrays(request.signed_size, request.tier, observed.last_side, observed.regime)
    number = {tuple(float(x) for x in state): i for i, state in enumerate(zip(*known, strict=True))}
    flat = zip(*(part.ravel().tolist() for part in parts), strict=True)
    return np.array([number[tuple(map(float, state))] for state in flat]).reshape(parts[0].shape)


def agree(chi_squares, freedom):
    """A sum of squares is what chance leads to: as likely as 4 standard errors, however many were summed."""
    return freedom == 0 or chi2.sf(chi_squares, freedom) > FOUR_ERRORS


def counts_agree(counts, probabilities):
    """Counts of shape (rows, cells) against the probabilities of each row; cells that are rarely hit are left out."""
    assert not counts[probabilities == 0.0].any()
    total = counts.sum(axis=1, keepdims=True)
    expected = total * probabilities
    often = expected >= 10
    rest = total[:, 0] - (expected * often).sum(axis=1)  # what the cells left out may hold
    squares = ((counts - expected) ** 2 / np.maximum(expected, 1.0))[often].sum()
    return agree(squares, int(often.sum() - (rest[often.any(axis=1)] < 1e-6).sum()))


def assert_drawn_as_summed(params, seed, steps=40_000):
    law = transition_law(params)
    assert law.start.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(law.probability.sum(axis=1), 1.0)
    number = len(law.start)
    tape = Tape.draw(params, seed, max(2, steps // params.num_trades))
    seen = state_numbers(tape, law, params)
    assert counts_agree(np.bincount(seen[0], minlength=number)[None], law.start[None])
    pairs = np.bincount((seen[:-1] * number + seen[1:]).ravel(), minlength=number**2)
    assert counts_agree(pairs.reshape(number, number), law.probability)

    means, takes, tried = [], [], []
    for state in np.unique(seen):
        here = seen == state
        moves = tape.paths.change[here]
        if here.sum() > 50 and moves.std() > 1e-9:
            means.append((moves.mean() - law.expected[state]) / moves.std() * math.sqrt(moves.size))
        if tape.paths.reservation is not None:
            side, wanted, tier = (part[state] for part in law.states.request[:3])
            for distance in (-0.1, params.spread, params.spread + 0.3):
                rate = float(acceptance(Request(side, wanted, tier), distance, params))
                takes.append((tape.paths.reservation[here] >= distance).sum())
                tried.append((here.sum(), rate))
    assert agree(np.square(means).sum(), len(means))
    for count, (among, rate) in zip(takes, tried, strict=True):
        assert binomtest(int(count), int(among), min(rate, 1.0)).pvalue > FOUR_ERRORS / len(takes)
    return tape, law, seen


@pytest.mark.parametrize("market", IDS)
def test_what_is_summed_is_what_is_drawn_in_every_market(market):
    assert_drawn_as_summed(market_params(market), seed=3, steps=100_000)


@given(params=market_parameters(max_trades=8, finite=True), seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_what_is_summed_is_what_is_drawn(params, seed):
    tape, law, seen = assert_drawn_as_summed(params, seed)
    np.testing.assert_allclose(np.broadcast_to(tape.paths.expected, seen.shape), law.expected[seen], atol=1e-12)


@pytest.mark.parametrize("name", NOT_FINITE)
def test_what_is_not_finite_is_refused_by_name(name):
    with pytest.raises(ValueError, match=name):
        transition_law(MarketParams.from_mapping({name: 1}))


def draw(steps=200_000, seed=1, **changes):
    params = MarketParams(num_trades=100, **changes)
    return params, Tape.draw(params, seed, steps // 100).paths


@pytest.mark.parametrize("fraction", [0.05, 0.3, 1.0])
def test_an_informed_side_moves_the_expected_price(fraction):
    """E[change | side] = fraction * sigma * sqrt(2 / pi) * side; the price's own law stays as it was."""
    _, tape = draw(informed_fraction=fraction)
    assert close(tape.change * tape.side, fraction * 0.3 * ROOT)
    np.testing.assert_allclose(tape.expected, fraction * 0.3 * ROOT * tape.side)
    assert close(tape.change, 0.0)
    assert close(tape.change**2, 0.09)
    assert close(np.sign(tape.change)[tape.informed] - tape.side[tape.informed], 0.0)
    assert share_close(tape.informed.sum(), tape.informed.size, fraction)


@pytest.mark.parametrize("changes", [{"flow_persistence": 0.7}, {"buy_probability": 0.8}, {"mean_reversion": 0.2}])
def test_what_is_expected_is_what_comes_on_average(changes):
    """The price move less its expectation averages to zero, whatever is known: by side, the side before, the mid."""
    _, tape = draw(informed_fraction=0.2, jump_probability=0.1, **changes)
    unexpected_pnl = tape.change - tape.expected
    for known in (tape.side, tape.side * tape.observed.last_side, tape.side * np.sign(tape.observed.deviation), 1.0):
        assert close(unexpected_pnl * known, 0.0)


@pytest.mark.parametrize("persistence", [0.3, 0.9])
def test_sides_repeat(persistence):
    """The lag-1 correlation of sides is the persistence, and a side repeats with probability (1 + it) / 2."""
    _, tape = draw(flow_persistence=persistence)
    repeats = tape.side[1:] == tape.side[:-1]
    episodes = (tape.side[1:] * tape.side[:-1]).mean(axis=0)
    assert close(episodes, persistence)
    assert close(repeats.mean(axis=0), (1 + persistence) / 2)
    np.testing.assert_array_equal(tape.observed.last_side[1:], tape.side[:-1])


def test_runs_last_through_steps_without_clients():
    _, tape = draw(flow_persistence=0.8, arrival_probability=0.3)
    came = (tape.side != 0) & (tape.observed.last_side != 0)
    assert close((tape.side * tape.observed.last_side)[came], 0.8, errors=6)  # neighbours in a run are not independent
    for episode in range(20):
        clients = tape.side[:, episode][tape.side[:, episode] != 0]
        before = tape.observed.last_side[:, episode][tape.side[:, episode] != 0]
        np.testing.assert_array_equal(before[1:], clients[:-1])
        assert before[0] == 0


def test_fill_rates_by_distance_and_tier():
    tiers = [{"weight": 1, "decay": 20.0}, {"weight": 3, "logistic": (-1.0, 15.0)}]
    params, tape = draw(tiers=tiers, spread=0.02)
    assert share_close((tape.tier == 1).sum(), tape.tier.size, 0.75)
    for distance in (-0.05, 0.02, 0.05, 0.2):
        rates = (math.exp(-20 * max(distance - 0.02, 0)), 1 / (1 + math.exp(-1 + 15 * distance)))
        for tier, rate in enumerate(rates):
            here = tape.tier == tier
            assert share_close((tape.reservation[here] >= distance).sum(), here.sum(), rate)
            assert acceptance(Request(1.0, 1.0, tier), distance, params) == pytest.approx(rate)


def test_regimes_are_a_markov_chain():
    params, tape = draw(volatility_regimes=[0.1, 0.2, 0.5], regime_persistence=0.9)
    for regime, sigma in enumerate(params.volatilities):
        assert share_close((tape.observed.regime[0] == regime).sum(), tape.observed.regime.shape[1], 1 / 3)
        assert close(tape.change[tape.observed.regime == regime] ** 2, sigma**2)
        after = tape.observed.regime[1:][tape.observed.regime[:-1] == regime]
        assert share_close((after == regime).sum(), after.size, 0.9)


def test_who_knows_that_the_price_stands_still_takes_either_side():
    params, tape = draw(price_volatility=0.0, jump_probability=0.1, informed_fraction=1.0)
    assert share_close((tape.side == 1).sum(), tape.side.size, 0.5)
    assert close(tape.change[tape.side == 1], transition_law(params).expected[0])


def test_jumps_add_variance():
    _, tape = draw(jump_probability=0.1, jump_volatility=2.0)
    assert close(tape.change**2, 0.09 + 0.1 * 4.0)


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_what_risk_is_charged_is_the_variance_of_the_move(data):
    """risk_weights / (0.5 gamma) against the squares of sampled moves about their pull, in every regime."""
    market = market_parameters(max_trades=20, risk_aversion=0.3, informed_fraction=0.0, quote_latency=0)
    params = data.draw(market).replace(jump_probability=data.draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])))
    paths = Tape.draw(params, seed=5, episodes=3000).paths
    noise = paths.change + params.mean_reversion * paths.observed.deviation
    regimes = np.broadcast_to(paths.observed.regime, noise.shape)
    for regime, weight in enumerate(params.risk_weights):
        squares = noise[regimes == regime] ** 2
        assert squares.size == 0 or close(squares, weight / (0.5 * 0.3), errors=5)


@pytest.mark.parametrize("sigma", [0.0, 0.05, 0.3, 2.2360679774997896])
def test_without_jumps_the_charge_is_the_same_to_the_last_bit(sigma):
    assert MarketParams(price_volatility=sigma, risk_aversion=0.07).risk_weights == (0.5 * 0.07 * sigma * sigma,)


def test_a_market_with_jumps_is_worth_less_and_hedged_more():
    calm = MarketParams(num_trades=20)
    wild = calm.replace(jump_probability=0.5, jump_volatility=3.0)
    assert wild.risk_weights[0] == pytest.approx(0.005 * (0.09 + 0.5 * 9.0))
    assert solve(wild).value < solve(calm).value - 0.1
    assert solve(wild).thresholds.mean() < solve(calm).thresholds.mean()


def test_the_mid_reverts():
    """Deviation y follows y' = (1 - share) y + noise: its variance tends to sigma^2 / (1 - (1 - share)^2)."""
    _, tape = draw(mean_reversion=0.3)
    assert close(
        tape.observed.deviation[90:].ravel() ** 2, 0.09 / (1 - 0.7**2), errors=8
    )  # neighbours are not independent
    np.testing.assert_allclose(tape.observed.deviation[1:], tape.observed.deviation[:-1] + tape.change[:-1], atol=1e-9)
    np.testing.assert_allclose(tape.expected, -0.3 * tape.observed.deviation)


@pytest.mark.parametrize("latency", [1, 3])
def test_stale_quotes_lag_the_mid(latency):
    _, tape = draw(quote_latency=latency)
    mid = np.vstack([np.zeros(tape.change.shape[1]), tape.change.cumsum(axis=0)])[:-1]
    lagged = np.vstack([np.zeros((latency, mid.shape[1])), mid[:-latency]])
    np.testing.assert_allclose(tape.mid_error, mid - lagged, atol=1e-9)


def test_information_with_jumps_and_drift_by_quadrature():
    """The closed form of E[change | side] against its integral."""
    params = MarketParams(informed_fraction=0.3, jump_probability=0.2, jump_volatility=1.5, flow_persistence=0.5)
    x = np.linspace(-12, 12, 400_001)
    for drift in (-0.4, 0.0, 0.2):
        density = sum(
            share * np.exp(-0.5 * ((x - drift) / s) ** 2) / s / math.sqrt(2 * math.pi)
            for share, s in ((0.8, 0.3), (0.2, math.hypot(0.3, 1.5)))
        )
        for side, last in ((1, 1), (-1, 1), (1, -1), (1, 0)):
            blind = 0.5 if last == 0 else 0.5 * (1 + 0.5 * side * last)
            likely = density * (0.3 * (x * side > 0) + 0.7 * blind)
            expected = (x * likely).sum() / likely.sum()
            assert expected_move(side, last, 0.3, drift, params) == pytest.approx(expected, abs=2e-5)


def test_a_jump_adds_its_own_normal_number_to_the_move():
    params = MarketParams(num_trades=2, price_volatility=0.5, jump_probability=0.25, jump_volatility=3.0)
    draws = RandomDraws.sized(params, 1, None)
    draws.side.fill(0)
    draws.move[:] = [[1.0, 1.0]]
    draws.jump[:] = [[2.0, 2.0]]
    draws.uniforms["jump"][:] = [[0.2, 0.25]]  # below the probability there is one
    assert simulate(draws, params).change.ravel().tolist() == [0.5 + 3.0 * 2.0, 0.5]


def test_a_client_who_cannot_come_tells_of_no_move():
    """Everybody buys, and the price, which cannot but rise, makes no informed client sell either: 0, not 0 / 0."""
    params = MarketParams(price_volatility=0.0, buy_probability=1.0, informed_fraction=0.5)
    assert expected_move(-1.0, 0.0, 0.0, 1.0, params) == 0.0
