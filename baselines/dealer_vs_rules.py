"""DealerVsRulesEnv: one dealer who learns, against rivals with fixed policies; an ordinary Gymnasium environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from baselines.policies.registry import make_policy
from mm_env.envs.action import ActionDecoder, PolicyFunction
from mm_env.envs.arguments import plain_seed
from mm_env.envs.dealers_market import DEALERS_DEFAULTS
from mm_env.envs.dealers_vector_env import DealersVectorEnv
from mm_env.envs.market_attributes import MarketAttributes
from mm_env.envs.observation import Observations
from mm_env.market.params import DealersParams, MarketParams

RIVALS = ("threshold:3", "threshold:10")  # quoting the market's spread, and hedging early and late


class DealerVsRulesVectorEnv(DealersVectorEnv):
    """`DealersVectorEnv` in which every lane is `dealer_0` of a market of its own, against the same rivals.

    Args:
        num_envs: Lanes, each a market.
        rivals: Names of `baselines.POLICIES`, or policies: from observations of shape (N, observations) to actions.
        arguments: As of `DealersVectorEnv`; `num_dealers` follows from the rivals.

    Raises:
        ValueError: A bad argument; the message names it.
    """

    def __init__(self, num_envs: int = 1, *, rivals: Sequence[str | PolicyFunction] = RIVALS, **arguments: Any) -> None:
        if not isinstance(rivals, list | tuple) or not rivals:
            raise ValueError(f"rivals must be a list of one policy or more, got {rivals!r}")
        arguments.setdefault("num_dealers", len(rivals) + 1)
        others = ("autoreset_mode", "reward", "render_mode")
        numbers = {name: value for name, value in arguments.items() if name not in others}
        params = DealersParams.from_mapping({**DEALERS_DEFAULTS, **numbers})
        self._named_rivals = tuple(rivals)
        super().__init__(num_envs, rivals=_made(rivals, params), **arguments)

    def _check_change(self, params: Any) -> None:
        super()._check_change(params)
        for rival in self._named_rivals:
            if hasattr(rival, "params"):
                raise ValueError("a rival given as a policy was made for this market: name rivals to change it")
        _made(self._named_rivals, params)

    def _enter(self, params: Any) -> None:
        super()._enter(params)
        self.rivals = tuple(_made(self._named_rivals, params))


def _made(rivals: Sequence[str | PolicyFunction], params: DealersParams) -> list[PolicyFunction]:
    """The rivals as policies of this market."""
    return [make_policy(rival, params) if isinstance(rival, str) else rival for rival in rivals]


class DealerVsRulesEnv(MarketAttributes, gym.Env[Any, Any]):
    """`dealer_0` of a `DealersEnv`, with fixed policies in the other seats.

    ## Observation, action, reward, info, episode end
    Those of `mm_env.envs.dealers_env.DealersEnv` for one dealer. Reset with seed s, it is lane i of a
    `DealerVsRulesVectorEnv` reset with seed s - i.

    ## Arguments
    * `rivals`: names of `baselines.POLICIES`, or policies; default `("threshold:3", "threshold:10")`.
    * Every field of `DealersParams`; `num_dealers` follows from the rivals.
    * `reward`: `"realised"` (default) or `"expected"`.

    ## Version history
    * v0: initial version.
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(self, **arguments: Any) -> None:
        self._lane = DealerVsRulesVectorEnv(1, autoreset_mode=AutoresetMode.DISABLED, **arguments)
        self.render_mode = self._lane.render_mode
        self.observation_names = self._lane.observation_names
        self.observation_space = self._lane.single_observation_space
        self.action_space = self._lane.single_action_space
        self._decide = ActionDecoder(self.params)

    @property
    def params(self) -> Any:
        """The market: what the next reset plays."""
        return self._lane.params

    @params.setter
    def params(self, params: MarketParams) -> None:
        self._lane.params = params

    @property
    def rivals(self) -> tuple[PolicyFunction, ...]:
        """The policies of the other seats."""
        return self._lane.rivals

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start the next episode: of `seed` if given, else of the seed before, else of a random one."""
        seed = plain_seed(seed)
        super().reset(seed=seed)
        self._take_options(options)
        observations, info = self._lane.reset(seed=seed)
        return observations[0], _first(info)

    def step(self, action: Any) -> tuple[Observations, float, bool, bool, dict[str, Any]]:
        """Quote beside the rivals, hedge, and let the price move.

        Raises:
            ValueError: The action is not in the action space.
            gymnasium.error.ResetNeeded: The episode has ended or has not begun.
        """
        self._decide(action)  # a clear error where the action is wrong
        observations, rewards, terminated, _, info = self._lane.step(np.asarray(action)[None])
        return observations[0], float(rewards[0]), bool(terminated[0]), False, _first(info)

    def action_masks(self) -> NDArray[np.bool_]:
        """Which levels are worth choosing now, as of `HedgingEnv`."""
        return np.asarray(self._lane.action_masks()[0])


def _first(info: dict[str, Any]) -> dict[str, Any]:
    """What info tells of the only lane, in plain numbers."""
    return {name: value[0].item() for name, value in info.items() if not name.startswith("_")}
