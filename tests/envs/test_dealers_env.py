"""Several dealers: one law with one more axis."""

import math
import pickle
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines import make_policy
from baselines.policies.random_policy import RandomPolicy
from baselines.policies.threshold import ThresholdPolicy
from mm_env import DealersParams, MarketParams, play, play_dealers
from mm_env.envs.dealers_market import DEALERS_DEFAULTS
from mm_env.envs.dealers_vector_env import DealersVectorEnv
from mm_env.market import dynamics
from mm_env.market.competition import route_to_best_quote
from mm_env.market.dynamics import Decision, Request
from tests.markets import market_parameters

pytest.importorskip("pettingzoo")
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test
from pettingzoo.test.state_test import test_parallel_env as check_state
from pettingzoo.test.state_test import test_state_space as check_state_space

from mm_env.envs.dealers_env import DealersEnv, parallel_env
from mm_env.envs.dealers_env import env as env_in_turns

HARD = {"view_noise": 0.02, "transparent": True, "hedge_latency": 1, "arrival_probability": 0.8}


def dealers(draw_from: MarketParams, number: int, **changes) -> DealersParams:
    return DealersParams.from_mapping({**draw_from.to_dict(), "num_dealers": number, **changes})


class TestPettingZoo:
    @pytest.mark.filterwarnings("ignore:Environment.s (minimum|maximum) state space value")
    @pytest.mark.parametrize("changes", [{}, HARD, {"num_dealers": 1}, {"continuous": True}])
    def test_its_tests_pass(self, changes):
        parallel_api_test(DealersEnv(**changes), num_cycles=300)
        parallel_seed_test(lambda: parallel_env(**changes), num_cycles=120)
        check_state_space(DealersEnv(**changes))
        check_state(DealersEnv(**changes))

    def test_importing_mm_env_registers_both_forms(self):
        pytest.importorskip("pettingzoo.env_registry")
        code = (
            "import mm_env, pettingzoo.env_registry.registration as r\n"
            "for form in ('parallel', 'aec'):\n"
            "    env = r.make(form, 'mm_env/Dealers-v0', num_dealers=2)\n"
            "    assert env.possible_agents == ['dealer_0', 'dealer_1']\n"
        )
        subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], check=True)

    def test_the_form_in_turns_is_the_parallel_one(self):
        turns, together = env_in_turns(num_trades=5), DealersEnv(num_trades=5)
        api_test(env_in_turns(num_trades=5), num_cycles=30)
        turns.reset(seed=2)
        seen, _ = together.reset(seed=2)
        while together.agents:
            actions = {agent: [seat, 2 + seat] for seat, agent in enumerate(together.agents)}
            for agent, action in actions.items():
                np.testing.assert_array_equal(turns.observe(agent), seen[agent])
                turns.step(action)
            seen, rewards, *_ = together.step(actions)
            assert turns.rewards == rewards

    def test_a_pickled_copy_goes_on_alike(self):
        env = DealersEnv(**HARD)
        env.reset(seed=3)
        copy = pickle.loads(pickle.dumps(env))
        actions = {agent: [3, 4] for agent in env.agents}
        for a, b in zip(env.step(actions), copy.step(actions), strict=True):
            np.testing.assert_equal(a, b)

    def test_what_is_wrong_names_the_agent(self):
        env = DealersEnv(num_dealers=2)
        with pytest.raises(ValueError, match="call reset"):
            env.step({})
        env.reset(seed=0)
        good = {"dealer_0": [1, 2], "dealer_1": [3, 4]}
        for actions, message in (
            ({"dealer_0": [1, 2]}, "dealer_1: no action given"),
            ({**good, "dealer_2": [1, 2]}, "dealer_2: not an agent here"),
            ({**good, "dealer_1": [1, 99]}, "dealer_1: actions must be from 0 to 15, got 99$"),
            ({**good, "dealer_1": None}, "dealer_1: action must have shape"),
            ({**good, "dealer_0": [0.5, 1.0]}, "dealer_0: actions must be whole numbers"),
            ([[1, 2], [3, 4]], "must be a mapping"),
        ):
            with pytest.raises(ValueError, match=message):
                env.step(actions)
        env = DealersEnv(num_dealers=2, continuous=True)
        env.reset(seed=0)
        with pytest.raises(ValueError, match="dealer_1: actions must be from -1 to 1, got nan"):
            env.step({"dealer_0": np.zeros(2), "dealer_1": np.array([0.0, np.nan])})

    def test_after_the_end_nobody_is_left(self):
        env = DealersEnv(num_dealers=2, num_trades=1)
        env.reset(seed=0)
        terminations = env.step({agent: [1, 2] for agent in env.agents})[2]
        assert terminations == {"dealer_0": True, "dealer_1": True}
        assert env.agents == []
        assert env.step({}) == ({}, {}, {}, {}, {})
        with pytest.raises(ValueError, match="call reset"):
            env.step({"dealer_0": [1, 2]})
        with pytest.raises(ValueError, match="call reset"):
            DealersEnv().step({})

    def test_bounds_are_finite_unless_the_mid_is_seen_with_an_error(self):
        for changes in ({}, {"transparent": True}, {"quote_latency": 1}, {"hedge_latency": 1}):
            space = DealersEnv(**changes).observation_space("dealer_0")
            assert np.isfinite(space.low).all()
            assert np.isfinite(space.high).all()
        names, space = DealersEnv().observation_names, DealersEnv(view_noise=0.1).observation_space("dealer_0")
        assert [name for name, high in zip(names, space.high, strict=True) if high == np.inf] == ["best_quote"]


