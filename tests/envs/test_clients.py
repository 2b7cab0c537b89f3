"""What clients hand over: keywords, actions and seeds in the forms that they have them in."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RescaleAction, TimeAwareObservation

from mm_env import DealersParams, HedgingEnv, HedgingVectorEnv, MarketParams, Tape
from tests.markets import IDS

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


EVERY_ID = [name for name in gym.registry if name.startswith("mm_env/")]


@pytest.mark.parametrize("name", EVERY_ID)
def test_the_horizon_is_in_the_spec_and_truncates_nothing(name):
    env = gym.make(name, num_trades=7)
    assert isinstance(env.unwrapped, type(env)), "no wrapper"
    assert env.spec.max_episode_steps == 7
    aware = TimeAwareObservation(env, normalize_time=True)
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    lanes = gym.make_vec(env.spec, num_envs=2)
    assert lanes.spec.max_episode_steps == 7
    assert gym.make_vec(lanes.spec).num_envs == 2
    for made in (env, aware, again):
        made.reset(seed=0)
        ends = [made.step(made.action_space.sample())[2:4] for _ in range(7)]
        assert [terminated for terminated, _ in ends] == [False] * 6 + [True]
        assert made is again or not any(truncated for _, truncated in ends)
    env.unwrapped.num_trades = 9
    env.reset()
    assert env.unwrapped.params.num_trades == 9 == env.spec.max_episode_steps


@pytest.mark.parametrize("name", EVERY_ID)
def test_every_id_is_made_as_clients_make_it(name):
    """Keywords are offered and taken back; lanes have the attributes and methods that Gymnasium's own have."""
    for make in (gym.make, lambda *arguments, **keywords: gym.make_vec(*arguments, 2, **keywords)):
        with pytest.raises(TypeError, match="got an unexpected keyword argument 'frameskip'"):
            make(name, frameskip=4)
    env, lanes = gym.make(name, num_trades=5), gym.make_vec(name, 2, num_trades=5)
    lanes.set_attr("num_trades", 6)
    for each in (env, lanes):
        each.reset(seed=1)
    assert lanes.get_attr("num_trades") == (6, 6) == lanes.call("num_trades")
    assert env.get_wrapper_attr("num_trades") == 5
    if isinstance(env.action_space, gym.spaces.Box):
        with pytest.raises(ValueError, match="continuous"):
            env.get_wrapper_attr("action_masks")()
    else:
        for mask in (env.get_wrapper_attr("action_masks")(), *lanes.call("action_masks")):
            assert env.action_space.sample(mask=mask_of(env.action_space, mask)) in env.action_space
    for each in (env, lanes):
        each.close()


def mask_of(space, mask):
    """The mask as Gymnasium's spaces take it."""
    if isinstance(space, gym.spaces.Discrete):
        return mask.astype(np.int8)
    return tuple(part.astype(np.int8) for part in np.split(mask, np.cumsum(space.nvec)[:-1]))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", EVERY_ID)
def test_stable_baselines3_makes_every_id_by_its_name(name):
    make_vec_env = pytest.importorskip("stable_baselines3.common.env_util").make_vec_env
    lanes = make_vec_env(f"mm_env:{name}", 2, seed=0)
    assert lanes.get_attr("render_mode") == ["rgb_array"] * 2  # it asks for it unprompted
    lanes.reset()
    assert lanes.step([lanes.action_space.sample()] * 2)[1].shape == (2,)


@pytest.mark.parametrize("name", [*IDS, "mm_env/DealerVsRules-v0"])
def test_every_id_renders_by_every_way_of_a_client(name):
    pytest.importorskip("matplotlib")
    short = {"num_trades": 3}
    pictures = gym.make(name, render_mode="rgb_array_list", **short)  # Gymnasium's own wrapper, by our metadata
    lines, lanes = gym.make(name, render_mode="ansi", **short), gym.make_vec(name, 2, render_mode="rgb_array", **short)
    for env in (pictures, lines, lanes):
        env.reset(seed=1)
        env.step(env.action_space.sample())
    assert [picture.shape for picture in pictures.render()] == [(576, 720, 3)] * 2
    assert lines.render().startswith("trade 1/3  mid")
    assert [picture.shape for picture in lanes.render()] == [(576, 720, 3)] * 2
    assert len(lanes.call("render")) == 2


