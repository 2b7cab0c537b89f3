"""SB3VecEnv: the vector environment as Stable-Baselines3 wants it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv

from mm_env.envs.arguments import check_one_number
from mm_env.envs.hedging_vector_env import HedgingVectorEnv
from mm_env.envs.market_attributes import check_attribute
from mm_env.envs.observation import Observations
from mm_env.market.params import MarketParams
from mm_env.registration import has_rivals, params_of_market, short_id

Indices = int | Iterable[int] | None


class SB3VecEnv(VecEnv):
    """N dealers in one `HedgingVectorEnv`; a lane begins anew in the step that ends its episode.

    `infos` holds empty dictionaries but at the end of an episode: `terminal_observation`, `TimeLimit.truncated`
    (False: the horizon is part of the problem) and `episode`, with `r`, the sum of the *realised* rewards whichever
    reward is trained on, `l`, the steps, and `t`, seconds since the environment was made.

    The lanes are the rows of one environment. So an attribute or a method's result is the same for all of them,
    and `set_attr` is for all of them at once. `env_is_wrapped(Monitor)` is True: `episode` is what a Monitor adds.

    Args:
        market: A registered id, that of a dealer among rivals included, or the parameters themselves; or lanes of
            AutoresetMode.SAME_STEP, such as those of dealers who compete, which settle `n_envs` and `reward`.
        n_envs: N.
        seed: Lane i starts episode 0 of seed + i // lanes_per_tape at the next `reset`. None: of a random seed.
        reward: "realised" or "expected".
        reward_scale: What every reward is multiplied by, for networks that learn values of about 1 best.
        lanes_per_tape: So many neighbouring lanes play the same tape, whatever seeds them: `seed(s)`, and with it
            `PPO(seed=s)`, keeps them together. For `rollout_buffer_class=PairedRolloutBuffer`.
        arguments: Changes to the market's parameters, `render_mode`, or `rivals` where the id has them, as of
            `gym.make_vec`.

    Raises:
        ValueError: A bad market, number of lanes, seed, reward or number of lanes per tape.
    """

    def __init__(
        self,
        market: str | MarketParams | HedgingVectorEnv = "mm_env/Hedging-v0",
        n_envs: int = 256,
        seed: int | None = None,
        reward: str = "realised",
        reward_scale: float = 1.0,
        lanes_per_tape: int = 1,
        **arguments: Any,
    ) -> None:
        own = {"reward": reward, **({} if lanes_per_tape == 1 else {"lanes_per_tape": lanes_per_tape})}
        self.lanes = _lanes(market, n_envs, {**arguments, **own}, bool(arguments))
        check_one_number(self.lanes._reward_name)
        if self.lanes.autoreset_mode is not AutoresetMode.SAME_STEP:
            raise ValueError(f"the lanes must be of AutoresetMode.SAME_STEP, got {self.lanes.autoreset_mode}")
        super().__init__(self.lanes.num_envs, self.lanes.single_observation_space, self.lanes.single_action_space)
        self._start = time.monotonic()
        self._length = 0  # of the episode so far, steps: that of all lanes
        self._scale = reward_scale
        self._penalty = np.zeros(self.num_envs)  # of each lane's episode so far, price units
        if seed is not None:
            self.seed(seed)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Lanes that share a tape get the same seed, used at the next `reset`. None: of a random seed."""
        first: Any = super().seed(seed)[0]
        self._seeds = [first + lane // self.lanes.lanes_per_tape for lane in range(self.num_envs)]
        return self._seeds

    def reset(self) -> Observations:
        """Start the next episode in every lane: of the seeds given to `seed` since the last reset, if any."""
        seeds = [seed for seed in self._seeds if seed is not None]
        if any(options != self._options[0] for options in self._options):
            raise ValueError(f"the lanes share their market: set the same options for all of them, got {self._options}")
        observations, _ = self.lanes.reset(seed=seeds or None, options=self._options[0])
        self._penalty[:], self._length = 0.0, 0
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Observations, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step every lane.

        Raises:
            ValueError: The actions are not in the action space.
        """
        observations, rewards, ended, _, info = self.lanes.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        final = info.get("final_info", info)  # how the step ended, before lanes began anew
        self._penalty += final["risk_penalty"]
        self._length += 1
        if ended.any():
            returns = final["equity"] - self._penalty  # each reward is the change of equity less the penalty
            for lane in np.flatnonzero(ended):
                infos[lane] = self._ending(info["final_obs"][lane], float(returns[lane]))
            self._penalty[ended], self._length = 0.0, 0
        return observations, (self._scale * rewards).astype(np.float32), ended, infos

    def close(self) -> None:
        """Close the lanes."""
        self.lanes.close()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """The attribute, once for each lane asked for."""
        value = getattr(self.lanes, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set the attribute of all lanes; a market parameter applies at their next reset, an automatic one included.

        Raises:
            ValueError: Nearly a market parameter, or `indices` leaves a lane out.
        """
        if set(self._get_indices(indices)) != set(range(self.num_envs)):
            raise ValueError(f"the lanes share {attr_name!r}: set it for all {self.num_envs} of them at once")
        check_attribute(self.lanes, attr_name)
        setattr(self.lanes, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any) -> list[Any]:
        """Call the method of the lanes once; what it returns for each lane asked for."""
        results = self.lanes.call(method_name, *args, **kwargs)
        return [results[lane] for lane in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """The picture of each lane: for `render`, and videos of Stable-Baselines3."""
        pictures: Any = self.lanes.render()
        return pictures or [None] * self.num_envs

    def env_is_wrapped(self, wrapper_class: type, indices: Indices = None) -> list[bool]:
        """True for Monitor, False for any other wrapper, for each lane asked for."""
        return [wrapper_class is Monitor for _ in self._get_indices(indices)]

    def _ending(self, observation: Observations, realised: float) -> dict[str, Any]:
        seconds = round(time.monotonic() - self._start, 6)
        return {
            "terminal_observation": observation,
            "TimeLimit.truncated": False,
            "episode": {"r": realised, "l": self._length, "t": seconds},
        }


def _lanes(
    market: str | MarketParams | HedgingVectorEnv, n_envs: int, arguments: dict[str, Any], changed: bool
) -> HedgingVectorEnv:
    if isinstance(market, HedgingVectorEnv):
        if changed:
            raise ValueError("lanes that are made already take no arguments: change them, or name a market")
        return market
    arguments = {"autoreset_mode": AutoresetMode.SAME_STEP, **arguments}
    if isinstance(market, str) and has_rivals(market):
        made: Any = gym.make_vec(short_id(market), n_envs, "vector_entry_point", **arguments)
        return made  # type: ignore[no-any-return]
    params = params_of_market(market)
    return HedgingVectorEnv(n_envs, **{**params.to_dict(), **arguments})
