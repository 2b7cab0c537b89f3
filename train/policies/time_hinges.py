"""TimeHinges: what a network sees beside the observation, so that it can mind the last requests of an episode."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import FlattenExtractor
from torch import Tensor, nn

TIME_LEFT = "time_left"  # the name of its column in the observation


class TimeHinges(FlattenExtractor):
    """A features extractor that adds max(1 - time_left / s, 0) for some shares s of the episode.

    Time runs from 1 to 0 evenly, and a network learns what bends slowly in it long before what bends fast. Near the end
    a dealer's best threshold may fall and rise again within ten requests of a hundred; these functions of time are
    zero before and run from 0 to 1 there. The observation stays what it is: they are made inside of the network, and
    as one more layer of it, which learns nothing, they are saved and exported.

    Args:
        observation_space: Of one observation.
        column: Where in it the time left is.
        shares: Every s, above 0.
    """

    slopes: Tensor

    def __init__(self, observation_space: spaces.Space[Tensor], column: int, shares: Sequence[float]) -> None:
        super().__init__(observation_space)
        self.column = column
        self._features_dim += len(shares)
        self.register_buffer("slopes", 1.0 / torch.tensor(shares), persistent=False)

    def forward(self, observations: Tensor) -> Tensor:
        """Observations of shape (n, observations) to features of shape (n, observations + shares)."""
        seen = super().forward(observations)
        return torch.cat([seen, torch.relu(1.0 - seen[:, self.column, None] * self.slopes)], dim=1)

    def as_linear(self) -> nn.Linear:
        """A layer after which, and after a ReLU, come the observation, the same negated, and the hinges."""
        seen, added = self.features_dim - len(self.slopes), len(self.slopes)
        layer = nn.Linear(seen, 2 * seen + added)
        with torch.no_grad():
            layer.weight.zero_()
            layer.weight[:seen], layer.weight[seen:-added] = torch.eye(seen), -torch.eye(seen)
            layer.weight[-added:, self.column] = -self.slopes
            layer.bias.zero_()
            layer.bias[-added:] = 1.0
        return layer

    def following(self, linear: nn.Linear) -> nn.Linear:
        """What a layer that takes the features is after `as_linear` and a ReLU, by x = max(x, 0) - max(-x, 0)."""
        added = len(self.slopes)
        weight = linear.weight
        layer = nn.Linear(2 * weight.shape[1] - added, weight.shape[0])
        with torch.no_grad():
            layer.weight.copy_(torch.cat([weight[:, :-added], -weight[:, :-added], weight[:, -added:]], dim=1))
            layer.bias.copy_(linear.bias)
        return layer
