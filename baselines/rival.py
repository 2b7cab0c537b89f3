"""Rival: one policy in another seat of a single environment, asked as seldom as what it decides allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mm_env.envs.action import ActionDecoder, PolicyFunction, decode_actions
from mm_env.envs.observation import Observations
from mm_env.market.competition import Holding, book_of
from mm_env.market.dynamics import Decision, Request
from mm_env.market.exogenous_state import ObservedState
from mm_env.market.params import DealersParams

_TIME_LEFT = 1  # the column of the observation that goes on by itself
_MOST_KNOWN = 250_000  # decisions that are remembered: some tens of megabytes


class Rival:
    """A fixed policy that answers one request at a time, in plain numbers.

    Asking a policy about one row costs many times what the market does in a step. One that minds no rival (its
    attribute `minds_rivals` is False: what it decides depends on its book, the request and the time) is asked about
    all times at once, the first time that its book and the request are such; any other at every step.

    Args:
        policy: From observations of shape (..., observations) to actions.
        params: The market that is played.
        look: From book, request, what is observed and trades left to the numbers of the observation.

    Attributes:
        fixed: What it always decides, if it does.
    """

    def __init__(self, policy: PolicyFunction, params: DealersParams, look: Callable[..., tuple[Any, ...]]) -> None:
        self._policy, self._params, self._look = policy, params, look
        self._means: Any = getattr(policy, "params", params)  # the market whose actions it says
        self._decode = ActionDecoder(self._means)
        self._listed = not (getattr(policy, "minds_rivals", True) or params.mean_reversion)
        self._known: dict[tuple[Any, ...], list[Decision]] = {}
        self.fixed: Decision | None = getattr(policy, "decision", None)

    def __call__(self, held: Holding, request: Request, observed: ObservedState, left: int) -> Decision:
        """What it decides.

        Args:
            held: What it holds.
            request: What the client asks.
            observed: What it sees beside that.
            left: Trades left, this one included.
        """
        if not self._listed:
            return self._decided(self._view(held, request, observed, left)[None])[0]
        seen = *held, request.signed_size, request.tier, observed.last_side, observed.regime
        known = self._known.get(seen)
        if known is None:
            if len(self._known) * self._params.num_trades > _MOST_KNOWN:
                self._known.clear()
            known = self._known[seen] = self._at_all_times(self._view(held, request, observed, left))
        return known[left - 1]

    def _view(self, held: Holding, request: Request, observed: ObservedState, left: int) -> Observations:
        """What it observes."""
        return np.array(self._look(book_of(held, self._params), request, observed, left), np.float32)

    def _at_all_times(self, view: Any) -> list[Decision]:
        """What it decides where this is seen with one trade left, with two, and so on."""
        length = self._params.num_trades
        views = np.tile(view, (length, 1))
        views[:, _TIME_LEFT] = np.arange(1, length + 1) / length
        return self._decided(views)

    def _decided(self, views: Any) -> list[Decision]:
        """Its decisions in rows of observations."""
        actions = np.asarray(self._policy(views))
        if len(views) > 1 or actions.shape[:1] != (1,):
            decode_actions(actions, len(views), self._means)  # refuses what is no action, by name
        return [self._decode(action) for action in actions]
