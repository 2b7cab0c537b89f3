import pickle
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.env_match import check_environments_match

from baselines import POLICIES, make_policy
from mm_env import HedgingEnv, MarketParams, Tape, market_params, play
from mm_env.envs.observation import OBSERVATIONS
from tests.markets import IDS, WINDOWLESS

pytestmark = pytest.mark.filterwarnings("error::UserWarning")


def episode(env, policy, seed=None):
    """One episode: observations, rewards, infos."""
    observation, info = env.reset(seed=seed)
    observations, rewards, infos, terminated = [observation], [], [info], False
    while not terminated:
        observation, reward, terminated, truncated, info = env.step(policy(observation))
        assert not truncated
        observations.append(observation)
        rewards.append(reward)
        infos.append(info)
    return np.stack(observations), np.array(rewards), infos


@pytest.mark.parametrize("market", IDS)
class TestEveryMarket:
    def test_gymnasium_accepts_it(self, market):
        check_env(gym.make(market).unwrapped, skip_render_check=WINDOWLESS)

    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_stable_baselines3_accepts_it(self, market):
        checker = pytest.importorskip("stable_baselines3.common.env_checker")
        checker.check_env(gym.make(market).unwrapped, warn=True)

    def test_two_of_them_match(self, market):
        check_environments_match(gym.make(market), gym.make(f"mm_env:{market}"), num_steps=250, seed=3)

    @pytest.mark.parametrize("steps", [0, 37])
    def test_a_pickled_copy_goes_on_alike(self, market, steps):
        env = gym.make(market, num_trades=2000)  # every reset refills the tape
        env.reset(seed=5)
        env.action_space.seed(0)
        for _ in range(steps):
            env.step(env.action_space.sample())
        copy = pickle.loads(pickle.dumps(env))
        action = env.action_space.sample()
        for a, b in zip(env.step(action), copy.step(action), strict=True):
            np.testing.assert_equal(a, b)
        a, b = env.reset(), copy.reset()
        np.testing.assert_equal(a, b)

    def test_it_is_what_play_plays(self, market):
        params = market_params(market)
        env = gym.make(market)
        played = play(make_policy("threshold", params), params, 3, seed=11)
        policy = make_policy("threshold", params)
        for j in range(3):
            observations, rewards, infos = episode(env, policy, seed=11 if j == 0 else None)
            assert all(o in env.observation_space for o in observations)
            np.testing.assert_array_equal(rewards, played.reward[j])
            for name in set(played.arrays()) & set(infos[0]):
                np.testing.assert_array_equal([i[name] for i in infos[1:]], played.arrays()[name][j])

    @pytest.mark.parametrize("policy", POLICIES)
    def test_every_policy_acts_in_it(self, market, policy):
        env = gym.make(market, num_trades=20)  # what the solver needs a moment for, it needs for every trade
        acting = make_policy(policy, market_params(market, num_trades=20))
        observations, _, _ = episode(env, acting, seed=0)
        actions = acting(observations)
        assert actions.shape == (len(observations), *env.action_space.shape)
        assert all(action in env.action_space for action in actions)


def test_equal_seeds_are_equal_markets_and_resets_go_on():
    env, other = gym.make(IDS[0]), gym.make(IDS[0])
    first, again = episode(env, lambda _: 3, seed=1), episode(other, lambda _: 20, seed=1)
    np.testing.assert_array_equal(first[0][:, 2], again[0][:, 2])  # the requests, whatever the policy
    second = episode(env, lambda _: 3)
    assert not np.array_equal(first[1], second[1])
    np.testing.assert_array_equal(episode(env, lambda _: 3, seed=1)[1], first[1])
    assert not np.array_equal(episode(gym.make(IDS[0]), lambda _: 3)[1], episode(gym.make(IDS[0]), lambda _: 3)[1])


def test_the_expected_reward_has_less_noise_and_the_same_mean():
    returns = {}
    for reward in ("realised", "expected"):
        env = gym.make(IDS[0], reward=reward)
        returns[reward] = np.array([episode(env, lambda _: 5, seed=s)[1].sum() for s in range(200)])
    difference = returns["realised"] - returns["expected"]
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(200)
    assert returns["expected"].std() < 0.2 * returns["realised"].std()


def test_info_names_the_parts_of_the_reward():
    env = gym.make(IDS[0])
    _, rewards, infos = episode(env, lambda _: 0, seed=4)
    for reward, info in zip(rewards, infos[1:], strict=True):
        parts = info["spread_pnl"] - info["hedge_cost"] + info["inventory_pnl"] - info["risk_penalty"]
        assert reward == pytest.approx(parts)
    assert {"equity", "unrealized_pnl", "cumulative_hedge", "filled"} <= set(infos[0]) == set(infos[-1])
    assert infos[-1]["cumulative_hedge"] == sum(abs(info["hedge"]) for info in infos)


