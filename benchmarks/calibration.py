"""Is a calibrated market good enough to hedge by, in every market that ships? `python -m benchmarks.calibration`."""

from __future__ import annotations

import dataclasses
import time
from typing import NamedTuple

import click

from baselines.calibration.estimates import calibrate
from baselines.solver.fixed_rules import best_rule
from baselines.solver.optimum import policy_value, solve
from benchmarks.recovery import recorded
from mm_env import MarketParams, market_params
from mm_env.cli.console import print_json, print_table
from mm_env.market.validation import fields_on_tape
from mm_env.registration import MARKETS

_LEAST = 1e-9  # of persistence and informed clients in both markets, so that what is observed is the same
_NOT_TOLD = ("spread", "quote_latency")  # the dealer's own, beside all that no tape depends on


class Checked(NamedTuple):
    """Exact values in the true market, price units an episode."""

    optimum: float
    calibrated: float  # of what is optimal in the calibrated market
    rule: float  # of the best fixed rule

    @property
    def share(self) -> float:
        """Of the optimum's value."""
        return 1.0 - (self.optimum - self.calibrated) / abs(self.optimum)


def own(market: MarketParams) -> MarketParams:
    """What a dealer knows of a market without a tape: his costs, limits, quotes and aims; defaults for the rest."""
    told = set(fields_on_tape(MarketParams)) - set(_NOT_TOLD)
    return MarketParams(**{name: value for name, value in _fields(market).items() if name not in told})


def checked(market: MarketParams, requests: int, seed: int) -> Checked:
    """Calibrate a recording of the market, solve what was found, and play that in the true market."""
    found = calibrate(recorded(market.replace(num_trades=requests), seed), own(market)).params
    true, found = (_observed_alike(each) for each in (market, found))
    best = solve(true)
    return Checked(best.value, policy_value(solve(found).policy, true), best_rule(true).value)


def _observed_alike(market: MarketParams) -> MarketParams:
    """The market with persistence and informed clients that are at least all but none: the last side is shown."""
    return market.replace(
        flow_persistence=max(market.flow_persistence, _LEAST), informed_fraction=max(market.informed_fraction, _LEAST)
    )


def _fields(market: MarketParams) -> dict[str, object]:
    return {field.name: getattr(market, field.name) for field in dataclasses.fields(MarketParams)}


@click.command(context_settings={"show_default": True})
@click.option("--market", "markets", multiple=True, type=click.Choice(list(MARKETS)), help="One of them; repeatable.")
@click.option("--requests", default=50_000, type=click.IntRange(10), help="Requests of the tape, one episode.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Seed of the tape.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(markets: tuple[str, ...], requests: int, seed: int, as_json: bool) -> None:
    """Calibrate a tape of each market, solve the estimate, and print what its optimum is worth in the true market.

    Example: python -m benchmarks.calibration --requests 50000
    """
    found = {}
    for name in markets or MARKETS:
        start = time.process_time()
        found[name] = checked(market_params(name), requests, seed)
        click.echo(f"{name}: {time.process_time() - start:.0f} s", err=True)
    if as_json:
        print_json({name: {**each._asdict(), "share": each.share} for name, each in found.items()})
        return
    rows = [
        [name, f"{each.optimum:.5f}", f"{each.calibrated:.5f}", f"{each.share:.5f}", f"{each.rule:.5f}"]
        for name, each in found.items()
    ]
    print_table(["market", "optimum", "optimum of the estimate", "share of the optimum", "best fixed rule"], rows)


if __name__ == "__main__":
    main()
