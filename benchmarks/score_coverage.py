"""How often the benchmark's intervals hold the truth: `python -m benchmarks.score_coverage`.

Two agents are the same, or apart by what is known, and their scores are drawn anew a thousand times: training seeds
from those of a results file, taken for all there are, or tapes of a policy that is played.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from baselines import make_policy
from baselines.benchmark import results as files
from baselines.benchmark.aggregate import AGGREGATES, Scores, comparisons, league
from baselines.benchmark.suite import EVALUATION_SEED, Scale
from baselines.evaluation.scores import objective
from baselines.evaluation.scoring import play_totals
from mm_env import market_params
from mm_env.cli.console import print_json, print_table, progress_bar
from mm_env.market.numbers import Values

APART = (0.0, 0.02)  # true differences of two agents
FIGURES = ("iqm", "mean", "worst")
Draw = Callable[[], Scores]


class Held(NamedTuple):
    """How often an interval held the truth."""

    what: str
    truth: float
    share: float


def of_seeds(values: Values, seeds: int, generator: np.random.Generator) -> Draw:
    """Scores of so many training seeds, drawn in each market from all there are; values of shape (markets, seeds)."""

    def draw() -> Scores:
        picked = generator.integers(values.shape[1], size=(len(values), seeds))
        drawn = np.take_along_axis(values, picked, axis=1)
        return Scores(drawn, np.zeros_like(drawn))

    return draw


def of_tapes(market: str, policy: str, tapes: int, generator: np.random.Generator) -> Draw:
    """The score of a policy that is played on so many tapes, drawn from 20,000 that are taken for all there are."""
    params, scale = market_params(market), Scale.of(market)
    everything = play_totals(make_policy(policy, params), params, 20_000, EVALUATION_SEED)
    gap = scale.optimum - scale.rule

    def draw() -> Scores:
        found = objective(everything[generator.integers(len(everything), size=tapes)])
        return Scores(np.array([[scale.score(found.value)]]), np.array([[found.standard_error / gap]]))

    return draw


def differences(what: str, draw: Draw, repetitions: int) -> Iterator[Held]:
    """Of two agents that are drawn alike, the one with a known difference added."""
    for truth in APART:
        held = 0
        for _ in range(repetitions):
            one, other = draw(), draw()
            (row,) = comparisons({"one": Scores(one.values + truth, one.errors), "other": other})
            held += row["low"] <= truth <= row["high"]
        yield Held(f"difference, {what}", truth, held / repetitions)


def aggregates(what: str, draw: Draw, values: Values, repetitions: int) -> Iterator[Held]:
    """Of the league's figures."""
    held = dict.fromkeys(FIGURES, 0)
    truth = {name: float(AGGREGATES[name].of(values)) for name in FIGURES}
    for _ in range(repetitions):
        found = league({"agent": draw()})["agent"]
        for name in FIGURES:
            held[name] += found[name]["low"] <= truth[name] <= found[name]["high"]
    yield from (Held(f"{AGGREGATES[name].title}, {what}", truth[name], held[name] / repetitions) for name in FIGURES)


def scores_of(path: Path, agent: str) -> Values:
    """The exact scores of an agent in the scored markets, shape (markets, seeds)."""
    results = files.read(path)
    markets = [market for market, told in results["markets"].items() if told["scored"]]
    cells = results["cells"]
    rows = [[c["score"] for c in cells if (c["agent"], c["market"]) == (agent, market)] for market in markets]
    if min(map(len, rows)) < 2:
        raise click.ClickException(f"{path} has no agent {agent!r} of several training seeds")
    return np.array(rows)


@click.command(context_settings={"show_default": True})
@click.option("--results", "path", default="results/v1/results.json", type=click.Path(exists=True, path_type=Path))
@click.option("--agent", default="ppo", help="Whose training seeds are drawn.")
@click.option("--repetitions", default=1000, type=click.IntRange(10), help="Times that all is drawn anew.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Of what is drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(path: Path, agent: str, repetitions: int, seed: int, as_json: bool) -> None:
    """Count how often the 95 % intervals of differences and of the league hold the truth.

    Example: python -m benchmarks.score_coverage --repetitions 100
    """
    generator, values = np.random.default_rng(seed), scores_of(path, agent)
    found: list[Held] = []
    sizes = (5, 10)
    with progress_bar("drawing", len(sizes) * 2 + 1) as advance:
        for size in sizes:
            draw = of_seeds(values, size, generator)
            found += differences(f"{size} seeds", draw, repetitions)
            advance(1)
            found += aggregates(f"{size} seeds", draw, values, repetitions)
            advance(1)
        draw = of_tapes("mm_env/TicketFee-v0", "random", 500, generator)
        found += differences("500 tapes", draw, repetitions)
        advance(1)
    if as_json:
        print_json([row._asdict() for row in found])
    else:
        print_table(["interval", "truth", "holds it"], [[r.what, f"{r.truth:.4f}", f"{r.share:.3f}"] for r in found])


if __name__ == "__main__":
    main()