class TestReplay:
    tape = Tape.replay(
        sides=[[+1, -1, +1], [-1, -1, 0]], price_moves=[[0.1, 0.2, 0.3], [-1, -2, -3]], sizes=[[1, 2, 3], [1, 1, 1]]
    )

    def make(self, **changes):
        return gym.make(IDS[0], tape=self.tape, num_trades=3, **changes)

    def test_the_tape_drives_the_episodes_in_turn(self):
        env = self.make()
        prices = [[info["price"] for info in episode(env, lambda _: 20)[2]] for _ in range(3)]
        np.testing.assert_allclose(prices[0], [100, 100.1, 100.3, 100.6])
        np.testing.assert_allclose(prices[1], [100, 99, 97, 94])
        assert prices[2] == prices[0]

    def test_a_seed_says_where_to_start(self):
        env = self.make()
        assert episode(env, lambda _: 20, seed=1)[2][-1]["price"] == pytest.approx(94)
        assert episode(env, lambda _: 20, seed=10**30)[2][-1]["price"] == pytest.approx(100.6)

    def test_sizes_are_seen(self):
        env = self.make()
        observations, _, infos = episode(env, lambda _: 20)
        assert observations[:, 2].tolist() == [1, -2, 3, 0]
        assert env.observation_space.high[2] == 3
        assert [info["inventory"] for info in infos] == [0, -1, 1, -2]

    def test_what_does_not_fit_is_refused(self):
        with pytest.raises(ValueError, match="pass num_trades=3"):
            gym.make(IDS[0], tape=self.tape)
        with pytest.raises(ValueError, match="tape must be a Tape"):
            gym.make(IDS[0], tape=[1, 2, 3])
        with pytest.raises(ValueError, match="expected"):
            self.make(reward="expected")


class TestRefusals:
    @pytest.mark.parametrize("action", [-1, 21, 2.0, float("nan"), "3", None, [3], np.array([3, 4]), np.float32(1)])
    def test_actions(self, action):
        env = HedgingEnv()
        env.reset(seed=0)
        with pytest.raises(ValueError, match="action must be a whole number from 0 to 20"):
            env.step(action)

    @pytest.mark.parametrize("action", [3, np.int32(3), np.array(3)])
    def test_good_actions(self, action):
        env = HedgingEnv()
        env.reset(seed=0)
        env.step(action)

    def test_steps_out_of_turn(self):
        env = HedgingEnv(num_trades=1)
        with pytest.raises(gym.error.ResetNeeded):
            env.step(0)
        env.reset()
        env.step(0)
        with pytest.raises(gym.error.ResetNeeded):
            env.step(0)

    def test_arguments(self):
        with pytest.raises(ValueError, match="reward must be one of"):
            HedgingEnv(reward="real")
        with pytest.raises(ValueError, match="render_mode must be"):
            HedgingEnv(render_mode="video")
        with pytest.raises(ValueError, match="did you mean 'spread'"):
            gym.make(IDS[0], spraed=1)
        with pytest.raises(gym.error.Error, match="[Ss]eed"):
            HedgingEnv().reset(seed=-1)


def test_ansi_is_one_line_of_what_matters():
    env = gym.make(IDS[0], render_mode="ansi")
    with pytest.raises(gym.error.ResetNeeded):
        env.render()
    env.reset(seed=0)
    info = env.step(0)[4]
    money = f"mid {info['price']:.2f}  inventory +0  equity {info['equity']:+.2f}"
    assert env.render() == f"trade 1/100  {money}  hedged 1"


def test_importing_it_needs_numpy_and_gymnasium_only():
    code = (
        "import sys, mm_env; heavy = {'torch', 'matplotlib', 'pandas', 'scipy', 'stable_baselines3', 'click', 'rich'};"
        "heavy.add('numba');"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_manual_lists_every_observation():
    manual = HedgingEnv.__doc__
    for name in [column.name for column in OBSERVATIONS] + ["in_flight_1"]:
        of_several = name in ("won", "best_quote")  # dealers, whose manual is that of `DealersEnv`
        assert of_several or f"| {name} " in manual


def test_arguments_of_the_user_keep_their_names():
    names = ["num_trades", "inventory_limit", "hedge_threshold", "hedge_cost_per_unit", "spread", "price_volatility"]
    assert [MarketParams().to_dict()[name] for name in names] == [100, 20, 10, 0.01, 0.05, 0.3]


@pytest.mark.parametrize("market", IDS)
def test_the_law_that_a_debugger_steps_into_is_the_one_that_is_run(market):
    """`compiled=False` runs the law as it stands: the same numbers bit for bit, all of them plain."""
    plain, usual = (gym.make(market, num_trades=15, compiled=compiled).unwrapped for compiled in (False, None))
    actions = usual.action_space
    actions.seed(1)
    for seed in (3, None):  # an episode of the seed, and the one after
        assert np.array_equal(plain.reset(seed=seed)[0], usual.reset(seed=seed)[0])
        ended = False
        while not ended:
            action = actions.sample()
            (seen, reward, ended, _, info), other = plain.step(action), usual.step(action)
            assert np.array_equal(seen, other[0])
            assert (reward, ended, info) == (other[1], other[2], other[4])
            assert type(reward) is float
