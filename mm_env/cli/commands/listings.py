"""`mm-env markets` and `mm-env policies`: what there is to choose from."""

from __future__ import annotations

import click

from mm_env.cli.console import print_json, print_rows
from mm_env.cli.options import Command, json_option
from mm_env.cli.tables import print_market
from mm_env.market.params import MarketParams
from mm_env.registration import MARKETS, find_market


@click.command(cls=Command)
@click.option("--params", "fields", is_flag=True, help="List the parameters of a market instead.")
@click.option("--market", help="One market: why its numbers are what they are.")
@json_option
def markets(fields: bool, market: str | None, as_json: bool) -> None:
    """The markets that ship; one of them; or every parameter with its default, unit, range and meaning.

    Example: mm-env markets --market mm_env/Latency-v0
    """
    if fields and market:
        raise ValueError("--params and --market: give one of them")
    if market:
        find_market(market)  # refused where there is none
    if market and as_json:
        print_json({"id": market, **find_market(market)._asdict()})
    elif market:
        print_market(market)
    elif fields:
        rows = MarketParams.describe()
        print_rows(["field", "default", "unit", "allowed", "meaning"], rows, as_json)
    else:
        print_rows(["id", "what is hard in it"], [[name, entry.summary] for name, entry in MARKETS.items()], as_json)


@click.command(cls=Command)
@json_option
def policies(as_json: bool) -> None:
    """The policies that `--policy` takes. A folder of a trained policy will do too.

    Example: mm-env policies
    """
    from baselines import POLICIES
    from train.policies.shipped import SHIPPED

    rows = [[f"{name}:{entry.argument}" if entry.argument else name, entry.summary] for name, entry in POLICIES.items()]
    rows += map(list, SHIPPED.items())
    print_rows(["policy", "what it does"], rows, as_json)
