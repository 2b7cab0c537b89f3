"""A market that is changed while its environment lives: the next episodes are those of an environment made with it."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from baselines.policies.threshold import ThresholdPolicy
from mm_env import HedgingEnv, HedgingVectorEnv, Tape, market_params

CHANGES = {
    "risk": {"risk_aversion": 99.0},
    "length": {"num_trades": 5},
    "prices": {"price_volatility": 1.0, "jump_probability": 0.2, "starting_price": 7.0},
    "clients": {"buy_probability": 0.9, "arrival_probability": 0.6, "tiers": [{"decay": 3.0}]},
    "costs": {"hedge_cost_per_unit": 0.3, "hedge_impact": 0.1, "liquidate_at_end": True},
    "the action's meaning": {"hedge_action": "units"},
    "stale quotes": {"quote_latency": 2},
}
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]


def episode(env, **reset):
    """What an episode of one environment shows and earns, with the same actions always."""
    seen, info = env.reset(**reset)
    steps = [(seen.tolist(), 0.0, info)]
    action = 3 if isinstance(env.action_space, gym.spaces.Discrete) else [3, 4]
    while True:
        seen, reward, ended, _, info = env.step(action)
        steps.append((seen.tolist(), reward, info))
        if ended:
            return steps


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", ["params", "attributes", "options"])
def test_a_changed_environment_plays_what_one_made_so_plays(change, way):
    changes = CHANGES[change]
    env, fresh = HedgingEnv(num_trades=7), HedgingEnv(**{"num_trades": 7, **changes})
    before = HedgingEnv(num_trades=7)
    for seed in (4, None):
        assert episode(env, seed=seed) == episode(before, seed=seed)
    env.reset()
    for seed in (4, None, None):
        episode(fresh, seed=seed)
    options = None
    if way == "params":
        env.params = env.params.replace(**changes)
    elif way == "attributes":
        for name, value in changes.items():
            env.set_wrapper_attr(name, value)
    else:
        options = {"params": changes}
    if way != "options":
        before.reset()
        assert env.step(2)[1] == before.step(2)[1]  # the episode under way goes on as it began
    assert episode(env, options=options) == episode(fresh)
    assert env.params == fresh.params
    assert episode(env) == episode(fresh)
    assert episode(env, seed=9) == episode(fresh, seed=9)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("compiled", [False, None])
def test_vectors_change_as_gymnasiums_own_do(change, mode, compiled):
    ours = HedgingVectorEnv(3, autoreset_mode=mode, num_trades=6, compiled=compiled)
    singles = SyncVectorEnv([lambda: HedgingEnv(num_trades=6)] * 3, autoreset_mode=mode)
    for env in (ours, singles):
        env.reset(seed=1)
    for step in range(30):
        if step == 8:
            for name, value in CHANGES[change].items():
                for env in (ours, singles):
                    env.set_attr(name, [value] * 3)
                assert ours.get_attr(name) == singles.get_attr(name)
        ours_step, singles_step = (env.step(np.array([1, 5, 9])) for env in (ours, singles))
        for a, b in zip(ours_step[:4], singles_step[:4], strict=True):
            np.testing.assert_array_equal(a, b)
    assert ours.call("params") == singles.call("params")
    assert ours.call("num_trades") == singles.call("num_trades")
    assert ours.get_attr("action_space")[0] == singles.get_attr("action_space")[0]


def test_the_compiled_law_changes_too():
    pytest.importorskip("numba")
    played = []
    for compiled in (True, False):
        env = HedgingVectorEnv(4, compiled=compiled, num_trades=4)
        env.reset(seed=0)
        env.reset(options={"params": {"risk_aversion": 2.0, "price_volatility": 0.7}})
        played.append([env.step(np.full(4, 3))[1].tolist() for _ in range(4)])
    assert played[0] == played[1]


def test_stable_baselines3_lanes_change():
    sb3 = pytest.importorskip("train.sb3_vec_env")
    env = sb3.SB3VecEnv(market_params(num_trades=5), n_envs=2, seed=3)
    twin = HedgingVectorEnv(2, autoreset_mode=AutoresetMode.SAME_STEP, num_trades=3, risk_aversion=99.0)
    env.reset()
    twin.reset(seed=3)
    twin.reset()
    env.set_attr("risk_aversion", 99.0)
    env.set_attr("num_trades", 3)
    assert env.get_attr("risk_aversion") == [99.0, 99.0]
    ended = [env.step(np.array([20, 20]))[3] for _ in range(5)]
    assert [info["episode"]["l"] for info in ended[-1]] == [5, 5]
    for _ in range(3):
        _, rewards, done, infos = env.step(np.array([20, 20]))
        np.testing.assert_allclose(rewards, twin.step(np.array([20, 20]))[1], rtol=1e-6)
    assert done.all()
    assert [info["episode"]["l"] for info in infos] == [3, 3]


def test_several_dealers_change():
    parallel = pytest.importorskip("mm_env.parallel_env").DealersEnv
    env, fresh = parallel(num_dealers=2, num_trades=6), parallel(num_dealers=2, num_trades=4, spread=0.06, tick=0.02)

    def played(env, **reset):
        env.reset(**reset)
        steps = []
        while env.agents:
            seen, rewards, *_ = env.step({agent: [2, 3] for agent in env.agents})
            steps.append((rewards, {agent: values.tolist() for agent, values in seen.items()}))
        return steps

    played(env, seed=2)
    played(fresh, seed=2)
    changes = {"num_trades": 4, "spread": 0.06, "tick": 0.02}
    assert played(env, options={"params": changes}) == played(fresh)
    env.params = env.params.replace(risk_aversion=3.0)
    fresh.risk_aversion = 3.0
    assert played(env) == played(fresh)
    assert env.params == fresh.params
    with pytest.raises(ValueError, match="num_dealers=3 would change the dealers from 2 to 3"):
        env.num_dealers = 3


def test_rivals_change_with_their_market():
    changes = {"spread": 0.05, "num_trades": 9}
    env, fresh = gym.make("mm_env/DealerVsRules-v0"), gym.make("mm_env/DealerVsRules-v0", **changes)
    episode(env, seed=5)
    episode(fresh, seed=5)
    assert episode(env, options={"params": changes}) == episode(fresh)
    assert env.unwrapped.params == fresh.unwrapped.params
    rule = ThresholdPolicy(3, env.unwrapped.params)
    with pytest.raises(ValueError, match="a rival given as a policy was made for this market"):
        gym.make("mm_env/DealerVsRules-v0", rivals=[rule]).unwrapped.spread = 0.07


@pytest.mark.parametrize("make", [HedgingEnv, lambda **k: HedgingVectorEnv(3, **k)])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inventory_limit": 30}, r"inventory_limit=30 would change the action space from Discrete\(21\) to Discrete"),
        ({"continuous": True}, "continuous=True would change the action space"),
        ({"hedge_latency": 1}, "hedge_latency=1 would change the observation space"),
        ({"spread": -1.0}, "spread must be a number from 0"),
        ({"spraed": 1.0}, "did you mean 'spread'"),
        (3, r'options\["params"\] must be a mapping'),
    ],
)
def test_what_an_environment_cannot_become_is_refused(make, changes, message):
    env = make()
    env.reset(seed=0)
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            env.reset(options={"params": changes})
    assert env.params == make().params


def test_a_tape_and_a_reward_go_on_to_be_checked():
    tape = Tape.replay(sides=[1, -1], price_moves=[0.1, 0.2])
    env = HedgingEnv(num_trades=2, tape=tape)
    with pytest.raises(ValueError, match="the tape has 2 trades"):
        env.num_trades = 3
    with pytest.raises(ValueError, match="reward='expected'"):
        HedgingEnv(reward="expected", mean_reversion=0.1).params = market_params(
            mean_reversion=0.1, quote_latency=1, informed_fraction=0.5
        )
    with pytest.raises(ValueError, match="params must be MarketParams"):
        env.params = {"spread": 1.0}


def test_lanes_share_their_market():
    env = HedgingVectorEnv(2, autoreset_mode=AutoresetMode.DISABLED)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="the lanes share 'spread'"):
        env.set_attr("spread", [0.1, 0.2])
    with pytest.raises(ValueError, match="one for each of 2 lanes"):
        env.set_attr("spread", [0.1])
    env.set_attr("spread", 0.1)
    with pytest.raises(ValueError, match="reset every lane"):
        env.reset(options={"reset_mask": np.array([True, False])})
    env.reset()
    assert env.get_attr("spread") == (0.1, 0.1)
    assert env.step(np.array([5, 5]))[4]["spread_pnl"].max() == 0.1
