"""train_ppo: PPO of Stable-Baselines3 on a market, in a run folder that survives interruption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mm_env.extras import needed_for
from mm_env.market.params import MarketParams

with needed_for("agents that learn"):
    from stable_baselines3 import PPO
    from stable_baselines3.common.logger import CSVOutputFormat, KVWriter, Logger, TensorBoardOutputFormat
    from stable_baselines3.common.type_aliases import MaybeCallback
    from stable_baselines3.common.utils import set_random_seed

from train.eval_checkpoint_callback import EvalCheckpointCallback
from train.hyperparams import ppo_arguments, ppo_callbacks, read_hyperparameters
from train.policies.network_policy import NetworkPolicy
from train.runs.callbacks import callback_list
from train.runs.checkpoints import checkpoint_path, checkpoints, restore_newest
from train.runs.exact_score import ExactScore
from train.runs.held_out import FRESH_SEED, Curve, Evaluation, Evaluator
from train.runs.random_state import RandomState
from train.runs.stop_rule import StopRule
from train.runs.train_config import CONFIG, TrainConfig, check_same, default_config
from train.sb3_vec_env import SB3VecEnv
from train.seeds import REST, begin_episodes, derived_seed
from train.single_thread import one_thread


@dataclass(frozen=True, eq=False)
class Training:
    """A finished run.

    Attributes:
        policy: The one that evaluated best, as `policy.safetensors` holds it.
        model: As it was at the end; its last checkpoint.
        plan: Market, seed and hyperparameters.
        curve: Every evaluation on the held-out selection episodes. The best is a little too good: it was chosen.
        run_dir: Its folder; None if nothing was written.
        stopped: Why it ended before its number of steps; None if it did not.
    """

    policy: NetworkPolicy
    model: PPO
    plan: TrainConfig
    curve: Curve
    run_dir: Path | None
    stopped: str | None = None

    @property
    def objective(self) -> float:
        """J of the policy, price units: exact where the market can be solved, else of fresh episodes."""
        return self._fresh.objective if self.exact is None else self.exact.objective

    @property
    def share(self) -> float:
        """Share of the gap that the policy closes, known as J is; NaN where the optimum is unknown."""
        return self._fresh.share if self.exact is None else self.exact.share

    @cached_property
    def _fresh(self) -> Evaluation:
        """The policy on episodes that had no part in choosing it."""
        return Evaluator(self.plan.params, self.plan.eval_episodes, FRESH_SEED)(self.policy)

    @cached_property
    def exact(self) -> ExactScore | None:
        """The exact value of the policy, computed when first asked for; None where the market cannot be solved."""
        return ExactScore.of(self.policy, self.plan.params)

    def remarks(self) -> list[str]:
        """What whoever trained it has to know, one sentence each; none where all is well."""
        said = []
        if self.stopped is not None:
            said.append(
                f"Stopped after {self.timesteps:,} of {self.plan.total_timesteps:,} steps: {self.stopped}. "
                "--resume goes on."
            )
        if self.timesteps > self.plan.total_timesteps:
            said.append(
                f"PPO learns from whole rollouts: {self.timesteps:,} steps were made, "
                f"{self.plan.total_timesteps:,} asked for."
            )
        usual = read_hyperparameters(self.plan.env, self.plan.recipe)["n_timesteps"]
        if self.plan.total_timesteps < usual:
            said.append(
                f"{self.plan.total_timesteps:,} steps were asked for, of the {usual:,} that the hyperparameters are "
                f"made for: train longer to close more of the gap."
            )
        if self.policy.training.get("timesteps") == 0:
            said.append("No policy evaluated better than the untrained one, which is what is kept.")
        if self.exact is not None and self.exact.below_best_rule:
            said.append(
                f"The policy is worth {self.exact.objective:.4f}, less than the best fixed rule, "
                f"{self.exact.gap.rule:.4f}: train longer, or with another seed."
            )
        return said

    @property
    def timesteps(self) -> int:
        """Steps learned from."""
        return int(self.model.num_timesteps)

    @property
    def seconds(self) -> float:
        """Wall time of the training, evaluations included."""
        return float(self.curve.seconds[-1])


def train_ppo(
    market: str | MarketParams | None = None,
    *,
    env_kwargs: Mapping[str, Any] | None = None,
    seed: int | None = None,
    total_timesteps: int | None = None,
    recipe: str = "ppo",
    hyperparameters: Mapping[str, Any] | None = None,
    run_dir: str | Path | None = None,
    resume: bool = False,
    eval_episodes: int | None = None,
    eval_freq: int | None = None,
    patience: int | None = None,
    time_limit: float | None = None,
    callback: MaybeCallback = None,
    writers: Sequence[KVWriter] = (),
    progress: bool = True,
) -> Training:
    """Train PPO on a market, evaluating on held-out episodes as it goes and keeping the best.

    An interrupted run (Ctrl-C, kill -9) is resumed to the same number of steps, with the optimiser's state, its place
    in the learning-rate schedule and in all random numbers: it ends with the policy that it would have ended with, bit
    for bit. Only where rollouts are not whole episodes (`n_steps` is no multiple of `num_trades`) do the lanes go on
    with new episodes, never with those they began the run with: as good, but not the same to the last digit.

    Args:
        market: A registered id, default `mm_env/Hedging-v0`, or the parameters themselves.
        env_kwargs: Changes to the market's parameters; `reward` is what to train on (default "expected": the
            same optimum, a fraction of the noise).
        seed: Of weights, exploration and episodes; default 0. Different seeds share no episode.
        total_timesteps: Instead of the hyperparameter `n_timesteps`. A run that has ended is resumed to more of them:
            its schedules then go on from where those of a run of that length would stand.
        recipe: The file of hyperparameters: "ppo", on paired tapes with ordered levels, or "plain_ppo", without either,
            for comparison. A resumed run goes on by its own.
        hyperparameters: Changes to those of the market in `hyperparameters/<recipe>.yml`.
        run_dir: Folder for config, curve, TensorBoard, best model and policy, and checkpoints. None: write nothing.
        resume: Go on with the run in `run_dir`. What is given beside it must be as in that run, and what is not
            given is. A finished run is returned as it is.
        eval_episodes: Of one evaluation; default 2,000.
        eval_freq: Steps between evaluations, and between checkpoints; default a twentieth of the run.
        patience: Stop after so many evaluations in which the exact share of the gap has not risen by 0.001. It is
            computed at each then, and chooses nothing else. Where the optimum is unknown, J of the held-out episodes,
            which are always the same, has to rise by a thousandth.
        time_limit: Stop after so many seconds, but not before one rollout was learned from. A run that was stopped can
            be resumed, to the end or to another stop.
        callback: What Stable-Baselines3 is to call as the model learns, as its `learn` takes it.
        writers: Where to log beside TensorBoard and `progress.csv`: see `train.trackers`.
        progress: Show a progress bar, on a terminal.

    Raises:
        ValueError: A bad argument; a folder that holds a run already, or, to resume, none or another one.
    """
    folder = None if run_dir is None else Path(run_dir)
    for name, limit in (("patience", patience), ("time_limit", time_limit)):
        if limit is not None and not limit > 0:
            raise ValueError(f"{name} must be above 0, got {limit!r}")
    given = _changes(hyperparameters, total_timesteps)
    asked = {"seed": seed, "eval_episodes": eval_episodes, "eval_freq": eval_freq}
    if resume:
        stored = _stored_config(folder)
        plan = stored.changed(market, env_kwargs, given, **asked)
        check_same(plan, _prolonged(stored, plan.total_timesteps, folder))
    else:
        plan = default_config(market, recipe).changed(None, env_kwargs, given, **asked)
        _begin(folder, plan)
    stop = StopRule(patience, time_limit)
    with one_thread():
        return _train(plan, folder, stop, callback, writers, progress)


def begin_run(
    folder: Path,
    market: str | MarketParams | None,
    *,
    seed: int,
    env_kwargs: Mapping[str, Any] | None = None,
    total_timesteps: int | None = None,
    recipe: str = "ppo",
    hyperparameters: Mapping[str, Any] | None = None,
    **others: Any,
) -> None:
    """Write a run folder in which nothing is learned yet, for `train_ppo(resume=True)`; arguments as there."""
    given = _changes(hyperparameters, total_timesteps)
    _begin(folder, default_config(market, recipe).changed(None, env_kwargs, given, seed=seed, **others))


def _changes(hyperparameters: Mapping[str, Any] | None, total_timesteps: int | None) -> dict[str, Any]:
    """What is asked for in the place of the market's hyperparameters."""
    steps = {} if total_timesteps is None else {"n_timesteps": total_timesteps}
    return {**(hyperparameters or {}), **steps}


