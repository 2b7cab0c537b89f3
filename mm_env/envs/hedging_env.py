"""HedgingEnv: the market as a Gymnasium environment. The rules are in `dynamics.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from mm_env.envs.action import ActionDecoder, action_space
from mm_env.envs.action_mask import action_mask
from mm_env.envs.arguments import (
    check_compiled,
    check_render_mode,
    checked_reward,
    plain_seed,
    reward_array,
    reward_space,
)
from mm_env.envs.market_attributes import MarketAttributes
from mm_env.envs.observation import Observations, observation_names, observation_space, values_of_parts
from mm_env.envs.step_history import StepHistory, text_line
from mm_env.episodes import Episodes, step_info
from mm_env.kernels.scalar_kernel import FLOATS, Function, straight
from mm_env.kernels.tracing import TraceOps
from mm_env.market import dynamics
from mm_env.market.dynamics import Book, Decision, LawStep, Move, Request, Step
from mm_env.market.exogenous_state import NO_REQUEST, ExogenousState, ObservedState
from mm_env.market.numbers import ElementaryFunctions, Number
from mm_env.market.params import MarketParams
from mm_env.market.tape import EpisodeSource, Tape, largest_size, tape_of
from mm_env.registration import METADATA
from mm_env.screen import Screen

if TYPE_CHECKING:
    from mm_env.plotting import Film

_array, _SINGLE = np.array, np.dtype(np.float32)  # looked up at every step


class HedgingEnv(MarketAttributes, gym.Env[Any, Any]):
    """A dealer answers client requests, earns the spread, and decides how much inventory to hedge away.

    ## Description
    In each step a client asks to buy or sell. The dealer quotes a distance from the mid, fixed or chosen by the
    agent, and fills the client if he accepts, unless that would take abs(inventory) above `inventory_limit`: then the
    client is rejected whole. The dealer then hedges, at a cost, what exceeds the hedge threshold that the agent chose
    for this step; with `hedge_latency` the order executes some steps later. Then the price moves, and the book is
    marked to the new mid. `mm_env.market.dynamics` holds the equations, `mm_env.market.flow` the law of clients and
    prices.

    ## Observation
    `Box`, float32; names in `observation_names`. Every market shows the first three, the others where they matter.

    | name | meaning | low | high | shown with |
    |------|---------|-----|------|------------|
    | inventory | inventory / inventory_limit | -1 | 1 | |
    | time_left | trades left / num_trades, this one included | 0 | 1 | |
    | request | units the client asks for / the largest request: > 0 he buys, < 0 he sells, 0 nobody came | -1 | 1 | |
    | side | +1 the client buys, -1 he sells, 0 nobody came | -1 | 1 | sizes above 1 |
    | tier | index of the client's tier / the last index | 0 | 1 | several tiers |
    | last_side | side of the client before, 0 at the start | -1 | 1 | flow_persistence, and informed or no clients |
    | regime | index of the volatility regime / the last index | 0 | 1 | volatility_regimes |
    | deviation | known mid less starting price, own impact apart, price units | -inf | inf | mean_reversion |
    | in_flight_1 ... | hedge orders in flight / inventory_limit, the next to execute first | -1 | 1 | hedge_latency |

    With a recorded tape, the bounds of `request` are its largest size. With `quote_latency` the dealer does not see
    all that matters: how far the mid has moved from the one he quotes around. `deviation` is then of that one.

    ## Action
    `Discrete(inventory_limit + 1)`: the hedge threshold of this step. 0 hedges everything, `inventory_limit` nothing.
    An agent that always chooses 10 plays the threshold rule at 10. Orders in flight count as executed. `hedge_levels=n`
    offers n evenly spaced thresholds instead. With `hedge_action="units"` the action is the number of units to offload
    now. With `hedge_action="band"`: `MultiDiscrete([hedge levels, hedge levels])`, the threshold that triggers a hedge
    and the target that it hedges to.

    With `quote_levels=n` above 1: `MultiDiscrete([..., n])`, the last being the distance of the quote from the mid,
    `lowest_quote + index * tick`. With `continuous=True`: `Box(-1, 1)` of as many numbers, from the lowest level to the
    highest; hedges are rounded to the nearest level, quotes are not. With `flat=True`: `Discrete`, the place of the
    levels in the order of rows, hedge level * n + quote level. Every market is registered continuous as well
    (`mm_env/HedgingContinuous-v0`), those of several levels flat (`mm_env/DynamicSpreadFlat-v0`). `action_masks()`
    tells which levels are worth choosing now.

    ## Reward
    `spread_pnl - hedge_cost + inventory_pnl - risk_penalty`, in price units: the change of equity less 0.5 *
    risk_aversion * s^2 * inventory^2, s^2 being the variance of the coming price move: that of `price_volatility` or
    the regime's, plus `jump_probability * jump_volatility`^2. With `reward="expected"` the inventory
    PnL is replaced by its expectation given what the dealer can know: the same optimum with a fraction of the noise.
    With `reward="vector"` it is an array of the four parts, costs and penalty negative, whose sum is the reward; then
    `reward_space` is there, as MO-Gymnasium has it.

    ## Starting state
    No inventory, no cash, no orders, the mid at `starting_price`.

    ## Episode end
    *Terminated* after `num_trades` requests; never truncated: the horizon is part of the problem. `spec` tells it to
    wrappers and libraries as `max_episode_steps`.

    ## Info
    `spread_pnl`, `hedge_cost`, `inventory_pnl`, `risk_penalty`, `filled`, `hedge` (signed units), `inventory`,
    `price`, `equity`, `unrealized_pnl`, `cumulative_hedge`: each as it stands at the end of the step. `cost`: 1 if
    the inventory is at the cap then, else 0, for agents under a constraint. With `hedge_latency`, `order`: signed units
    ordered.

    ## Seeds
    `reset(seed=s)` starts episode 0 of seed s and every later `reset()` the next one: the same market for every
    policy, and the same as lane i of a vector environment seeded s - i. On a recorded tape, seed s starts
    at episode s modulo the number of episodes.

    ## Changing the market
    `env.unwrapped.params = params`, `set_attr("risk_aversion", 0.02)` of vectors, and `reset(options={"params":
    {"risk_aversion": 0.02}})` change the market from the next reset on; what would change a space is refused.

    ## Arguments
    Every field of `MarketParams` (`gym.make("mm_env/Hedging-v0", risk_aversion=0.02)`), and:

    * `reward`: `"realised"` (default), `"expected"` or `"vector"`.
    * `tape`: a recorded `Tape` to play instead of drawn episodes, or the path of its file: a path is what a `spec` can
      keep, so that `spec.to_json()` works.
    * `compiled`: `False` runs `mm_env.market.dynamics` as it stands, so that a debugger steps into it; by default the
      environment runs the same operations as straight Python, with the same numbers bit for bit, several times faster.
    * `render_mode`: `"rgb_array"` (three charts of the episode so far), `"human"` (the same in a window, after every
      step; needs pygame) or `"ansi"` (one line). Steps are drawn when a picture is asked for.

    ## Version history
    * v0: initial version.
    """

    metadata: dict[str, Any] = METADATA

    def __init__(
        self,
        *,
        reward: str = "realised",
        tape: Tape | str | Path | None = None,
        compiled: bool | None = None,
        render_mode: str | None = None,
        **market_params: Any,
    ) -> None:
        self._params = self._checked_params(market_params)
        tape = tape_of(tape)
        self._reward_name = reward
        self._reward = checked_reward(reward, tape, self._params)
        self.reward_space = reward_space(reward)
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self.observation_names = observation_names(self._params)
        self.observation_space = observation_space(self._params, largest_size(tape))
        self.action_space = action_space(self._params)
        self._compiled = check_compiled(compiled)
        self._tape = tape
        self._enter(self._params)
        self._seed = 0
        self._source = EpisodeSource(self._params, [self._seed], tape)
        self._seeded = tape is not None  # a recorded tape starts at its first episode
        self._episode = 0
        self._block: Tape | None = None
        self._trade = self._left = 0  # of requests; nothing to answer before the first reset
        self._book = dynamics.initial_book(self._params)
        self._history: StepHistory | None = None
        self._screen = Screen(self._film, "mm_env", self.metadata["render_fps"])

    def _checked_params(self, values: dict[str, Any]) -> MarketParams:
        return MarketParams.from_mapping(values)

    def _enter(self, params: MarketParams) -> None:
        """Play in this market from now on."""
        if params is not self._params:
            self._screen.clear()
        self._params = params
        self._decide = ActionDecoder(self._params)
        self._look = self._straight(partial(values_of_parts, params=params))
        law: LawStep = partial(dynamics.rewarded_step, reward=self._reward, params=params, xp=self._xp)
        turns = [partial(_turn, recorded, law, params) for recorded in (False, True)]
        self._turns: Sequence[Turn] = [self._straight(turn) for turn in turns]

    @property
    def _xp(self) -> ElementaryFunctions:
        return FLOATS if self._compiled is False else TraceOps()

    def _straight(self, function: Function) -> Function:
        """The function, run as straight Python, or as it stands, for a debugger to step into."""
        return function if self._compiled is False else straight(function)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start the next episode: of `seed` if given, else of the seed before, else of a random one.

        Args:
            seed: A whole number, at least 0.
            options: `{"params": {"spread": 0.1}}` changes the market from this episode on.
        """
        seed = plain_seed(seed)
        super().reset(seed=seed)
        self._take_options(options)
        change, begins = self._take_change(), seed is not None or not self._seeded
        if change is not None:
            self._enter(change)
        if begins:
            self._seed, self._seeded, self._episode = self._np_seed(), True, 0
        if begins or change is not None:
            self._source, self._block = EpisodeSource(self._params, [self._seed], self._tape), None
        self._load_episode()
        self._trade, self._left = 0, self._params.num_trades
        self._book = dynamics.initial_book(self._params)
        self._history = StepHistory(self._params) if self.render_mode else None
        if self.render_mode == "human":
            self.render()
        seen = self._look(self._book, self._requests[0], self._observed[0], self._left)
        return np.array(seen, np.float32), step_info(dynamics.no_step(self._book))

    def step(self, action: Any) -> tuple[Observations, float, bool, bool, dict[str, Any]]:
        """Answer the request shown, hedge, and let the price move.

        Raises:
            ValueError: The action is not in the action space.
            gymnasium.error.ResetNeeded: The episode has ended or has not begun.
        """
        trade, left, history = self._trade, self._left - 1, self._history
        if left < 0:
            raise gym.error.ResetNeeded("call reset() first: no episode is under way")
        decision, request, move = self._decide(action), self._requests[trade], self._moves[trade]
        following, observed = self._requests[trade + 1], self._observed[trade + 1]
        self._book, step, reward, info, seen = self._turns[history is not None](
            self._book, request, decision, move, following, observed, left
        )
        self._trade, self._left = trade + 1, left
        if history is not None:
            history.record(ExogenousState(request, self._observed[trade]), decision, step, move)
            if self.render_mode == "human":
                self.render()
        if self.reward_space is not None:
            reward = reward_array(reward, ())
        return _array(seen, _SINGLE), reward, not left, False, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which levels are worth choosing now, by `mm_env.envs.action_mask`: for sb3-contrib's MaskablePPO.

        Raises:
            ValueError: Actions are continuous.
            gymnasium.error.ResetNeeded: No episode has begun.
        """
        if self._block is None:
            raise gym.error.ResetNeeded("call reset() first: no episode has begun")
        return action_mask(self._book, self._requests[self._trade], self._params)

    def render(self) -> NDArray[np.uint8] | str | None:
        """The episode so far: three charts as an RGB array, or in the window, or one line of text.

        Raises:
            gymnasium.error.ResetNeeded: No episode has begun.
        """
        if self.render_mode is None:
            gym.logger.warn('render() needs gym.make(..., render_mode="rgb_array", "human" or "ansi")')
            return None
        if self._history is None:
            raise gym.error.ResetNeeded("call reset() first: no episode has begun")
        if self.render_mode == "ansi":
            return text_line(self._book, self._trade, self._params)
        if self.render_mode == "human":
            self._screen.show([self.episodes()])
            return None
        return self._screen.pictures([self.episodes()])[0]

    def close(self) -> None:
        """Close the window, if there is one."""
        self._screen.close()

    def episodes(self) -> Episodes:
        """The steps of this episode so far as arrays of shape (1, steps).

        Raises:
            ValueError: Nothing was recorded: no `render_mode`, or no episode has begun.
        """
        if self._history is None:
            raise ValueError("nothing recorded: make the environment with a render_mode, and reset it")
        return self._history.episodes()

    def _film(self) -> Film:
        from mm_env.plotting import episode_film

        return episode_film(self._params)

    def _np_seed(self) -> int:
        seed = self.np_random_seed
        return int(seed) if seed is not None and seed >= 0 else int(self.np_random.integers(2**63))

    def _load_episode(self) -> None:
        number, column = divmod(self._episode, self._source.block)
        if column == 0 or self._block is None:
            self._block = self._source.draw([0], [number])
        requests, observed, self._moves = self._block.episode(column, self._params)
        self._requests, self._observed = [*requests, NO_REQUEST.request], [*observed, NO_REQUEST.observed]
        self._episode += 1


Turn: TypeAlias = Callable[[Book, Request, Decision, Move, Request, ObservedState, int], tuple[Any, ...]]  # `told`


def _turn(
    recorded: bool,
    law: LawStep,
    params: MarketParams,
    book: Book,
    request: Request,
    decision: Decision,
    move: Move,
    following: Request,
    observed: ObservedState,
    left: int,
) -> tuple[Any, ...]:
    """What the law makes of a decision, as `told`."""
    step, (reward, cost) = law(book, request, decision, move)
    return told(recorded, params, step, reward, cost, following, observed, left)


def told(
    recorded: bool,
    params: MarketParams,
    step: Step,
    reward: Any,
    cost: Number,
    following: Request,
    observed: ObservedState,
    left: int,
) -> tuple[Any, ...]:
    """What there is to tell of a step: the book, the step if it is recorded, reward, info, and what is seen next."""
    seen = values_of_parts(step.book, following, observed, left, params)
    return step.book, step if recorded else None, reward, step_info(step, cost), seen
