import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from baselines import make_policy, policy_value, solve
from baselines.evaluation.comparison import compare
from mm_env import MarketParams, market_params, play

pytest.importorskip("stable_baselines3")

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import set_random_seed

from train import SB3VecEnv, load_policy, train_ppo
from train.runs.checkpoints import checkpoints
from train.runs.held_out import CURVE, FRESH_SEED, Curve, Evaluator
from train.runs.train_config import default_config

TINY = {"n_envs": 8, "n_steps": 10, "batch_size": 40, "n_epochs": 2, "policy_kwargs": {"net_arch": [8]}}
ROLLOUT, TOTAL = 80, 800


def tiny(run_dir=None, **arguments):
    """Ten rollouts, evaluated and kept after every second."""
    arguments = {"total_timesteps": TOTAL, "eval_freq": 2 * ROLLOUT, "hyperparameters": TINY, **arguments}
    kwargs = {"env_kwargs": {"num_trades": 10}, "eval_episodes": 20, "progress": False}
    return train_ppo(run_dir=run_dir, **{**kwargs, **arguments})


def resumed(run_dir, **arguments):
    return train_ppo(run_dir=run_dir, resume=True, progress=False, **arguments)


@pytest.fixture
def interrupt(monkeypatch):
    """Interrupt the training in the step with that number."""

    def at(step, error=KeyboardInterrupt):
        steps, wait = iter(range(1, 10**9)), SB3VecEnv.step_wait

        def step_wait(lanes):
            if next(steps) == step:
                raise error
            return wait(lanes)

        monkeypatch.setattr(SB3VecEnv, "step_wait", step_wait)

    return at


def test_a_run_folder_holds_what_rl_zoo3_users_know(tmp_path):
    result = tiny(tmp_path / "run")
    folder = result.run_dir
    assert {path.name for path in folder.iterdir()} == {
        "config.yml",
        "args.yml",
        "evaluations.npz",
        "best_model.zip",
        "rl_model_640_steps.zip",
        "rl_model_800_steps.zip",
        "policy.json",
        "policy.safetensors",
        "tensorboard",
    }
    assert list((folder / "tensorboard").glob("events.out.tfevents.*"))
    assert result.timesteps == TOTAL
    assert result.seconds > 0
    assert result.policy.training["objective"] == max(result.curve.objective)
    assert (result.objective, result.share) == (result.exact.objective, result.exact.share)


@pytest.mark.parametrize("market", ["mm_env/DynamicSpread-v0", "mm_env/AdverseSelection-v0", "mm_env/Latency-v0"])
def test_every_kind_of_market_is_learned_in(market, tmp_path):
    arguments = {"total_timesteps": 2 * ROLLOUT, "eval_freq": ROLLOUT}
    smaller = {"num_trades": 10, "inventory_limit": 5}
    kwargs = {"env_kwargs": smaller, "eval_episodes": 20, "progress": False}
    hyperparameters = {**TINY, "policy_kwargs": "dict(net_arch=[8, 8], activation_fn=nn.ReLU, log_std_init=-1.5)"}
    result = train_ppo(market, run_dir=tmp_path, hyperparameters=hyperparameters, **kwargs, **arguments)
    params = market_params(market, **smaller)
    assert result.policy.params == params
    assert policy_value(load_policy(tmp_path, params), params) == policy_value(result.policy, params)
    assert resumed(tmp_path).timesteps == 2 * ROLLOUT


def test_the_curve_is_in_evaluations_npz(tmp_path):
    result = tiny(tmp_path)
    with np.load(tmp_path / CURVE, allow_pickle=False) as arrays:
        assert arrays["timesteps"].tolist() == [0, 160, 320, 480, 640, 800]
        assert arrays["results"].shape == arrays["ep_lengths"].shape == (6, 20)
        assert (arrays["ep_lengths"] == 10).all()
        assert (np.diff(arrays["seconds"]) > 0).all()
        assert arrays["objective"].tolist() == result.curve.objective.tolist()
        assert arrays["share"].tolist() == result.curve.share.tolist()