@pytest.mark.parametrize("mode", gym.vector.AutoresetMode)
@pytest.mark.parametrize("name", ["mm_env/FXDealer-v0", "mm_env/DealerVsRules-v0"])
def test_what_lanes_show_is_what_singles_show(name, mode):
    short = {"num_trades": 4, "render_mode": "ansi"}
    lanes = gym.make_vec(name, 3, autoreset_mode=mode, **short)
    singles = gym.vector.SyncVectorEnv([lambda: gym.make(name, **short)] * 3, autoreset_mode=mode)
    lanes.reset(seed=3)
    singles.reset(seed=3)
    for _ in range(11):
        actions = lanes.action_space.sample()
        ended = lanes.step(actions)[2]
        singles.step(actions)
        if mode is gym.vector.AutoresetMode.DISABLED and ended.any():
            for env in (lanes, singles):
                env.reset(options={"reset_mask": ended})
        assert lanes.render() == singles.render()
        for lane, single in enumerate(singles.envs):
            mine, theirs = lanes._history.episodes(lane), single.unwrapped.episodes()
            for field, values in theirs.arrays().items():
                np.testing.assert_array_equal(getattr(mine, field), values, err_msg=field)


def test_a_lane_that_is_reset_alone_shows_its_own_episode():
    lanes = HedgingVectorEnv(3, num_trades=5, autoreset_mode="Disabled", render_mode="ansi")
    lanes.reset(seed=0)
    lanes.step([1, 2, 3])
    lanes.reset(options={"reset_mask": np.array([False, True, False])})
    lanes.step([1, 2, 3])
    assert [line[:9] for line in lanes.render()] == ["trade 2/5", "trade 1/5", "trade 2/5"]
    assert [lanes._history.episodes(lane).num_trades for lane in range(3)] == [2, 1, 2]


def test_lanes_without_a_render_mode_say_so():
    lanes = HedgingVectorEnv(2, render_mode="ansi")
    with pytest.raises(gym.error.ResetNeeded):
        lanes.render()
    with pytest.warns(UserWarning, match="render_mode"):
        assert HedgingVectorEnv(2).render() is None
    with pytest.warns(UserWarning, match="render_mode"):  # as skrl asks every step
        assert HedgingVectorEnv(2).call("render") == (None, None)


def test_a_video_of_lanes(tmp_path):
    pytest.importorskip("moviepy")
    pytest.importorskip("matplotlib")
    lanes = gym.make_vec("mm_env/Hedging-v0", num_envs=2, num_trades=3, render_mode="rgb_array")
    film = gym.wrappers.vector.RecordVideo(lanes, str(tmp_path), episode_trigger=lambda episode: episode == 0)
    film.reset(seed=0)
    for _ in range(5):
        film.step(film.action_space.sample())
    film.close()
    assert [path.suffix for path in tmp_path.iterdir()] == [".mp4"]


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_a_spec_with_a_tape_says_what_json_can_keep(make, tmp_path):
    pytest.importorskip("pandas")
    arguments = {"num_trades": 3}
    if make is gym.make_vec:
        arguments |= {"num_envs": 2, "vectorization_mode": "vector_entry_point"}
    tape = Tape.replay([1, -1, 0], [0.1, 0.2, 0.3])
    env = make("mm_env/Hedging-v0", tape=tape, **arguments)
    for spec in (env.spec, env.unwrapped.spec, copy.deepcopy(env.spec), pickle.loads(pickle.dumps(env.spec))):
        with pytest.raises(ValueError, match=r"pass tape='trades.csv', the path of its file"):
            spec.to_json()
    again = make(env.spec)
    np.testing.assert_array_equal(again.reset(seed=0)[0], env.reset(seed=0)[0])
    (tmp_path / "trades.csv").write_text("sides,price_moves\n1,0.1\n-1,0.2\n0,0.3\n")
    from_file = make("mm_env/Hedging-v0", tape=str(tmp_path / "trades.csv"), **arguments)
    assert "trades.csv" in from_file.spec.to_json()
