"""Predictor: what makes a policy one that the tools of Stable-Baselines3 take as a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mm_env.envs.action import Actions
from mm_env.envs.observation import Observations


def act_by_rows(act: Callable[[Any], Any], observations: Observations) -> Actions:
    """Let a function of rows, shape (n, observations), act on observations of any shape (..., observations).

    Returns:
        Its actions, of shape (...), or (..., parts) where it returns several numbers a row.
    """
    seen = np.asarray(observations, dtype=np.float32)
    actions = np.asarray(act(seen.reshape(-1, seen.shape[-1])))
    return actions.reshape((*seen.shape[:-1], *actions.shape[1:]))


def says_it_is_a_function(policy: Callable[..., Any]) -> bool:
    """Whether a policy says that the same observation always gets the same action: `memoryless`, or `pure`."""
    return bool(getattr(policy, "memoryless", False) or getattr(policy, "pure", False))


class Predictor:
    """A policy with the `predict` of Stable-Baselines3, for `evaluate_policy`, scripts like its `enjoy`, and others.

    Example:
        >>> class Never(Predictor):
        ...     def __call__(self, observations):
        ...         return np.full(observations.shape[:-1], 20)
        >>> Never().predict(np.zeros((2, 3), np.float32))
        (array([20, 20]), None)
    """

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...)."""
        raise NotImplementedError

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Actions, Any]:
        """What the policy does, and the state as it is: no policy here has one.

        Args:
            observation: Of one environment or of several, shape (..., observations).
            state: Handed back.
            episode_start: Not needed.
            deterministic: A policy that draws draws all the same: drawing is what it decides.
        """
        return self(np.asarray(observation, dtype=np.float32)), state