def _stored_config(folder: Path | None) -> TrainConfig:
    if folder is None:
        raise ValueError("resume needs the run_dir of the run to go on with")
    return TrainConfig.read(folder)


def _prolonged(stored: TrainConfig, total: int, folder: Path | None) -> TrainConfig:
    """What is stored, to more steps if it has ended; the folder then holds the longer run."""
    assert folder is not None
    ended = next(iter(checkpoints(folder)), 0) >= stored.total_timesteps
    if not ended or total <= stored.total_timesteps:
        return stored
    longer = stored.changed(hyperparameters={"n_timesteps": total})
    longer.write(folder)
    return longer


def _begin(folder: Path | None, plan: TrainConfig) -> None:
    if folder is None:
        return
    if folder.exists() and (not folder.is_dir() or (folder / CONFIG).exists() or checkpoints(folder)):
        raise ValueError(f"{folder} holds a run already: go on with it by resume=True (--resume), or name another")
    plan.write(folder)


def _train(
    plan: TrainConfig,
    folder: Path | None,
    stop: StopRule,
    callback: MaybeCallback,
    writers: Sequence[KVWriter],
    progress: bool,
) -> Training:
    lanes, group = plan.hyperparameters["n_envs"], plan.hyperparameters.get("lanes_per_tape", 1)
    scale = plan.hyperparameters.get("reward_scale", 1.0)
    env = SB3VecEnv(plan.learned_in, lanes, reward=plan.reward, reward_scale=scale, lanes_per_tape=group)
    set_random_seed(derived_seed(plan.seed, REST, 0) % 2**32)
    model = PPO(env=env, device="cpu", **ppo_arguments(plan.hyperparameters, plan.learned_in))
    curve, state = Curve.empty(plan.eval_episodes), None
    if folder is not None and restore_newest(model, folder):
        state = RandomState.read(checkpoint_path(folder, model.num_timesteps), model)
        curve = Curve.read(folder, plan.eval_episodes)
    steps = model.num_timesteps
    begin_episodes(env, plan.seed, plan.params.num_trades, steps, exact=state is not None)
    set_random_seed(derived_seed(plan.seed, REST, steps) % 2**32)
    keeper = EvalCheckpointCallback(model, plan, folder, curve, progress, stop, state)
    try:
        if steps < plan.total_timesteps:
            model.set_logger(_logger(folder, steps, writers))
            called = [keeper, *ppo_callbacks(plan.hyperparameters), *callback_list(callback)]
            model.learn(plan.total_timesteps - steps, callback=called, reset_num_timesteps=False, log_interval=1)
    except KeyboardInterrupt:
        keeper.save_checkpoint()
        raise
    finally:
        keeper.close()
        env.close()
    if keeper.best is None:
        raise ValueError(f"{folder}: the run is finished but its policy cannot be read")
    run = Training(keeper.best, model, plan, keeper.curve, folder, keeper.stopped)
    if steps < model.num_timesteps and (folder is not None or writers):
        _log_exact(run)
    return run


def _log_exact(run: Training) -> None:
    if run.exact is not None:
        run.model.logger.record("eval/exact_objective", run.exact.objective)
        run.model.logger.record("eval/exact_share", run.exact.share)
        run.model.logger.record("eval/exact_share_beyond", run.exact.share_beyond)
        run.model.logger.dump(run.timesteps)


def _logger(folder: Path | None, steps: int, writers: Sequence[KVWriter]) -> Logger:
    """TensorBoard's files and a CSV file for each time the run went on, in its folder; and what was asked for."""
    if folder is None:
        return Logger(None, list(writers))
    with needed_for("runs in a folder"):
        import tensorboard  # noqa: F401  # Stable-Baselines3 names no module
    logs = folder / "tensorboard"
    logs.mkdir(exist_ok=True)
    name = f"progress_{steps}.csv" if steps else "progress.csv"
    return Logger(str(logs), [TensorBoardOutputFormat(str(logs)), CSVOutputFormat(str(logs / name)), *writers])
