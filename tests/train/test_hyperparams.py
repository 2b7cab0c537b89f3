import pytest

from mm_env import MARKETS, MarketParams, market_params

pytest.importorskip("yaml")

from train.hyperparams import RULES, check_hyperparameters, ppo_arguments, read_hyperparameters, read_yaml
from train.runs.train_config import TrainConfig, check_same, default_config


@pytest.mark.parametrize("market", MARKETS)
def test_every_market_has_hyperparameters(market):
    hyperparameters = read_hyperparameters(market)
    learned = hyperparameters.pop("env_kwargs")
    assert learned.pop("reward") == "expected"
    assert learned in ({}, {"continuous": True})
    check_hyperparameters(hyperparameters)
    rollout = hyperparameters["n_envs"] * hyperparameters["n_steps"]
    assert rollout % hyperparameters["batch_size"] == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_env": 8}, "'n_env' is not a hyperparameter; did you mean 'n_envs'"),
        ({"frame_stack": 4}, "'frame_stack' is not a hyperparameter"),
        ({"n_envs": 0}, "n_envs must be a whole number of at least 1, got 0"),
        ({"n_envs": 8.0}, "n_envs must be a whole number"),
        ({"n_envs": True}, "n_envs must be a whole number"),
        ({"n_timesteps": "1e6"}, "n_timesteps must be a whole number"),
        ({"batch_size": 1}, "batch_size must be a whole number of at least 2"),
        ({"gamma": 1.01}, "gamma must be a number from 0 to 1, got 1.01"),
        ({"gamma": float("nan")}, "gamma must be a number from 0 to 1, got nan"),
        ({"ent_coef": -0.1}, "ent_coef must be a number of at least 0, or 'lin_<number>'"),
        ({"vf_coef": float("inf")}, "vf_coef must be a number of at least 0"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0"),
        ({"learning_rate": "lin_"}, "learning_rate must be"),
        ({"learning_rate": "lin_-1"}, "learning_rate must be"),
        ({"learning_rate": "lin_nan"}, "learning_rate must be"),
        ({"learning_rate": "3e-4"}, "learning_rate must be"),
        ({"policy": "CnnPolicy"}, "policy must be one of MlpPolicy, OrdinalPolicy"),
        ({"policy_kwargs": "dict(net_arch=64)"}, "policy_kwargs must be a mapping with 'net_arch'"),
        ({"policy_kwargs": "dict(net_arch=[64], activation_fn=os.mkdir('ran'))"}, "policy_kwargs must be"),
        ({"policy_kwargs": "dict(net_arch=[64], activation_fn=nn.Module)"}, "policy_kwargs must be"),
        ({"policy_kwargs": "dict(net_arch=[size])"}, "policy_kwargs must be"),
        ({"policy_kwargs": "dict(**{})"}, "policy_kwargs must be"),
        ({"policy_kwargs": "[" * 10_000}, "policy_kwargs must be"),
        ({"policy_kwargs": {"net_arch": [64, "64"]}}, "policy_kwargs must be"),
        ({"policy_kwargs": {"net_arch": {"pi": [64]}}}, "policy_kwargs must be"),
        ({"policy_kwargs": {"activation_fn": "nn.ReLU"}}, "policy_kwargs must be"),
        ({"policy_kwargs": {"net_arch": [64], "log_std_init": "-1"}}, "policy_kwargs must be"),
        ({"normalize_advantage": 1}, "normalize_advantage must be true or false"),
        ({"use_sde": 1}, "use_sde must be true or false"),
        ({"reward_scale": 0}, "reward_scale must be a number above 0"),
    ],
)
def test_bad_hyperparameters_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        check_hyperparameters(values)


def test_ppo_takes_every_hyperparameter():
    import inspect

    stable_baselines3 = pytest.importorskip("stable_baselines3")
    assert set(ppo_arguments({**dict.fromkeys(RULES, 1), "policy_kwargs": {}})) <= set(
        inspect.signature(stable_baselines3.PPO).parameters
    )


def test_a_linear_schedule_falls_to_zero():
    arguments = ppo_arguments({"learning_rate": "lin_4e-3", "clip_range": 0.2, "n_envs": 8})
    schedule = arguments.pop("learning_rate")
    assert [schedule(left) for left in (1.0, 0.5, 0.0)] == pytest.approx([4e-3, 2e-3, 0.0])
    assert arguments == {"clip_range": 0.2}


