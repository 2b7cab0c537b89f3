"""PPO over training seeds: what share of the gap it closes, and how fast: `python -m benchmarks.learning`."""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from baselines import policy_value
from baselines.benchmark.aggregate import interquartile_mean
from baselines.evaluation import scores
from baselines.evaluation.gap import Gap
from mm_env import MARKETS, market_params
from mm_env.cli.console import print_json, print_table, progress_bar
from mm_env.intervals import LEVEL

if TYPE_CHECKING:
    from train.ppo import Training

RECIPES = ("ppo", "plain_ppo")
LEAST_GAP = 0.03  # of the optimum's value: where the best fixed rule leaves less, a share of it says nothing
RESAMPLES = 10_000  # of the bootstrap


class Result(NamedTuple):
    """What one training seed led to."""

    market: str
    recipe: str  # file of hyperparameters
    hyperparameters: str  # a digest of them
    seed: int
    objective: float  # exact J of the kept policy, price units
    share: float  # of the gap between the seed's rule and the optimum
    share_beyond: float  # of the gap between the best fixed rule and the optimum
    steps: int
    seconds: float  # wall time
    cpu_seconds: float  # NaN, like those below, of a run of `mm-env train`, which does not tell it
    unpaired_variance: float  # of the advantages, mean over rollouts, (price units x reward_scale)²
    variance: float  # the same of what the policy learned from

    @classmethod
    def read(cls, row: dict[str, str]) -> Result:
        """A row of the file of results."""
        whole, text = ("seed", "steps"), ("market", "recipe", "hyperparameters")
        kinds = {name: str if name in text else int if name in whole else float for name in cls._fields}
        return cls(**{name: kind(row[name]) for name, kind in kinds.items()})


