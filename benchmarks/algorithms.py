"""Every algorithm by name, in one market: `python -m benchmarks.algorithms --out docs` writes algorithms.md."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from baselines.evaluation import scores
from baselines.evaluation.gap import Gap
from benchmarks.tune import train_by_name
from mm_env.atomic_write import write_text
from mm_env.cli.commands.train import ALGOS
from mm_env.cli.console import print_json, print_table, progress_bar
from mm_env.intervals import with_interval
from mm_env.readable import markdown_rows

MARKET = "mm_env/VolatilityRegimes-v0"
HEADER = ("algorithm", "seeds", "steps", "from best rule", "worst seed", "CPU s")

NOTES = (  # of the market of the page
    "`ppo` and `deep-hedging` are this package's; the others are those of Stable-Baselines3 and sb3-contrib, with the "
    "settings of `train/hyperparameters/<algorithm>.yml`. These were chosen in VolatilityRegimes on training seed 901, "
    "which is not reported, by a few tries each: [algorithm_tries.csv](algorithm_tries.csv), what was changed of the "
    "settings there are now (`python -m benchmarks.tune --market mm_env/VolatilityRegimes-v0 --algo NAME --try ...`). "
    "One search seed tells little: *DQN* as it came (gamma 0.99, layers of 256, rate 1e-4) had 0.873 on seed 10 in "
    "69 s of CPU, more than what was chosen has there. None but `ppo` has paired tapes or levels in order, so that the "
    "table compares what a user gets by a name, not the ideas behind the names.",
    "",
    "Two fail as they come. *SAC* ends at -6.7: rewards are some hundredths a step, while the weight of the entropy, "
    "which it learns, begins at 1 and is still 0.23 after 4,800 gradients, and its policy holds about ten units "
    "whatever the regime; with the settings chosen, a fixed weight of 0.0005 among them, it learns. *MaskablePPO* ends "
    "at the best fixed rule, to the digit. What was seen: the scores of levels 7 and 8 ended as they began. What is "
    "likely: of all levels that hold what is held the mask leaves one, so that levels drawn at random hedge nearly "
    "always, inventories stay small, and the ten units that are best in the calm are never tried. More entropy mends "
    "a part of it.",
)


class Run(NamedTuple):
    """What one training seed of an algorithm led to."""

    market: str
    algorithm: str
    seed: int
    steps: int
    share_beyond: float  # of the gap between the best fixed rule and the optimum
    share_error: float  # standard error of it; 0 where it is exact
    cpu_seconds: float


@click.command(context_settings={"show_default": True})
@click.option("--market", default=MARKET, help="A market of `mm-env markets`.")
@click.option("--algo", "algos", multiple=True, type=click.Choice(ALGOS), help="Repeatable; default: all.")
@click.option("--seeds", default=2, type=click.IntRange(1), help="Training seeds.")
@click.option("--seed", default=10, type=click.IntRange(0), help="The first of them.")
@click.option("--results", type=click.Path(path_type=Path), help="CSV file of runs: what it holds is not run again.")
@click.option("--held", is_flag=True, help="Print what that file holds, of any seeds; train nothing.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for algorithms.md.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(
    market: str,
    algos: tuple[str, ...],
    seeds: int,
    seed: int,
    results: Path | None,
    held: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Train every algorithm of `mm-env train` with its own settings; print the share that each reaches.

    Example: python -m benchmarks.algorithms --algo a2c --algo deep-hedging --seeds 2
    """
    gap, found = Gap.of(market), {} if results is None else _read(results)
    asked = [(algo, number) for number in range(seed, seed + seeds) for algo in algos or ALGOS]
    if held:
        asked = sorted(key[1:] for key in found if key[0] == market and key[1] in (algos or ALGOS))
        if not asked:
            raise click.UsageError(f"--held prints the file of --results, and {results} holds nothing of what is asked")
    runs = []
    with progress_bar("training", len(asked)) as progress:
        for algo, number in asked:
            key = (market, algo, number)
            if key not in found:
                found[key] = _train(market, algo, number)
                if results is not None:
                    _add(found[key], results)
            runs.append(found[key])
            progress(1)
    by_name = [[run for run in runs if run.algorithm == algo] for algo in ALGOS]
    rows = [_row(its) for its in sorted(filter(None, by_name), key=_mean_share, reverse=True)]
    if as_json:
        print_json([run._asdict() for run in runs])
    else:
        print_table(HEADER, rows)
    if out is not None:
        named = "" if market == MARKET else f" --market {market}"
        listed = "".join(f" --algo {algo}" for algo in algos)
        kept = "" if results is None else f" --results {results}"
        which = " --held" if held else f" --seeds {seeds} --seed {seed}"
        command = f"python -m benchmarks.algorithms{named}{listed}{which}{kept} --out docs"
        write_text(out / "algorithms.md", _page(market, command, gap, rows))


def _train(market: str, algo: str, seed: int) -> Run:
    start, gap = time.process_time(), Gap.of(market)
    steps, score = train_by_name(algo, market, seed, None, {})
    error = score.standard_error / (gap.optimum - gap.rule)
    return Run(market, algo, seed, steps, gap.shares(score.objective)[1], error, time.process_time() - start)


def _read(path: Path) -> dict[tuple[str, str, int], Run]:
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = [[kind(cell) for kind, cell in zip(_KINDS, row, strict=True)] for row in list(csv.reader(file))[1:]]
    return {run[:3]: run for run in map(Run._make, rows)}


_KINDS = (str, str, int, int, float, float, float)


def _add(run: Run, path: Path) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*([Run._fields] if new else []), run])


def _mean_share(runs: list[Run]) -> float:
    return float(np.mean([run.share_beyond for run in runs]))


def _row(runs: list[Run]) -> list[str]:
    shares = np.array([round(run.share_beyond, 4) + 0.0 for run in runs])  # no -0.000
    worst = runs[int(shares.argmin())]
    return [
        runs[0].algorithm,
        ", ".join(str(run.seed) for run in runs),
        f"{runs[0].steps:,}",
        str(scores.mean(shares)) if len(runs) > 1 else f"{shares[0]:.3f}",
        with_interval(worst.share_beyond, worst.share_error) if worst.share_error else f"{shares.min():.3f}",
        f"{np.mean([run.cpu_seconds for run in runs]):.0f}",
    ]


def _page(market: str, command: str, gap: Gap, rows: list[list[str]]) -> str:
    lines = [
        "# Other algorithms",
        "",
        f"Written by `{command}`: algorithms of `mm-env train --algo` in {market}, where the best fixed rule has "
        f"{gap.rule:.4f} and the optimum {gap.optimum:.4f}. *From best rule* is the share of what lies between, with "
        "its 95 % interval over seeds, below 0 worse than that rule. It is exact, but of `recurrent-ppo`, whose policy "
        "remembers: that plays 2,000 episodes a seed beside the optimum, and the interval of its worst seed is of "
        "these. Algorithms that act in numbers act in the market's continuous form.",
        "",
        *markdown_rows(HEADER, rows),
        "",
        *NOTES,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
