"""How often 95 % intervals hold the truth: `python -m benchmarks.coverage`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from baselines import make_policy
from baselines.evaluation.comparison import Comparison, gap_ends
from baselines.evaluation.scores import Estimate
from baselines.evaluation.scoring import play_totals
from mm_env import market_params
from mm_env.cli.console import print_json, print_table, progress_bar
from mm_env.cli.outputs import write_page
from mm_env.market.numbers import Integers
from mm_env.market.params import MarketParams
from mm_env.readable import markdown_rows

MARKETS: Mapping[str, Mapping[str, object]] = {  # market and what is changed in it
    "mm_env/Hedging-v0": {},
    "mm_env/CostlyHedge-v0": {},
    "mm_env/VolatilityRegimes-v0": {},
    "mm_env/AdverseSelection-v0": {},
    "mm_env/Hedging-v0 with rare jumps": {"jump_probability": 0.002, "jump_volatility": 3.0},
}
POLICY, OTHER = "threshold:5", "never"
FIGURES: Mapping[str, Callable[[Comparison], Estimate]] = {
    "mean PnL": lambda played: played.score(POLICY, "pnl"),
    "J": lambda played: played.score(POLICY, "objective"),
    "sd": lambda played: played.score(POLICY, "sd"),
    "Sharpe": lambda played: played.score(POLICY, "sharpe"),
    "drawdown": lambda played: played.score(POLICY, "drawdown"),
    "share": lambda played: played.share(POLICY),
    "CVaR": lambda played: played.score(POLICY, "cvar"),
    "CVaR, never": lambda played: played.score(OTHER, "cvar"),
    "mean PnL less never's": lambda played: played.difference(POLICY, OTHER, "pnl"),
    "J less never's": lambda played: played.difference(POLICY, OTHER),
    "CVaR less never's": lambda played: played.difference(POLICY, OTHER, "cvar"),
}


class Coverage(NamedTuple):
    """How often the interval of one figure held the truth."""

    market: str
    episodes: int
    figure: str
    below: float  # share of the samples in which the whole interval lay below the truth
    above: float  # ... above it
    plus_minus: float  # share in which value plus or minus half the width, as tables print it, held the truth

    @property
    def covered(self) -> float:
        """Share in which the interval held it."""
        return 1.0 - self.below - self.above


def population(params: MarketParams, episodes: int, seed: int) -> Comparison:
    """Played episodes that are taken for all there are: their figures are the truth."""
    totals = {name: play_totals(make_policy(name, params), params, episodes, seed) for name in (POLICY, OTHER)}
    return Comparison(params, totals, gap_ends(params, episodes, seed))


def sample(played: Comparison, rows: Integers) -> Comparison:
    """Some episodes of every policy."""
    ends = None if played.ends is None else (played.ends[0][rows], played.ends[1][rows])
    return Comparison(played.params, {name: totals[rows] for name, totals in played.totals.items()}, ends)


def coverage(
    market: str,
    everything: Comparison,
    episodes: int,
    repetitions: int,
    seed: int,
    figures: Mapping[str, Callable[[Comparison], Estimate]] = FIGURES,
) -> list[Coverage]:
    """Draw samples of so many episodes, with replacement, and count the intervals that hold the population's figure."""
    generator = np.random.default_rng([seed, episodes])
    truth = {name: figure(everything).value for name, figure in figures.items()}
    counts = {name: np.zeros(3) for name in figures}
    number = len(everything.totals[POLICY])
    for _ in range(repetitions):
        drawn = sample(everything, generator.integers(number, size=episodes))
        for name, figure in figures.items():
            estimate, true = figure(drawn), truth[name]
            low, high = estimate.interval()
            counts[name] += (high < true, low > true, abs(estimate.value - true) <= estimate.half_width())
    return [Coverage(market, episodes, name, *(count / repetitions).tolist()) for name, count in counts.items()]


@click.command(context_settings={"show_default": True})
@click.option("--market", "markets", multiple=True, type=click.Choice(list(MARKETS)), help="Repeatable; default: all.")
@click.option("--episodes", multiple=True, default=(500, 1000, 2000), type=click.IntRange(400), help="Of one sample.")
@click.option("--repetitions", default=1000, type=click.IntRange(10), help="Samples.")
@click.option("--population", "size", default=20_000, type=click.IntRange(1000), help="Episodes to draw them from.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Of the episodes and of the samples.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for coverage.md.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def main(
    markets: Sequence[str],
    episodes: Sequence[int],
    repetitions: int,
    size: int,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Count how often the 95 % intervals of scores, shares and paired differences hold the truth.

    Example: python -m benchmarks.coverage --market mm_env/Hedging-v0 --episodes 500 --repetitions 200
    """
    found: list[Coverage] = []
    with progress_bar("sampling", len(markets or MARKETS) * (1 + len(episodes))) as progress:
        for market in markets or MARKETS:
            params = market_params(market.split()[0], **MARKETS[market])
            everything = population(params, size, seed)
            progress(1)
            for number in episodes:
                found += coverage(market, everything, number, repetitions, seed)
                progress(1)
    if as_json:
        print_json([{**row._asdict(), "covered": row.covered} for row in found])
    else:
        print_table(*_table(found, lambda row: f"{row.covered:.3f}"))
    if out is not None:
        write_page(out / "coverage.md", _page(found, repetitions, size, seed, episodes))


def _table(found: Sequence[Coverage], said: Callable[[Coverage], str]) -> tuple[list[str], list[list[str]]]:
    """A row for each market and number of episodes, a column for each figure."""
    figures = list(dict.fromkeys(row.figure for row in found))
    rows: dict[tuple[str, int], list[str]] = {}
    for row in found:
        rows.setdefault((row.market, row.episodes), [row.market, f"{row.episodes:,}"]).append(said(row))
    return ["market", "episodes", *figures], list(rows.values())


def _page(found: Sequence[Coverage], repetitions: int, size: int, seed: int, episodes: Sequence[int]) -> str:
    """The tables as a page."""
    error = math.sqrt(0.95 * 0.05 / repetitions)
    given = " ".join(f"--episodes {number}" for number in episodes)
    tails = [row for row in found if "CVaR" in row.figure]
    lines = [
        "# How often the intervals hold the truth",
        "",
        f"Written by `python -m benchmarks.coverage {given} --repetitions {repetitions} --population {size} --seed "
        f"{seed} --out docs`. {size:,} episodes are played and taken for all there are, so that the true value of "
        f"every figure is known; {repetitions:,} samples are drawn from them, with replacement. A 95 % interval should "
        f"hold the truth in 0.95 of the samples; the standard error of each number below is {error:.3f}.",
        "",
        f"The policy is `{POLICY}`, the other one `{OTHER}`, on the same episodes. Intervals are Student's, by "
        "influence functions; those of CVaR 5 %, which a few episodes make, are Hall's (1992): they take the skewness "
        "of these into account and are longer downwards. Below 400 episodes CVaR has no interval.",
        "",
        *markdown_rows(*_table(found, lambda row: f"{row.covered:.3f}")),
        "",
        "CVaR once more: the share of samples whose interval lies wholly below the truth, and wholly above it, 0.025 "
        "each if all were well, and the share in which the value plus or minus half the width, as tables print it, "
        "holds it.",
        "",
        *markdown_rows(*_table(tails, lambda row: f"{row.below:.3f}, {row.above:.3f}; {row.plus_minus:.3f}")),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
