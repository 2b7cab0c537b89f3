"""RandomisedVecEnv: lanes that play every episode in a market drawn from ranges of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from mm_env.market.params import MarketParams
from train.policies.parameter_ranges import Ranges, check_ranges, columns_of, market_at
from train.sb3_vec_env import Indices, SB3VecEnv


class RandomisedVecEnv(VecEnv):
    """Groups of lanes; each plays its episodes in a market of its own, drawn anew for every episode.

    A parameter is drawn uniformly, or uniformly in its logarithm where its range begins above 0, so that every order of
    magnitude comes alike. Shown, the parameters stand behind the other observations, from -1, the lower end, to 1.

    Args:
        params: The market; what is in no range is the same for all.
        ranges: From the names of parameters to their lowest and highest value.
        n_envs: Lanes, in all.
        groups: How many; divides `n_envs`.
        shown: Whether the agent sees the parameters.
        lane_arguments: Of `SB3VecEnv`: reward, reward_scale, lanes_per_tape.

    Raises:
        ValueError: A bad range, one whose parameter would change the spaces, or numbers that do not divide.
    """

    def __init__(
        self,
        params: MarketParams,
        ranges: Ranges,
        n_envs: int = 256,
        groups: int = 16,
        shown: bool = True,
        **lane_arguments: Any,
    ) -> None:
        check_ranges(params, ranges)
        if groups < 1 or n_envs % groups:
            raise ValueError(f"groups must divide n_envs={n_envs}, got {groups!r}")
        self.params, self.ranges, self.shown = params, dict(ranges), shown
        self._groups = [SB3VecEnv(params, n_envs // groups, **lane_arguments) for _ in range(groups)]
        self._drawn = np.zeros((groups, len(ranges)))  # of the episode under way, from 0 to 1
        self._next = np.zeros_like(self._drawn)
        own: Any = self._groups[0].observation_space
        ends = np.ones(len(ranges) if shown else 0, np.float32)
        space = spaces.Box(np.append(own.low, -ends), np.append(own.high, ends), dtype=np.float32)
        self._lanes = n_envs // groups
        super().__init__(n_envs, space, self._groups[0].action_space)
        self._rng = np.random.default_rng()
        self._draw()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the markets that are drawn, and the lanes: those of one tape alike, as of `SB3VecEnv`."""
        first: Any = super().seed(seed)[0]
        self._rng = np.random.default_rng(first)
        self._draw()
        self._seeds = [s for number, group in enumerate(self._groups) for s in group.seed(first + number * self._lanes)]
        return self._seeds

    def reset(self) -> NDArray[np.float32]:
        """Start the next episode in every lane, each group in the market drawn for it."""
        self._drawn = self._next
        observations = np.concatenate([group.reset() for group in self._groups])
        self._draw()
        self._reset_seeds()
        return self._with_parameters(observations, self._drawn)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions for `step_wait`."""
        for group, part in zip(self._groups, np.split(actions, len(self._groups)), strict=True):
            group.step_async(part)

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step every lane; those whose episode ends begin the next one in the market drawn for it."""
        observations, rewards, ended, infos = zip(*(group.step_wait() for group in self._groups), strict=True)
        told = [info for group in infos for info in group]
        before = self._drawn
        if ended[0].any():  # all lanes end together
            self._drawn = self._next
            self._draw()
            for lane, info in enumerate(told):
                shown = before[[lane // self._lanes]] if self.shown else before[:0]
                info["terminal_observation"] = np.append(info["terminal_observation"], columns_of(shown))
        seen = self._with_parameters(np.concatenate(observations), self._drawn)
        return seen, np.concatenate(rewards), np.concatenate(ended), told

    def close(self) -> None:
        """Close the lanes."""
        for group in self._groups:
            group.close()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """The attribute of each lane asked for."""
        return [getattr(self._groups[lane // self._lanes].lanes, attr_name) for lane in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Refused: what the lanes play is drawn."""
        raise ValueError(f"the markets of the lanes are drawn: make them anew with another {attr_name}")

    def env_method(self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any) -> list[Any]:
        """Call the method of every group; what it returns for each lane asked for."""
        results = [group.env_method(method_name, *args, **kwargs) for group in self._groups]
        return [results[lane // self._lanes][lane % self._lanes] for lane in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: Indices = None) -> list[bool]:
        """As of `SB3VecEnv`."""
        return [self._groups[0].env_is_wrapped(wrapper_class, 0)[0] for _ in self._get_indices(indices)]

    def _draw(self) -> None:
        """Draw the market that each group plays from its next reset on."""
        self._next = self._rng.uniform(size=self._drawn.shape)
        for group, shares in zip(self._groups, self._next, strict=True):
            group.lanes.params = market_at(self.params, self.ranges, shares)

    def _with_parameters(self, observations: NDArray[np.float32], drawn: NDArray[np.float64]) -> NDArray[np.float32]:
        if not self.shown:
            return observations
        return np.concatenate([observations, np.repeat(columns_of(drawn), self._lanes, axis=0)], axis=1)
