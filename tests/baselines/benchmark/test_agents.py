"""Agents: names, sources, training seeds found on disk, and hashes of what is read."""

import hashlib

import pytest

from baselines.benchmark.agents import Agent, digest

MARKETS = ["mm_env/Hedging-v0", "mm_env/Latency-v0"]


def folders(root, *paths):
    for path in paths:
        (root / path).mkdir(parents=True)


def test_a_source_is_its_own_name():
    none = dict.fromkeys(MARKETS, (0,))
    assert Agent.of("band:5:1", MARKETS) == Agent("band:5:1", "band:5:1", none)
    assert Agent.of("mine=agent:policy", MARKETS) == Agent("mine", "agent:policy", none)


def test_training_seeds_are_found_on_disk(tmp_path):
    folders(tmp_path, *(f"ppo/{market}/seed-{seed}" for market in ("Hedging-v0", "Latency-v0") for seed in (0, 3, 11)))
    folders(tmp_path, "ppo/Hedging-v0/seed-x", "ppo/Hedging-v0/seed-4-old")
    agent = Agent.of(f"ppo={tmp_path}/ppo/{{market}}/seed-{{seed}}", MARKETS)
    assert agent.seeds == dict.fromkeys(MARKETS, (0, 3, 11))
    assert agent.policy("mm_env/Latency-v0", 11) == f"{tmp_path}/ppo/Latency-v0/seed-11"


def test_training_seeds_are_found_in_the_names_of_files_too(tmp_path):
    folders(tmp_path, *(f"{seed}/Latency-v0" for seed in (1, 2)))
    for seed in (1, 2):
        (tmp_path / f"{seed}/Latency-v0/model.zip").write_bytes(b"")
    assert Agent.of(f"a={tmp_path}/{{seed}}/{{market}}/model.zip", MARKETS[1:]).seeds == {MARKETS[1]: (1, 2)}


def test_training_seeds_may_have_other_numbers_in_another_market(tmp_path):
    folders(tmp_path, "Hedging-v0/0", "Hedging-v0/1", "Latency-v0/20", "Latency-v0/21")
    agent = Agent.of(f"ppo={tmp_path}/{{market}}/{{seed}}", MARKETS)
    assert agent.seeds == {"mm_env/Hedging-v0": (0, 1), "mm_env/Latency-v0": (20, 21)}
    assert agent.told()["seeds"] == {"mm_env/Hedging-v0": [0, 1], "mm_env/Latency-v0": [20, 21]}
    for each in (agent, Agent.of("never", MARKETS)):
        assert Agent.recorded(each.name, each.told(), MARKETS) == each
    assert Agent.of("never", MARKETS).told()["seeds"] == [0]


def test_an_agent_without_a_policy_in_a_market_is_refused(tmp_path):
    folders(tmp_path, "Hedging-v0/0", "Hedging-v0/1", "Latency-v0/0")
    with pytest.raises(ValueError, match=r"seeds \(0, 1\) for mm_env/Hedging-v0, but \(0,\) for mm_env/Latency-v0"):
        Agent.of(f"ppo={tmp_path}/{{market}}/{{seed}}", MARKETS)
    with pytest.raises(ValueError, match="nothing is there for mm_env/Hedging-v0"):
        Agent.of(f"ppo={tmp_path}/runs/{{market}}/{{seed}}", MARKETS)


@pytest.mark.parametrize("text", ["", "=never", "mine="])
def test_nothing_is_no_agent(text):
    with pytest.raises(ValueError, match="expected SOURCE or NAME=SOURCE"):
        Agent.of(text, MARKETS)


def test_the_hash_is_of_what_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.zip").write_bytes(b"model")
    (tmp_path / "agent.py").write_bytes(b"def policy(params): ...")
    folders(tmp_path, "run")
    (tmp_path / "run/policy.json").write_bytes(b"{}")
    (tmp_path / "run/policy.safetensors").write_bytes(b"weights")
    assert digest("model.zip") == hashlib.sha256(b"model").hexdigest()
    assert digest("agent:policy") == hashlib.sha256(b"def policy(params): ...").hexdigest()
    assert digest("never") is None
    before = digest("run")
    (tmp_path / "run/evaluations.npz").write_bytes(b"not read")
    assert digest("run") == before
    (tmp_path / "run/policy.safetensors").write_bytes(b"others")
    assert digest("run") != before
