"""A search over hyperparameters on training seeds that are never reported: `python -m benchmarks.tune`."""

from __future__ import annotations

import csv
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from baselines.evaluation.gap import Gap
from mm_env import market_params
from mm_env.cli.commands.train import ALGOS
from mm_env.cli.console import print_table

if TYPE_CHECKING:
    from train.runs.exact_score import PolicyScore

FIRST_SEED = 900  # seeds below are reported, or free to be
COLUMNS = ("algorithm", "market", "seed", "steps", "changes", "from best rule", "CPU seconds")


def check_seed(_: click.Context, __: click.Parameter, seeds: tuple[int, ...]) -> tuple[int, ...]:
    """Refuse seeds that results are reported of."""
    if any(seed < FIRST_SEED for seed in seeds):
        raise click.BadParameter(f"tuning takes seeds from {FIRST_SEED} on: those below are for what is reported")
    return seeds


@click.command(context_settings={"show_default": True})
@click.option(
    "--market", "markets", multiple=True, required=True, help="A market of `mm-env markets`; may be repeated."
)
@click.option("--seed", "seeds", multiple=True, type=int, default=(901,), callback=check_seed, help="May be repeated.")
@click.option("--algo", default="ppo", show_default=True, type=click.Choice(ALGOS), help="As of `mm-env train`.")
@click.option("--steps", type=click.IntRange(1), help="Environment steps.  [default: of the algorithm]")
@click.option("--try", "tried", multiple=True, metavar="NAME=VALUE;...", help="Values of a hyperparameter, all tried.")
@click.option("--out", type=click.Path(path_type=Path), help="CSV file that every try is added to as it ends.")
def main(
    markets: tuple[str, ...],
    seeds: tuple[int, ...],
    algo: str,
    steps: int | None,
    tried: tuple[str, ...],
    out: Path | None,
) -> None:
    """Train with every combination of values; print the share from the best fixed rule to the optimum of each.

    It is exact, but of what remembers, `recurrent-ppo`: that plays 2,000 episodes beside the optimum.

    Example: python -m benchmarks.tune --market mm_env/Latency-v0 --try "learning_rate=lin_0.005;lin_0.01"
    """
    for market in markets:
        market_params(market)  # refuse a wrong name before anything is trained
    choices = list(combinations(tried))
    rows = []
    for changes, market, seed in itertools.product(choices, markets, seeds):
        rows.append(_try(algo, market, seed, steps, changes))
        if out is not None:
            _add(rows[-1], out)
    print_table(list(COLUMNS), rows)


def combinations(tried: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Every combination of values.

    Example:
        >>> list(combinations(("n_epochs=2;4", "gamma=1.0")))
        [{'n_epochs': 2, 'gamma': 1.0}, {'n_epochs': 4, 'gamma': 1.0}]
    """
    names, values = [], []
    for text in tried:
        name, given, listed = text.partition("=")
        if not given:
            raise click.BadParameter(f"--try takes NAME=VALUE;VALUE, got {text!r}")
        names.append(name)
        values.append([yaml.safe_load(value) for value in listed.split(";")])
    return (dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*values))


def _try(algo: str, market: str, seed: int, steps: int | None, changes: dict[str, Any]) -> list[str]:
    start = time.process_time()
    made, score = train_by_name(algo, market, seed, steps, changes)
    seconds = time.process_time() - start
    share = f"{Gap.of(market).shares(score.objective)[1]:.4f}"
    return [algo, market, str(seed), f"{made:,}", json.dumps(changes), share, f"{seconds:.0f}"]


def train_by_name(
    algo: str, market: str, seed: int, steps: int | None, changes: dict[str, Any]
) -> tuple[int, PolicyScore]:
    """Train any algorithm of `mm-env train`; return the steps made and what was learned is worth.

    One that acts in numbers gets the market's continuous form.
    """
    if algo == "ppo":
        from train import train_ppo
        from train.runs.exact_score import PolicyScore

        run = train_ppo(market, seed=seed, total_timesteps=steps, hyperparameters=changes, progress=False)
        return run.timesteps, PolicyScore.of(run.policy, run.plan.params)
    given: dict[str, Any] = {"seed": seed, "total_timesteps": steps, "arguments": changes}
    if algo == "deep-hedging":
        from train.deep_hedging.deep_hedger import train_deep_hedger

        hedger = train_deep_hedger(market, progress=False, **given)
        return hedger.timesteps, hedger.score
    from train.algorithms import ALGORITHMS, train_algorithm

    numbers = {"continuous": True} if ALGORITHMS[algo].actions == "numbers" else {}
    found = train_algorithm(algo, market, env_kwargs=numbers, **given)
    return found.timesteps, found.score


def _add(row: list[str], path: Path) -> None:
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(COLUMNS)
        writer.writerow(row)


if __name__ == "__main__":
    main()
