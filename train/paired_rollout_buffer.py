"""PairedRolloutBuffer: advantages compared among lanes that play the same tape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.buffers import RolloutBuffer
from torch import Tensor


class PairedRolloutBuffer(RolloutBuffer):
    """A rollout buffer that subtracts from each lane's advantage the mean of the others on its tape.

    Where G lanes meet the same clients and prices, what those bring is in the advantage of every one of them and says
    nothing of what their actions were worth. With A_i(t) the generalised advantage estimate of lane i at step t, the
    policy learns from

        A_i(t) - 1 / (G - 1) * sum of A_j(t) over the other lanes j of the group.

    The policy's gradient keeps its mean: the tape depends on no action, and each lane draws its actions by itself, so
    given the tape what is subtracted is independent of the action that it is a baseline for; and the mean of
    grad log pi times such a number is zero. Its variance falls. The targets of the critic stay as they are. A baseline
    that knows the exogenous input is that of Mao et al. (2018), "Variance Reduction for Reinforcement Learning in
    Input-Driven Environments", arXiv 1807.02264; the mean of the others is the leave-one-out baseline of Kool et al.
    (2019), known as RLOO.

    Attributes:
        unpaired_variance: Of the advantages of the last rollout, before the mean of the others was subtracted.

    Args:
        lanes_per_tape: G; a number that divides `n_envs`. None: found where episodes begin, as the largest number of
            neighbouring lanes that have always seen the same there. By chance it may be too large at first, which
            does no harm but to the variance.
        arguments: Those of `RolloutBuffer`.

    Raises:
        ValueError: G does not divide `n_envs`, or lanes of one group begin an episode with different observations.

    Example:
        >>> from stable_baselines3 import PPO
        >>> from train import PairedRolloutBuffer, SB3VecEnv
        >>> env = SB3VecEnv(n_envs=16, reward="expected", lanes_per_tape=8)
        >>> model = PPO("MlpPolicy", env, n_steps=100, rollout_buffer_class=PairedRolloutBuffer, device="cpu")
    """

    def __init__(self, *arguments: Any, lanes_per_tape: int | None = None, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if lanes_per_tape is not None and (lanes_per_tape < 2 or self.n_envs % lanes_per_tape):
            raise ValueError(
                f"lanes_per_tape must be at least 2 and divide n_envs={self.n_envs}, got {lanes_per_tape!r}"
            )
        self.lanes_per_tape = lanes_per_tape
        self.unpaired_variance = math.nan
        self._found = lanes_per_tape is None

    def compute_returns_and_advantage(self, last_values: Tensor, dones: NDArray[Any]) -> None:
        """Fill in returns and advantages once the rollout is whole."""
        super().compute_returns_and_advantage(last_values, dones)
        self._check_groups()
        self.unpaired_variance = float(self.advantages.var())
        self.advantages = less_the_others(self.advantages, self.lanes_per_tape or 1)

    def _check_groups(self) -> None:
        """Find the groups, or see that they are what they should be, wherever all lanes begin an episode."""
        beginnings = self.observations[self.episode_starts.astype(bool).all(axis=1)]
        if len(beginnings):
            shared = _lanes_alike(beginnings)
            if self._found:
                self.lanes_per_tape = math.gcd(self.lanes_per_tape or 0, shared)
            if shared % (self.lanes_per_tape or 1) or self.lanes_per_tape == 1:
                raise ValueError(
                    f"groups of {self.lanes_per_tape} lanes do not share a tape: make the environment with "
                    f"lanes_per_tape, a number of at least 2, and the buffer with the same or none"
                )
        elif self.lanes_per_tape is None:
            raise ValueError("the lanes begin no episode together: pass rollout_buffer_kwargs={'lanes_per_tape': ...}")


def less_the_others(advantages: NDArray[Any], lanes_per_tape: int) -> NDArray[Any]:
    """Advantages of shape (steps, lanes), less the mean of the other lanes of each group of neighbours.

    Example:
        >>> less_the_others(np.array([[1.0, 3.0, 10.0, 10.0]]), 2).tolist()
        [[-2.0, 2.0, 0.0, 0.0]]
    """
    if lanes_per_tape == 1:
        return advantages
    groups = advantages.reshape(len(advantages), -1, lanes_per_tape)
    others = (groups.sum(axis=-1, keepdims=True) - groups) / (lanes_per_tape - 1)
    return np.asarray(groups - others).reshape(advantages.shape)


def _lanes_alike(observations: NDArray[Any]) -> int:
    """The largest divisor G of the lanes such that neighbouring groups of G see the same; shape (steps, lanes, ...)."""
    lanes = observations.shape[1]
    for group in sorted((g for g in range(2, lanes + 1) if lanes % g == 0), reverse=True):
        seen = observations.reshape(len(observations), lanes // group, group, -1)
        if (seen == seen[:, :, :1]).all():
            return group
    return 1
