"""RandomisedPolicy: a policy network that is told the market's parameters, and serves every market of their ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mm_env.market.params import MarketParams
from train.policies.network_policy import Layer, NetworkPolicy, layers_of
from train.policies.parameter_ranges import Ranges, parameter_columns

if TYPE_CHECKING:
    from stable_baselines3 import PPO


@dataclass(frozen=True, eq=False)
class RandomisedPolicy:
    """Layers whose last inputs are parameters of the market, from -1 to 1 over their ranges.

    Attributes:
        layers: As of `NetworkPolicy`; the first takes the observations, then the parameters in the order of `ranges`.
        activation: As of `NetworkPolicy`.
        params: The market; other parameters than those of `ranges` were always as they are here.
        ranges: From each parameter's name to the ends of its range; none: it was told no parameter.
        env: The market's registered id; None if it has none.
        training: What is known of its training.
    """

    layers: tuple[Layer, ...]
    activation: str
    params: MarketParams
    ranges: Ranges
    env: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)

    def in_market(self, params: MarketParams) -> NetworkPolicy:
        """The policy of one market: what the parameters add to the first layer is a part of its bias.

        Raises:
            ValueError: A parameter lies outside its range, or the market shows or takes something else.
        """
        first, *others = self.layers
        columns = parameter_columns(params, self.ranges)
        seen = first.weight.shape[1] - len(columns)
        bias = first.bias + first.weight[:, seen:] @ columns
        layers = (Layer(np.ascontiguousarray(first.weight[:, :seen]), bias.astype(np.float32)), *others)
        env = self.env if params == self.params else None
        policy = NetworkPolicy(layers, self.activation, params, env, self.training)
        policy.check_market(self.params)
        return policy

    def sizes(self) -> list[int]:
        """Numbers that go in, through and out."""
        return [self.layers[0].weight.shape[1], *(layer.bias.size for layer in self.layers)]

    @classmethod
    def of(
        cls, model: PPO, params: MarketParams, ranges: Ranges, env: str | None, training: Mapping[str, Any]
    ) -> RandomisedPolicy:
        """The deterministic policy of a model that learned in a `RandomisedVecEnv`."""
        layers, activation = layers_of(model)
        return cls(layers, activation, params, ranges, env, training)
