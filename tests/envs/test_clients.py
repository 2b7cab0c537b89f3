"""What clients hand over: keywords, actions and seeds in the forms that they have them in."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RescaleAction

from mm_env import DealersParams, HedgingEnv, HedgingVectorEnv, MarketParams, Tape

MAKERS = [
    HedgingEnv,
    HedgingVectorEnv,
    MarketParams.from_mapping,
    DealersParams.from_mapping,
    lambda **k: gym.make("mm_env/Hedging-v0", **k),
    lambda **k: gym.make("mm_env/DealerVsRules-v0", **k),
    lambda **k: gym.make_vec("mm_env/DynamicSpread-v0", num_envs=2, **k),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("name", ["frameskip", "spraed"])
def test_an_unknown_keyword_is_the_error_that_clients_retry_on(make, name):
    """As TorchRL's GymEnv does."""
    arguments = ({name: 4},) if getattr(make, "__name__", "") == "from_mapping" else ()
    for kind in (TypeError, ValueError):
        with pytest.raises(kind, match=f"got an unexpected keyword argument '{name}'") as raised:
            make(*arguments) if arguments else make(**{name: 4})
    assert name != "spraed" or "did you mean 'spread'?" in str(raised.value)


def test_a_length_of_episodes_is_called_num_trades():
    with pytest.raises(ValueError, match="'max_episode_steps' is not a market parameter; pass num_trades"):
        HedgingVectorEnv(2, max_episode_steps=5)


@pytest.mark.parametrize(("low", "high"), [(-0.7, 0.6), (-0.3, 0.9), (-5.0, 3.0)])
def test_what_misses_a_bound_by_rounding_is_the_bound(low, high):
    env = RescaleAction(gym.make("mm_env/Hedging-v0", continuous=True), np.float32(low), np.float32(high))
    plain = HedgingEnv(continuous=True)
    for action, bound in ((env.action_space.low, -1.0), (env.action_space.high, 1.0)):
        env.reset(seed=0)
        plain.reset(seed=0)
        assert env.step(action)[1] == plain.step(np.array([bound], np.float32))[1]


@pytest.mark.parametrize("beyond", [1.00001, -1.00001, np.nan, np.inf])
def test_what_misses_it_by_more_is_refused(beyond):
    env = HedgingEnv(continuous=True)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="from -1 to 1"):
        env.step(np.array([beyond]))


def test_tensors_that_require_a_gradient_are_actions():
    torch = pytest.importorskip("torch")
    one, many = HedgingEnv(continuous=True), HedgingVectorEnv(2, continuous=True)
    one.reset(seed=0)
    many.reset(seed=0)
    reward = one.step(torch.tensor([0.5], requires_grad=True))[1]
    rewards = many.step(torch.tensor([[0.5], [0.5]], requires_grad=True))[1]
    one.reset(seed=0)
    assert one.step(np.array([0.5]))[1] == reward == rewards[0]


def test_seeds_that_are_arrays_of_one_number():
    for make in (HedgingEnv, HedgingVectorEnv, lambda: gym.make("mm_env/DealerVsRules-v0")):
        seen = [make().reset(seed=seed)[0] for seed in (3, np.array(3), np.int64(3))]
        for other in seen[1:]:
            np.testing.assert_array_equal(seen[0], other)


def test_a_spec_keeps_the_path_of_a_tape(tmp_path):
    pytest.importorskip("pandas")
    path = tmp_path / "trades.csv"
    path.write_text("sides,price_moves\n1,0.1\n-1,0.2\n")
    env = gym.make("mm_env/Hedging-v0", num_trades=2, tape=str(path))
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    direct = HedgingEnv(num_trades=2, tape=Tape.read(path))
    assert again.unwrapped._tape.paths.change.tolist() == direct._tape.paths.change.tolist()
    assert HedgingVectorEnv(2, num_trades=2, tape=path)._tape.num_episodes == 1
