"""`mm-env export`: write a trained policy as a file that other programs run."""

from __future__ import annotations

from pathlib import Path

import click

from mm_env.cli.console import print_json
from mm_env.cli.options import Command, Place, json_option


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
