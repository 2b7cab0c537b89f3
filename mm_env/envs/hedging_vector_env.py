"""HedgingVectorEnv: N dealers at once, one row of arrays each. The rules are in `dynamics.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mm_env.envs.action import Actions, action_space, decode_actions
from mm_env.envs.action_mask import action_mask
from mm_env.envs.arguments import (
    check_compiled,
    check_render_mode,
    checked_reward,
    plain_seed,
    reward_array,
    reward_space,
)
from mm_env.envs.cursors.flow_cursor import FlowCursor, FlowKernels
from mm_env.envs.cursors.tape_cursor import TapeCursor
from mm_env.envs.market_attributes import MarketAttributes, check_attribute
from mm_env.envs.observation import (
    Observations,
    observation_names,
    observation_space,
    observation_values,
    observe,
)
from mm_env.envs.step_history import StepHistory, of_lane, text_line
from mm_env.episodes import step_info
from mm_env.kernels.lane_threads import LaneThreads
from mm_env.kernels.tracing import TraceOps
from mm_env.kernels.vector_kernel import WORTH_COMPILING, VectorKernel, numba_works
from mm_env.market import dynamics
from mm_env.market.dynamics import Book, Decision, LawStep, Move, Request, Step
from mm_env.market.exogenous_state import NO_REQUEST, ExogenousState
from mm_env.market.flow import is_traceable
from mm_env.market.params import MarketParams
from mm_env.market.tape import Tape, largest_size, tape_of
from mm_env.market.validation import check_whole, is_whole
from mm_env.registration import METADATA
from mm_env.screen import MOST_SHOWN, Screen

if TYPE_CHECKING:
    from mm_env.plotting import Film

Flags = NDArray[np.bool_]
Answer = tuple[Step, tuple[Any, Any], "Told | None"]  # of a step: what happened, reward and cost, and what tells of it

_PLAIN = (float, bool)  # types of what is one value for all lanes

_OF_THE_BOOK = frozenset(
    {"inventory", "price", "equity", "unrealized_pnl", "cumulative_hedge", "order"}
)  # needed again

_NAMES = {
    name: (f"_{name}", name in _OF_THE_BOOK)
    for name in (*step_info(dynamics.no_step(Book(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0,)))), "final_obs", "final_info")
}  # of each name in an info that of its mask, and whether the next step needs what it names

_OF_EACH_LANE = ("action_masks", "render")  # methods that return something for each lane


class HedgingVectorEnv(MarketAttributes, VectorEnv[Observations, Actions, NDArray[Any]]):
    """N independent markets stepped as arrays. Lane i seeded s is `HedgingEnv` seeded s + i, bit for bit.

    Observation, action, reward, info and the market's arguments are those of `HedgingEnv`, with a first axis of
    N lanes; `info["_name"]` masks the lanes that `info["name"]` speaks of. Beside them:

    * `num_envs`: N.
    * `autoreset_mode`: what happens after an episode's last step. `NEXT_STEP` (default): the next `step` ignores the
      lane's action and resets it. `SAME_STEP`: the lane is reset at once; `info["final_obs"]` and
      `info["final_info"]` hold how it ended. `DISABLED`: call `reset(options={"reset_mask": mask})`.
    * `compiled`: run the law as machine code: the same numbers bit for bit, and seconds to compile. Default: where
      Numba is installed (`pip install 'mm_env[fast]'`), once the law has taken as long as compiling it would. Machine
      code is kept for other processes in the user's cache folder, or in that named by `MM_ENV_CACHE_DIR`.
    * `render_mode`: as of `HedgingEnv`; `render()` returns a picture, or a line, for each lane. The window of "human"
      shows the first nine lanes.
    * `lanes_per_tape`: G neighbouring lanes play the same tape: lane i is seeded s + i // G, and the lanes of a group
      begin every episode together. What clients do is then the same for all of them, so that they differ by what
      their dealers did alone: the quiet comparison that `train.PairedRolloutBuffer` learns from. Default: 1.
    * `threads`: how many may share the work of machine code, where there are enough lanes: 128 each to draw random
      numbers, 16,384 each to step. The same numbers bit for bit, for whoever has cores to spare. Default: 1.
    """

    metadata: dict[str, Any] = {**METADATA, "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        compiled: bool | None = None,
        reward: str = "realised",
        tape: Tape | str | Path | None = None,
        render_mode: str | None = None,
        lanes_per_tape: int = 1,
        threads: int = 1,
        **market_params: Any,
    ) -> None:
        self.num_envs = check_whole("num_envs", num_envs, 1)
        self.lanes_per_tape = _checked_group(lanes_per_tape, self.num_envs)
        self._all = np.ones(self.num_envs, dtype=np.bool_)
        self._threads = LaneThreads(check_whole("threads", threads, 1), self.num_envs)
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self._params = self._checked_params(market_params)
        self._tape = tape_of(tape)
        self._reward_name, self._reward = reward, checked_reward(reward, self._tape, self._params)
        self.reward_space = reward_space(reward)
        self.observation_names = observation_names(self._params)
        self.single_observation_space = observation_space(self._params, largest_size(self._tape))
        self.single_action_space = action_space(self._params)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        never = check_compiled(compiled) is False
        self._spent = None if never else 0.0  # seconds in the law, until it is compiled
        self._answers: Callable[..., Answer] = self._by_numpy()
        self._look: VectorKernel | None = None
        self._flow: FlowKernels | None = None
        self._lanes: TapeCursor | None = None
        if compiled:
            self._compile()
        self._history = StepHistory(self._params, self.num_envs) if self.render_mode else None
        self._screen = Screen(self._film, "mm_env", self.metadata["render_fps"])
        self._markets = self.num_envs  # each with a seed of its own
        parts = () if self.reward_space is None else self.reward_space.shape
        self._reward_shape = (self.num_envs, *parts)
        self._ended: Flags | None = None  # lanes that wait for their reset
        self._book = dynamics.initial_book(self._params)

    def reset(
        self,
        *,
        seed: int | Sequence[int] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observations, dict[str, Any]]:
        """Start the next episode in every lane, or in those of `options["reset_mask"]`, shape (N,).

        Args:
            seed: Lane i starts episode 0 of seed + i // lanes_per_tape, or of seed[i]. None: each lane goes on with
                its own.
            options: `{"reset_mask": mask}` resets some lanes only; their books and no others. `{"params": changes}`
                changes the market of every lane from this episode on.

        Raises:
            ValueError: A mask of the wrong type or shape, a seed that is negative, or one given with a mask; seeds or
                a mask that part lanes which share a tape.
        """
        mask = self._take_options(options, "reset_mask").get("reset_mask")
        lanes = self._all if mask is None else self._checked_mask(mask)
        if self._next_params is not None and not lanes.all():
            raise ValueError(
                "the market was changed: reset every lane, or set params back, before a reset_mask of some"
            )
        self._change_market()
        if seed is not None or self._lanes is None:
            if mask is not None:
                raise ValueError("reset_mask needs a full reset before it, and no seed with it")
            self._lanes = self._cursor(self._seeds(seed))
        cursor, info = self._restart(lanes, step_info(dynamics.no_step(self._book)))
        if self.render_mode == "human":
            self.render()
        return self._observe(cursor), _masked(info, lanes)

    def step(self, actions: Any) -> tuple[Observations, NDArray[np.float64], Flags, Flags, dict[str, Any]]:
        """Answer every lane's request, hedge, and let the prices move.

        Raises:
            ValueError: The actions are not in the action space.
            gymnasium.error.ResetNeeded: A lane's episode has ended or has not begun.
        """
        decision = decode_actions(actions, self.num_envs, self._params)
        lanes, resting = self._lanes, self._ended
        if lanes is None:
            raise gym.error.ResetNeeded("call reset() first: no episode is under way")
        if resting is not None and self.autoreset_mode is not AutoresetMode.NEXT_STEP:
            first = np.flatnonzero(resting)[:8].tolist()
            raise gym.error.ResetNeeded(f"lanes {first} have ended: reset them first")

        if resting is not None and resting.all():
            step, reward, cost = dynamics.no_step(self._book), np.zeros(self._reward_shape), 0.0
        else:
            step, (reward, cost), told = self._answer(lanes, decision)
        rewards = reward_array(reward, (self.num_envs,)).view()  # its shape and flags are the caller's
        if self._history is not None:
            self._history.record(*self._told(lanes, decision, step))
        self._book = step.book
        lanes.advance()
        if resting is not None:
            rewards = np.where(resting.reshape(-1, *[1] * (rewards.ndim - 1)), 0.0, rewards)
            lanes, values = self._restart(resting, step_info(step, cost))
            info = _masked(values, self._all)
        else:
            info = _masked(step_info(step, cost), self._all) if told is None else told.info()
        self._ended = self._over(lanes)
        terminated = self._ended.copy() if self._ended is not None else np.zeros(self.num_envs, dtype=np.bool_)
        observations = self._observe(lanes)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended is not None:
            final = {"final_obs": observations, "final_info": _masked(step_info(step, cost), terminated)}
            lanes, values = self._restart(self._ended, step_info(step, cost))
            info = _masked(values, self._all) | _masked(final, terminated)
            observations = self._observe(lanes)
        if self.render_mode == "human":
            self.render()
        return observations, rewards, terminated, np.zeros(self.num_envs, dtype=np.bool_), info

    def _checked_params(self, values: dict[str, Any]) -> MarketParams:
        return MarketParams.from_mapping(values)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """The attribute of every lane, as of `SyncVectorEnv`: lanes share all but their books."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set the attribute of every lane; a list or a tuple holds a value for each, which must be the same.

        Raises:
            ValueError: The name is nearly a market parameter; not as many values as lanes, or values that differ; or
                what the attribute refuses.
        """
        if not isinstance(values, list | tuple):
            values = [values] * self.num_envs
        if len(values) != self.num_envs:
            raise ValueError(f"values of {name!r} must be one for each of {self.num_envs} lanes, got {len(values)}")
        check_attribute(self, name)
        if any(value is not values[0] and not np.array_equal(value, values[0]) for value in values):
            raise ValueError(f"the lanes share {name!r}: set the same value for all of them, got {values!r}")
        setattr(self, name, values[0])

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """What the method of this name returns, or the attribute, for every lane: called once, since they share it."""
        own = f"single_{name}" if name in ("action_space", "observation_space") else name
        value = getattr(self, own)
        found = value(*args, **kwargs) if callable(value) else value
        return tuple(found) if name in _OF_EACH_LANE and found is not None else (found,) * self.num_envs

    def render(self) -> tuple[NDArray[np.uint8] | str, ...] | None:
        """The episode of each lane so far, as `HedgingEnv` shows it.

        Raises:
            gymnasium.error.ResetNeeded: No episode has begun.
        """
        if self._history is None:
            gym.logger.warn('render() needs make_vec(..., render_mode="rgb_array", "human" or "ansi")')
            return None
        if self._lanes is None:
            raise gym.error.ResetNeeded("call reset() first: no episode has begun")
        if self.render_mode == "human":
            self._screen.show([self._history.episodes(lane) for lane in range(min(self.num_envs, MOST_SHOWN))])
            return None
        if self.render_mode == "ansi":
            trades = np.broadcast_to(self._lanes.trade, (self.num_envs,)).tolist()
            return tuple(text_line(of_lane(self._book, i), trade, self._params) for i, trade in enumerate(trades))
        return self._screen.pictures([self._history.episodes(lane) for lane in range(self.num_envs)])

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window, if there is one."""
        self._screen.close()

    def action_masks(self) -> NDArray[np.bool_]:
        """Which levels are worth choosing in each lane, by `mm_env.envs.action_mask`: shape (N, levels).

        Raises:
            ValueError: Actions are continuous.
        """
        mask = action_mask(self._book, self._state.request, self._params)
        return np.broadcast_to(mask, (self.num_envs, mask.shape[-1]))

    def _change_market(self) -> None:
        """Enter the market that was set, if another, in every lane."""
        params = self._take_change()
        if params is not None:
            self._enter(params)
            if self._lanes is not None:
                self._lanes = self._cursor(self._lanes.seeds).following(self._lanes)

    def _cursor(self, seeds: Sequence[int]) -> TapeCursor:
        """Lanes on the tapes of these seeds."""
        if self._flow is not None:
            return FlowCursor(self._params, seeds, self._flow, self._threads)
        return TapeCursor(self._params, seeds, self._tape, compiled=self._look is not None)

    def _enter(self, params: Any) -> None:
        """Play in this market from now on."""
        self._params = params
        self._screen.clear()
        if self._history is not None:
            self._history = StepHistory(params, self.num_envs)
        if self._look is not None:
            self._compile()
        else:
            self._answers = self._by_numpy()

    def _film(self) -> Film:
        from mm_env.plotting import episode_film

        return episode_film(self._params)

    def _answer(self, lanes: TapeCursor, decision: Decision) -> Answer:
        """What the law makes of every lane's decision, beside it the rewards and the costs, and what info tells."""
        start = perf_counter()
        answered: Answer = lanes.answer(self._answers, self._book, decision)
        if self._spent is not None:
            self._spent += perf_counter() - start
        return answered

    def _told(self, lanes: TapeCursor, decision: Decision, step: Step) -> tuple[ExogenousState, Decision, Step, Move]:
        """What there is to tell of a step, parts of shape (N,)."""
        return self._state, decision, step, lanes.move()

    @property
    def _state(self) -> ExogenousState:
        """The request of each lane, and what it sees beside it."""
        return NO_REQUEST if self._lanes is None else self._lanes.state()

    def _over(self, lanes: TapeCursor) -> Flags | None:
        """Which lanes have ended; None if none has."""
        return lanes.ended()

    def _begin(self, which: Flags) -> TapeCursor:
        """Begin the next episode in the lanes of the mask."""
        assert self._lanes is not None
        if self._spent is not None and self._spent > WORTH_COMPILING and numba_works():
            self._compile()
            self._lanes.compile()
            if which.all():
                self._lanes = self._cursor(self._lanes.seeds).following(self._lanes)
        self._lanes.next_episode(which)
        self._book = dynamics.reset_where(which, self._book, self._params)
        return self._lanes

    def _by_numpy(self) -> Callable[..., Answer]:
        """The law run by NumPy."""
        law = partial(dynamics.rewarded_step, reward=self._reward, params=self._params)
        return partial(_answered, law)

    def _compile(self) -> None:
        """Run the law as machine code from now on."""
        law = partial(dynamics.rewarded_step, reward=self._reward, params=self._params, xp=TraceOps())
        tell = partial(_with_told, which=self._all)
        self._answers = VectorKernel(law, self.num_envs, threads=self._threads, finish=tell)
        self._look = VectorKernel(partial(observation_values, params=self._params), self.num_envs, np.float32)
        if self._tape is None and is_traceable(self._params):
            self._flow = FlowKernels.of(self._params, self.num_envs, self._threads, law, tell)
        else:
            self._flow = None
        self._spent = None

    def _restart(self, which: Flags, info: dict[str, Any]) -> tuple[TapeCursor, dict[str, Any]]:
        """Begin the next episode in the lanes of the mask; return where they stand, and `info` with nothing of them."""
        if which.all():  # one that was set waits until no lane is in the midst of an episode
            self._change_market()
        lanes = self._begin(which)
        if self._history is not None:
            self._history.begin(np.flatnonzero(which))
        self._ended = None if self._ended is None or which[self._ended].all() else self._ended & ~which
        fresh = step_info(dynamics.no_step(dynamics.initial_book(self._params)))
        if which.all():
            return lanes, fresh
        return lanes, {name: np.where(which, fresh[name], info[name]) for name in info}

    def _observe(self, lanes: TapeCursor) -> Observations:
        if isinstance(lanes, FlowCursor):
            return lanes.look(self._book)
        left, state = self._params.num_trades - lanes.trade, lanes.state()
        if self._look is None or state is NO_REQUEST:
            return observe(self._book, state, left, self._params)
        columns: Observations = self._look(self._book, state, left)
        return columns.T

    def _seeds(self, seed: int | Sequence[int] | None) -> list[int]:
        """The seed of each lane; a recorded tape that is not seeded starts lane i at its episode i."""
        if seed is None:
            seed = 0 if self._tape is not None else int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
        seed = plain_seed(seed)
        if is_whole(seed):
            super().reset(seed=int(seed))
            return [int(seed) + i // self.lanes_per_tape for i in range(self._markets)]
        listed: Any = seed if isinstance(seed, list | tuple | np.ndarray) else []
        seeds = list(listed)
        whole = all(is_whole(s) and s >= 0 for s in seeds)
        if len(seeds) != self._markets or not whole:
            raise ValueError(f"seed must be a whole number >= 0 or {self._markets} of them, got {seed!r}")
        self._check_together("seed", np.array(seeds, dtype=object))
        return [int(s) for s in seeds]

    def _checked_mask(self, mask: Any) -> Flags:
        good = isinstance(mask, np.ndarray) and mask.dtype == np.bool_
        if not good or mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(
                f"reset_mask must be a bool array of shape ({self.num_envs},) with a lane to reset, got {mask!r}"
            )
        self._check_together("reset_mask", mask)
        return np.array(mask)

    def _check_together(self, name: str, values: NDArray[Any]) -> None:
        """Raise `ValueError` unless the value of every lane is that of the others on its tape."""
        if self.lanes_per_tape > 1:
            groups = values.reshape(-1, self.lanes_per_tape)
            if (groups != groups[:, :1]).any():
                raise ValueError(f"{name} must be the same for the {self.lanes_per_tape} lanes that share a tape")


def _answered(law: LawStep, book: Book, request: Request, decision: Decision, move: Move) -> Answer:
    """What the law makes of a step; there is nothing yet that tells of it."""
    return *law(book, request, decision, move), None


def _with_told(answered: tuple[Step, tuple[Any, Any]], which: Flags) -> Answer:
    """What the law makes of a step, and what tells of it."""
    step, (reward, cost) = answered
    values = step_info(step, cost)
    info = _masked(values, which)
    rows = {name: value if isinstance(value, _PLAIN) else info[name] for name, value in values.items()}
    return step, (reward, cost), Told(rows, info["_equity"])


def _masked(values: dict[str, Any], which: Flags) -> dict[str, Any]:
    """`values` as arrays, each with its mask of lanes; what the next step needs again is read-only."""
    info, mask = {}, which.copy()
    mask.setflags(write=False)
    mask = mask.view()  # the same for every name, and nobody can make a view of it writable
    for name, value in values.items():
        masked, is_needed = _NAMES[name]
        if isinstance(value, _PLAIN):
            value = np.full(len(which), value)
        elif isinstance(value, np.ndarray):
            value = value.view()
            value.setflags(write=value.flags.writeable and not is_needed)
        info[name] = value
        info[masked] = mask
    return info


def _checked_group(lanes_per_tape: int, num_envs: int) -> int:
    if not is_whole(lanes_per_tape) or lanes_per_tape < 1 or num_envs % lanes_per_tape:
        raise ValueError(
            f"lanes_per_tape must be a whole number that divides num_envs={num_envs}, got {lanes_per_tape!r}"
        )
    return int(lanes_per_tape)


class Told(NamedTuple):
    """What tells of a step. Machine code writes the same rows again at a later one."""

    values: dict[str, Any]  # rows, and numbers that never vary
    mask: Flags  # the lanes that it tells of

    def info(self) -> dict[str, Any]:
        """As info, in arrays whose shapes and flags are the caller's."""
        info, mask = {}, self.mask.view()
        for name, value in self.values.items():
            info[name] = np.full(len(mask), value) if isinstance(value, _PLAIN) else value.view()
            info[_NAMES[name][0]] = mask
        return info


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError as error:
        names = ", ".join(f"AutoresetMode.{each.name}" for each in AutoresetMode)
        raise ValueError(f"autoreset_mode must be one of {names}, got {mode!r}") from error
