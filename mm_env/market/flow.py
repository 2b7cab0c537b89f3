"""The flow of clients and prices: what the random numbers of a tape mean in a market.

`flow` says it for one step. `simulate` samples with it what `transition_law` of the module beside this one lists; a
test holds one against the other.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.market.client_tier import LOGARITHMS
from mm_env.market.exogenous_state import ObservedState
from mm_env.market.market_paths import MarketPaths, of_regime
from mm_env.market.numbers import Number, Values
from mm_env.market.params import MarketParams
from mm_env.market.random_streams import RandomDraws
from mm_env.market.whole_episodes import OverTime, WholeEpisodes

_erf = np.frompyfunc(math.erf, 1, 1)


def simulate(noise: RandomDraws, params: MarketParams) -> MarketPaths:
    """What the random numbers of a tape mean in this market; arrays of views with time first, not yet contiguous."""
    paths = flow(prepared(noise, params), params, WholeEpisodes(params.num_trades, noise.change))
    if noise.view is not None:  # who takes the mid for higher than it is quotes around one that is stale by less
        mid_error: Any = 0.0 if paths.mid_error is None else np.asarray(paths.mid_error)[:, :, None]
        paths = paths._replace(mid_error=mid_error - params.view_noise * noise.view.astype(np.float64))
    if noise.preference is not None:
        paths = paths._replace(preference=noise.preference)
    return paths.map(lambda values: values.transpose(*range(1, values.ndim), 0))


def prepared(noise: RandomDraws, params: MarketParams) -> RandomDraws:
    """The random numbers of reservations as the logarithms that they are used for, double numbers; the others as is."""
    u = noise.uniforms
    if "reservation" not in u:
        return noise
    share = (1.0 - u["reservation"]).astype(np.float64)
    others = {name: values for name, values in u.items() if name != "reservation"}
    return noise._replace(uniforms=others | {law: LOGARITHMS[law](share) for law in _laws(params)})


def _laws(params: MarketParams) -> list[str]:
    """The laws by which clients may refuse a quote, in this market."""
    return sorted({tier.law for tier in params.tiers if tier.law is not None})


def flow(noise: RandomDraws, params: MarketParams, over: OverTime) -> MarketPaths:
    """THE FLOW: what clients ask for and how the price moves, from the random numbers of `prepared`.

    Written for one step; what a step remembers of those before it, it has from `over`. So the same text serves all
    steps of many episodes at once, a `WholeEpisodes`, and, traced, one step of many lanes: several dealers' own
    errors and preferences apart.
    """
    u = noise.uniforms
    regime = _regime(u["regime"], params, over) if "regime" in u else 0
    change = over.scaled(noise.move, over.pick(params.volatilities, regime))
    if noise.jump is not None:
        jump = over.single(single(params.jump_volatility) * noise.jump)
        change = change + (u["jump"] < single(params.jump_probability)) * jump
    deviation: Any = 0.0
    if params.mean_reversion > 0:
        deviation, change = over.remembering(partial(_pulled, params.mean_reversion), change)

    came = u["arrival"] < single(params.arrival_probability) if "arrival" in u else None
    side, last_side, informed = _side(noise, change, came, params, over)
    tier, size = _kind(u.get("kind"), came, params, over)
    reservation = _reservation(u, tier, came, params, over)
    known = (
        over.before(deviation, params.quote_latency) if params.quote_latency and params.mean_reversion else deviation
    )
    expected = _expected(side, last_side, regime, deviation, known, params, over)
    mid_error = None
    if params.quote_latency:
        mid = over.sum_before(change)
        mid_error = mid - over.before(mid, params.quote_latency)
    observed = ObservedState(last_side, regime, known)
    return MarketPaths(side, change, expected, size, tier, reservation, mid_error, informed, observed=observed)


def is_traceable(params: MarketParams) -> bool:
    """Whether `flow` is made of what can be traced in this market, and is short.

    Not so what the price's pull and the client's side tell together, which takes error functions, nor mids that
    dealers see with errors of their own.
    """
    refused = params.view_noise > 0 or (params.mean_reversion > 0 and params.informed_fraction > 0)
    return not refused and len(kinds(params)[0]) <= 64


def single(number: float) -> float:
    """The nearest number of single precision: what a comparison with single numbers takes a float for."""
    return float(np.float32(number))


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


def _regime(uniform: Any, params: MarketParams, over: OverTime) -> Any:
    """A Markov chain, from its stationary law: it stays, or goes to any of the others alike."""
    number, stay = len(params.volatilities), params.regime_persistence
    wide = uniform * np.float64(1.0)
    onward = 1.0 + over.floor((wide - stay) / max(1.0 - stay, 1e-12) * (number - 1))  # 0 or less where it stays
    onward = over.minimum(over.maximum(onward, 0.0), number - 1.0)
    return over.cycle(over.where(over.first, over.floor(wide * number), onward), number)


def _pulled(share: float, deviation: Any, change: Any) -> tuple[Any, Any]:
    """The mid's deviation from the start after a move that is pulled back, from the one before it; and the move."""
    change = change - share * deviation
    return deviation + change, change