def test_the_saved_policy_is_the_best_one(tmp_path):
    result = tiny(tmp_path)
    policy = load_policy(tmp_path)
    assert policy.env == "mm_env/Hedging-v0"
    assert policy.params == result.plan.params == MarketParams(num_trades=10)
    assert policy.training["objective"] == Evaluator(policy.params, 20)(policy).objective  # that chose it
    assert result.objective == policy_value(policy, policy.params)


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = tiny(market=MarketParams(risk_aversion=0.02))
    assert not list(tmp_path.iterdir())
    assert result.run_dir is None
    assert result.policy.env is None
    assert result.plan.params == MarketParams(risk_aversion=0.02, num_trades=10)


def test_equal_seeds_train_equally_and_others_do_not():
    one, same, other = tiny(seed=1), tiny(seed=1), tiny(seed=2)
    np.testing.assert_array_equal(one.curve.results, same.curve.results)
    assert (one.curve.results != other.curve.results).any()


def test_the_number_of_threads_is_left_as_it_was():
    before = torch.get_num_threads()
    tiny(total_timesteps=ROLLOUT)
    assert torch.get_num_threads() == before


def test_evaluation_meets_the_exact_value():
    params = market_params()
    policy = make_policy("threshold:3", params)
    evaluation = Evaluator(params, 2_000)(policy)
    rule, best = policy_value(make_policy("threshold", params), params), solve(params).value
    exact = policy_value(policy, params)
    assert evaluation.objective == pytest.approx(exact, abs=0.02)
    assert evaluation.share == pytest.approx((exact - rule) / (best - rule), abs=0.005)
    assert evaluation.returns.mean() == pytest.approx(exact, abs=1.0)


def test_where_nothing_is_exact_a_run_reports_fresh_episodes(monkeypatch):
    """Not the best of its evaluations, which chose the policy."""
    monkeypatch.setattr("baselines.solver.market_mdp._LARGEST", 1)
    result = tiny()
    assert result.exact is None
    fresh = play(result.policy, result.plan.params, result.plan.eval_episodes, FRESH_SEED)
    assert result.objective == pytest.approx((fresh.reward - fresh.unexpected_pnl).sum(axis=1).mean())
    assert result.objective != max(result.curve.objective)


def test_the_progress_line_says_which_episodes_it_tells_of(monkeypatch):
    said = []
    monkeypatch.setattr("train.runs.checkpoint_callback.tqdm.set_postfix_str", lambda bar, text: said.append(text))
    result = tiny()
    assert len(said) == len(result.curve.objective)
    assert said[-1].startswith(f"selection episodes: objective={result.curve.objective[-1]:.4f}")


def test_the_share_is_unknown_where_the_market_cannot_be_solved(monkeypatch):
    monkeypatch.setattr("baselines.solver.market_mdp._LARGEST", 1)
    assert np.isnan(tiny().share)


def test_evaluation_plays_the_same_episodes_every_time():
    params = MarketParams(num_trades=10)
    evaluate, policy = Evaluator(params, 50), make_policy("threshold:2", params)
    np.testing.assert_array_equal(evaluate(policy).returns, evaluate(policy).returns)
    both = compare({"two": policy}, params, 50, seed=0)
    assert set(evaluate(policy).returns).isdisjoint(both.totals["two"].reward)


def test_ctrl_c_keeps_what_was_learned(tmp_path, interrupt):
    interrupt(55)  # in the sixth rollout: five are learned from
    with pytest.raises(KeyboardInterrupt):
        tiny(tmp_path)
    assert list(checkpoints(tmp_path)) == [5 * ROLLOUT, 4 * ROLLOUT]


def test_ctrl_c_before_anything_is_learned(tmp_path, interrupt):
    interrupt(3)
    with pytest.raises(KeyboardInterrupt):
        tiny(tmp_path)
    assert not checkpoints(tmp_path)
    assert resumed(tmp_path).timesteps == TOTAL


@pytest.mark.parametrize(("error", "kept"), [(KeyboardInterrupt, 5), (SystemError, 4)])
def test_a_resumed_run_goes_on_to_the_same_number_of_steps(tmp_path, interrupt, error, kept):
    whole = tiny(tmp_path / "whole")
    rates = [group["lr"] for group in whole.model.policy.optimizer.param_groups]
    interrupt(55, error)
    with pytest.raises(error):
        tiny(tmp_path / "cut")
    assert next(iter(checkpoints(tmp_path / "cut"))) == kept * ROLLOUT
    result = resumed(tmp_path / "cut")
    assert result.timesteps == whole.timesteps == TOTAL
    assert result.curve.timesteps.tolist() == whole.curve.timesteps.tolist()
    assert (np.diff(result.curve.seconds) > 0).all()
    assert [group["lr"] for group in result.model.policy.optimizer.param_groups] == rates
    updates = TINY["n_epochs"] * TOTAL // TINY["batch_size"]
    assert {int(memory["step"]) for memory in result.model.policy.optimizer.state.values()} == {updates}


