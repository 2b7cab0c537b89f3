"""AdvantageVariance: how noisy the advantages are that PPO learns from."""

from __future__ import annotations

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback


class AdvantageVariance(BaseCallback):
    """Keeps the variance of every rollout's advantages, before the pairing of lanes and as they are learned from."""

    def __init__(self) -> None:
        super().__init__()
        self._found: list[tuple[float, float]] = []

    def means(self) -> tuple[float, float]:
        """Over the rollouts so far: unpaired, and as learned from."""
        unpaired, used = np.mean(self._found, axis=0)
        return float(unpaired), float(used)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        buffer = self.model.rollout_buffer  # type: ignore[attr-defined]
        used = float(buffer.advantages.var())
        self._found.append((getattr(buffer, "unpaired_variance", used), used))