def _side(noise: RandomDraws, change: Any, came: Any, params: MarketParams, over: OverTime) -> tuple[Any, Any, Any]:
    """The side of each client, that of the client before him, and whether he was informed."""
    u, cut = noise.uniforms, 256 * params.buy_probability
    buys = noise.side < int(cut)
    if "tie" in u:
        buys = buys | ((noise.side == int(cut)) & (u["tie"] < single(cut % 1)))
    informed: Any = False
    if "informed" in u:
        informed = u["informed"] < single(params.informed_fraction)
        rises = over.where(change == 0.0, noise.move > 0.0, change > 0.0)  # of a price that stands still, who knows
        buys = over.where(informed, rises, buys)
    fresh = over.sign(buys)
    shown = informed if came is None or informed is False else informed & came
    if "repeat" not in u:
        return fresh if came is None else fresh * came, 0.0, shown
    repeats = u["repeat"] < single(params.flow_persistence)
    own = ~repeats if informed is False else ~repeats | informed
    own = own | over.first if came is None else came & (own | ~over.has_been(came))
    last_side, side = over.latest(fresh, own)
    return side if came is None else side * came, last_side, shown


def _kind(uniform: Any, came: Any, params: MarketParams, over: OverTime) -> tuple[Any, Any]:
    """Tier and size of each request: its kind is how many cumulated probabilities its uniform number reaches."""
    probability, tiers, sizes = kinds(params)
    kind = 0
    if uniform is not None:
        least = probability.cumsum()[:-1]
        edges = least.astype(np.float32)  # rounded up, single numbers compare as double ones would, but faster
        edges = np.where(edges >= least, edges, np.nextafter(edges, np.float32(2)))
        kind = over.count_reached(uniform, edges.tolist())
    size = over.pick(sizes, kind) if params.has_sizes else None
    if len(params.tiers) == 1:
        return 0, size
    tier = over.pick(tiers, kind)
    return tier if came is None else tier * came, size


def _reservation(u: dict[str, Any], tier: Any, came: Any, params: MarketParams, over: OverTime) -> Any:
    """The largest distance that the client accepts, by the law of his tier; None if all accept any."""
    if params.accepts_any:
        return None if came is None else over.where(came, np.inf, -np.inf)
    picked, *others = (kind.reservation_of(u.get(kind.law or ""), params.spread) for kind in params.tiers)
    for index, accepted in enumerate(others, start=1):
        picked = over.where(tier == index, accepted, picked)
    return picked if came is None else over.where(came, picked, -np.inf)


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


def _expected(
    side: Any, last_side: Any, regime: Any, deviation: Any, known: Any, params: MarketParams, over: OverTime
) -> Any:
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
    return over.pick(expected_moves(params), moves_index(side, last_side, regime, params, over))


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


def moves_index(side: Any, last_side: Any, regime: Any, params: MarketParams, over: OverTime = WholeEpisodes) -> Any:
    """Where `expected_moves` holds the move to expect after each of these."""
    return over.whole(3 * side + last_side + 4) * len(params.volatilities) + regime