ORDINAL = {"policy": "OrdinalPolicy", "lanes_per_tape": 4}
NOISE = {"policy_kwargs": "dict(net_arch=[8], activation_fn=nn.ReLU, log_std_init=-1.5)", "gamma": 0.9}


@pytest.mark.parametrize(
    ("market", "recipe", "changes"),
    [
        ("mm_env/Hedging-v0", "ppo", ORDINAL),
        ("mm_env/Hedging-v0", "ppo", {"n_steps": 20, "batch_size": 80}),  # two episodes a rollout
        ("mm_env/Imbalance-v0", "plain_ppo", NOISE),  # gSDE: noise that lasts for a rollout
    ],
)
@pytest.mark.parametrize(("step", "error"), [(3, KeyboardInterrupt), (55, SystemError), (81, KeyboardInterrupt)])
def test_a_resumed_run_ends_bit_for_bit_as_if_it_had_not_been_interrupted(
    tmp_path, interrupt, market, recipe, changes, step, error
):
    arguments = {"market": market, "recipe": recipe, "hyperparameters": {**TINY, **changes}}
    whole = tiny(tmp_path / "whole", **arguments)
    interrupt(step, error)
    with pytest.raises(error):
        tiny(tmp_path / "cut", **arguments)
    set_random_seed(1)  # whatever stands in the other process
    again = resumed(tmp_path / "cut")
    np.testing.assert_array_equal(again.curve.results, whole.curve.results)
    one, other = (tmp_path / name / "policy.safetensors" for name in ("whole", "cut"))
    assert one.read_bytes() == other.read_bytes()
    for mine, theirs in zip(again.model.policy.parameters(), whole.model.policy.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_an_update_that_was_interrupted_is_made_anew(tmp_path, monkeypatch):
    whole = tiny()
    calls, clip = iter(range(1, 10**9)), torch.nn.utils.clip_grad_norm_

    def interrupted(*arguments, **keywords):
        if next(calls) == 15:  # the third of four of the fourth rollout
            raise KeyboardInterrupt
        return clip(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.utils, "clip_grad_norm_", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tiny(tmp_path / "cut")
    assert next(iter(checkpoints(tmp_path / "cut"))) == 3 * ROLLOUT
    again = resumed(tmp_path / "cut")
    for mine, theirs in zip(again.model.policy.parameters(), whole.model.policy.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_run_whose_rollouts_are_no_episodes_goes_on_with_new_ones(tmp_path, interrupt, monkeypatch):
    changes = {**TINY, "n_steps": 5, "batch_size": 20}
    seeds, seed = [], SB3VecEnv.seed
    monkeypatch.setattr(SB3VecEnv, "seed", lambda lanes, number=None: seeds.append(number) or seed(lanes, number))
    interrupt(38)
    with pytest.raises(KeyboardInterrupt):
        tiny(tmp_path, hyperparameters=changes)
    assert next(iter(checkpoints(tmp_path))) == 7 * ROLLOUT // 2
    assert resumed(tmp_path).timesteps == TOTAL
    assert len(set(seeds)) == 2  # it does not train on the first episodes again


def test_a_finished_run_is_returned_as_it_is(tmp_path):
    first = tiny(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = resumed(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert (again.timesteps, again.share, again.seconds) == (first.timesteps, first.share, first.seconds)
    observations = np.random.default_rng(0).uniform(-1, 1, (100, 3)).astype(np.float32)
    np.testing.assert_array_equal(again.policy(observations), first.policy(observations))
    np.testing.assert_array_equal(
        again.model.predict(observations, deterministic=True)[0],
        first.model.predict(observations, deterministic=True)[0],
    )


def test_a_truncated_checkpoint_falls_back_to_the_one_before(tmp_path, interrupt):
    interrupt(75)
    with pytest.raises(KeyboardInterrupt):
        tiny(tmp_path)
    newest, before = checkpoints(tmp_path).values()
    newest.write_bytes(newest.read_bytes()[:1000])
    with pytest.warns(UserWarning, match=f"passed over a damaged checkpoint: {newest}"):
        result = resumed(tmp_path)
    assert result.timesteps == TOTAL
    assert before.name == "rl_model_480_steps.zip"


def test_a_torn_policy_pair_is_written_anew(tmp_path, interrupt):
    interrupt(55)
    with pytest.raises(KeyboardInterrupt):
        tiny(tmp_path)
    (tmp_path / "policy.json").unlink()
    run, policy = resumed(tmp_path), load_policy(tmp_path)
    assert run.objective == policy_value(policy, policy.params)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"market": MarketParams(num_trades=20)}, "another run: num_trades is 10, asked for 20"),
        ({"env_kwargs": {"spread": 0.1}}, "another run: spread is 0.05, asked for 0.1"),
        ({"seed": 1}, "another run: seed is 0, asked for 1"),
        ({"total_timesteps": 400}, "another run: n_timesteps is 800, asked for 400"),
        ({"hyperparameters": {"gamma": 0.5}}, "another run: gamma is 1.0, asked for 0.5"),
        ({"eval_episodes": 30}, "another run: eval_episodes is 20, asked for 30"),
    ],
)
def test_resuming_another_run_is_refused(tmp_path, arguments, message):
    tiny(tmp_path, total_timesteps=TOTAL, seed=0)
    with pytest.raises(ValueError, match=message):
        resumed(tmp_path, **arguments)


class Rates(BaseCallback):
    """The learning rates that the updates so far were made with."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def _on_step(self):
        return True

    def _on_rollout_start(self):
        if self.num_timesteps > TOTAL:
            self.seen.append(self.model.policy.optimizer.param_groups[0]["lr"])


def test_an_ended_run_is_resumed_to_more_steps(tmp_path):
    first = tiny(tmp_path)
    rates = Rates()
    longer = resumed(tmp_path, total_timesteps=2 * TOTAL, callback=rates)
    assert longer.timesteps == 2 * TOTAL
    assert rates.seen == pytest.approx(np.arange(9, 0, -1) * 0.01 / 20)  # the schedule of a run of 1,600 steps
    assert longer.curve.timesteps[:6].tolist() == first.curve.timesteps.tolist()
    assert longer.objective >= first.objective
    assert resumed(tmp_path).timesteps == 2 * TOTAL  # that is what the folder holds now


def test_an_interrupted_run_is_first_ended(tmp_path, interrupt):
    interrupt(55)
    with pytest.raises(KeyboardInterrupt):
        tiny(tmp_path)
    with pytest.raises(ValueError, match="another run: n_timesteps is 800, asked for 1600"):
        resumed(tmp_path, total_timesteps=2 * TOTAL)


@pytest.mark.parametrize("limits", [{"patience": 1}, {"time_limit": 1e-9}])
def test_a_stopped_run_says_so_and_goes_on_bit_for_bit(tmp_path, limits):
    whole = tiny(tmp_path / "whole")
    stopped = tiny(tmp_path / "stopped", **limits)
    assert 0 < stopped.timesteps < TOTAL
    assert stopped.stopped in stopped.remarks()[0]
    assert f"Stopped after {stopped.timesteps:,} of 800 steps" in stopped.remarks()[0]
    assert stopped.curve.timesteps[-1] == stopped.timesteps
    assert np.isfinite(stopped.curve.exact_share).all() == ("patience" in limits)
    before = stopped.timesteps
    assert resumed(tmp_path / "stopped", **limits).timesteps > before
    again = resumed(tmp_path / "stopped")
    assert again.stopped is None
    assert again.timesteps == TOTAL
    for mine, theirs in zip(again.model.policy.parameters(), whole.model.policy.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_limits_that_make_no_sense_are_refused():
    for name in ("patience", "time_limit"):
        with pytest.raises(ValueError, match=f"{name} must be above 0, got 0"):
            tiny(**{name: 0})


def test_resuming_with_the_same_arguments_is_accepted(tmp_path):
    tiny(tmp_path)
    assert tiny(tmp_path, resume=True, market="mm_env/Hedging-v0", seed=0).timesteps == TOTAL


def test_folders_are_not_mixed_up(tmp_path):
    with pytest.raises(ValueError, match="resume needs the run_dir"):
        train_ppo(resume=True)
    with pytest.raises(ValueError, match="config.yml: cannot be read"):
        resumed(tmp_path / "none")
    tiny(tmp_path, total_timesteps=ROLLOUT)
    with pytest.raises(ValueError, match=r"holds a run already: go on with it by resume=True"):
        tiny(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="holds a run already|cannot"):
        tiny(tmp_path / "file")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"PK", "not the evaluations of a run"), (b"\x93NUMPY\x01\x00v\x00{'descr': '|O'}", "not the evaluations")],
)
def test_a_spoiled_curve_is_refused(tmp_path, content, message):
    (tmp_path / CURVE).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Curve.read(tmp_path, 20)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("timesteps", np.int64(3)),
        ("timesteps", np.zeros(6)),
        ("objective", np.zeros(5)),
        ("results", np.zeros((6, 21))),
        ("share", np.array([None] * 6)),
    ],
)
def test_a_curve_of_other_shapes_is_refused(tmp_path, name, values):
    tiny(tmp_path)
    with np.load(tmp_path / CURVE) as arrays:
        held = {**arrays, name: values}
    np.savez(tmp_path / CURVE, **held)
    with pytest.raises(ValueError, match=CURVE):
        resumed(tmp_path)


SCRIPT = f"""
import signal, sys
from train import train_ppo
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
try:
    train_ppo(
        run_dir=sys.argv[1], env_kwargs={{"num_trades": 10}}, total_timesteps={300 * ROLLOUT}, eval_episodes=20,
        eval_freq={10 * ROLLOUT}, hyperparameters={TINY}, progress=False,
    )
except KeyboardInterrupt:
    sys.exit(130)  # told here: the interpreter's own exit code depends on what else is installed
"""


def kill_during_training(folder, number):
    """Start the run, send it the signal once it has kept two checkpoints, and return its exit code."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if folder.is_dir() and len(checkpoints(folder)) == 2:
            os.kill(process.pid, number)
            break
        time.sleep(0.01)
    return process.wait(60)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_is_resumed(tmp_path, number):
    code = kill_during_training(tmp_path / "run", number)
    assert code == {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130}[number]
    newest = next(iter(checkpoints(tmp_path / "run")))
    assert 20 * ROLLOUT <= newest < 300 * ROLLOUT
    result = resumed(tmp_path / "run")
    assert result.timesteps == 300 * ROLLOUT
    assert result.curve.timesteps.tolist() == list(range(0, 301 * ROLLOUT, 10 * ROLLOUT))
    assert load_policy(tmp_path / "run").training["objective"] == max(result.curve.objective)


@pytest.mark.slow
def test_five_seeds_close_the_gap():
    params = market_params()
    rule, best = policy_value(make_policy("threshold", params), params), solve(params).value
    policies = [train_ppo(seed=seed, progress=False).policy for seed in range(5)]
    shares = [(policy_value(policy, params) - rule) / (best - rule) for policy in policies]
    assert np.mean(shares) >= 0.97
    assert min(shares) >= 0.95


def test_what_a_run_is_worth_is_exact():
    result = tiny()
    params = result.plan.params
    assert result.exact.objective == policy_value(result.policy, params)
    rule, best = policy_value(make_policy("threshold", params), params), solve(params).value
    assert result.exact.share == pytest.approx((result.exact.objective - rule) / (best - rule))


def test_a_run_that_ends_below_the_best_rule_says_so():
    result = tiny(total_timesteps=1)
    assert result.timesteps == ROLLOUT
    assert result.exact.below_best_rule
    shorter, few, worse = result.remarks()[0], result.remarks()[1], result.remarks()[-1]
    assert shorter == "PPO learns from whole rollouts: 80 steps were made, 1 asked for."
    assert few.startswith("1 steps were asked for, of the 256,000 that the hyperparameters are made for")
    assert "less than the best fixed rule" in worse
    plain = replace(result, plan=default_config(None, "plain_ppo").changed(hyperparameters={"n_timesteps": 300_000}))
    assert "of the 1,024,000 that the hyperparameters" in "".join(plain.remarks())
    usual = replace(result, plan=default_config(None))
    assert "made for" not in "".join(usual.remarks())


def test_a_market_whose_actions_are_numbers_is_learned_in():
    result = tiny(total_timesteps=ROLLOUT, env_kwargs={"num_trades": 10, "continuous": True})
    assert result.policy.params.continuous
