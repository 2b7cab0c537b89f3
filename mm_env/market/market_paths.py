"""MarketPaths: what a tape holds of each step, and the request and the price move that are made of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mm_env.market.dynamics import Move, Request
from mm_env.market.exogenous_state import ExogenousState, ObservedState
from mm_env.market.numbers import Flag, Index, Number
from mm_env.market.params import MarketParams
from mm_env.market.recordings.recording import TapeWarning

Path: TypeAlias = float | NDArray[Any]  # a quantity over time; whole numbers and flags take a byte each


class MarketPaths(NamedTuple):
    """What happens at each step. A field is an array, one axis of which is time, or one value that is constant."""

    side: Path  # +1 the client buys, -1 he sells, 0 nobody came
    change: Path  # price move, price units
    expected: Path = 0.0  # E[change | what the dealer can know], price units
    size: Path | None = None  # units of the request; None: one
    tier: Index = 0  # index of the client's tier
    reservation: Path | None = None  # largest distance accepted, price units; -inf: none. None: any
    mid_error: Path | None = None  # mid less the one the dealer knows, price units; None: 0
    informed: Flag = False  # the client knew the price move
    preference: Path = 0.0  # which of several dealers wins a tie: the largest; a further axis of dealers
    observed: ObservedState = ObservedState()  # what the dealer sees beside the request

    def flattened(self) -> tuple[Any, ...]:
        """Every path in order, those of the observed state last."""
        return (*self[:-1], *self.observed)

    @classmethod
    def unflattened(cls, values: Sequence[Any]) -> MarketPaths:
        """The paths from what `flattened` returned."""
        return cls._make([*values[:_OWN], ObservedState._make(values[_OWN:])])

    def map(self, function: Callable[[Any], Any]) -> MarketPaths:
        """The paths with the function applied to each one that is an array, and the others as they are."""
        return self.unflattened(
            [function(value) if isinstance(value, np.ndarray) else value for value in self.flattened()]
        )

    def at(self, index: Any) -> MarketPaths:
        """What there is at one place in time."""
        return self.map(lambda values: values[index])

    def state(self) -> ExogenousState:
        """The request that the paths make, and what the dealer sees beside it."""
        signed_size = self.side if self.size is None else self.side * self.size
        request = Request(self.side, signed_size, self.tier, self.reservation, self.mid_error, self.informed)
        return ExogenousState(request, self.observed)

    def move(
        self, last: Flag, params: MarketParams, pick: Callable[[tuple[float, ...], Any], Any] | None = None
    ) -> Move:
        """The price move that the paths make; `last` says whether the episode ends with it. `pick`: as `of_regime`."""
        pick, regime = pick or of_regime, self.observed.regime
        hedge_cost, risk_weight = pick(params.hedge_costs, regime), pick(params.risk_weights, regime)
        return Move(self.change, self.expected, last, hedge_cost, risk_weight)

    @property
    def tells_reservations(self) -> bool:
        """Whether it is known of some client how wide a quote he would refuse."""
        return self.reservation is not None and bool(np.isfinite(self.reservation).any())

    def with_reservations(self, reservation: Path) -> MarketPaths:
        """The same paths with the largest distances that the clients accept."""
        return self._replace(reservation=np.where(np.asarray(self.side) != 0, reservation, -np.inf))

    def shown_in(self, params: MarketParams) -> MarketPaths:
        """Recorded paths without what the market has not: regimes, and clients who may refuse."""
        paths = self.with_reservations(np.inf) if params.accepts_any and self.tells_reservations else self
        if params.volatility_regimes is not None or not np.ndim(self.observed.regime):
            return paths
        return paths._replace(observed=self.observed._replace(regime=0))


_OWN = len(MarketPaths._fields) - 1  # of the paths, those that are not of the observed state


def of_regime(values: tuple[float, ...], regime: Index) -> Number:
    """The value that belongs to each regime."""
    return np.asarray(values)[regime] if isinstance(regime, np.ndarray) else values[regime]


def check_replay(paths: MarketPaths, params: MarketParams) -> None:
    """Raise `ValueError` unless recorded paths tell all that the market needs; warn of what the cap keeps out."""
    check_tiers(paths, params)
    if params.quote_latency > 0 or (params.quote_levels > 1 and params.accepts_any):
        name = "quote_latency" if params.quote_latency else "quote_levels"
        raise ValueError(f"a recorded tape does not tell what {name}={getattr(params, name)!r} needs")
    regime, regimes = paths.observed.regime, params.volatility_regimes
    if regimes is not None and (not np.ndim(regime) or np.max(regime) >= len(regimes)):
        raise ValueError(
            f"a recorded tape does not tell what volatility_regimes={regimes!r} needs: which of them the dealer saw, "
            f"unless it has a column 'regime', an index from 0"
        )
    if not params.accepts_any and not paths.tells_reservations:
        raise ValueError(
            f"a recorded tape does not tell what tiers={params.tiers!r} needs: how wide a quote each client would have "
            f"accepted, unless it has a column 'reservation'; tape.with_reservations(params, seed) draws it"
        )
    _warn_of_the_cap(paths, params)


def check_tiers(paths: MarketPaths, params: MarketParams) -> None:
    """Raise `ValueError` unless every client is of a tier that the market has, where it has several."""
    tiers = int(np.max(paths.tier)) + 1 if np.ndim(paths.tier) else 0
    if len(params.tiers) > 1 and not 0 < tiers <= len(params.tiers):
        raise ValueError(
            f"a recorded tape of {tiers or 'unknown'} tiers does not tell what tiers={params.tiers!r} needs: which of "
            f"them each client is of, in a column 'tier'"
        )


def _warn_of_the_cap(paths: MarketPaths, params: MarketParams) -> None:
    """Warn of requests that no inventory within the cap can fill, and where none is small enough to begin with."""
    came = np.asarray(paths.side) != 0
    size = np.broadcast_to(1.0 if paths.size is None else paths.size, came.shape)[came]
    limit = params.inventory_limit
    never = size.size if size.size and size.min() > limit else int((size > 2 * limit).sum())
    if never:
        warnings.warn(
            f"{never:,} of {size.size:,} requests can never be filled: they ask for up to {size.max():,.0f} units, "
            f"inventory_limit={limit}",
            TapeWarning,
            stacklevel=5,
        )
