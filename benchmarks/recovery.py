"""Are markets found again? Tapes of known markets are calibrated: `python -m benchmarks.recovery`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

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
    names = ("price_volatility", "arrival_probability", "buy_probability", "flow_persistence", "informed_fraction")
    found = {name: getattr(params, name) for name in names}
    weights = sum(tier.weight for tier in params.tiers)
    for number, tier in enumerate(params.tiers):
        found[f"tiers[{number}].weight"] = tier.weight / weights
        found[f"tiers[{number}].decay"] = tier.decay
        found |= {f"tiers[{number}].size_weights[{i}]": share for i, share in enumerate(tier.size_probabilities)}
        found |= {f"tiers[{number}].logistic[{i}]": value for i, value in enumerate(tier.logistic or ())}
        if tier.logistic is not None:
            del found[f"tiers[{number}].decay"]  # the other law is fitted too, and has no truth
    return found


def coverage(params: MarketParams, tapes: int, requests: int, first: int = 0) -> dict[str, float]:
    """How often the 95 % interval of each estimate holds the truth."""
    truth, held = truths(params), {}
    market = dataclasses.replace(params, num_trades=requests)
    for seed in range(first, first + tapes):
        for name, (value, error) in calibrate(recorded(market, seed), params).estimates.items():
            if name in truth:
                held.setdefault(name, []).append(abs(value - truth[name]) <= half_width(error))
    return {name: float(np.mean(each)) for name, each in held.items()}


@click.command(context_settings={"show_default": True})
@click.option("--tapes", default=200, type=click.IntRange(1), help="Tapes of each market, seeds from 0 on.")
@click.option("--requests", default=5_000, type=click.IntRange(10), help="Requests of each tape.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(tapes: int, requests: int, as_json: bool) -> None:
    """Calibrate tapes of known markets; print how often the 95 % interval of each parameter holds the truth.

    Example: python -m benchmarks.recovery --tapes 200 --requests 5000
    """
    found = {name: coverage(params, tapes, requests) for name, params in MARKETS.items()}
    if as_json:
        print_json(found)
    else:
        rows = [[market, name, f"{share:.3f}"] for market, each in found.items() for name, share in each.items()]
        print_table(["market", "parameter", "share of intervals that hold the truth"], rows)


if __name__ == "__main__":
    main()