@click.command(context_settings={"show_default": True})
@click.option("--market", "named", multiple=True, default=("mm_env/Hedging-v0",), help="Of `mm-env markets`, or all.")
@click.option("--seeds", default=5, type=click.IntRange(2), help="Training seeds.")
@click.option("--seed", default=0, type=click.IntRange(0), help="The first of them.")
@click.option("--recipe", "recipes", multiple=True, default=("ppo",), type=click.Choice(RECIPES), help="Repeatable.")
@click.option("--results", "path", type=click.Path(path_type=Path), help="CSV file that every seed is added to.")
@click.option("--held", is_flag=True, help="Print what that file holds, of any seeds; train nothing.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the learning curve of one market.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(
    named: tuple[str, ...],
    seeds: int,
    seed: int,
    recipes: tuple[str, ...],
    path: Path | None,
    held: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Train PPO with several seeds; print the exact shares of the gap that each closes, and its time.

    J is computed by dynamic programming, not simulated. Every recipe takes as many steps as the first. What the file of
    --results holds is not trained again, so that an interrupted run goes on with the same command.

    Example: python -m benchmarks.learning --market all --seeds 10 --recipe ppo --recipe plain_ppo
    """
    markets = list(MARKETS) if named == ("all",) else list(named)
    for name in markets:
        market_params(name)  # refuse a wrong name before anything is trained
    if out is not None and (len(markets) > 1 or len(recipes) > 1 or path is not None):
        raise click.UsageError("--out draws one market and one recipe, trained on the spot: name them")
    if held and path is None:
        raise click.UsageError("--held prints the file of --results: name it")
    found = {} if path is None else _read(path)
    keys = {
        (market, recipe): (market, recipe, _digest(market, recipe, _changes(market, recipe, recipes[0])))
        for market, recipe in product(markets, recipes)
    }
    runs: list[Training] = []
    if held:
        results = [result for key in keys.values() for result in found.values() if result[:3] == key]
    else:
        runs, results = _train_all(keys, range(seed, seed + seeds), recipes[0], found, path)
    if not results:
        raise click.UsageError(f"{path} holds nothing of these markets and recipes as they are set now")
    gaps = {
        market: Gap.of(market_params(market)) for market in markets if market in {result.market for result in results}
    }
    if out is not None:
        draw(runs, results, gaps[markets[0]], out / "learning.png")
    if as_json:
        print_json([{**gaps[result.market]._asdict(), **result._asdict()} for result in results])
    elif len(markets) == len(recipes) == 1:
        _print_seeds(gaps[markets[0]], results)
    else:
        _print_markets(gaps, results)


def _train_all(
    keys: dict[tuple[str, str], tuple[str, str, str]],
    seeds: range,
    first: str,
    found: dict[tuple[str, str, str, int], Result],
    path: Path | None,
) -> tuple[list[Training], list[Result]]:
    """Train what was not found, seed by seed, so that an interruption leaves as much of every market."""
    runs, results = [], []
    with progress_bar("training", len(keys) * len(seeds)) as progress:
        for number, (market, recipe) in product(seeds, keys):
            key = (*keys[market, recipe], number)
            if key not in found:
                run, found[key] = _train(key, _changes(market, recipe, first))
                runs.append(run)
                if path is not None:
                    _add(found[key], path)
            results.append(found[key])
            progress(1)
    return runs, results


def _changes(market: str, recipe: str, first: str) -> dict[str, Any]:
    """What gives a recipe the first one's budget."""
    from train.hyperparams import read_hyperparameters

    return {} if recipe == first else {"n_timesteps": read_hyperparameters(market, first)["n_timesteps"]}


def _digest(market: str, recipe: str, changes: dict[str, Any]) -> str:
    """Of everything that the training is set to, so that results of other settings are not taken for these."""
    from train.hyperparams import read_hyperparameters

    settings = json.dumps({**read_hyperparameters(market, recipe), **changes}, sort_keys=True)
    return hashlib.sha256(settings.encode()).hexdigest()[:12]


def _train(key: tuple[str, str, str, int], changes: dict[str, Any]) -> tuple[Training, Result]:
    from benchmarks.advantages import AdvantageVariance
    from train import train_ppo

    market, recipe, _, seed = key
    start, spread = time.process_time(), AdvantageVariance()
    run = train_ppo(market, seed=seed, recipe=recipe, hyperparameters=changes, callback=spread, progress=False)
    cpu = time.process_time() - start
    objective = policy_value(run.policy, market_params(market))
    shares = Gap.of(market_params(market)).shares(objective)
    return run, Result(*key, objective, *shares, run.timesteps, run.seconds, cpu, *spread.means())


def _read(path: Path) -> dict[tuple[str, str, str, int], Result]:
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        results = [Result.read(row) for row in csv.DictReader(file)]
    return {result[:4]: result for result in results}


def _add(result: Result, path: Path) -> None:
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(Result._fields)
        writer.writerow(result)


def _print_seeds(gap: Gap, results: list[Result]) -> None:
    rows = [
        [
            str(r.seed),
            *(f"{figure:.4f}" for figure in r[4:7]),
            f"{r.steps:,}",
            f"{r.seconds:.0f}",
            f"{r.cpu_seconds:.0f}",
        ]
        for r in results
    ]
    names = ("objective", "share", "share_beyond")
    rows.append(["mean", *(_over_seeds(results, name) for name in names), ""])
    rows[-1] += [_mean(results, "seconds"), _mean(results, "cpu_seconds")]
    print_table(["training seed", "J", "share of gap", "from best rule", "steps", "wall s", "CPU s"], rows)
    print_table(["threshold 10", "best fixed rule", "optimum"], [[f"{value:.4f}" for value in gap]])


def _print_markets(gaps: dict[str, Gap], results: list[Result]) -> None:
    recipes = list(dict.fromkeys(result.recipe for result in results))
    of = {
        (market, recipe): [result for result in results if (result.market, result.recipe) == (market, recipe)]
        for market, recipe in product(gaps, recipes)
    }
    rows = [_market_row(gaps[market], of[market, recipe]) for market, recipe in of if of[market, recipe]]
    header = [
        "market",
        "recipe",
        "seeds",
        "threshold 10",
        "best rule",
        "J",
        "optimum",
        "share of gap",
        "from best rule",
    ]
    print_table([*header, "worst seed", "variance", "paired", "CPU s"], rows)
    scored = [market for market, gap in gaps.items() if gap.optimum - gap.rule > LEAST_GAP * abs(gap.optimum)]
    for recipe in recipes:
        shares = [[result.share_beyond for result in of[market, recipe]] for market in scored if of[market, recipe]]
        if shares:
            low, high = bootstrap_interval(shares)
            mean = interquartile_mean(np.concatenate(shares)[None])
            print(f"{recipe}: interquartile mean of {len(shares)} markets {mean:.3f}, interval {low:.3f} to {high:.3f}")


def _market_row(gap: Gap, results: list[Result]) -> list[str]:
    return [
        results[0].market.removeprefix("mm_env/"),
        results[0].recipe,
        _ranges(sorted(result.seed for result in results)),
        f"{gap.threshold:.4f}",
        f"{gap.rule:.4f}",
        _over_seeds(results, "objective"),
        f"{gap.optimum:.4f}",
        _over_seeds(results, "share"),
        _over_seeds(results, "share_beyond"),
        f"{min(result.share_beyond for result in results):.3f}",
        f"{np.nanmean([result.unpaired_variance for result in results]):.2g}",
        f"{np.nanmean([result.variance for result in results]):.2g}",
        _mean(results, "cpu_seconds"),
    ]


def _ranges(numbers: list[int]) -> str:
    """Numbers in order, as they are written.

    Example:
        >>> _ranges([3, 4, 5, 7])
        '3-5, 7'
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)


def bootstrap_interval(shares: Sequence[Sequence[float]], seed: int = 0) -> tuple[float, float]:
    """Of the interquartile mean over markets and seeds: seeds are drawn anew within each market.

    As Agarwal et al. (2021), "Deep Reinforcement Learning at the Edge of the Statistical Precipice", arXiv 2108.13264.
    """
    rng = np.random.default_rng(seed)
    drawn = np.concatenate([rng.choice(market, (RESAMPLES, len(market))) for market in shares], axis=1)
    low, high = np.quantile(interquartile_mean(drawn[:, None]), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _over_seeds(results: list[Result], name: str) -> str:
    """Mean with 95 % interval."""
    mean = scores.mean(np.array([getattr(result, name) for result in results]))
    return str(mean)


def _mean(results: list[Result], name: str) -> str:
    return f"{np.nanmean([getattr(result, name) for result in results]):.0f}"


def draw(runs: list[Training], results: list[Result], gap: Gap, path: Path) -> None:
    """Share of the gap on selection episodes against wall time: every seed, their mean, and what is known."""
    from matplotlib.figure import Figure

    from mm_env.plotting import save_figure
    from mm_env.plotting.style import BLACK, BLUE, GREY, SKY, tidy

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for run in runs:
        axes.plot(run.curve.seconds, run.curve.share, color=SKY, lw=1.0)
    axes.lines[0].set_label(f"{len(runs)} seeds")
    seconds, shares = _abreast(runs)
    mean, half = shares.mean(axis=0), [scores.mean(column).half_width() for column in shares.T]
    axes.fill_between(seconds, mean - half, mean + half, color=SKY, alpha=0.3, lw=0)
    axes.plot(seconds, mean, color=BLUE, lw=1.8, label="their mean, with 95 % interval")
    rule, drawn = gap.shares(gap.rule)[0], _random_share(runs[0])
    axes.axhline(1.0, color=BLACK, ls="--", lw=1.2, label="exact optimum: 1")
    axes.axhline(rule, color=BLACK, ls=":", lw=1.2, label=f"best fixed rule: {rule:.4f}")
    axes.axhline(drawn, color=GREY, ls="-.", lw=1.2, label=f"random policy: {drawn:.2f}")
    axes.set_ylim(0.5, 1.02)
    axes.set_xlim(0.0, max(run.curve.seconds[-1] for run in runs))
    tidy(axes)
    axes.set_xlabel("wall time, seconds (one core, evaluations included)")
    pace = np.mean([result.steps / result.seconds for result in results]) / 1000
    above = axes.secondary_xaxis("top", functions=(lambda x: x * pace, lambda steps: steps / pace))
    above.set_xlabel("environment steps, thousands, about")
    axes.set_ylabel("share of the gap closed\n(selection episodes)")
    axes.legend(frameon=False, loc="lower right")
    save_figure(figure, path)


def _abreast(runs: list[Training]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Moments of wall time that every run has seen, and the share of each run then, between two evaluations in line."""
    first, last = max(run.curve.seconds[0] for run in runs), min(run.curve.seconds[-1] for run in runs)
    seconds = np.linspace(first, last, 200)
    return seconds, np.array([np.interp(seconds, run.curve.seconds, run.curve.share) for run in runs])


def _random_share(run: Training) -> float:
    """That of a policy that draws every action anew, on the same episodes."""
    from baselines import make_policy
    from train.runs.held_out import Evaluator

    params = run.plan.params
    return Evaluator(params, run.plan.eval_episodes)(make_policy("random", params)).share


if __name__ == "__main__":
    main()
