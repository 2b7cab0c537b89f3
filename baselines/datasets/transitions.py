"""Collection: episodes of a policy in a registered environment, as its clients would have seen them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from baselines.solver.fixed_rules import best_rule
from baselines.solver.optimum import solve
from mm_env.envs.action import Actions, PolicyFunction, action_space
from mm_env.envs.hedging_vector_env import HedgingVectorEnv
from mm_env.envs.observation import Observations
from mm_env.market.numbers import Values
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import UnsolvableError
from mm_env.registration import find_market, short_id
from mm_env.rollout import check_play

_BLOCK_STEPS = 200_000  # steps collected at once
_OF_FILES = "mm_env/Hedging-v0"  # the id whose arguments a market's file changes


class Transitions(NamedTuple):
    """N whole episodes of T steps. All end by termination in their last step."""

    seeds: NDArray[np.int64]  # (N,): `reset(seed=...)` of each
    observations: Observations  # (N, T + 1, observations): before each step, and after the last
    actions: Actions  # (N, T), or (N, T, parts)
    rewards: Values  # (N, T)

    @property
    def returns(self) -> Values:
        """The sum of each episode's rewards, shape (N,)."""
        return np.asarray(self.rewards.sum(axis=1))


@dataclass(frozen=True)
class Collection:
    """What is collected: a policy's actions in an environment, episode i being that of `reset(seed=seed + i)`.

    So every episode can be played again, and its `info` looked up, in the environment that `spec` makes.

    Attributes:
        policy: From observations of shape (N, observations) to actions, by the market's own meaning of actions.
        name: What the policy is called.
        market: A registered id, or a .toml file of parameters.
        changes: To the market's parameters, by their names.
        episodes: How many.
        seed: Of the first episode, and of a policy that draws.
        reward: "realised" or "expected".

    Raises:
        ValueError: A bad argument, or a policy whose actions are of another form; the message names it.
    """

    policy: PolicyFunction
    name: str
    market: str = _OF_FILES
    changes: Mapping[str, Any] | None = None
    episodes: int = 1000
    seed: int = 0
    reward: str = "realised"

    def __post_init__(self) -> None:
        check_play(self.policy, self.episodes, self.seed)
        theirs, ours = action_space(getattr(self.policy, "params", self.params)), action_space(self.params)
        if theirs != ours:
            raise ValueError(f"{self.name} acts in {theirs}, not in {ours}: collect it in the form that it acts in")

    @cached_property
    def spec(self) -> EnvSpec:
        """What makes the environment again, where mm_env was not imported too."""
        entry = find_market(self.market)
        spec = deepcopy(gym.spec(_OF_FILES if self.market.endswith(".toml") else short_id(self.market)))
        spec.kwargs = {**entry.changes, **(self.changes or {}), "reward": self.reward}
        return spec

    @cached_property
    def params(self) -> MarketParams:
        """The market."""
        return MarketParams.from_mapping({**find_market(self.market).changes, **(self.changes or {})})

    @property
    def described(self) -> str:
        """The collection in one sentence."""
        changed = "".join(f", {name}={value!r}" for name, value in (self.changes or {}).items())
        return (
            f"{self.episodes} episodes of {self.name} in {short_id(self.market)}{changed}; "
            f"reset seeds {self.seed} to {self.seed + self.episodes - 1}; reward {self.reward}."
        )

    @cached_property
    def references(self) -> tuple[float, float] | tuple[None, None]:
        """The exact J of the best fixed rule and of the optimum, price units; None where they are unknown."""
        try:
            return best_rule(self.params).value, solve(self.params).value
        except UnsolvableError:
            return None, None

    def blocks(self) -> Iterator[Transitions]:
        """The episodes in order, a block of them at a time."""
        if hasattr(self.policy, "reset"):
            self.policy.reset(self.seed)
        size = max(1, _BLOCK_STEPS // self.params.num_trades)
        for start in range(0, self.episodes, size):
            yield self._block(self.seed + start, min(size, self.episodes - start))

    def _block(self, seed: int, episodes: int) -> Transitions:
        lanes: Any = gym.make_vec(
            self.spec, episodes, "vector_entry_point", autoreset_mode=AutoresetMode.DISABLED, compiled=False
        )
        assert isinstance(lanes, HedgingVectorEnv)
        seen, done, earned = [lanes.reset(seed=seed)[0]], [], []
        for _ in range(self.params.num_trades):
            done.append(np.asarray(self.policy(seen[-1]), dtype=lanes.single_action_space.dtype))
            observations, rewards, *_ = lanes.step(done[-1])
            seen.append(observations)
            earned.append(rewards)
        parts = (np.stack(part, axis=1) for part in (seen, done, earned))
        return Transitions(np.arange(seed, seed + episodes), *parts)
