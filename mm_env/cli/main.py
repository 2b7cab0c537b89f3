"""The command line `mm-env`: its commands, one file each. It may import everything, and nothing imports it."""

from __future__ import annotations

import click

from mm_env import __version__
from mm_env.cli.commands.benchmark import benchmark
from mm_env.cli.commands.calibrate import calibrate
from mm_env.cli.commands.compare import compare
from mm_env.cli.commands.compete import compete
from mm_env.cli.commands.exports import dataset, export
from mm_env.cli.commands.game import game
from mm_env.cli.commands.insights import insights
from mm_env.cli.commands.inspect import inspect
from mm_env.cli.commands.listings import markets, policies
from mm_env.cli.commands.replicate import replicate
from mm_env.cli.commands.simulate import simulate
from mm_env.cli.commands.solve import solve
from mm_env.cli.commands.train import train
from mm_env.cli.options import Commands
from mm_env.sibling_packages import SIBLINGS, check_sibling


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__)
def main() -> None:
    """How should a market maker hedge his inventory? Play, solve, train and compare.

    Example: mm-env compare --policy never --policy threshold:10 --policy optimal

    Exit codes: 0 done, 1 something is missing or failed, 2 bad usage, 130 interrupted.
    """
    for name in SIBLINGS:
        check_sibling(name)


for command in (
    simulate,
    compare,
    benchmark,
    train,
    export,
    dataset,
    solve,
    replicate,
    insights,
    compete,
    game,
    inspect,
    calibrate,
    markets,
    policies,
):
    main.add_command(command)