def test_a_network_is_read_as_rl_zoo3_writes_it():
    from torch import nn

    text = "dict(net_arch=dict(pi=[8], vf=[16]), activation_fn=nn.ReLU, log_std_init=-1.5)"
    wanted = {"net_arch": {"pi": [8], "vf": [16]}, "activation_fn": nn.ReLU, "log_std_init": -1.5}
    check_hyperparameters({"policy_kwargs": text})
    assert ppo_arguments({"policy_kwargs": text}) == {"policy": "MlpPolicy", "policy_kwargs": wanted}


def test_levels_are_learned_as_numbers_where_the_file_says_so(tmp_path):
    plan = default_config("mm_env/DynamicSpread-v0", recipe="plain_ppo")
    assert plan.learned_in == plan.params.replace(continuous=True)
    assert not plan.params.continuous
    plan.write(tmp_path)
    assert TrainConfig.read(tmp_path).learned_in == plan.learned_in


def test_exploring_by_state_needs_numbers():
    with pytest.raises(ValueError, match="use_sde explores in continuous actions only"):
        default_config("mm_env/Hedging-v0").changed(hyperparameters={"use_sde": True})


def test_a_market_is_known_by_its_parameters():
    market = "mm_env/Imbalance-v0"
    assert default_config(market_params(market)) == default_config(market)


def test_a_plan_is_read_back(tmp_path):
    plan = default_config("mm_env/Hedging-v0").changed(env_kwargs={"spread": 0.07, "reward": "realised"}, seed=4)
    plan.write(tmp_path)
    assert TrainConfig.read(tmp_path) == plan
    assert plan.env == "mm_env/Hedging-v0"
    assert (plan.params.spread, plan.reward, plan.seed) == (0.07, "realised", 4)


def test_another_market_takes_the_default_hyperparameters():
    plan = default_config(MarketParams(num_trades=10))
    assert plan.env is None
    assert plan.hyperparameters == default_config(None).hyperparameters
    assert default_config("mm_env/Hedging-v0").params == MarketParams()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"eval_episodes": 1}, "eval_episodes must be a whole number of at least 2"),
        ({"eval_freq": 0}, "eval_freq must be a whole number of at least 1"),
        ({"env_kwargs": {"reward": "expcted"}}, "reward must be one of"),
        ({"env_kwargs": {"spraed": 1}}, "did you mean 'spread'"),
        ({"market": "mm_env/Nothing-v0"}, "no market"),
        ({"hyperparameters": {"gama": 1}}, "did you mean 'gamma'"),
    ],
)
def test_a_bad_plan_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        default_config(None).changed(**changes)


def test_what_differs_is_listed():
    stored = default_config(None).changed(env_kwargs={"risk_aversion": 0.02}, hyperparameters={"n_envs": 64})
    check_same(stored.changed(), stored)
    check_same(stored.changed(MarketParams(risk_aversion=0.02)), stored)
    asked = stored.changed("mm_env/Hedging-v0", hyperparameters={"n_envs": 32}, seed=1)
    with pytest.raises(ValueError, match="another run: risk_aversion is 0.02, asked for 0.01; n_envs is 64, asked"):
        check_same(asked, stored)


@pytest.mark.parametrize("name", ["config.yml", "args.yml"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"", "must hold a mapping"),
        (b"- 1\n- 2", "must hold a mapping"),
        (b"a: [1", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"[" * 10_000, "cannot be read"),
        (b"a: !!python/object/apply:os.mkdir ['ran']", "cannot be read"),
        (b"seed: 0", "do not say"),
    ],
)
def test_a_spoiled_run_folder_is_refused(tmp_path, monkeypatch, name, content, message):
    monkeypatch.chdir(tmp_path)
    default_config(None).write(tmp_path)
    (tmp_path / name).unlink() if content is None else (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        TrainConfig.read(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gamma: ", "gamma: 1", "gamma must be a number"),
        ("spread: 0.05", "spread: .nan", "spread must be a number"),
        ("n_envs: ", "n_lanes: ", "'n_lanes' is not a hyperparameter"),
        ("reward: expected", "reward: [1]", "config.yml"),
    ],
)
def test_a_changed_config_is_refused(tmp_path, old, new, message):
    default_config(None).write(tmp_path)
    config = tmp_path / "config.yml"
    config.write_text(config.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        TrainConfig.read(tmp_path)


def test_yaml_is_read_as_plain_values(tmp_path):
    (tmp_path / "a.yml").write_text("a: {b: [1, 2.5, true, null]}")
    assert read_yaml(tmp_path / "a.yml") == {"a": {"b": [1, 2.5, True, None]}}
