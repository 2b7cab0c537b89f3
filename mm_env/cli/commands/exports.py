"""`mm-env export` and `mm-env dataset`: policies, and what they did, as files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mm_env.cli.console import print_json, progress_bar
from mm_env.cli.inputs import make_policies, read_market
from mm_env.cli.options import (
    Command,
    Place,
    json_option,
    market_option,
    read_changes,
    seed_option,
    set_option,
    trust_option,
    with_options,
)

if TYPE_CHECKING:
    from baselines.datasets import Collection


@click.command(cls=Command)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--onnx", type=Place(folder=False), default=Path("policy.onnx"), help="The file to write.")
@json_option
def export(run: Path, onnx: Path, as_json: bool) -> None:
    """Write the policy of the folder RUN as an ONNX file, which programs without Python run.

    It takes `observation` as the environment shows it and gives `action` as the environment takes it, for any number of
    rows; its metadata hold the market. `mm-env simulate --policy policy.onnx` plays it.

    Example: mm-env export runs/ppo --onnx policy.onnx
    """
    from train.policies.onnx_policy import export_onnx
    from train.policies.saved_policy import load_policy

    policy = load_policy(run)
    onnx.parent.mkdir(parents=True, exist_ok=True)
    export_onnx(policy, onnx)
    if as_json:
        print_json({"file": str(onnx), "bytes": onnx.stat().st_size, "env": policy.env})
    else:
        click.echo(f"wrote {onnx}: play it with mm-env simulate --policy {onnx}", err=True)


@click.command(cls=Command)
@click.option("--policy", default="threshold", help="A policy of `mm-env policies`, or a folder of a saved one.")
@click.option("--episodes", default=1000, type=click.IntRange(1), help="Episodes to play.")
@click.option("--reward", default="realised", type=click.Choice(["realised", "expected"]), help="What is rewarded.")
@click.option("--out", required=True, metavar="NAME", help="A name for Minari, or a file that ends in .parquet.")
@with_options(market_option, set_option, seed_option, trust_option, json_option)
def dataset(
    policy: str,
    episodes: int,
    reward: str,
    out: str,
    market: str,
    changes: tuple[str, ...],
    seed: int,
    as_json: bool,
    trust_pickle: bool,
) -> None:
    """Write what a policy did, for agents that learn offline: a Minari dataset, or a Parquet table.

    Episode i is that of reset(seed=SEED + i). The reference scores are the exact values of the best fixed rule and of
    the optimum. Minari keeps its datasets in ~/.minari, or in the folder that MINARI_DATASETS_PATH names.

    Example: mm-env dataset --policy threshold:10 --episodes 10000 --out hedging/threshold-v0
    """
    from baselines.datasets import Collection

    params = read_market(market, changes)
    with progress_bar("making the policy"):
        ((name, made),) = make_policies([policy], params, seed, trust_pickle).items()
    collection = Collection(made, name, market, read_changes(changes), episodes, seed, reward)
    written = _write(collection, out)
    worst, best = collection.references
    if as_json:
        facts = {"env": collection.spec.id, "episodes": episodes, "steps": episodes * params.num_trades}
        print_json({**written, **facts, "ref_min_score": worst, "ref_max_score": best})
    else:
        click.echo("\n".join(f"{name}: {value}" for name, value in written.items()))
        if best is not None:
            click.echo(f"reference scores: {worst:.4f} the best fixed rule, {best:.4f} the optimum")


def _write(collection: Collection, out: str) -> dict[str, str]:
    """Write it; what to call it, and where it is."""
    from baselines.datasets import write_minari, write_parquet

    with progress_bar("writing", collection.episodes) as advance:
        if Path(out).suffix.lower() == ".parquet":
            write_parquet(collection, out, advance)
            return {"file": out}
        found, folder = write_minari(collection, out, advance)
        return {"dataset": found.spec.dataset_id, "folder": str(folder)}
