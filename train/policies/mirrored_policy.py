"""MirroredPolicy: an ordinal policy to whom a market of buyers and its mirror image of sellers are one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mm_env.envs.observation import observation_values
from mm_env.market import dynamics
from mm_env.market.dynamics import Request
from mm_env.market.exogenous_state import ExogenousState, ObservedState
from mm_env.market.params import MarketParams
from train.policies.ordinal_policy import OrdinalPolicy


class MirroredInput(nn.Module):
    """The first layer of a network to which an input and its mirror image are one: W x + b beside W M x + b.

    M changes the sign of every input that changes it when buyers and sellers trade places. Whatever `MirroredSum` makes
    of the two halves after the activation is the same for x and M x.
    """

    signs: Tensor

    def __init__(self, linear: nn.Linear, signs: Sequence[float]) -> None:
        super().__init__()
        self.linear = linear
        self.register_buffer("signs", torch.tensor(signs), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """Inputs of shape (..., inputs) to shape (..., 2 * outputs)."""
        return torch.cat([self.linear(values), self.linear(values * self.signs)], dim=-1)

    def as_linear(self) -> nn.Linear:
        """A plain linear layer that gives the same."""
        weight = self.linear.weight
        return _linear(torch.cat([weight, weight * self.signs]), torch.cat([self.linear.bias, self.linear.bias]))


class MirroredSum(nn.Module):
    """The layer that follows a `MirroredInput`: linear in the sum of the two halves."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, values: Tensor) -> Tensor:
        """Values of shape (..., 2 * inputs) to shape (..., outputs)."""
        return self.linear(sum(values.chunk(2, dim=-1)))

    def as_linear(self) -> nn.Linear:
        """A plain linear layer that gives the same."""
        return _linear(torch.cat([self.linear.weight, self.linear.weight], dim=1), self.linear.bias)


class MirroredPolicy(OrdinalPolicy):
    """An `OrdinalPolicy` that acts, and values what it sees, alike where buyers and sellers have traded places.

    Where a client is as likely to buy as to sell, an inventory of -3 and a seller are worth what one of 3 and a buyer
    are. A plain network learns that twice, from half of the steps each. Networks that are invariant by the sum over a
    group of symmetries are those of Cohen and Welling (2016), "Group equivariant convolutional networks", arXiv
    1602.07576. As a plain network of twice as wide a first layer it is saved and exported like any other.

    Args:
        arguments: Those of `OrdinalPolicy`; at least two hidden layers.
        signs: For each observation -1 where it changes its sign in the mirror, else 1: `mirror_signs(params)`.

    Raises:
        ValueError: Fewer than two hidden layers, or the actions are not levels.

    Example:
        >>> from stable_baselines3 import PPO
        >>> from train import MirroredPolicy, SB3VecEnv
        >>> env = SB3VecEnv("mm_env/Latency-v0", n_envs=2)
        >>> network = {"net_arch": [32, 32], "signs": mirror_signs(env.lanes.params)}
        >>> model = PPO(MirroredPolicy, env, policy_kwargs=network, device="cpu")
    """

    def __init__(self, *arguments: Any, signs: Sequence[float], **keywords: Any) -> None:
        self._signs = tuple(signs)
        super().__init__(*arguments, **keywords)

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        networks: list[Any] = [self.mlp_extractor.policy_net, self.mlp_extractor.value_net]
        for network in networks:
            if len(network) < 4:
                raise ValueError(f"MirroredPolicy needs at least two hidden layers, got net_arch={self.net_arch}")
            signs = self._signs + (1.0,) * (network[0].in_features - len(self._signs))  # `TimeHinges` have no side
            network[0], network[2] = MirroredInput(network[0], signs), MirroredSum(network[2])

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "signs": self._signs}


def mirror_signs(params: MarketParams) -> tuple[float, ...]:
    """For each observation -1 where it changes its sign when buyers and sellers trade places, else 1.

    Raises:
        ValueError: In this market they do not come alike.

    Example:
        >>> mirror_signs(MarketParams(hedge_latency=1))
        (-1.0, 1.0, -1.0, -1.0)
    """
    if not is_symmetric(params):
        raise ValueError(f"buy_probability={params.buy_probability}: buyers and sellers do not come alike")
    here, mirrored = (_seen(side, params) for side in (1.0, -1.0))
    return tuple(float(there / value) for value, there in zip(here, mirrored, strict=True))


def is_symmetric(params: MarketParams) -> bool:
    """Whether a market in which buyers and sellers have traded places is the same market."""
    return params.buy_probability == 0.5


def _seen(side: float, params: MarketParams) -> tuple[Any, ...]:
    """The observation in a state of which every part is there, and on this side if it has one."""
    book = dynamics.initial_book(params)._replace(inventory=side, in_flight=(side,) * params.hedge_latency)
    request = Request(side, side * params.largest_size, len(params.tiers) - 1)
    observed = ObservedState(side, len(params.volatilities) - 1, side, 1.0, 1.0, (side,) * (params.num_dealers - 1))
    return observation_values(book, ExogenousState(request, observed), params.num_trades, params)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    plain = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        plain.weight.copy_(weight)
        plain.bias.copy_(bias)
    return plain
