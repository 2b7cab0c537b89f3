"""Schedules of what Stable-Baselines3 takes as one number: the weight of the entropy, and lambda."""

from __future__ import annotations

from mm_env.extras import needed_for

with needed_for("agents that learn"):
    from stable_baselines3.common.callbacks import BaseCallback


class EntropySchedule(BaseCallback):
    """Sets PPO's `ent_coef`, which is a number for Stable-Baselines3, before every update: from `start` linearly to 0.

    At first it keeps the policy from settling on the levels that were lucky early; at the end nothing keeps it from the
    best ones.

    Args:
        start: The weight at the run's first step.
        until: The share of the run after which it is zero.
    """

    def __init__(self, start: float, until: float = 1.0) -> None:
        super().__init__()
        self.start, self.until = start, until

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        done = self.num_timesteps / self.model._total_timesteps
        self.model.ent_coef = self.start * max(1.0 - done / self.until, 0.0)  # type: ignore[attr-defined]


class LambdaSchedule(BaseCallback):
    """Sets the lambda of the advantages before every rollout: from `start` linearly to `end`.

    While a policy still tries much, what it will try later drowns what an action is worth, and a lambda below 1 lets
    the critic stand for what lies far ahead. The critic is wrong by more than two good levels differ, though, and what
    it gets wrong is learned too. Towards the end little is tried, and the rewards themselves can be summed: lambda 1.

    Args:
        start: Lambda at the run's first step.
        end: Lambda from the share `until` of the run on.
        until: Above 0, at most 1.
    """

    def __init__(self, start: float, end: float, until: float = 1.0) -> None:
        super().__init__()
        self.start, self.end, self.until = start, end, until

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        done = min(self.num_timesteps / self.model._total_timesteps / self.until, 1.0)
        self.model.rollout_buffer.gae_lambda = self.start + (self.end - self.start) * done  # type: ignore[attr-defined]
