import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from mm_env import MarketParams
from train import SB3VecEnv
from train.policies.parameter_ranges import market_at
from train.randomised.randomised_vec_env import RandomisedVecEnv

PARAMS = MarketParams(num_trades=4, inventory_limit=5, hedge_threshold=2)
RANGES = {"risk_aversion": (0.002, 0.2), "hedge_cost_per_unit": (0.01, 0.1)}


def made(**changes):
    return RandomisedVecEnv(PARAMS, RANGES, n_envs=8, groups=2, reward="expected", **changes)


def shares_of(observations):
    """Where in its ranges each lane's market lies, as it is shown."""
    return (observations[:, -2:].astype(np.float64) + 1) / 2


def test_every_group_plays_the_market_that_it_is_shown_in_every_episode():
    venv = made(lanes_per_tape=2)
    venv.seed(5)
    observations = venv.reset()
    seen = []
    for episode in range(3):
        shares = shares_of(observations)
        assert len(np.unique(shares, axis=0)) == 2
        seen.extend(np.unique(shares, axis=0).tolist())
        alike = [
            SB3VecEnv(market_at(PARAMS, RANGES, shares[lane]), 4, reward="expected", lanes_per_tape=2)
            for lane in (0, 4)
        ]
        for number, group in enumerate(alike):
            group.seed(5 + 4 * number)
            for _ in range(episode + 1):
                own = group.reset()
            np.testing.assert_array_equal(own, observations[4 * number : 4 * number + 4, :-2])
        for trade in range(PARAMS.num_trades):
            before, actions = observations, np.arange(8) % 6
            observations, rewards, ended, infos = venv.step(actions)
            wanted = [group.step(part) for group, part in zip(alike, np.split(actions, 2), strict=True)]
            np.testing.assert_allclose(rewards, np.concatenate([w[1] for w in wanted]), atol=1e-6)
            assert ended.all() == (trade == PARAMS.num_trades - 1)
        last = np.stack([info["terminal_observation"] for info in infos])
        np.testing.assert_array_equal(last[:, -2:], before[:, -2:])
        assert {tuple(info["episode"]) for info in infos} == {("r", "l", "t")}
    assert len({tuple(row) for row in seen}) == 6


def test_hidden_parameters_are_not_shown():
    assert made(shown=False).observation_space.shape == (made().observation_space.shape[0] - 2,)
    assert made(shown=False).reset().shape == (8, 3)


def test_equal_seeds_draw_equal_markets():
    one, two = made(), made()
    for venv in (one, two):
        venv.seed(3)
    np.testing.assert_array_equal(one.reset(), two.reset())
    two.seed(4)
    assert not np.array_equal(one.reset(), two.reset())


def test_lanes_of_one_tape_share_its_market():
    venv = made(lanes_per_tape=4)
    venv.seed(0)
    observations = venv.reset()
    assert (observations[:4] == observations[0]).all()
    assert venv.get_attr("lanes_per_tape") == [4] * 8
    assert len(venv.env_method("action_masks")) == 8


def test_what_does_not_divide_or_would_change_what_is_drawn_is_refused():
    with pytest.raises(ValueError, match="groups must divide n_envs=8, got 3"):
        RandomisedVecEnv(PARAMS, RANGES, n_envs=8, groups=3)
    with pytest.raises(ValueError, match="drawn"):
        made().set_attr("spread", 0.1)
