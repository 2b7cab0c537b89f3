"""EvalCheckpointCallback: what happens beside learning: evaluations, and the best model beside the last."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from stable_baselines3 import PPO

import mm_env
from train.policies.network_policy import NetworkPolicy
from train.policies.saved_policy import load_policy, save_policy
from train.runs.checkpoint_callback import CheckpointCallback
from train.runs.checkpoints import save_model
from train.runs.exact_score import ExactScore
from train.runs.held_out import Curve, Evaluation, Evaluator
from train.runs.random_state import RandomState
from train.runs.stop_rule import StopRule
from train.runs.train_config import TrainConfig

BEST_MODEL = "best_model.zip"


class EvalCheckpointCallback(CheckpointCallback):
    """A `CheckpointCallback` that evaluates, too, and keeps what is best.

    Attributes:
        curve: Every evaluation so far.
        best: The policy that evaluated best; None if there is none yet.
        stopped: Why the run is to end early, or has ended so; None: it goes on.
    """

    def __init__(
        self,
        model: PPO,
        plan: TrainConfig,
        folder: Path | None,
        curve: Curve,
        progress: bool,
        stop: StopRule,
        state: RandomState | None = None,  # where the random numbers of a resumed run stand
    ) -> None:
        super().__init__(model, folder, plan.total_timesteps, plan.interval, progress, state)
        self.curve = curve.until(self.learned)
        self.best = None if folder is None else _kept(folder)
        self._highest = -math.inf if self.best is None else float(self.best.training["objective"])
        self._plan, self._stop, self._begun = plan, stop, self.learned
        self.stopped: str | None = None
        self._evaluate = Evaluator(plan.params, plan.eval_episodes)
        before = float(self.curve.seconds[-1]) if len(self.curve.seconds) else 0.0
        self._start = time.monotonic() - before

    def _on_step(self) -> bool:
        return self.stopped is None

    def _on_rollout_start(self) -> None:
        super()._on_rollout_start()
        if self.learned > self._begun:  # so that a run that is resumed again and again comes to its end
            self.stopped = self._stop.reason(self.curve)

    def _between_updates(self, due: bool) -> None:
        if due or not len(self.curve.timesteps):
            self._assess(self.learned)

    def _on_training_end(self) -> None:
        if self.stopped is not None:
            self.model.num_timesteps = self.learned  # nothing is learned from the step in which it stopped
            self.save_checkpoint()
            if self.learned > self.curve.timesteps[-1]:
                self._assess(self.learned)
            return
        self._bar.update(self.model.num_timesteps - self.learned)
        self._assess(self.model.num_timesteps)
        super()._on_training_end()  # not before: the last checkpoint says that the run is finished, evaluation included

    def _assess(self, steps: int) -> None:
        """Evaluate, and keep the model if it is the best so far."""
        policy = NetworkPolicy.of(self.model, self._plan.params, self._plan.env)
        evaluation = self._evaluate(policy)
        if self._stop.patience is not None and (exact := ExactScore.of(policy, self._plan.params)) is not None:
            evaluation = evaluation._replace(exact_share=exact.share)  # it tells when to stop, not what to keep
        seconds = time.monotonic() - self._start
        self.curve = self.curve.extended(steps, seconds, evaluation, self._plan.params.num_trades)
        self._log(evaluation, steps)
        if evaluation.objective > self._highest:
            self._highest = evaluation.objective
            self.best = replace(policy, training=self._training(evaluation, seconds, steps))
            if self._folder is not None:
                save_model(self.model, self._folder / BEST_MODEL)
                save_policy(self.best, self._folder)
        if self._folder is not None:
            self.curve.save(self._folder)

    def _log(self, evaluation: Evaluation, steps: int) -> None:
        self.logger.record("eval/objective", evaluation.objective)
        self.logger.record("eval/share", evaluation.share)
        if math.isfinite(evaluation.exact_share):
            self.logger.record("eval/exact_share", evaluation.exact_share)
        self.logger.record("eval/mean_reward", float(evaluation.returns.mean()))
        self.logger.dump(steps)
        self._bar.set_postfix_str(
            f"selection episodes: objective={evaluation.objective:.4f}, share={evaluation.share:.4f}"
        )

    def _training(self, evaluation: Evaluation, seconds: float, steps: int) -> dict[str, Any]:
        return {
            "algorithm": "ppo",
            "mm_env": mm_env.__version__,
            "seed": self._plan.seed,
            "timesteps": steps,
            "seconds": round(seconds, 3),
            "held_out_episodes": self._plan.eval_episodes,
            "objective": evaluation.objective,
            "share": None if math.isnan(evaluation.share) else evaluation.share,  # JSON has no NaN
        }


def _kept(folder: Path) -> NetworkPolicy | None:
    try:
        policy = load_policy(folder)
    except ValueError:  # none yet, or a kill came between its two files: the next evaluation writes it anew
        return None
    return policy if isinstance(policy.training.get("objective"), float) else None
