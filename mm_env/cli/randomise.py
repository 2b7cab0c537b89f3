"""`mm-env train --randomise`: its ranges, its training, and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mm_env.cli.console import print_json, print_table, progress_bar
from mm_env.cli.options import DEFAULT_MARKET
from mm_env.registration import market_params

if TYPE_CHECKING:
    from train.randomised.randomised_training import MarketScore

Ranges = dict[str, tuple[float, float]]
_FIGURES = ("threshold rule", "best rule", "policy", "optimum", "share", "share beyond")


def read_ranges(text: str) -> dict[str, tuple[float, float]]:
    """The ranges that a text names.

    Example:
        >>> read_ranges("risk_aversion=0.002:0.02,spread=0:0.1")
        {'risk_aversion': (0.002, 0.02), 'spread': (0.0, 0.1)}
    """
    ranges = {}
    for part in text.split(","):
        name, _, ends = part.partition("=")
        low, _, high = ends.partition(":")
        try:
            ranges[name.strip()] = (float(low), float(high))
        except ValueError as error:
            raise ValueError(f"--randomise {part}: expected NAME=LOW:HIGH, with numbers") from error
    return ranges


def refuse_options(given: dict[str, Any], beside: str) -> None:
    """Raise a usage error that names the first option that was given although it does not go with another one."""
    if named := sorted(name.replace("_", "-") for name, value in given.items() if value):
        raise click.UsageError(f"--{named[0]} does not go with {beside}")


def train_over_ranges(market: str | None, ranges: Ranges, asked: dict[str, Any], as_json: bool) -> None:
    """Train one policy for all markets of the ranges, save it, and print its exact scores in nine of them, or more."""
    from train.randomised.randomised_training import scores_over, train_randomised

    name, changes = market or DEFAULT_MARKET, asked.pop("env_kwargs") or {}
    played = market_params(name, **changes) if changes else name
    try:
        policy = train_randomised(played, ranges, **asked)
    except KeyboardInterrupt:
        click.echo("go on with the same command and --resume", err=True)
        raise
    scores = []
    with progress_bar("scoring", 3 ** len(ranges)) as progress:
        for score in scores_over(policy, ranges):
            scores.append(score)
            progress(1)
    if as_json:
        print_json([_figures(score) for score in scores])
        return
    means = [f"{sum(getattr(s, part) for s in scores) / len(scores):.3f}" for part in ("share", "share_beyond")]
    rows = [[*map(_short, score.parameters.values()), *_row(score)] for score in scores]
    print_table([*ranges, *_FIGURES], [*rows, ["mean", *[""] * (len(ranges) + 3), *means]])


def _short(value: float) -> str:
    return f"{value:.4g}"


def _row(score: MarketScore) -> list[str]:
    values = (score.gap.threshold, score.gap.rule, score.objective, score.gap.optimum)
    return [*(f"{value:.4f}" for value in values), f"{score.share:.3f}", f"{score.share_beyond:.3f}"]


def _figures(score: MarketScore) -> dict[str, float]:
    shares = {"share": score.share, "share_beyond": score.share_beyond}
    return {**score.parameters, "objective": score.objective, **score.gap._asdict(), **shares}
