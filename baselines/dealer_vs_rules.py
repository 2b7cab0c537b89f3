"""DealerVsRulesEnv: one dealer who learns, against rivals with fixed policies; an ordinary Gymnasium environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from baselines.policies.registry import make_policy
from baselines.rival import Rival
from mm_env.envs.action import PolicyFunction
from mm_env.envs.dealers_market import DEALERS_DEFAULTS, naming_dealer
from mm_env.envs.dealers_vector_env import DealersVectorEnv
from mm_env.envs.hedging_env import HedgingEnv, told
from mm_env.market import dynamics
from mm_env.market.competition import Holding, competing_step, holding, seen_by
from mm_env.market.dynamics import Book, Decision, Move, Request
from mm_env.market.exogenous_state import ObservedState
from mm_env.market.params import DealersParams
from mm_env.rollout import check_play

RIVALS = ("threshold:3", "threshold:10")  # quoting the market's spread, and hedging early and late


class _NamedRivals:
    """Rivals by names of `baselines.POLICIES` or as policies, made for the market that is played."""

    _named_rivals: tuple[str | PolicyFunction, ...]

    def _name_rivals(self, rivals: Sequence[str | PolicyFunction], numbers: dict[str, Any]) -> DealersParams:
        """Take the rivals; the market of these numbers and so many dealers."""
        if not isinstance(rivals, list | tuple) or not rivals:
            raise ValueError(f"rivals must be a list of one policy or more, got {rivals!r}")
        self._named_rivals = tuple(rivals)
        params = DealersParams.from_mapping({**DEALERS_DEFAULTS, "num_dealers": len(rivals) + 1, **numbers})
        if params.num_dealers != len(rivals) + 1:
            needed = params.num_dealers - 1
            raise ValueError(f"rivals must be {needed} for num_dealers={params.num_dealers}, got {len(rivals)}")
        return params

    def _check_change(self, params: Any) -> None:
        super()._check_change(params)  # type: ignore[misc]  # of `MarketAttributes`
        for rival in self._named_rivals:
            if hasattr(rival, "params"):
                raise ValueError("a rival given as a policy was made for this market: name rivals to change it")
        self._made(params)

    def _made(self, params: DealersParams) -> tuple[PolicyFunction, ...]:
        """The rivals as policies of this market."""
        made = [make_policy(rival, params) if isinstance(rival, str) else rival for rival in self._named_rivals]
        for rival in made:
            check_play(rival, 1, 0)
        return tuple(made)


class DealerVsRulesVectorEnv(_NamedRivals, DealersVectorEnv):
    """`DealersVectorEnv` in which every lane is `dealer_0` of a market of its own, against the same rivals.

    Args:
        num_envs: Lanes, each a market.
        rivals: Names of `baselines.POLICIES`, or policies: from observations of shape (N, observations) to actions.
        arguments: As of `DealersVectorEnv`; `num_dealers` follows from the rivals.

    Raises:
        ValueError: A bad argument; the message names it.
    """

    def __init__(self, num_envs: int = 1, *, rivals: Sequence[str | PolicyFunction] = RIVALS, **arguments: Any) -> None:
        own = ("autoreset_mode", "compiled", "reward", "render_mode")
        others = {name: arguments.pop(name) for name in own if name in arguments}
        params = self._name_rivals(rivals, arguments)
        super().__init__(num_envs, rivals=self._made(params), **others, **params.to_dict())

    def _enter(self, params: Any) -> None:
        super()._enter(params)
        self.rivals = self._made(params)


class DealerVsRulesEnv(_NamedRivals, HedgingEnv):
    """`dealer_0` of a `DealersEnv`, with fixed policies in the other seats.

    ## Observation, action, reward, info, episode end
    Those of `mm_env.envs.dealers_env.DealersEnv` for one dealer. Reset with seed s, it is lane i of a
    `DealerVsRulesVectorEnv` reset with seed s - i.

    ## Arguments
    * `rivals`: names of `baselines.POLICIES`, or policies; default `("threshold:3", "threshold:10")`. A rule of the
      baselines is looked up; a policy of your own is asked at every step, unless it says by `minds_rivals = False`
      that what it decides depends on its own book, the request and the time alone.
    * Every field of `DealersParams`; `num_dealers` follows from the rivals.
    * `reward`, `compiled` and `render_mode`, as of `HedgingEnv`.

    ## Version history
    * v0: initial version.
    """

    def __init__(
        self,
        *,
        rivals: Sequence[str | PolicyFunction] = RIVALS,
        reward: str = "realised",
        compiled: bool | None = None,
        render_mode: str | None = None,
        **market_params: Any,
    ) -> None:
        params = self._name_rivals(rivals, market_params)
        super().__init__(reward=reward, compiled=compiled, render_mode=render_mode, **params.to_dict())

    def _checked_params(self, values: dict[str, Any]) -> DealersParams:
        return DealersParams.from_mapping(values)

    def _enter(self, params: Any) -> None:
        super()._enter(params)
        self.rivals = self._made(params)
        self._seats = [Rival(rival, params, self._look) for rival in self.rivals]
        fixed = tuple(seat.fixed for seat in self._seats)
        self._always = None if None in fixed else fixed  # what all of them decide, whatever they see
        law: Callable[..., Any] = partial(competing_step, reward=self._reward, params=params, xp=self._xp)
        if self._always:
            law = partial(law, rival_decisions=self._always)
        observing = (not self._always, True)  # without a record, rivals who always do the same look at nothing
        turns = [partial(_turn, someone, law, params) for someone in observing]
        self._turns = [partial(self._among_rivals, self._straight(turn)) for turn in turns]

    def _load_episode(self) -> None:
        if self._episode == 0:  # of a seed: those who draw begin anew
            for seat, rival in enumerate(self.rivals, start=1):
                if hasattr(rival, "reset"):
                    rival.reset(seat)
        super()._load_episode()
        assert self._block is not None
        likings = np.asarray(self._block.paths.preference)[..., (self._episode - 1) % self._source.block]
        self._preferences = list(map(tuple, likings.tolist()))
        if self._params.view_noise:
            self._requests[:-1] = [_each_error(asked) for asked in self._requests[:-1]]
        book = dynamics.initial_book(self._params)
        self._rivals = (holding(book),) * len(self.rivals)
        self._won = (0.0,) * (len(self.rivals) + 1)
        self._observed[0] = self._seen(0, 0, book)

    def _among_rivals(
        self,
        turn: Callable[..., Any],
        book: Book,
        request: Request,
        decision: Decision,
        move: Move,
        following: Request,
        observed: ObservedState,
        left: int,
    ) -> Any:
        """What the law makes of a decision beside those of the rivals, as `told`."""
        trade = self._trade
        given: Any = () if self._always else (self._decided(book, request),)
        self._rivals, self._won, self._observed[trade + 1], answered = turn(
            book, self._rivals, request, decision, self._preferences[trade], move, following, observed, left, *given
        )
        return answered

    def _decided(self, book: Book, request: Request) -> tuple[Decision, ...]:
        """What the rivals decide."""
        asked = (rival.fixed or self._asked(seat, rival, book, request) for seat, rival in enumerate(self._seats, 1))
        return tuple(asked)

    def _asked(self, seat: int, rival: Rival, book: Book, request: Request) -> Decision:
        """What the rival in a seat decides."""
        own, seen = self._rivals[seat - 1], self._seen(self._trade, seat, book)
        left = self._params.num_trades - self._trade
        decision: Decision = naming_dealer(seat, lambda: rival(own, request, seen, left))
        return decision

    def _seen(self, trade: int, seat: int, book: Book) -> ObservedState:
        """What the dealer in a seat sees beside the request, where the first one has this book."""
        seen = self._observed[trade]
        return seen_by(seat, seen, self._won, seen.best_quote, (holding(book), *self._rivals), self._params)


def _turn(
    observing: bool,
    law: Callable[..., Any],
    params: DealersParams,
    book: Book,
    rivals: tuple[Holding, ...],
    request: Request,
    decision: Decision,
    preference: tuple[float, ...],
    move: Move,
    following: Request,
    observed: ObservedState,
    left: int,
    *rival_decisions: tuple[Decision, ...],
) -> tuple[Any, ...]:
    """What rivals hold after a step, who won it and, where anybody asks, what is observed; and the step as `told`."""
    step, (reward, cost), rivals, won, observed = law(
        book, rivals, request, decision, preference, move, observed, *rival_decisions
    )
    answered = told(observing, params, step, reward, cost, following, observed, left)
    return rivals, won, observed if observing else None, answered


def _each_error(request: Any) -> Request:
    """The request with the dealers' errors about the mid, a list, as the tuple that the law takes."""
    asked: Request = request._replace(mid_error=tuple(request.mid_error))
    return asked
