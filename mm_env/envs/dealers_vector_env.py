"""DealersVectorEnv: N markets of several dealers at once, for self-play or against rivals with fixed policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mm_env.envs.action import PolicyFunction, decide
from mm_env.envs.action_mask import action_mask
from mm_env.envs.cursors.flow_cursor import FlowCursor, FlowKernels
from mm_env.envs.cursors.tape_cursor import TapeCursor
from mm_env.envs.dealers_market import DEALERS_DEFAULTS, DealersMarket, naming_dealer, with_parts
from mm_env.envs.hedging_vector_env import Answer, Flags, HedgingVectorEnv
from mm_env.envs.observation import Observations
from mm_env.kernels.lane_threads import LaneThreads
from mm_env.market.dynamics import Decision, Request
from mm_env.market.flow import is_traceable
from mm_env.market.numbers import Number
from mm_env.market.params import DealersParams
from mm_env.rollout import check_play


class DealersVectorEnv(HedgingVectorEnv):
    """A lane for each dealer who learns, arrays of shape (lanes,); all markets keep step with each other.

    Without `rivals`, lane i is the dealer in seat i // M of market i % M, of M = num_envs / num_dealers markets: one
    policy for all lanes is self-play with shared parameters. With `rivals`, lane i is `dealer_0` of market i, and the
    rivals have the other seats of every market. Market m seeded s is a `DealersEnv` seeded s + m.

    Observation, action, reward, info and autoreset modes are those of `DealersEnv` and `HedgingVectorEnv`; lanes
    cannot be reset one by one, so `AutoresetMode.DISABLED` needs a reset of all of them.

    Args:
        num_envs: Lanes; without rivals a multiple of `num_dealers`.
        rivals: Policies of dealer_1 ... dealer_{K-1}, from observations of shape (M, observations) to actions. Those
            that draw do so for all lanes at once, from the last seeded reset on.
        autoreset_mode: As of `HedgingVectorEnv`.
        compiled: As of `HedgingVectorEnv`.
        reward: "realised" or "expected".
        market_params: Fields of `DealersParams`; the defaults are those of `mm_env/Dealers-v0`.

    Raises:
        ValueError: A bad argument; the message names it.
    """

    def __init__(
        self,
        num_envs: int = 3,
        *,
        rivals: Sequence[PolicyFunction] = (),
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        compiled: bool | None = None,
        reward: str = "realised",
        render_mode: str | None = None,
        **market_params: Any,
    ) -> None:
        others: dict[str, Any] = {"autoreset_mode": autoreset_mode, "reward": reward, "render_mode": render_mode}
        super().__init__(num_envs, compiled=compiled, **others, **market_params)
        dealers = self._params.num_dealers
        for rival in rivals:
            check_play(rival, 1, 0)
        if rivals and len(rivals) != dealers - 1:
            raise ValueError(f"rivals must be {dealers - 1} for num_dealers={dealers}, got {len(rivals)}")
        self.rivals = tuple(rivals)
        self._learners = 1 if rivals else dealers
        if self.num_envs % self._learners:
            raise ValueError(f"num_envs must be a multiple of num_dealers={dealers}, got {self.num_envs}")
        self._markets = self.num_envs // self._learners
        assert isinstance(self._params, DealersParams)
        self._market = DealersMarket(self._params, self._markets, compiled, self._reward)

    def action_masks(self) -> NDArray[np.bool_]:
        """Which levels are worth choosing in each lane: those of a client whom any dealer may win."""
        request = Request._make(map(self._of_each_lane, self._state.request))
        return action_mask(self._book, request, self._params)

    def _of_each_lane(self, part: Any) -> Any:
        """A part of the requests of all markets, shape (M,), or of all dealers, (K, M), as that of the lanes."""
        if not isinstance(part, np.ndarray):
            return part
        return np.broadcast_to(part, (self._params.num_dealers, self._markets))[: self._learners].reshape(-1)

    def _checked_params(self, values: dict[str, Any]) -> DealersParams:
        return DealersParams.from_mapping({**DEALERS_DEFAULTS, **values})

    def _enter(self, params: Any) -> None:
        super()._enter(params)
        self._market = DealersMarket(params, self._markets, self._market.compiled, self._reward)

    def _answer(self, lanes: TapeCursor, decision: Decision) -> Answer:
        move = lanes.move()
        whole = Decision._make(self._seated(part, number) for number, part in enumerate(decision))
        answered = self._market.rewarded_step(self._state.request, lanes.preference(), whole, move)
        return *self._shown(answered), None

    def _seated(self, part: Number | None, number: int) -> Number | None:
        """One part of the decisions of all dealers, shape (K, M): the lanes' and, below them, the rivals'."""
        if part is None:
            return None
        if not self.rivals:
            return part.reshape(self._learners, -1) if isinstance(part, np.ndarray) else part
        lanes = np.broadcast_to(part, (1, self._markets))
        others = [np.broadcast_to(chosen[number], (1, self._markets)) for chosen in self._rival_decisions]
        return np.concatenate([lanes, *others])

    def _observe(self, lanes: TapeCursor) -> Observations:
        left = self._params.num_trades - lanes.trade
        seen = self._market.observe(self._state, left)
        self._rival_decisions = [
            naming_dealer(seat, lambda policy=policy, view=seen[seat]: decide(policy, view, self._params))
            for seat, policy in enumerate(self.rivals, start=1)
        ]
        return seen[: self._learners].reshape(self.num_envs, -1)

    def _seeds(self, seed: int | Sequence[int] | None) -> list[int]:
        """One for each market; of one for each lane, those of the first seat. Rivals who draw begin anew."""
        for seat, rival in enumerate(self.rivals, start=1):
            if hasattr(rival, "reset"):
                rival.reset(seat)
        if isinstance(seed, list | tuple | np.ndarray) and len(seed) == self.num_envs:
            seed = list(seed)[: self._markets]
        return super()._seeds(seed)

    def _over(self, lanes: TapeCursor) -> Flags | None:
        return None if lanes.ended() is None else self._all

    def _cursor(self, seeds: Sequence[int]) -> TapeCursor:
        self._drawn_compiled = bool(self._market.compiled)
        if self._drawn_compiled and is_traceable(self._params):
            alone = LaneThreads(1, self._markets)
            return FlowCursor(self._params, seeds, FlowKernels.of(self._params, self._markets, alone), alone)
        return TapeCursor(self._params, seeds, compiled=self._drawn_compiled)

    def _begin(self, which: Flags) -> TapeCursor:
        if not which.all():
            raise ValueError("reset_mask must pick every lane: the dealers of a market end together")
        assert self._lanes is not None
        if self._market.compiled and not self._drawn_compiled:
            self._lanes = self._cursor(self._lanes.seeds).following(self._lanes)
        self._lanes.next_episode(np.ones(self._markets, dtype=np.bool_))
        self._market.reopen()
        self._book = self._shown(self._market.flat_book)
        return self._lanes

    def _shown(self, value: Any) -> Any:
        """Arrays of all dealers, one after another, as those of the lanes, shape (num_envs,)."""
        if not self.rivals:
            return value
        if isinstance(value, tuple):
            return with_parts(value, map(self._shown, value))
        return value[: self.num_envs] if isinstance(value, np.ndarray) else value
