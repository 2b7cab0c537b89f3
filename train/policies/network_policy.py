"""NetworkPolicy: a trained policy network in NumPy alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.envs.action import Actions, action_sizes, hedge_levels, nearest_levels, quote_levels
from mm_env.envs.observation import Observations, observation_names
from mm_env.envs.predictor import Predictor
from mm_env.market.params import MarketParams

if TYPE_CHECKING:
    from stable_baselines3 import PPO

Weights = NDArray[np.float32]

ACTIVATIONS: Mapping[str, Callable[[Weights], Weights]] = {  # each in place
    "tanh": lambda values: np.tanh(values, out=values),
    "relu": lambda values: np.maximum(values, np.float32(0.0), out=values),
}
_ROWS = 1024  # of observations at once: their activations fit the processor's cache


class Layer(NamedTuple):
    """One linear layer: values @ weight.T + bias."""

    weight: Weights  # (outputs, inputs)
    bias: Weights  # (outputs,)

    @classmethod
    def of(cls, linear: Any) -> Layer:
        """Those of a `torch.nn.Linear`."""
        return cls(*(np.array(part.detach().cpu().numpy(), np.float32) for part in (linear.weight, linear.bias)))

    def __call__(self, values: Weights) -> Weights:
        """What it makes of values of shape (..., inputs), in an array of its own, shape (..., outputs)."""
        found: Weights = values @ self.weight.T
        found += self.bias
        return found


@dataclass(frozen=True, eq=False)
class NetworkPolicy(Predictor):
    """The action that a network scores highest: a `Policy` as of `baselines.policies.registry`.

    The last layer either scores every hedge level, then every quote level where the agent quotes; or it gives a number
    from -1 to 1 for each of the two, the lowest level to the highest. Where actions are levels, such a number stands
    for the nearest; where they are continuous, the numbers are the action.

    Attributes:
        layers: Linear layers, first to last, with `activation` between them.
        activation: A name of `ACTIVATIONS`.
        params: The market it was trained in.
        env: That market's registered id; None if it has none.
        training: What is known of its training: seed, timesteps, objective, ...

    Raises:
        ValueError: Layers that do not fit together or the market, or a weight that is not a finite float32.
    """

    pure: ClassVar[bool] = True  # a function of the observation: no memory, and no draws

    layers: tuple[Layer, ...]
    activation: str
    params: MarketParams
    env: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")
        hidden, outputs = [layer.bias.size for layer in self.layers[:-1]], self.layers[-1].bias.size
        sizes = network_sizes(self.params, hidden, outputs == len(action_sizes(self.params)))
        for i, (layer, shape) in enumerate(zip(self.layers, layer_shapes(sizes), strict=True)):
            for name, values, wanted in zip(layer._fields, layer, shape, strict=True):
                _check_weights(f"{name} of layer {i}", values, wanted)

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...), (..., 2) where the agent quotes."""
        values = np.asarray(observations, dtype=np.float32)
        if values.ndim == 2 and len(values) > _ROWS:
            return np.concatenate([self(values[row : row + _ROWS]) for row in range(0, len(values), _ROWS)])
        for layer in self.layers[:-1]:
            values = ACTIVATIONS[self.activation](layer(values))
        outputs, sizes = self.layers[-1](values), action_sizes(self.params)
        if self.params.continuous:
            return np.asarray(np.clip(outputs, -1.0, 1.0))
        if outputs.shape[-1] == len(sizes):
            levels = nearest_levels(np.clip(outputs, -1.0, 1.0), self.params)
        else:
            scores = np.split(outputs, np.cumsum(sizes)[:-1], axis=-1)
            levels = np.stack([part.argmax(axis=-1) for part in scores], axis=-1)
        return np.asarray(levels[..., 0] if len(sizes) == 1 else levels)

    def sizes(self) -> list[int]:
        """Numbers that go in, through and out: [observations, hidden, ..., actions]."""
        return [self.layers[0].weight.shape[1], *(layer.bias.size for layer in self.layers)]

    def check_market(self, params: MarketParams) -> None:
        """Raise `ValueError` unless `params` shows and takes the same; other numbers of the market may differ."""
        check_interface(self.params, params)

    @classmethod
    def of(
        cls,
        model: PPO,
        params: MarketParams,
        env: str | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> NetworkPolicy:
        """The deterministic policy of a Stable-Baselines3 model with an `MlpPolicy`, or one of `train.policies`.

        Raises:
            ValueError: The model's policy is of another kind or for another market.
        """
        layers, activation = layers_of(model)
        return cls(layers, activation, params, env, dict(training or {}))


def layers_of(model: PPO) -> tuple[tuple[Layer, ...], str]:
    """The layers of a model's deterministic policy, and the activation between them.

    Raises:
        ValueError: The model's policy is of another kind.
    """
    network = getattr(getattr(model.policy, "mlp_extractor", None), "policy_net", None)
    extractor: Any = model.policy.features_extractor
    if network is None or extractor.state_dict():
        raise ValueError(f"only an MlpPolicy can be shared, got {type(model.policy).__name__}")
    parts = [part for part in (*network, model.policy.action_net) if list(part.parameters())]
    # what an OrdinalHead or a MirroredPolicy computes of its weights is in those of a plain layer
    linear = [part.as_linear() if hasattr(part, "as_linear") else part for part in parts]
    if hasattr(extractor, "following"):
        linear[0:1] = [extractor.as_linear(), extractor.following(linear[0])]
    return tuple(Layer.of(part) for part in linear), model.policy.activation_fn.__name__.lower()


def network_sizes(params: MarketParams, hidden: list[int], numbers: bool = False, told: int = 0) -> list[int]:
    """The sizes of a network for this market, [inputs, *hidden, outputs].

    Inputs are the observations and as many parameters as it is `told`; outputs `numbers`, or a score of each level.
    """
    sizes = action_sizes(params)
    outputs = len(sizes) if params.continuous or numbers else sum(sizes)
    return [len(observation_names(params)) + told, *hidden, outputs]


def layer_shapes(sizes: list[int]) -> list[tuple[tuple[int, int], tuple[int]]]:
    """The shapes of weight and bias of each layer.

    Example:
        >>> layer_shapes([3, 32, 21])
        [((32, 3), (32,)), ((21, 32), (21,))]
    """
    return [((after, before), (after,)) for before, after in pairwise(sizes)]


def _check_weights(name: str, values: Any, shape: tuple[int, ...]) -> None:
    if values.dtype != np.float32 or values.shape != shape:
        raise ValueError(f"{name} must be float32 of shape {shape}, got {values.dtype} of shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite, got {values[~np.isfinite(values)][0]}")


def check_interface(trained_in: MarketParams, params: MarketParams) -> None:
    """Raise `ValueError` unless both markets show and take the same."""
    here = _interface(params)
    for name, mine in _interface(trained_in).items():
        if mine != here[name]:
            raise ValueError(f"the policy is for a market with {name} {mine}, this one has {here[name]}")


def _interface(params: MarketParams) -> dict[str, Any]:
    return {
        "observations": list(observation_names(params)),
        "hedge_action": params.hedge_action,
        "hedge levels": hedge_levels(params).astype(int).tolist(),
        "quote levels": quote_levels(params).tolist() if params.quote_levels > 1 else None,
        "continuous": params.continuous,
        "flat": params.flat,
    }