def test_one_dealer_is_the_single_environment_bit_for_bit():
    single, alone = gym.make("mm_env/DynamicSpread-v0"), DealersEnv(num_dealers=1)
    assert single.observation_space == alone.observation_space("dealer_0")
    observation, info = single.reset(seed=5)
    observations, infos = alone.reset(seed=5)
    single.action_space.seed(0)
    for step in range(250):
        np.testing.assert_array_equal(observation, observations["dealer_0"])
        assert info == infos["dealer_0"]
        if step % 100 == 99:
            (observation, info), (observations, infos) = single.reset(), alone.reset()
            continue
        action = single.action_space.sample()
        observation, reward, terminated, _, info = single.step(action)
        observations, rewards, terminations, _, infos = alone.step({"dealer_0": action})
        assert (reward, terminated) == (rewards["dealer_0"], terminations["dealer_0"])


@given(params=market_parameters(max_trades=12), seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_one_dealer_is_play_in_any_market(params, seed):
    (alone,) = play_dealers([RandomPolicy(params)], dealers(params, 1), 20, seed)
    for name, values in play(RandomPolicy(params), params, 20, seed).arrays().items():
        np.testing.assert_array_equal(alone.arrays()[name], values)


@given(
    params=market_parameters(max_trades=12),
    seed=st.integers(0, 2**32),
    number=st.integers(2, 4),
    noise=st.sampled_from([0.0, 0.1]),
)
@settings(max_examples=40, deadline=None)
def test_accounts_and_volume(params, seed, number, noise):
    """Every fill has one winner, nobody exceeds his cap, and every dealer's accounts agree."""
    params = dealers(params, number, view_noise=noise, permanent_impact=0.0)
    seats = play_dealers([RandomPolicy(params, seat) for seat in range(number)], params, 20, seed)
    assert sum(seat.filled.astype(int) for seat in seats).max() <= 1
    for seat in seats:
        parts = (seat.spread_pnl + seat.inventory_pnl - seat.hedge_cost).cumsum(axis=1)
        scale = max(1.0, np.abs(seat.price).max() * max(params.inventory_limit, 1) / 1e3)
        np.testing.assert_allclose(seat.equity, parts, atol=1e-9 * scale, rtol=0)
        assert (np.abs(seat.inventory) <= params.inventory_limit).all()
        np.testing.assert_array_equal(seat.request, seats[0].request)


def test_seats_do_not_matter():
    """Permuting dealers, with what the tape holds for each, permutes what they get, exactly."""
    params = DealersParams(num_dealers=3, inventory_limit=4)
    rng = np.random.default_rng(0)
    held, quotes, liking = rng.integers(-4, 5, (3, 500)), rng.integers(1, 3, (3, 500)) / 10, rng.random((3, 500))
    side = rng.choice([-1.0, 1.0], 500)
    request = Request(side, side, mid_error=rng.normal(size=(3, 500)), reservation=rng.normal(1, 1, 500))

    def awarded(order):
        book = dynamics.initial_book(params)._replace(inventory=held[order].astype(float))
        decision = Decision(quotes[order], np.full((3, 500), 2.0), None)
        asked = request._replace(mid_error=request.mid_error[order])
        return route_to_best_quote(book, asked, decision, liking[order], params).reservation > 0

    order = np.array([2, 0, 1])
    np.testing.assert_array_equal(awarded(order), awarded(np.arange(3))[order])
    assert awarded(order).sum(axis=0).max() == 1


@pytest.mark.parametrize("number", [2, 3, 5])
def test_equal_quotes_share_the_clients(number):
    params = DealersParams(num_dealers=number)
    seats = play_dealers([ThresholdPolicy(3, params)] * number, params, 1500, seed=1)
    for seat in seats:
        rate = seat.filled.mean()
        assert abs(rate - 1 / number) <= 4 * math.sqrt((1 - 1 / number) / number / seat.filled.size)


def test_the_better_quote_wins_and_the_cap_passes_the_client_on():
    params = DealersParams.from_mapping({**DEALERS_DEFAULTS, "num_dealers": 2, "inventory_limit": 1, "tiers": [{}]})
    tight, wide = play_dealers([ThresholdPolicy(1, params, 0.02), ThresholdPolicy(0, params, 0.03)], params, 200)
    capped = np.abs(np.concatenate([np.zeros((200, 1)), tight.inventory[:, :-1]], axis=1) - tight.request) > 1
    np.testing.assert_array_equal(tight.filled, ~capped)
    np.testing.assert_array_equal(wide.filled, capped)


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_the_winners_curse(noise):
    """Two dealers, views N(0, s^2): the winner is the one who errs in the client's favour, by s / sqrt(pi)."""
    params = DealersParams(num_dealers=2, view_noise=noise)
    seats = play_dealers([make_policy("flat", params)] * 2, params, 3000, seed=4)
    earned = np.concatenate([seat.spread_pnl[seat.filled] for seat in seats])
    expected = params.spread - noise / math.sqrt(math.pi)
    assert abs(earned.mean() - expected) <= 4 * earned.std() / math.sqrt(earned.size)


def test_equal_preferences_have_one_winner_all_the_same():
    params = DealersParams(num_dealers=3)
    book = dynamics.initial_book(params)._replace(inventory=np.zeros((3, 4)))
    asked = route_to_best_quote(book, Request(np.ones(4), np.ones(4)), Decision(0.05, 20.0, None), 0.0, params)
    assert (asked.reservation > 0).sum(axis=0).tolist() == [1, 1, 1, 1]


def test_a_film_of_every_dealer():
    pytest.importorskip("matplotlib")
    env = DealersEnv(num_dealers=2, render_mode="rgb_array")
    with pytest.raises(ValueError, match="nothing recorded"):
        env.render()
    env.reset(seed=0)
    frames = [env.render()]
    for _ in range(3):
        env.step({agent: [3, 4] for agent in env.agents})
        frames.append(env.render())
    assert all(frame.shape == (576, 720, 3) for frame in frames)
    assert not np.array_equal(frames[0], frames[-1])
    assert env.episodes()["dealer_1"].inventory.shape == (1, 3)
    text = DealersEnv(num_dealers=2, render_mode="ansi")
    text.reset(seed=0)
    assert text.render() == "dealer_0  inventory +0  equity +0.00\ndealer_1  inventory +0  equity +0.00"
    with pytest.raises(ValueError, match="make the environment with a render_mode"):
        DealersEnv().episodes()


def test_what_dealers_see_of_each_other():
    env = DealersEnv(num_dealers=2, transparent=True, tiers=[{}])
    env.reset(seed=0)
    observations, _, _, _, infos = env.step({"dealer_0": [20, 3], "dealer_1": [20, 5]})
    names = env.observation_names
    seen = [dict(zip(names, observations[agent].tolist(), strict=True)) for agent in env.agents]
    assert [view["won"] for view in seen] == [1.0, -1.0]
    assert [view["best_quote"] for view in seen] == pytest.approx([0.2, 0.2])  # 0.03 / 0.15
    assert seen[1]["rival_1"] == seen[0]["inventory"] == pytest.approx(infos["dealer_0"]["inventory"] / 20)
    assert not any(name.startswith("rival") for name in DealersEnv().observation_names)


@pytest.mark.parametrize("changes", [{}, HARD])
def test_the_batch_is_the_parallel_environment(changes):
    lanes = DealersVectorEnv(12, num_dealers=3, num_trades=7, **changes)
    envs = [DealersEnv(num_dealers=3, num_trades=7, **changes) for _ in range(4)]

    def gathered(results):
        return np.concatenate([[result[f"dealer_{seat}"] for result in results] for seat in range(3)])

    observations, _ = lanes.reset(seed=3)
    np.testing.assert_array_equal(observations, gathered([env.reset(seed=3 + i)[0] for i, env in enumerate(envs)]))
    lanes.action_space.seed(1)
    for step in range(1, 30):
        actions = lanes.action_space.sample()
        observations, rewards, ended, _, info = lanes.step(actions)
        if step % 8 == 0:
            np.testing.assert_array_equal(observations, gathered([env.reset()[0] for env in envs]))
            continue
        seats = actions.reshape(3, 4, 2)
        results = [env.step({f"dealer_{k}": seats[k, m] for k in range(3)}) for m, env in enumerate(envs)]
        np.testing.assert_array_equal(observations, gathered([result[0] for result in results]))
        np.testing.assert_array_equal(rewards, gathered([result[1] for result in results]))
        np.testing.assert_array_equal(ended, gathered([result[2] for result in results]))
        infos = [result[4] for result in results]
        for name in infos[0]["dealer_0"]:
            of_one = [{agent: found[agent][name] for agent in found} for found in infos]
            np.testing.assert_array_equal(info[name], gathered(of_one))


def test_rivals_play_their_seats():
    params = DealersParams.from_mapping({**DEALERS_DEFAULTS, "num_dealers": 3})
    rules = [make_policy(f"threshold:{k}", params) for k in (2, 5)]
    lanes = DealersVectorEnv(6, rivals=rules, num_dealers=3)
    mine = ThresholdPolicy(3, params, 0.03)
    observations, _ = lanes.reset(seed=0)
    total = np.zeros(6)
    for _ in range(100):
        observations, rewards, *_ = lanes.step(mine(observations))
        total += rewards
    singles = [play_dealers([mine, *rules], params, 1, seed=i)[0].reward.sum() for i in range(6)]
    np.testing.assert_allclose(total, singles)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_envs": 4}, "num_envs must be a multiple of num_dealers=3, got 4"),
        ({"num_envs": 3, "rivals": [lambda o: o]}, "rivals must be 2 for num_dealers=3, got 1"),
        ({"num_dealers": 0}, "num_dealers must be a whole number from 1"),
        ({"view_noise": -1.0}, "view_noise must be"),
        ({"permanent_impact": 0.1, "liquidate_at_end": True}, "permanent_impact=0.1: dealers share one mid"),
        ({"num_envs": 2, "num_dealers": 2, "rivals": ["flat"]}, "policy must be callable"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        DealersVectorEnv(**arguments)


def test_one_dealers_tools_refuse_several():
    params = DealersParams(num_dealers=2)
    with pytest.raises(ValueError, match="play_dealers"):
        play(make_policy("flat", params), params, 2)
    with pytest.raises(ValueError, match="view_noise=0.1"):
        play(make_policy("flat", params), DealersParams(num_dealers=1, view_noise=0.1), 2)
    with pytest.raises(ValueError, match="num_dealers=2: what is best depends on the rivals"):
        make_policy("optimal", params)
    with pytest.raises(ValueError, match="num_dealers is for dealers who compete"):
        gym.make("mm_env/Hedging-v0", num_dealers=2)
    with pytest.raises(ValueError, match="policies must be one for each of 2 dealers"):
        play_dealers([make_policy("flat", params)], params, 2)
    with pytest.raises(ValueError, match=r"dealer_1: actions must be"):
        play_dealers([make_policy("flat", params), lambda o: np.full(len(o), 99)], params, 2)
