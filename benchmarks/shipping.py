"""The trained policies that come with the package, out of runs: `python -m benchmarks.shipping runs`.

Every policy below the folder goes to `results/v1/ppo/<market>/seed-<seed>`, with the curve of its run, instead of what
is there. For each market the one whose J is largest on the held-out episodes, which are the same in all runs, goes to
`train/shipped/ppo/<market>`, with a model card. Exact values are told there, and choose nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from mm_env.atomic_write import replacing, write_text
from mm_env.cli.console import progress_bar
from mm_env.readable import markdown_rows
from mm_env.registration import MARKETS
from train.policies.network_policy import NetworkPolicy
from train.policies.saved_policy import NAME, load_policy
from train.runs.exact_score import ExactScore
from train.runs.held_out import CURVE

ROOT = Path(__file__).parents[1]
RESULTS, PACKAGE = ROOT / "results" / "v1" / "ppo", ROOT / "train" / "shipped" / "ppo"
CARD = """---
library_name: mm_env
tags: [reinforcement-learning, gymnasium, market-making, ppo]
---
# PPO in `{market}`

A market maker's hedging policy for [`{market}`](../../../../README.md#the-market): {summary}. It is a network of
{layers} numbers, `{activation}` between its layers, whose {weights:,} weights are in `policy.safetensors`;
`policy.json` says what they are. Neither file can hold code.

```python
from train import load_policy

policy = load_policy("ppo", "{market}")  # NumPy alone, no PyTorch
```

`mm-env compare --market {market} --policy ppo --policy optimal` plays it.

## How it was trained

`mm-env train --market {market} --seeds {seeds}` of mm_env {version}: PPO of Stable-Baselines3 on tapes that
lanes share, with the hyperparameters of the market in `train/hyperparameters/ppo.yml`, on the reward `expected`. Of
each run the policy with the largest J on {episodes:,} held-out episodes is kept, and of the runs, by the same figure,
the one in bold. The exact scores chose nothing.

{table}

J is the mean total reward of an episode, price units, computed by dynamic programming and not played; the score puts
it on a scale from the best fixed rule (0, here J = {rule:.4f}) to the exact optimum (1, J = {optimum:.4f}). All runs
are in `results/v1/ppo/{name}`.

## What it is not for

It knows this market's law and numbers and no other: where they are changed it is refused. It is research into a
simulator, and says nothing of money made anywhere.
"""


@dataclass(frozen=True, eq=False)
class Run:
    """A trained policy, and where its files are."""

    folder: Path
    policy: NetworkPolicy
    exact: ExactScore

    @property
    def seed(self) -> int:
        """Of the training."""
        return int(self.policy.training["seed"])

    @property
    def held_out(self) -> float:
        """J on the held-out episodes, price units."""
        return float(self.policy.training["objective"])


def read_runs(folder: Path, market: str) -> list[Run]:
    """Every policy of a market below a folder, by seed."""
    policies = ((path.parent, load_policy(path)) for path in sorted(folder.rglob(f"{NAME}.json")))
    found = [(place, policy) for place, policy in policies if policy.env == market]
    runs = [Run(place, policy, _exact(policy)) for place, policy in found]
    return sorted(runs, key=lambda run: run.seed)


def _exact(policy: NetworkPolicy) -> ExactScore:
    found = ExactScore.of(policy, policy.params)
    assert found is not None  # every registered market can be solved
    return found


def ship(market: str, runs: Sequence[Run]) -> Run:
    """Copy the policies of a market's runs, and the best of them with its card; return that."""
    name = market.rpartition("/")[2]
    kept = {run: RESULTS / name / f"seed-{run.seed}" for run in runs}
    for old in (RESULTS / name).glob("seed-*"):
        if old not in kept.values():
            shutil.rmtree(old)
    for run, target in kept.items():
        _copy(run.folder, target)
        _copy_curve(run.folder / CURVE, target / CURVE)
    best = max(runs, key=lambda run: run.held_out)
    _copy(best.folder, PACKAGE / name)
    write_text(PACKAGE / name / "README.md", card(market, runs, best))
    return best


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in source.glob(f"{NAME}.*"):
        shutil.copyfile(path, target / path.name)


def _copy_curve(source: Path, target: Path) -> None:
    """Steps, seconds, J and share of the evaluations of a run, if it tells; not the episodes."""
    if source.exists():
        with np.load(source) as curve, replacing(target) as temporary, temporary.open("wb") as file:
            told = {name: curve[name] for name in ("timesteps", "seconds", "objective", "share")}
            np.savez_compressed(file, **told)


def card(market: str, runs: Sequence[Run], best: Run) -> str:
    """The model card of the policy that is shipped."""
    training, gap = best.policy.training, best.exact.gap
    return CARD.format(
        market=market,
        name=market.rpartition("/")[2],
        summary=MARKETS[market].summary,
        layers=", ".join(map(str, best.policy.sizes())),
        activation=best.policy.activation,
        weights=sum(layer.weight.size + layer.bias.size for layer in best.policy.layers),
        seeds=",".join(str(run.seed) for run in runs),
        version=training["mm_env"],
        episodes=training["held_out_episodes"],
        table="\n".join(_table(runs, best)),
        rule=gap.rule,
        optimum=gap.optimum,
    )


def _table(runs: Sequence[Run], best: Run) -> Iterator[str]:
    rows = []
    for run in runs:
        figures = (f"{run.held_out:.4f}", f"{run.exact.objective:.6f}", f"{run.exact.share_beyond:.4f}")
        steps = f"{run.policy.training['timesteps']:,}"
        rows.append([f"**{text}**" if run is best else text for text in (str(run.seed), steps, *figures)])
    yield from markdown_rows(["seed", "steps until it was kept", "held-out J", "exact J", "exact score"], rows)


@click.command()
@click.argument("runs", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(runs: Path) -> None:
    """Ship the policies of the runs below a folder.

    Example: python -m benchmarks.shipping runs
    """
    with progress_bar("shipping", len(MARKETS)) as advance:
        found = {}
        for market in MARKETS:
            found[market] = read_runs(runs, market)
            advance(1)
    for market, its in found.items():
        if not its:
            click.echo(f"{market}: no run, what was shipped stays", err=True)
            continue
        best = ship(market, its)
        click.echo(f"{market}: seed {best.seed}, exact score {best.exact.share_beyond:.4f}")


if __name__ == "__main__":
    main()
