"""What was collected is what the environment does when it is reset to the same seeds."""

import json
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from click.testing import CliRunner

from baselines import best_rule, make_policy, solve
from baselines.datasets import Collection, transitions, write_minari, write_parquet
from baselines.datasets.minari_dataset import minari_id
from mm_env import market_params
from mm_env.cli.main import main

SHORT = {"num_trades": 6}
ROOT = Path(__file__).parents[3]


def collected(name="random", market="mm_env/Hedging-v0", episodes=5, **others):
    return Collection(make_policy(name, market_params(market, **SHORT)), name, market, SHORT, episodes, 3, **others)


@pytest.mark.parametrize("reward", ["realised", "expected"])
@pytest.mark.parametrize("market", ["mm_env/Latency-v0", "mm_env/DynamicSpread-v0", "mm_env/HedgingContinuous-v0"])
def test_every_episode_can_be_played_again(market, reward, monkeypatch):
    monkeypatch.setattr(transitions, "_BLOCK_STEPS", 2 * SHORT["num_trades"])  # blocks of two
    collection = collected("random", market, reward=reward)
    env = gym.make(gym.envs.registration.EnvSpec.from_json(collection.spec.to_json()))
    blocks = list(collection.blocks())
    assert [len(block.seeds) for block in blocks] == [2, 2, 1]
    for block in blocks:
        for seed, seen, actions, rewards in zip(*block, strict=True):
            np.testing.assert_array_equal(env.reset(seed=int(seed))[0], seen[0])
            for trade, action in enumerate(actions):
                assert action in env.action_space
                observation, reward_, terminated, truncated, _ = env.step(action)
                np.testing.assert_array_equal(observation, seen[trade + 1])
                assert reward_ == rewards[trade]
                assert (terminated, truncated) == (trade == 5, False)
    assert [seed for block in blocks for seed in block.seeds] == [3, 4, 5, 6, 7]


def test_a_policy_of_another_form_is_refused():
    policy = make_policy("threshold:3", market_params(continuous=True))
    with pytest.raises(ValueError, match=r"threshold:3 acts in Box.*, not in Discrete\(21\)"):
        Collection(policy, "threshold:3")
    with pytest.raises(ValueError, match="episodes must be"):
        collected(episodes=0)


def test_a_table_of_steps(tmp_path):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    collection = collected(market="mm_env/DynamicSpread-v0")
    write_parquet(collection, tmp_path / "steps.parquet")
    table = parquet.read_table(tmp_path / "steps.parquet")
    (block,) = collection.blocks()
    assert table.column_names[:5] == ["seed", "trade", "inventory", "time_left", "request"]
    for column, values in (
        ("seed", np.repeat(block.seeds, 6)),
        ("inventory", block.observations[:, :-1, 0].ravel()),
        ("action_1", block.actions[:, :, 1].ravel()),
        ("reward", block.rewards.ravel()),
        ("terminated", np.tile(np.arange(6) == 5, 5)),
    ):
        np.testing.assert_array_equal(table[column].to_numpy(), values, err_msg=column)
    facts = json.loads(table.schema.metadata[b"mm_env"])
    params = market_params("mm_env/DynamicSpread-v0", **SHORT)
    assert facts["ref_min_score"] == best_rule(params).value
    assert facts["ref_max_score"] == solve(params).value
    assert gym.make(gym.envs.registration.EnvSpec.from_json(json.dumps(facts["env_spec"]))).unwrapped.params == params


def test_scores_that_nobody_knows_are_not_told():
    changes = {"mean_reversion": 0.1, **SHORT}
    policy = make_policy("never", market_params(**changes))
    assert Collection(policy, "never", changes=changes).references == (None, None)


def test_the_command_writes_a_table(tmp_path):
    pytest.importorskip("pyarrow")
    out = tmp_path / "steps.parquet"
    told = CliRunner().invoke(main, ["dataset", "--episodes", "2", "--out", str(out), "--json"])
    facts = json.loads(told.stdout)
    assert out.exists()
    assert facts["steps"] == 200
    assert facts["ref_max_score"] == solve(market_params()).value


@pytest.fixture
def folder(tmp_path, monkeypatch):
    pytest.importorskip("minari")
    pytest.importorskip("h5py")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


READ = """
import minari, sys
data = minari.load_dataset("hedging/random-v0")
env = data.recover_environment()
facts = data.storage.metadata
for episode in data:
    seen, _ = env.reset(seed=data.storage.get_episode_metadata([episode.id]).__iter__().__next__()["seed"])
    for trade, action in enumerate(episode.actions):
        assert (seen == episode.observations[trade]).all()
        seen, reward, terminated, truncated, _ = env.step(action)
        assert reward == episode.rewards[trade] and terminated == episode.terminations[trade] and not truncated
    assert (seen == episode.observations[-1]).all() and terminated
print(len(data), facts["ref_min_score"], facts["ref_max_score"], "jax" in sys.modules)
"""


def test_minari_reads_it_and_makes_the_environment_again(folder):
    done = []
    data, place = write_minari(collected(episodes=4), "hedging/random", done.append)
    assert place == folder / "hedging" / "random-v0"
    assert sum(done) == len(data) == 4
    params = market_params(**SHORT)
    read = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ],
        env={"PYTHONPATH": str(ROOT), "MINARI_DATASETS_PATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert read.returncode == 0, read.stderr
    assert read.stdout.split() == ["4", str(best_rule(params).value), str(solve(params).value), "False"]
    with pytest.raises(ValueError, match="holds a dataset of that name"):
        write_minari(collected(), "hedging/random-v0")


def test_what_breaks_off_leaves_nothing(folder):
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_minari(collected(), "hedging/broken", stop)
    assert not list(folder.glob("**/*.hdf5"))


def test_names_that_minari_does_not_take(folder):
    assert minari_id("abc/random-v3") == "abc/random-v3"
    assert minari_id("hedging/threshold") == "hedging/threshold-v0"
    with pytest.raises(ValueError, match="no name of a Minari dataset"):
        minari_id("a b")
