"""EntropySchedule: the weight of the entropy falls to zero as the run ends."""

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
