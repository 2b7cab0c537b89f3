"""The flow of clients and prices: what the random numbers of a tape mean in a market.

`simulate` samples what `transition_law` of the module beside this one lists; a test holds one against the other.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.market.exogenous_state import ObservedState
from mm_env.market.market_paths import MarketPaths, of_regime
from mm_env.market.numbers import Number, Values
from mm_env.market.params import MarketParams
from mm_env.market.random_streams import RandomDraws

Sides = NDArray[np.int8]

_erf = np.frompyfunc(math.erf, 1, 1)


def simulate(noise: RandomDraws, params: MarketParams) -> MarketPaths:
    """What the random numbers of a tape mean in this market; arrays of views with time first, not yet contiguous."""
    u = noise.uniforms
    regime = _regimes(u["regime"], params) if "regime" in u else 0
    change = np.multiply(noise.move, of_regime(params.volatilities, regime), out=noise.change, dtype=np.float64)
    if noise.jump is not None:
        change += (u["jump"] < params.jump_probability) * (params.jump_volatility * noise.jump)
    deviation: Number = 0.0
    if params.mean_reversion > 0:
        deviation = _revert(change, params.mean_reversion)

    came = u["arrival"] < params.arrival_probability if "arrival" in u else None
    side, last_side, informed = _sides(noise, change, came, params)
    kind = _kinds(u["kind"], params) if "kind" in u else 0
    _, tiers, sizes = kinds(params)
    tier = (tiers[kind] if came is None else tiers[kind] * came) if len(params.tiers) > 1 else 0
    size = sizes[kind] if params.has_sizes else None
    reservation = _reservations(u.get("reservation"), tier, came, params)
    known = _known(deviation, params.quote_latency)
    expected = _expected(side, last_side, regime, deviation, known, params)
    mid_error = _stale(change, params.quote_latency) if params.quote_latency else None
    if noise.view is not None:  # who takes the mid for higher than it is quotes around one that is stale by less
        mid_error = (0.0 if mid_error is None else mid_error[:, :, None]) - params.view_noise * noise.view.astype(
            np.float64
        )
    observed = ObservedState(last_side, regime, known)
    paths = MarketPaths(side, change, expected, size, tier, reservation, mid_error, informed, observed=observed)
    if noise.preference is not None:
        paths = paths._replace(preference=noise.preference)
    return paths.map(lambda values: values.transpose(*range(1, values.ndim), 0))


@lru_cache(maxsize=256)
def kinds(params: MarketParams) -> tuple[Values, NDArray[np.uint8], Values]:
    """Probability, tier and size of every kind of request; shape (kinds,), read-only."""
    weights = np.array([tier.weight for tier in params.tiers])
    probability = np.concatenate(
        [share * tier.size_probabilities for share, tier in zip(weights / weights.sum(), params.tiers, strict=True)]
    )
    tiers = np.repeat(np.arange(len(params.tiers), dtype=np.uint8), [len(tier.sizes) for tier in params.tiers])
    sizes = np.concatenate([np.array(tier.sizes, dtype=np.float64) for tier in params.tiers])
    for column in (probability, tiers, sizes):
        column.setflags(write=False)
    return probability, tiers, sizes


def expected_move(side: Number, last_side: Number, sigma: Number, drift: Number, params: MarketParams) -> Values:
    """E[price change | the client's side and the side before], price units.

    With drift mu towards the client's side d, a the informed fraction and p the probability that a client who knows
    nothing takes that side:  d * (a E[(d change)+] + (1 - a) p mu) / (a P(d change > 0) + (1 - a) p). For flow
    without memory or drift this is d * a * sigma * sqrt(2 / pi).
    """
    toward = side * drift
    chance, gain = _upper_part(toward, sigma, params)
    known, unknown = (
        params.informed_fraction,
        (1.0 - params.informed_fraction) * blind_probability(side, last_side, params),
    )
    weight = known * chance + unknown
    gained = known * gain + unknown * toward
    per_client = np.divide(gained, weight, out=np.zeros(np.broadcast(gained, weight).shape), where=weight > 0)
    return np.asarray(np.where(np.asarray(side) == 0, drift, side * per_client))


def _upper_part(drift: Number, sigma: Number, params: MarketParams) -> tuple[Values, Values]:
    """P(X > 0) and E[X; X > 0] of a price move with this drift: normal, or with a jump of another variance."""
    jump = params.jump_probability
    parts = [(1.0 - jump, sigma), (jump, np.hypot(sigma, params.jump_volatility))] if jump else [(1.0, sigma)]
    chance: Number = 0.0
    gain: Number = 0.0
    for share, deviation in parts:
        mu, s = np.broadcast_arrays(np.asarray(drift, np.float64), np.asarray(deviation, np.float64))
        near = np.clip(mu, -40.0 * s, 40.0 * s)  # beyond 40 deviations nothing changes, but squares overflow
        z = np.divide(near, s, out=np.asarray(np.sign(mu) * 40.0), where=s > 0)
        below = 0.5 * (1.0 + np.asarray(_erf(z / math.sqrt(2.0)), dtype=np.float64))
        chance = chance + share * below
        gain = gain + share * (mu * below + s * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi))
    return np.asarray(chance), np.asarray(gain)


def blind_probability(side: Number, last_side: Number, params: MarketParams) -> Values:
    """P(a client who knows nothing takes this side | the last client's side)."""
    fresh = np.where(np.asarray(side) > 0, params.buy_probability, 1.0 - params.buy_probability)
    repeated = params.flow_persistence * (side == last_side) + (1.0 - params.flow_persistence) * fresh
    return np.where(np.asarray(last_side) == 0, fresh, repeated)


def _regimes(uniform: NDArray[np.float32], params: MarketParams) -> NDArray[np.intp]:
    """A Markov chain, from its stationary law: it stays, or goes to any of the others alike."""
    number, stay = len(params.volatilities), params.regime_persistence
    wide = uniform.astype(np.float64)
    onward = 1.0 + np.floor((wide - stay) / max(1.0 - stay, 1e-12) * (number - 1))  # 0 or less where it stays
    steps = np.clip(onward, 0.0, number - 1.0, out=onward).astype(np.uint32)
    steps[:, 0] = np.floor(wide[:, 0] * number)
    np.add.accumulate(steps, axis=1, out=steps)
    return (steps % number).astype(np.intp)


def _revert(change: Values, share: float) -> Values:
    """Pull every move towards the start, in place; return the mid's deviation before each move."""
    deviation = np.zeros_like(change)
    for trade in range(change.shape[1]):
        if trade:
            deviation[:, trade] = deviation[:, trade - 1] + change[:, trade - 1]
        change[:, trade] -= share * deviation[:, trade]
    return deviation


def _sides(
    noise: RandomDraws, change: Values, came: NDArray[np.bool_] | None, params: MarketParams
) -> tuple[Sides, Any, Any]:
    """The side of each client, that of the client before him, and whether he was informed."""
    cut = 256 * params.buy_probability
    buys = noise.side < int(cut)
    if "tie" in noise.uniforms:
        buys |= (noise.side == int(cut)) & (noise.uniforms["tie"] < cut % 1)
    informed: Any = False
    if "informed" in noise.uniforms:
        informed = noise.uniforms["informed"] < params.informed_fraction
        rises = np.where(change == 0.0, noise.move > 0.0, change > 0.0)  # of a price that stands still, who knows
        np.copyto(buys, rises, where=informed)
    side: Sides = 2 * buys.view(np.int8) - 1
    if "repeat" not in noise.uniforms:
        if came is not None:
            side *= came
            informed = informed if informed is False else informed & came
        return side, 0.0, informed
    repeats = (noise.uniforms["repeat"] < params.flow_persistence) & ~np.asarray(informed)
    present = np.ones_like(repeats) if came is None else came
    seen = np.logical_or.accumulate(present, axis=1)
    first = seen.copy()
    first[:, 1:] &= ~seen[:, :-1]
    remembered = carry_forward(side, present & (~repeats | first))
    last_side = np.zeros_like(side)
    last_side[:, 1:] = remembered[:, :-1]
    return remembered * present, last_side, informed if informed is False else informed & present


def carry_forward(side: NDArray[Any], own: NDArray[np.bool_]) -> Sides:
    """The side at the last step that had one of its own, this one included; 0 before the first. Shape (n, T)."""
    when = np.arange(4, 4 * side.shape[1] + 4, 4)  # leaves two bits for the side, and the latest is the largest
    latest = (when + side.astype(np.int8, copy=False)) * own + 1
    np.maximum.accumulate(latest, axis=1, out=latest)
    return ((latest & 3) - 1).astype(np.int8)


def _kinds(uniform: NDArray[np.float32], params: MarketParams) -> NDArray[np.unsignedinteger[Any]]:
    """The kind of each request: how many cumulated probabilities its uniform number reaches."""
    probability, _, _ = kinds(params)
    kind = np.zeros(uniform.shape, np.min_scalar_type(len(probability)))
    for reached in probability.cumsum()[:-1]:
        least = np.float32(reached)  # rounded up, single numbers compare as double ones would, several times faster
        kind += uniform >= (least if least >= reached else np.nextafter(least, np.float32(2)))
    return kind


def _reservations(
    uniform: NDArray[np.float32] | None, tier: Any, came: NDArray[np.bool_] | None, params: MarketParams
) -> Any:
    if uniform is None:
        return None if came is None else np.where(came, np.inf, -np.inf)
    picked, *others = (kind.reservation(1.0 - uniform, params.spread) for kind in params.tiers)
    for index, accepted in enumerate(others, start=1):
        np.copyto(picked, accepted, where=tier == index)
    return picked if came is None else np.where(came, picked, -np.inf)


def reservations_given(
    uniform: Values, tier: Any, outcomes: tuple[Values, NDArray[np.bool_]] | None, params: MarketParams
) -> Values:
    """The largest distances that clients would have accepted, drawn from the law of their tiers, given what they did.

    Who accepted a quote that the share P of his tier accepts is among that share, who refused it among the others.

    Args:
        uniform: On [0, 1), of the shape of the requests, as all others.
        tier: Index of each client's tier.
        outcomes: The distance that each was quoted, price units, and whether he took it; None: unknown.
        params: The market.
    """
    found = np.full(uniform.shape, np.inf)
    for index, kind in enumerate(params.tiers):
        share = 1.0 - uniform
        if outcomes is not None:
            chance = kind.acceptance(outcomes[0], params.spread)
            share = np.where(outcomes[1], chance * share, chance + (1.0 - chance) * share)
        drawn = kind.reservation(np.maximum(share, np.finfo(np.float64).tiny), params.spread)
        np.copyto(found, drawn, where=np.asarray(tier) == index)
    if outcomes is None:
        return found
    quote, accepted = outcomes
    below = np.nextafter(quote, -np.inf)
    return np.asarray(np.where(accepted, np.maximum(found, quote), np.minimum(found, below)))  # whatever rounding says


def _known(deviation: Any, latency: int) -> Any:
    """The deviation of the mid that the dealer knows: that of `latency` moves before, or of the start."""
    if not latency or not isinstance(deviation, np.ndarray):
        return deviation
    known = np.zeros_like(deviation)
    known[:, latency:] = deviation[:, :-latency]
    return known


def _expected(side: Any, last_side: Any, regime: Any, deviation: Any, known: Any, params: MarketParams) -> Any:
    """E[change | what the dealer can know]: the pull towards the starting price, and what the client's side tells.

    A deviation y that was seen m moves ago has shrunk by the factor (1 - kappa) with each move since, where kappa is
    `mean_reversion`: E[change | y] = -kappa (1 - kappa)^m y. Where `drift_is_hidden` this no longer holds, because the
    trades of others tell of it too; the pull is then that of the true deviation, which the dealer cannot know.
    """
    share = params.mean_reversion
    drift: Any = 0.0
    if share > 0:
        drift = -share * deviation if params.drift_is_hidden else -share * (1.0 - share) ** params.quote_latency * known
    if params.informed_fraction == 0:
        return drift
    if params.mean_reversion > 0:
        return expected_move(side, last_side, of_regime(params.volatilities, regime), drift, params)
    return expected_moves(params)[moves_index(side, last_side, regime, params)]


@lru_cache(maxsize=256)
def expected_moves(params: MarketParams) -> Values:
    """E[change | side, side before, regime] without drift, for `moves_index`; read-only."""
    side, last = np.array([-1.0, 0.0, 1.0])[:, None, None], np.array([-1.0, 0.0, 1.0])[:, None]
    moves = np.zeros((3, 3, len(params.volatilities)))
    if params.informed_fraction > 0:
        moves = expected_move(side, last, np.array(params.volatilities), 0.0, params)
    listed = moves.ravel()
    listed.setflags(write=False)
    return listed


def moves_index(side: Any, last_side: Any, regime: Any, params: MarketParams) -> NDArray[np.intp]:
    """Where `expected_moves` holds the move to expect after each of these."""
    sides = 3 * np.asarray(side).astype(np.intp) + np.asarray(last_side).astype(np.intp) + 4
    return np.asarray(sides * len(params.volatilities) + regime)


def _stale(change: Values, latency: int) -> Values:
    """The mid at each request less that of `latency` moves before, or of the start."""
    mid = np.zeros((change.shape[0], change.shape[1] + 1))
    np.cumsum(change, axis=1, out=mid[:, 1:])
    index = np.arange(change.shape[1])
    return mid[:, index] - mid[:, np.maximum(index - latency, 0)]
