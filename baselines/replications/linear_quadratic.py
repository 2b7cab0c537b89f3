"""The linear-quadratic dealer: a Riccati equation beside this law's lattice, with clients as they come and in runs."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from baselines.reference_check import ReferenceCheck
from baselines.replications.experiment import Experiment
from baselines.solver.optimum import Solution, solve
from mm_env.market.client_tier import ClientTier
from mm_env.market.params import MarketParams

_SPREAD, _IMPACT, _RISK, _TIME = 0.5, 0.02, 0.002, 40.0  # a client trade a unit of time; s, eta, w and T of the model
_CAP = 24  # client trades: far outside what an inventory of this dealer reaches
_LATTICES = (1, 4, 16)  # units that a client trade has: what a lattice costs is to fall with their square
_COSTS, _COSTS_IN_RUNS = 0.13, 0.05  # of the coarsest lattice at most
_PERSISTENCE, _LAST, _HELD = 0.6, 10, 12  # of the runs; requests left, and client trades held, where they are compared


class Quadratic(NamedTuple):
    """What is still to be lost after a trade: a q^2 + 2 b q d + e, with the inventory q and the last client's side d.

    The next client is E[d' | d] = phi d. A hedge x costs eta x^2, and holding z = q + x costs w z^2; so, with A and B
    for what z costs from here on, A z^2 + 2 B z d, the best z is (eta q - B d) / (eta + A), and what is lost is
    quadratic again. That is the Riccati equation, in the clock of the law.
    """

    a: float
    b: float
    e: float

    @classmethod
    def left(cls, requests: int, persistence: float = 0.0, clock: float = 1.0) -> Quadratic:
        """With so many requests still to come, this one included, in units of a client trade."""
        found, impact = cls(0.0, 0.0, 0.0), _IMPACT / clock
        for _ in range(requests):
            weight, pull = _RISK * clock + found.a, persistence * (found.b - found.a)
            kept = impact / (impact + weight)
            met = clock * found.a - 2.0 * found.b + found.e
            found = cls(kept * weight, kept * pull, met - pull**2 / (impact + weight))
        return found

    def lost(self, held: float, clock: float = 1.0) -> float:
        """What is to be lost before the next client is seen, whose side is as likely either."""
        return self.a * (held**2 + clock) - 2.0 * self.b + self.e


def dealer(requests: int, units: int, persistence: float = 0.0) -> MarketParams:
    """The market of this dealer in the law: client trades of so many units, a request a unit of time."""
    return MarketParams(
        num_trades=requests,
        inventory_limit=_CAP * units,
        hedge_threshold=_CAP * units,
        hedge_cost_per_unit=0.0,
        hedge_impact=_IMPACT / units**2,
        spread=_SPREAD / units,
        price_volatility=1.0,
        risk_aversion=2.0 * _RISK / units**2,
        flow_persistence=persistence,
        tiers=(ClientTier(sizes=(units,)),),
    )


def _as_clients_come(episodes: int, seed: int) -> list[ReferenceCheck]:
    requests, earned = int(_TIME), _TIME * _SPREAD
    found = []
    for units in _LATTICES:
        value = solve(dealer(requests, units)).value
        reference = earned - Quadratic.left(requests).lost(0.0)
        found.append(
            ReferenceCheck(f"J, lattice of 1/{units} of a trade", reference, value, tolerance=_COSTS / units**2)
        )
    closed = earned - _IMPACT * math.log(math.cosh(math.sqrt(_RISK / _IMPACT) * _TIME))
    for clock, tolerance in ((0.1, 0.1), (0.001, 0.001)):
        ours = earned - Quadratic.left(round(_TIME / clock), clock=clock).lost(0.0, clock)
        name = f"J in continuous time; the Riccati equation in steps of {clock:g}"
        found.append(ReferenceCheck(name, closed, ours, tolerance=tolerance))
    return found


def _in_runs(episodes: int, seed: int) -> list[ReferenceCheck]:
    reference = _LAST * _SPREAD - Quadratic.left(_LAST, _PERSISTENCE).lost(_HELD)
    found = []
    for units in _LATTICES:
        solution = solve(dealer(_LAST, units, _PERSISTENCE))
        value = float(solution.values[0, (_CAP + _HELD) * units])
        name = f"value of {_LAST} requests from {_HELD} trades, lattice of 1/{units}"
        found.append(ReferenceCheck(name, reference, value, tolerance=_COSTS_IN_RUNS / units**2))
    return [*found, *(_hedged(solution, units, side) for side in (1.0, -1.0))]


def _hedged(solution: Solution, units: int, side: float) -> ReferenceCheck:
    """What is hedged of an inventory that is held after a client of this side, in client trades."""
    later = Quadratic.left(_LAST - 1, _PERSISTENCE)
    weight, pull = _RISK + later.a, _PERSISTENCE * (later.b - later.a)
    exact = (weight * _HELD + pull * side) / (_IMPACT + weight)
    sides = np.asarray(solution.mdp.law.states.request.side)
    before = round((_CAP + _HELD + side) * units)  # place of the inventory before this client's trade
    kept = float(solution.thresholds[0, before, np.flatnonzero(sides == side)[0]])
    says = "bought" if side > 0 else "sold"
    name = f"hedged of {_HELD} trades when the last client {says}, lattice of 1/{units}"
    return ReferenceCheck(name, exact, _HELD - kept / units, tolerance=1.0 / units)


_SETTING = (
    f"One client trade a unit of time, earning {_SPREAD:g}; a hedge of x client trades costs {_IMPACT:g} x^2, holding "
    f"q costs {_RISK:g} q^2 a unit of time; sizes of n units let the law hedge 1/n of a trade. "
)
AS_CLIENTS_COME = Experiment(
    "To hedge or not to hedge: the linear-quadratic dealer",
    "The model is that of Bergault, Bodor and Gueant (2025), arXiv 2503.02496, without their drift and with quadratic "
    "costs; the formulas are derived here from the equations of this law",
    _SETTING + f"With a(T) = 0, w = {_RISK:g} and eta = {_IMPACT:g} the loss after a trade is a(t) q^2 + e(t), a(t) = "
    "eta (w + a(t+1)) / (eta + w + a(t+1)), e(t) = a(t+1) + e(t+1), and the best hedge is -(w + a(t+1)) / (eta + w + "
    f"a(t+1)) q. Over T = {_TIME:g} requests that is the reference of the lattices, solved exactly; and where time has "
    "no steps J = lambda s T - eta ln cosh(sqrt(w / eta) T).",
    [_as_clients_come],
)
IN_RUNS = Experiment(
    "Autocorrelated flow: when to warehouse trades",
    "The question is that of Nutz, Webster and Zhao (2023), arXiv 2310.14144; the formulas are derived here from the "
    "equations of this law",
    _SETTING + f"A client repeats the last one's side with E[d' | d] = phi d, phi = {_PERSISTENCE:g}. With A = w + a' "
    "and B = phi (b' - a') the loss after a trade is a q^2 + 2 b q d + e: a = eta A / (eta + A), b = eta B / (eta + A)"
    ", e = a' - 2 b' + e' - B^2 / (eta + A), and the best hedge is -(A q + B d) / (eta + A): less if the run that "
    "comes will take the inventory back. This law's dealer hedges towards zero only, so the two are compared where "
    f"that does not bind: with {_LAST} requests left and {_HELD} trades held.",
    [_in_runs],
)
