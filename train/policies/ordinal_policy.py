"""OrdinalPolicy: a policy over levels that knows their order."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor, nn


class OrdinalHead(nn.Module):
    """The last layer of a policy over levels 0 .. K: the score of level k is z_1 + ... + z_k, of level 0 zero.

    z_k is what the network says for going on from level k - 1 to level k, so that one number moves all levels above
    it. Where every level has a score of its own, what is learned of one threshold says nothing of its neighbour, and
    the policy settles on whichever was lucky first.

    This is the ordinal parametrisation of Tang and Agrawal (2020), "Discretizing Continuous Action Space for On-Policy
    Optimization", arXiv 1901.10500: there the score of level k is the sum of log s(z_i) up to k and log(1 - s(z_i))
    beyond, s the logistic function; the two differ by log(s / (1 - s)) = z, summed up to k, and by what is the same for
    all levels. z_0 is there and moves all levels alike, which changes nothing.

    Attributes:
        linear: The layer that gives z.
        sizes: Levels of each part of the action.
    """

    def __init__(self, linear: nn.Linear, sizes: list[int]) -> None:
        super().__init__()
        self.linear, self.sizes = linear, sizes

    def forward(self, features: Tensor) -> Tensor:
        """Features of shape (..., features) to scores of shape (..., levels of all parts)."""
        return self._summed(self.linear(features))

    def as_linear(self) -> nn.Linear:
        """A plain linear layer that gives the same scores."""
        plain = nn.Linear(self.linear.in_features, self.linear.out_features)
        with torch.no_grad():
            plain.weight.copy_(self._summed(self.linear.weight.T).T)
            plain.bias.copy_(self._summed(self.linear.bias))
        return plain

    def _summed(self, values: Tensor) -> Tensor:
        return torch.cat([part.cumsum(dim=-1) for part in values.split(self.sizes, dim=-1)], dim=-1)


class OrdinalPolicy(ActorCriticPolicy):
    """The `MlpPolicy` of Stable-Baselines3 with an `OrdinalHead`.

    Raises:
        ValueError: The actions are not levels.

    Example:
        >>> from stable_baselines3 import PPO
        >>> from train import OrdinalPolicy, SB3VecEnv
        >>> model = PPO(OrdinalPolicy, SB3VecEnv(n_envs=2), device="cpu")
    """

    def _build(self, lr_schedule: Any) -> None:
        if isinstance(self.action_space, spaces.MultiDiscrete):
            sizes = self.action_space.nvec.tolist()
        elif isinstance(self.action_space, spaces.Discrete):
            sizes = [int(self.action_space.n)]
        else:
            raise ValueError(f"OrdinalPolicy is for actions that are levels, got {self.action_space}")
        super()._build(lr_schedule)  # the optimiser holds the layer's own weights, wherever the layer sits
        self.action_net: nn.Module = OrdinalHead(self.action_net, sizes)  # type: ignore[arg-type]
