import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
from baselines import make_policy
from baselines.solver.best_response import exploitability
from mm_env import DealersParams, play_dealers
from mm_env.envs.dealers_market import DEALERS_DEFAULTS
from mm_env.envs.dealers_vector_env import DealersVectorEnv
from train import SB3VecEnv, load_policy
from train.dealer import HiddenColumns, hidden_places, train_dealer
from train.policies.saved_policy import save_policy

PARAMS = DealersParams.from_mapping({**DEALERS_DEFAULTS, "num_dealers": 2, "num_trades": 20})
SMALL = {"n_envs": 8, "n_steps": 20, "batch_size": 80}


@pytest.mark.parametrize("rivals", [("threshold:3:0.03",), ()])
def test_a_dealer_learns_and_is_kept(rivals, tmp_path):
    policy = train_dealer(PARAMS, rivals, seed=1, total_timesteps=320, hyperparameters=SMALL, progress=False)
    again = train_dealer(PARAMS, rivals, seed=1, total_timesteps=320, hyperparameters=SMALL, progress=False)
    save_policy(policy, tmp_path)
    kept = load_policy(tmp_path)
    assert kept.params == PARAMS
    (a, _), (b, _), (c, _) = (play_dealers([p, make_policy("flat", PARAMS)], PARAMS, 20) for p in (policy, again, kept))
    np.testing.assert_array_equal(a.reward, b.reward)
    np.testing.assert_array_equal(a.reward, c.reward)


def test_lanes_of_self_play_have_the_seeds_of_their_markets():
    lanes = DealersVectorEnv(6, num_dealers=2, num_trades=20, autoreset_mode="SameStep")
    env = SB3VecEnv(lanes, seed=4)
    first = env.reset()
    np.testing.assert_array_equal(first, DealersVectorEnv(6, num_dealers=2, num_trades=20).reset(seed=4)[0])
    for _ in range(20):
        env.step_async(np.tile([3, 4], (6, 1)))
        _, _, ended, infos = env.step_wait()
    assert ended.all()
    assert all(info["episode"]["l"] == 20 for info in infos)


def test_lanes_that_rest_after_an_episode_are_refused():
    with pytest.raises(ValueError, match="SAME_STEP"):
        SB3VecEnv(DealersVectorEnv(6))


@pytest.mark.slow
def test_a_learner_beats_two_fixed_rules():
    """More than each of them, over three seeds; the benchmark does it over five, with the exact best response."""
    params = DealersParams.from_mapping(DEALERS_DEFAULTS)
    rules = ("threshold:3:0.03", "threshold:10:0.04")
    for seed in range(3):
        policy = train_dealer(params, rules, seed=seed, total_timesteps=600_000, progress=False)
        seats = play_dealers([policy, *(make_policy(rule, params) for rule in rules)], params, 1000)
        earned = [(seat.reward - seat.unexpected_pnl).sum(axis=1).mean() for seat in seats]
        assert earned[0] > max(earned[1:]) + 0.3


def test_what_is_hidden_decides_nothing_so_that_a_best_response_can_answer():
    params = PARAMS.replace(transparent=True, num_trades=5, inventory_limit=3)
    small, hidden = {"n_envs": 8, "n_steps": 5, "batch_size": 40}, ("won", "best_quote")
    with pytest.raises(ValueError, match="reacts to"):
        exploitability(train_dealer(params, total_timesteps=400, hyperparameters=small, progress=False), params)
    policy = train_dealer(params, total_timesteps=400, hyperparameters=small, hidden=hidden, progress=False)
    assert exploitability(policy, params) > 0
    with pytest.raises(ValueError, match="hidden must be among inventory, .*, got 'mid'"):
        hidden_places(params, ["mid"])


def test_hidden_columns_are_zero_and_others_as_they_were():
    plain, hiding = (
        SB3VecEnv(DealersVectorEnv(4, num_dealers=2, num_trades=3, autoreset_mode="SameStep"), seed=1) for _ in range(2)
    )
    hiding = HiddenColumns(hiding, [0, 3])
    seen, shown = plain.reset(), hiding.reset()
    for _ in range(3):
        assert not shown[:, [0, 3]].any()
        np.testing.assert_array_equal(np.delete(seen, [0, 3], axis=1), np.delete(shown, [0, 3], axis=1))
        (seen, *_, infos), (shown, *_, told) = plain.step(np.tile([3, 4], (4, 1))), hiding.step(np.tile([3, 4], (4, 1)))
    for info, other in zip(infos, told, strict=True):
        np.testing.assert_array_equal(info["terminal_observation"][[1, 2]], other["terminal_observation"][[1, 2]])
        assert not other["terminal_observation"][[0, 3]].any()
