import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from baselines import policy_value
from mm_env import MARKETS, DealersParams, MarketParams, Tape, market_params
from mm_env.market import dynamics
from train.deep_hedging.smooth_law import decision_of, play_smoothly
from train.deep_hedging.smooth_number import Scale, SmoothNumber

SHORT = {"num_trades": 20}
EXACT = (Scale(), Scale())


@pytest.fixture(autouse=True)
def _doubles():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def numbers_of(observations, params):
    """What a policy might say: something else for every observation."""
    parts = (params.hedge_action == "band") + 1 + (params.quote_levels > 1)
    return torch.stack([torch.tanh(observations.sum(dim=-1) - 0.3 * part) for part in range(parts)], dim=-1)


def played_by_the_law(tape, params):
    """Total expected rewards of the same by the law on NumPy's numbers."""
    zeros = np.zeros(tape.num_episodes)
    book = dynamics.reset_where(zeros == 0, dynamics.initial_book(params), params)
    total = zeros
    for trade in range(params.num_trades):
        state, move = tape.state(trade), tape.move(trade, params)
        seen = torch.as_tensor(observed(book, state, params.num_trades - trade, params))
        decision = decision_of(numbers_of(seen, params), params, *EXACT)
        decision = decision._replace(
            **{name: part.value.numpy() for name, part in decision._asdict().items() if isinstance(part, SmoothNumber)}
        )
        step, reward = dynamics.rewarded_step(book, state.request, decision, move, dynamics.expected_reward, params)
        total, book = total + reward, step.book
    return total


def observed(book, state, left, params):
    from mm_env.envs.observation import observation_values

    return np.stack(np.broadcast_arrays(*observation_values(book, state, left, params)), axis=-1)


@pytest.mark.parametrize("market", [*MARKETS, "band"])
def test_without_width_it_is_the_law(market):
    params = (
        MarketParams(hedge_action="band", hedge_ticket=0.1, **SHORT)
        if market == "band"
        else market_params(market, **SHORT)
    )
    tape = Tape.draw(params, seed=3, episodes=200)
    found = play_smoothly(lambda seen: numbers_of(seen, params), tape, params, width=0.0)
    np.testing.assert_allclose(found.numpy(), played_by_the_law(tape, params), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("market", ["mm_env/DynamicSpread-v0", "mm_env/TicketFee-v0", "mm_env/Latency-v0"])
def test_the_gradient_is_that_of_what_is_played(market):
    params = market_params(market, inventory_limit=4, hedge_threshold=2, **SHORT)
    tape = Tape.draw(params, seed=1, episodes=50)
    shift = torch.tensor(0.1, requires_grad=True)

    def objective(by):
        return play_smoothly(lambda seen: numbers_of(seen + by, params), tape, params, width=0.4).mean()

    objective(shift).backward()
    step = 1e-6
    with torch.no_grad():
        slope = (objective(shift + step) - objective(shift - step)) / (2 * step)
    assert shift.grad.item() == pytest.approx(slope.item(), rel=1e-4)
    assert abs(slope) > 1e-3


def test_the_gradient_of_a_quote_is_that_of_the_exact_objective():
    params = market_params("mm_env/DynamicSpread-v0", inventory_limit=6, hedge_threshold=2, **SHORT)
    numbers, threshold = params.replace(continuous=True), -1.0 / 3.0  # 2 of 6 units

    def exact(quote):
        return policy_value(lambda seen: np.broadcast_to([threshold, quote], (*seen.shape[:-1], 2)), numbers)

    found = []
    for seed in range(10):
        quote, tape = torch.tensor(-0.5, requires_grad=True), Tape.draw(params, seed, episodes=2000)
        actions = torch.stack([torch.full((2000,), threshold), quote.expand(2000)], dim=-1)
        play_smoothly(lambda seen, said=actions: said, tape, params, width=0.4).mean().backward()
        found.append(quote.grad.item())
    error = np.std(found, ddof=1) / 10**0.5
    assert abs(np.mean(found) - (exact(-0.49) - exact(-0.51)) / 0.02) < 3 * error < 0.015


def test_near_the_cap_a_client_trades_in_part():
    units = Scale(0.1, 1.0)
    room = SmoothNumber(torch.tensor([19.0, 20.0, 20.5, 21.0]), units) <= 20
    np.testing.assert_allclose(room.value.numpy(), 1 / (1 + np.exp([-15.0, -5.0, 0.0, 5.0])))
    assert ((SmoothNumber(torch.tensor([0.0, 1.0]), units) > 0.0).value - torch.tensor([0.0, 1.0])).abs().max() < 0.01


def test_what_has_no_such_gradient_is_refused():
    tape = Tape.draw(MarketParams(**SHORT), seed=0, episodes=2)
    for params, named in ((DealersParams(num_dealers=2), "num_dealers=2"), (MarketParams(flat=True), "flat=True")):
        with pytest.raises(ValueError, match=named):
            play_smoothly(lambda seen: seen, tape, params, 0.1)
