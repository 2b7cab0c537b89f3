"""What competition does to dealers, in numbers: `python -m benchmarks.competition --out docs` writes competition.md."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from baselines import make_policy
from baselines.evaluation import scores
from baselines.evaluation.league import league
from baselines.evaluation.scores import objective, ratio
from baselines.evaluation.totals import Totals
from baselines.replications.winners_curse import largest_of
from baselines.solver.best_response import best_response, exploitability
from mm_env import DealersParams, Episodes, play_dealers
from mm_env.atomic_write import write_text
from mm_env.cli.console import print_json, print_table, progress_bar
from mm_env.envs.dealers_market import DEALERS_DEFAULTS
from mm_env.readable import markdown_rows

RULES = ("threshold:3:0.03", "threshold:10:0.04")  # that a learner plays against: they quote always the same
NUMBERS = (1, 2, 3, 5, 10)  # of dealers
NOISE = (0.0, 0.02, 0.05, 0.1)  # of their views, price units
ACTIONS = (("always", "linear-skew:0.02:0"), ("beyond 3", "linear-skew:0.02:3"), ("never", "linear-skew:0.02:20"))


class Question(NamedTuple):
    """One table: what it asks, its columns, and how its rows are found from episodes, training seeds and progress."""

    asks: str
    header: tuple[str, ...]
    rows: Callable[[int, range, Callable[[int], None]], list[list[str]]]
    parts: Callable[[int], int]  # of the progress, for so many training seeds


def market(number: int, **changes: Any) -> DealersParams:
    """The market of `mm_env/Dealers-v0` with so many dealers."""
    return DealersParams.from_mapping({**DEALERS_DEFAULTS, "num_dealers": number, **changes})


def learner(episodes: int, seeds: range, progress: Callable[[int], None]) -> list[list[str]]:
    """PPO against two rules that quote always the same, beside the exact best response, each from every seat."""
    from train.dealer import train_dealer

    params = market(3)
    rules = {name: make_policy(name, params) for name in RULES}
    best = best_response(params, list(rules.values()))
    found: dict[str, list[float]] = {name: [] for name in ("PPO", *RULES, "PPO less the better rule")}
    for seed in seeds:
        policy = train_dealer(params, RULES, seed=seed, progress=False)
        result = league({"PPO": policy, **rules}, params, episodes)
        earned = {name: result.score(name, "objective").value for name in result.totals}
        for name, value in {
            **earned,
            "PPO less the better rule": earned["PPO"] - max(earned[r] for r in RULES),
        }.items():
            found[name].append(value)
        progress(1)
    rows = [[name, _over_seeds(values)] for name, values in found.items()]
    return [*rows, ["the exact best response", f"{best.value:.4f}"]]


def competitors(episodes: int, seeds: range, progress: Callable[[int], None]) -> list[list[str]]:
    """The same rule in every seat, and self-play, for more and more dealers."""
    from train.dealer import train_dealer

    rows = []
    for number in NUMBERS:
        params = market(number)
        rule = play_dealers([make_policy("glft:3", params)] * number, params, episodes // number)
        learned = []
        for seed in seeds:
            policy = train_dealer(params, seed=seed, progress=False)
            learned.append(play_dealers([policy] * number, params, episodes // number))
            progress(1)
        kinds = {"glft:3": [rule], "PPO": learned}
        cells = [
            _over_seeds([f(seats) for seats in runs]) for runs in kinds.values() for f in (_paid, _profit, _filled)
        ]
        rows.append([str(number), *cells])
    return rows


def curse(episodes: int, seeds: range, progress: Callable[[int], None]) -> list[list[str]]:
    """What a trade earns its winner where every dealer quotes the spread around a mid of his own."""
    rows = []
    for number, noise in itertools.product(NUMBERS[1:], NOISE):
        params = DealersParams(num_dealers=number, view_noise=noise)
        seats = play_dealers([make_policy("flat", params)] * number, params, episodes // number)
        totals = Totals.summed([Totals.of(seat) for seat in seats])
        earned = ratio(totals.spread_pnl, totals.fills)
        expected = params.spread - noise * largest_of(number)
        rows.append([str(number), f"{noise:g}", str(earned), f"{expected:.4f}"])
        progress(1)
    return rows


def hedgers(episodes: int, seeds: range, progress: Callable[[int], None]) -> list[list[str]]:
    """The exact best response to a rival who skews his quotes and hedges more or less."""
    params = market(2, transparent=True)
    rows = []
    for said, name in ACTIONS:
        rival = make_policy(name, params)
        best = best_response(params, [rival])
        mine, theirs = (Totals.of(seat) for seat in play_dealers([best, rival], params, episodes))
        volumes = (scores.mean(mine.hedge_volume), scores.mean(theirs.hedge_volume), scores.mean(mine.mean_inventory))
        rows.append(
            [
                said,
                *map(str, volumes),
                _share(mine, theirs),
                f"{best.value:.4f}",
                str(objective(theirs)),
                f"{exploitability(rival, params):.4f}",
            ]
        )
        progress(1)
    return rows


QUESTIONS: Mapping[str, Question] = {
    "learner": Question(
        "What does PPO earn against two fixed rules? J of an episode; every policy from every seat. Intervals over "
        "training seeds.",
        ("policy", "J"),
        learner,
        lambda seeds: seeds,
    ),
    "competitors": Question(
        "How do the spread that clients pay, the profit of a dealer (J) and the share of clients who trade "
        "change with the "
        "number of dealers? All seats alike: the rule `glft:3`, which does not know of the others, or one network in "
        "self-play (PPO; alone against nobody). Intervals over training seeds.",
        (
            "dealers",
            "glft:3: spread paid",
            "J of a dealer",
            "clients who trade",
            "PPO: spread paid",
            "J of a dealer",
            "clients who trade",
        ),
        competitors,
        lambda seeds: seeds * len(NUMBERS),
    ),
    "curse": Question(
        "What does a trade earn its winner when dealers see the mid with noise? All quote 0.05 from the mid as "
        "they see "
        "it; the exact figure is 0.05 less noise times the mean of the largest of so many standard normal numbers: "
        "1 / sqrt(pi) for two, 3 / (2 sqrt(pi)) for three.",
        ("dealers", "noise of the view", "earned per trade", "exact"),
        curse,
        lambda seeds: len(NUMBERS[1:]) * len(NOISE),
    ),
    "hedgers": Question(
        "Do hedging dealers drive others to hedge? Two dealers who see each other's inventory; the rival skews "
        "his quotes "
        "by 0.02 a cap's worth of inventory and hedges; the other plays the exact best response to him.",
        (
            "rival hedges",
            "hedged by the best response",
            "hedged by the rival",
            "mean abs(q) of the best response",
            "its share of the clients",
            "J of the best response",
            "J of the rival",
            "exploitability of the rival",
        ),
        hedgers,
        lambda seeds: len(ACTIONS),
    ),
}


@click.command(context_settings={"show_default": True})
@click.option(
    "--question", "names", multiple=True, type=click.Choice(list(QUESTIONS)), help="Repeatable; default: all."
)
@click.option("--seeds", default=5, type=click.IntRange(2), help="Training seeds.")
@click.option("--seed", default=0, type=click.IntRange(0), help="The first of them.")
@click.option("--episodes", default=10_000, type=click.IntRange(100), help="Episodes to play for each figure.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for competition.md.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def main(names: Sequence[str], seeds: int, seed: int, episodes: int, out: Path | None, as_json: bool) -> None:
    """Answer questions about competing dealers by exact solution, simulation and learning.

    Example: python -m benchmarks.competition --question curse
    """
    asked = {name: QUESTIONS[name] for name in names or QUESTIONS}
    with progress_bar("answering", sum(question.parts(seeds) for question in asked.values())) as progress:
        found = {name: question.rows(episodes, range(seed, seed + seeds), progress) for name, question in asked.items()}
    if as_json:
        print_json({name: {"columns": asked[name].header, "rows": rows} for name, rows in found.items()})
    else:
        for name, rows in found.items():
            click.echo(f"\n{asked[name].asks}\n")
            print_table(asked[name].header, rows)
    if out is not None:
        write_text(out / "competition.md", _page(found, seeds, seed, episodes))


def _page(found: Mapping[str, list[list[str]]], seeds: int, seed: int, episodes: int) -> str:
    lines = [
        "# Competing dealers",
        "",
        f"Written by `python -m benchmarks.competition --seeds {seeds} --seed {seed} --episodes {episodes} --out "
        "docs`. The "
        "market is that of `mm_env/Dealers-v0` where nothing else is said.",
    ]
    for name, rows in found.items():
        question = QUESTIONS[name]
        lines += ["", f"## {name.capitalize()}", "", question.asks, ""]
        lines += markdown_rows(question.header, rows)
    return "\n".join(lines) + "\n"


def _paid(seats: Sequence[Episodes]) -> float:
    """Mean distance from the mid at which clients trade."""
    totals = Totals.summed([Totals.of(seat) for seat in seats])
    return float(totals.spread_pnl.sum() / totals.client_volume.sum())


def _profit(seats: Sequence[Episodes]) -> float:
    """J of one dealer."""
    return float(np.mean([objective(Totals.of(seat)).value for seat in seats]))


def _filled(seats: Sequence[Episodes]) -> float:
    """Share of the clients who trade with anybody."""
    return float(np.sum([seat.filled.mean() for seat in seats]))


def _share(mine: Totals, theirs: Totals) -> str:
    return str(ratio(mine.fills, mine.fills + theirs.fills))


def _over_seeds(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return str(scores.mean(np.array(values)))


if __name__ == "__main__":
    main()
