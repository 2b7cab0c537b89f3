"""train_deep_hedger: a network that learns by the gradient of the objective through the law (deep hedging)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from mm_env.envs.action import action_sizes
from mm_env.envs.observation import observation_names
from mm_env.extras import needed_for
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape
from mm_env.registration import params_of_market, short_id

with needed_for("agents that learn"):
    import torch
    from torch import Tensor, nn
    from tqdm import tqdm

from train.deep_hedging.smooth_law import check_smooth, play_smoothly
from train.policies.network_policy import Layer, NetworkPolicy
from train.policies.saved_policy import save_policy
from train.runs.exact_score import PolicyScore
from train.seeds import LANES, REST, derived_seed
from train.single_thread import one_thread

_BEYOND = 0.01  # weight of what numbers lie beyond -1 and 1, where they have no gradient
_MAX_NORM = 1.0  # of a gradient


class DeepHedging(NamedTuple):
    """What it is trained with. What falls, falls linearly to zero over the run, but the widths, which keep a fifth."""

    n_timesteps: int = 20_480_000  # steps of the law
    episodes: int = 1024  # played side by side for one gradient
    learning_rate: float = 0.003  # falls
    noise: float = 0.15  # standard deviation of what is added to every number for an episode; falls
    width: float = 0.25  # of comparisons, units; of prices, in halves of a tick
    hidden: tuple[int, ...] = (64, 64)


class DeepHedger(NamedTuple):
    """What was learned.

    Attributes:
        policy: The nearest levels to what the network says.
        score: In the true law.
        smooth_objective: J in the smooth law of each gradient, noise included, price units.
        timesteps: Steps of the law that were learned from.
    """

    policy: NetworkPolicy
    score: PolicyScore
    smooth_objective: list[float]
    timesteps: int


def train_deep_hedger(
    market: str | MarketParams = "mm_env/Hedging-v0",
    *,
    env_kwargs: Mapping[str, Any] | None = None,
    seed: int = 0,
    total_timesteps: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    run_dir: str | Path | None = None,
    progress: bool = True,
) -> DeepHedger:
    """Maximise the objective by its gradient through the law: Buehler et al. (2019), "Deep hedging", arXiv 1802.03042.

    Tapes are drawn, the network decides on numbers in the place of levels, the law is played on smooth numbers
    (`SmoothNumber`), and the mean total of the reward `expected` is differentiated. The policy is scored in the true
    law.

    Args:
        market: A registered id, or the parameters themselves.
        env_kwargs: Changes to the market's parameters.
        seed: Of weights, noise and tapes.
        total_timesteps: Instead of `DeepHedging.n_timesteps`.
        arguments: Changes to `DeepHedging`.
        run_dir: Folder for the policy; None: write nothing.
        progress: Show a progress bar, on a terminal.

    Raises:
        ValueError: A bad argument, or a market whose dealers compete or whose actions are no levels in order.
    """
    params = params_of_market(market).replace(**(env_kwargs or {}))
    check_smooth(params)
    unknown = set(arguments or {}) - set(DeepHedging._fields)
    if unknown:
        raise ValueError(f"arguments must be among {', '.join(DeepHedging._fields)}, got {', '.join(sorted(unknown))}")
    plan = DeepHedging()._replace(**(arguments or {}))
    rounds = -(-(total_timesteps or plan.n_timesteps) // (plan.episodes * params.num_trades))
    torch.manual_seed(derived_seed(seed, REST, 0) % 2**32)
    network, found = _network(params, plan.hidden), []
    optimiser = torch.optim.Adam(network.parameters(), plan.learning_rate, betas=(0.9, 0.99))
    with one_thread(), tqdm(range(rounds), unit="gradient", disable=None if progress else True) as bar:
        for number in bar:
            left = 1.0 - number / rounds
            for group in optimiser.param_groups:
                group["lr"] = plan.learning_rate * left
            tape = Tape.draw(params, derived_seed(seed, LANES, 0), plan.episodes, number * plan.episodes)
            noise = plan.noise * left * torch.randn(plan.episodes, len(action_sizes(params)))
            found.append(_descend(network, optimiser, tape, params, noise, plan.width * max(left, 0.2)))
    steps = rounds * plan.episodes * params.num_trades
    training = {"algorithm": "deep-hedging", "seed": seed, "timesteps": steps}
    env = short_id(market) if isinstance(market, str) and not env_kwargs else None
    policy = _policy(network, params, env, training)
    if run_dir is not None:
        save_policy(policy, run_dir)
    return DeepHedger(policy, PolicyScore.of(policy, params), found, steps)


def _descend(
    network: nn.Sequential,
    optimiser: torch.optim.Optimizer,
    tape: Tape,
    params: MarketParams,
    noise: Tensor,
    width: float,
) -> float:
    """Take one step along the gradient; return J in the smooth law."""
    beyond: list[Tensor] = []

    def decide(observations: Tensor) -> Tensor:
        numbers = network(observations) + noise
        beyond.append((numbers.abs() - 1.0).relu().mean())
        return numbers.clamp(-1.0, 1.0)

    objective = play_smoothly(decide, tape, params, width).mean()
    optimiser.zero_grad()
    (_BEYOND * torch.stack(beyond).mean() - objective / params.num_trades).backward()
    nn.utils.clip_grad_norm_(network.parameters(), _MAX_NORM)
    optimiser.step()
    return objective.item()


def _network(params: MarketParams, hidden: tuple[int, ...]) -> nn.Sequential:
    """A network that at first hedges beyond a quarter of the cap: what hedging is worth shows where it is done."""
    sizes, parts = [len(observation_names(params)), *hidden], len(action_sizes(params))
    inner = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair), nn.ReLU())]
    last = nn.Linear(sizes[-1], parts)
    with torch.no_grad():
        last.weight.mul_(0.1)
        last.bias.fill_(-0.5)
    return nn.Sequential(*inner, last)


def _policy(network: nn.Sequential, params: MarketParams, env: str | None, training: dict[str, Any]) -> NetworkPolicy:
    layers = tuple(Layer.of(part) for part in network if hasattr(part, "weight"))
    return NetworkPolicy(layers, "relu", params, env, training)
