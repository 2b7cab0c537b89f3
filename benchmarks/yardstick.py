"""Do the ends of the benchmark's scale hold? `python -m benchmarks.yardstick`: optimum, best rule, and drawn rules."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import click
import numpy as np

from baselines import make_policy, policy_value
from baselines.benchmark.suite import SUITES, Scale
from baselines.solver.fixed_rules import rule_values
from mm_env import market_params
from mm_env.cli.console import print_json, print_table, progress_bar
from mm_env.envs.action import hedge_levels, quote_levels
from mm_env.pools.worker_pool import at_once

TOLERANCE = 1e-9


class Yardstick(NamedTuple):
    """The scale of one market, and what was found on it; scores."""

    market: str
    optimum: float  # of the policy `optimal`, valued as any other: 1
    best_rule: float  # of `best-threshold`: 0
    rules: int  # drawn
    best_drawn: float  # of all of them: at most 1
    best_fixed: float  # of those that hedge down to their threshold: at most 0

    @property
    def holds(self) -> bool:
        """Whether all that is so to `TOLERANCE`."""
        ends = abs(self.optimum - 1.0), abs(self.best_rule), self.best_drawn - 1.0, self.best_fixed
        return max(ends) <= TOLERANCE


def measure(market: str, rules: int, seed: int) -> Yardstick:
    """Value the ends of the scale, and so many thresholds, targets and distances drawn evenly."""
    params, generator = market_params(market), np.random.default_rng(seed)
    levels, quotes = hedge_levels(params), quote_levels(params)
    thresholds, targets = generator.choice(levels, rules), generator.choice(levels, rules)
    values = rule_values(params, thresholds, generator.choice(quotes, rules), targets)
    scale = Scale.of(market)
    optimum, rule = (
        scale.score(policy_value(make_policy(name, params), params)) for name in ("optimal", "best-threshold")
    )
    scores = (values - scale.rule) / (scale.optimum - scale.rule)
    fixed = scores[targets >= thresholds]  # a target above the threshold is never reached: the threshold is kept
    return Yardstick(market, optimum, rule, rules, float(scores.max()), float(fixed.max()))


@click.command(context_settings={"show_default": True})
@click.option("--market", "markets", multiple=True, type=click.Choice(SUITES["v1"].markets), help="Default: all.")
@click.option("--rules", default=10_000, type=click.IntRange(100), help="Fixed rules and bands drawn in each market.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Of the rules.")
@click.option("--workers", default=1, type=click.IntRange(1), help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(markets: Sequence[str], rules: int, seed: int, workers: int, as_json: bool) -> None:
    """Hold that the optimum scores 1 and the best rule 0, and that no drawn rule or band is above the optimum.

    Example: python -m benchmarks.yardstick --market mm_env/TicketFee-v0 --rules 1000
    """
    chosen = list(markets) or list(SUITES["v1"].markets)
    found: dict[str, Yardstick] = {}
    with progress_bar("markets", len(chosen)) as advance:
        for market, its in at_once(partial(measure, rules=rules, seed=seed), chosen, workers):
            found[market] = its
            advance(1)
    rows = [found[market] for market in chosen]
    if as_json:
        print_json([row._asdict() for row in rows])
    else:
        head = ["market", "optimum less 1", "best rule", "drawn", "best drawn", "best drawn threshold"]
        print_table(head, [_row(row) for row in rows])
    if broken := [row.market for row in rows if not row.holds]:
        raise click.ClickException(f"the scale does not hold in {', '.join(broken)}")


def _row(row: Yardstick) -> list[str]:
    ends = f"{row.optimum - 1.0:.1e}", f"{row.best_rule:.1e}"
    return [row.market, *ends, f"{row.rules:,}", f"{row.best_drawn:.6f}", f"{row.best_fixed:.6f}"]


if __name__ == "__main__":
    main()
