"""`mm-env solve`: the exact optimum, what fixed rules leave of it, and what it does over time."""

from __future__ import annotations

from pathlib import Path

import click

from mm_env.cli.console import print_json, progress_bar
from mm_env.cli.inputs import read_market
from mm_env.cli.options import Command, json_option, market_option, out_option, set_option
from mm_env.cli.outputs import draw_policies
from mm_env.cli.tables import print_solution, solution_figures
from mm_env.registration import find_market


@click.command(cls=Command)
@market_option
@set_option
@out_option("matplotlib")
@json_option
def solve(market: str, changes: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """The exact optimum: its value, what fixed rules leave of it, and what it hedges and quotes over time.

    Example: mm-env solve --set risk_aversion=0.02 --out out/solve
    """
    from baselines import solve as solved
    from baselines.solver.summary import benchmarks

    params = read_market(market, changes)
    with progress_bar("solving", params.num_trades) as advance:
        solution = solved(params, advance)
    with progress_bar("trying fixed rules"):
        rules = benchmarks(solution)
    if as_json:
        print_json(solution_figures(solution, rules))
    else:
        print_solution(solution, rules, "" if changes else find_market(market).why)
    if out is not None:
        with progress_bar("drawing"):
            draw_policies(out, "optimal", {"optimal": solution.policy}, params)
