"""Are markets found again? Tapes of known markets are calibrated: `python -m benchmarks.recovery`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import click
import numpy as np

from baselines.calibration.estimates import calibrate
from mm_env import MarketParams, Tape
from mm_env.cli.console import print_json, print_table
from mm_env.intervals import half_width
from mm_env.market.recordings.recording import Recording

_LOGISTIC = {"weight": 2, "sizes": (1, 2, 5), "size_weights": (5, 3, 2), "logistic": (-3.0, 40.0)}
MARKETS = {
    "plain": MarketParams(buy_probability=0.45, arrival_probability=0.8),
    "runs": MarketParams(flow_persistence=0.9, buy_probability=0.6),
    "informed": MarketParams(informed_fraction=0.1, flow_persistence=0.5, tiers=({"decay": 30.0},), spread=0.02),
    "tiers": MarketParams(informed_fraction=0.3, tiers=(_LOGISTIC, {"logistic": (-3.0, 80.0)}), spread=0.02),
    "regimes": MarketParams(volatility_regimes=(0.05, 0.5), regime_persistence=0.98),
    "three regimes": MarketParams(volatility_regimes=(0.05, 0.2, 0.8), regime_persistence=0.97),
    "jumps": MarketParams(jump_probability=0.05, jump_volatility=1.5, informed_fraction=0.1),
    "reverting": MarketParams(mean_reversion=0.05),
    "all of it": MarketParams(
        volatility_regimes=(0.1, 0.4), jump_probability=0.02, jump_volatility=2.0, mean_reversion=0.02
    ),
}
_QUOTES = (0.03, 0.05, 0.07, 0.09)  # price units, drawn evenly


def recorded(params: MarketParams, seed: int) -> Tape:
    """One episode of a market as a recording, with quotes that are drawn and what the clients made of them."""
    tape = Tape.draw(params, seed, 1)
    side, change = np.asarray(tape.paths.side, np.float64), np.asarray(tape.paths.change)
    size, tier = (np.broadcast_to(1 if v is None else v, side.shape) for v in (tape.paths.size, tape.paths.tier))
    quote = np.random.default_rng(seed).choice(_QUOTES, size=side.shape)
    accepted = quote <= (np.inf if tape.paths.reservation is None else tape.paths.reservation)
    told = Recording("drawn", {}, (), None, ".", ("",), side.T, change.T, size.T, accepted=accepted.T, quote=quote.T)
    paths = Tape.replay(side.T, change.T, np.where(side == 0, 1, size).T).paths._replace(tier=tier)
    return Tape(paths, replayed=True, recording=told)


def truths(params: MarketParams) -> Mapping[str, float]:
    """Every parameter that calibration may estimate, by the names it gives them."""
    names = ["arrival_probability", "buy_probability", "flow_persistence", "informed_fraction", "mean_reversion"]
    if params.volatility_regimes is None:
        names += ["price_volatility"]
    else:
        names += ["regime_persistence"]
    if params.jump_probability:
        names += ["jump_probability", "jump_volatility"]
    found = {name: getattr(params, name) for name in names}
    found |= {f"volatility_regimes[{i}]": sigma for i, sigma in enumerate(params.volatility_regimes or ())}
    weights = sum(tier.weight for tier in params.tiers)
    for number, tier in enumerate(params.tiers):
        found[f"tiers[{number}].weight"] = tier.weight / weights
        found[f"tiers[{number}].decay"] = tier.decay
        found |= {f"tiers[{number}].size_weights[{i}]": share for i, share in enumerate(tier.size_probabilities)}
        found |= {f"tiers[{number}].logistic[{i}]": value for i, value in enumerate(tier.logistic or ())}
        if tier.logistic is not None:
            del found[f"tiers[{number}].decay"]  # the other law is fitted too, and has no truth
    return found


class Recovered(NamedTuple):
    """How often one parameter was found again."""

    told: int  # tapes that an estimate was made of; fewer than all where regimes or jumps were not seen
    held: float  # share of them whose 95 % interval holds the truth


def coverage(params: MarketParams, tapes: int, requests: int, first: int = 0) -> dict[str, Recovered]:
    """How often the 95 % interval of each estimate holds the truth."""
    truth, held = truths(params), dict[str, list[bool]]()
    market = dataclasses.replace(params, num_trades=requests)
    base = MarketParams(spread=params.spread)
    for seed in range(first, first + tapes):
        for name, (value, error) in calibrate(recorded(market, seed), base).estimates.items():
            if name in truth:
                held.setdefault(name, []).append(abs(value - truth[name]) <= half_width(error))
    return {name: Recovered(len(each), float(np.mean(each))) for name, each in held.items()}


@click.command(context_settings={"show_default": True})
@click.option("--market", "markets", multiple=True, type=click.Choice(list(MARKETS)), help="One of them; repeatable.")
@click.option("--tapes", default=200, type=click.IntRange(1), help="Tapes of each market, seeds from --seed on.")
@click.option("--requests", default=5_000, type=click.IntRange(10), help="Requests of each tape.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Seed of the first tape.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(markets: tuple[str, ...], tapes: int, requests: int, seed: int, as_json: bool) -> None:
    """Calibrate tapes of known markets; print how often the 95 % interval of each parameter holds the truth.

    Example: python -m benchmarks.recovery --tapes 200 --requests 5000
    """
    found = {name: coverage(MARKETS[name], tapes, requests, seed) for name in markets or MARKETS}
    if as_json:
        print_json(
            {market: {name: each._asdict() for name, each in shares.items()} for market, shares in found.items()}
        )
        return
    rows = [
        [market, name, f"{each.told}", f"{each.held:.3f}"]
        for market, shares in found.items()
        for name, each in shares.items()
    ]
    print_table(["market", "parameter", "tapes that tell it", "intervals that hold the truth"], rows)


if __name__ == "__main__":
    main()
