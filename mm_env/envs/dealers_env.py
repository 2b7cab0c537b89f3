"""DealersEnv: several dealers as a PettingZoo parallel environment. The rules are in `dynamics.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from numpy.typing import NDArray

from mm_env.envs.action import ActionDecoder, action_space
from mm_env.envs.arguments import check_render_mode, checked_reward, plain_seed, reward_array, reward_space
from mm_env.envs.cursors.tape_cursor import TapeCursor
from mm_env.envs.dealers_market import (
    DEALERS_DEFAULTS,
    DealersMarket,
    dealer_name,
    for_seat,
    naming_dealer,
    stack_decisions,
)
from mm_env.envs.market_attributes import MarketAttributes
from mm_env.envs.observation import Observations, observation_names, observation_space
from mm_env.envs.step_history import StepHistory
from mm_env.episodes import Episodes, step_info
from mm_env.extras import needed_for
from mm_env.market import dynamics
from mm_env.market.exogenous_state import NO_REQUEST
from mm_env.market.params import DealersParams
from mm_env.registration import METADATA
from mm_env.screen import Screen

with needed_for("several agents"):
    from pettingzoo import ParallelEnv
    from pettingzoo.utils.conversions import parallel_to_aec

if TYPE_CHECKING:
    from mm_env.plotting import Film


class DealersEnv(MarketAttributes, ParallelEnv):  # type: ignore[misc]  # PettingZoo's base class is untyped
    """K dealers quote for every client; the best quote wins, the winner books, everyone hedges and is marked.

    ## Agents
    `dealer_0` ... `dealer_{K-1}`, K = `num_dealers`. All act in every step, until the last: then all are terminated.

    ## Step
    Every dealer sees the client's request, quotes a distance from the mid and names a hedge threshold. The client
    takes the best quote within his reservation distance, of those dealers whose inventory cap allows the trade; ties
    are drawn. With `view_noise` each dealer quotes around a mid of his own, which is off by a normal error drawn anew
    each time.

    ## Observation and action
    Those of `HedgingEnv`, and with more than one dealer: `won`, +1 if he won the last trade, -1 if another dealer
    did, 0 if there was none; `best_quote`, the distance of the last trade's quote from the mid over that of the widest;
    with `quote_latency`, from the mid that it was quoted around, for the true one is hidden. Never a rival's inventory,
    unless `transparent=True`: then `rival_1` ..., by seats after one's own.

    ## Reward and info
    Those of `HedgingEnv`, for each dealer.

    ## Arguments
    Every field of `DealersParams` (the defaults are those of `mm_env/DynamicSpread-v0`, since dealers who cannot
    quote cannot compete), `reward` and `render_mode` as of `HedgingEnv`.

    Raises:
        ValueError: A bad argument; the message names it.
    """

    metadata: dict[str, Any] = {"name": "dealers_v0", **METADATA}

    def __init__(self, *, reward: str = "realised", render_mode: str | None = None, **market_params: Any) -> None:
        self._params = DealersParams.from_mapping({**DEALERS_DEFAULTS, **market_params})
        self._reward_name, self._reward = reward, checked_reward(reward, None, self._params)
        self._reward_space = reward_space(reward)
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self.observation_names = observation_names(self._params)
        self.possible_agents = [dealer_name(seat) for seat in range(self._params.num_dealers)]
        self.agents: list[str] = []
        self.observation_spaces = {agent: observation_space(self._params) for agent in self.possible_agents}
        self.action_spaces = {agent: action_space(self._params) for agent in self.possible_agents}
        one = self.observation_spaces[self.possible_agents[0]]
        low, high = (np.tile(end, self._params.num_dealers) for end in (one.low, one.high))
        self.state_space = spaces.Box(low, high, dtype=np.float32)
        self._decide = ActionDecoder(self._params)
        self._market = DealersMarket(self._params, 1)
        self._lanes: TapeCursor | None = None
        self._state = NO_REQUEST
        self._history: StepHistory | None = None
        self._screen = Screen(self._film, "mm_env", self.metadata["render_fps"])
        self._seen = np.zeros((self._params.num_dealers, len(self.observation_names)), np.float32)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observations], dict[str, dict[str, Any]]]:
        """Start the next episode: of `seed` if given, else of the seed before, else of a random one.

        Args:
            seed: A whole number, at least 0.
            options: `{"params": {"spread": 0.1}}` changes the market from this episode on.
        """
        seed = plain_seed(seed)
        self._take_options(options)
        params = self._take_change()
        if params is not None:
            self._params, self._decide, self._market = params, ActionDecoder(params), DealersMarket(params, 1)
            self._screen.clear()
            if self._lanes is not None:
                self._lanes.enter(params)
        if seed is not None or self._lanes is None:
            _, found = seeding.np_random(seed)
            self._lanes = TapeCursor(self._params, [found if seed is None else seed])
        self._lanes.next_episode(np.ones(1, dtype=np.bool_))
        self._market.reopen()
        self.agents = list(self.possible_agents)
        self._history = StepHistory(self._params, len(self.agents)) if self.render_mode else None
        nothing = step_info(dynamics.no_step(dynamics.initial_book(self._params)))
        observations = self._observe(self._lanes)
        if self.render_mode == "human":
            self.render()
        return observations, {agent: dict(nothing) for agent in self.agents}

    def step(self, actions: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        """Let every dealer quote and hedge, and the price move.

        Raises:
            ValueError: An action is missing, is not in the action space, or is of an agent who is not there; the
                message names the agent.
        """
        lanes = self._lanes
        if lanes is not None and not self.agents and not actions:
            return {}, {}, {}, {}, {}  # nobody is left, and nobody acts
        if lanes is None or not self.agents:
            raise ValueError("call reset() first: no episode is under way")
        decision = stack_decisions(self._decisions(actions), 1)
        state, move = self._state, lanes.move()
        step = self._market.step(state.request, lanes.preference(), decision, move)
        reward, cost = self._reward(step, move, self._params)
        rewards = reward_array(reward, (len(self.agents), 1))[:, 0]
        if self._history is not None:
            self._history.record(state, decision, step, move)
        lanes.advance()
        observations, over = self._observe(lanes), lanes.ended() is not None
        agents = self.agents
        infos = {
            agent: _plain(step_info(*(for_seat(part, seat) for part in (step, cost))))
            for seat, agent in enumerate(agents)
        }
        if over:
            self.agents = []
        if self.render_mode == "human":
            self.render()
        return (
            observations,
            {agent: reward if reward.ndim else float(reward) for agent, reward in zip(agents, rewards, strict=True)},
            dict.fromkeys(agents, over),
            dict.fromkeys(agents, False),
            infos,
        )

    def observation_space(self, agent: str) -> spaces.Box:
        """The space of what an agent sees."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The space of what an agent does."""
        return self.action_spaces[agent]

    def reward_space(self, agent: str) -> spaces.Box | None:
        """The space of what an agent earns with `reward="vector"`, as MOMAland's clients ask for it; else None."""
        return self._reward_space

    def state(self) -> Observations:
        """What all dealers see, one after another: for centralised training."""
        return np.ravel(self._seen)

    def episodes(self) -> dict[str, Episodes]:
        """The steps of this episode so far, of each dealer, as arrays of shape (1, steps).

        Raises:
            ValueError: Nothing was recorded: made without a `render_mode`, or not yet reset.
        """
        if self._history is None:
            raise ValueError("nothing recorded: make the environment with a render_mode, and reset it")
        return {dealer_name(seat): self._history.episodes(seat) for seat in range(self._params.num_dealers)}

    def render(self) -> NDArray[np.uint8] | str | None:
        """The episode so far: every dealer's inventory and profit as an RGB array or in the window, or a line each."""
        if self.render_mode is None:
            return None
        if self.render_mode == "ansi":
            inventory, equity = np.asarray(self._market.book.inventory), np.asarray(self._market.book.equity)
            return "\n".join(
                f"{agent}  inventory {inventory[seat, 0]:+.0f}  equity {equity[seat, 0]:+.2f}"
                for seat, agent in enumerate(self.possible_agents)
            )
        if self.render_mode == "human":
            self._screen.show([self.episodes()])
            return None
        return self._screen.pictures([self.episodes()])[0]

    def close(self) -> None:
        """Close the window, if there is one."""
        self._screen.close()

    def _film(self) -> Film:
        from mm_env.plotting import dealers_film

        return dealers_film(self._params, self.possible_agents)

    def _decisions(self, actions: Any) -> list[Any]:
        if not isinstance(actions, Mapping):
            raise ValueError(f"actions must be a mapping from agents to actions, got {actions!r}")
        for agent in self.agents:
            if agent not in actions:
                raise ValueError(f"{agent}: no action given")
        for agent in actions:
            if agent not in self.agents:
                raise ValueError(f"{agent}: not an agent here; agents are {', '.join(self.agents)}")
        return [
            naming_dealer(seat, lambda action=actions[agent]: self._decide(action))
            for seat, agent in enumerate(self.possible_agents)
        ]

    def _observe(self, lanes: TapeCursor) -> dict[str, Observations]:
        self._state = lanes.state()
        left = self._params.num_trades - lanes.trade
        self._seen = np.ascontiguousarray(self._market.observe(self._state, left)[:, 0])
        return {agent: self._seen[seat].copy() for seat, agent in enumerate(self.possible_agents)}


def parallel_env(**arguments: Any) -> DealersEnv:
    """A `DealersEnv`: what PettingZoo's conventions call for."""
    return DealersEnv(**arguments)


def env(**arguments: Any) -> Any:
    """A `DealersEnv` whose dealers act one after another: PettingZoo's AEC form."""
    return parallel_to_aec(parallel_env(**arguments))


def _plain(info: dict[str, Any]) -> dict[str, Any]:
    """One market's arrays of shape (1,) as plain numbers."""
    return {name: value[0].item() if isinstance(value, np.ndarray) else value for name, value in info.items()}
