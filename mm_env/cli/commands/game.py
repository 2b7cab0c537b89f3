"""`mm-env game`: write a page on which a visitor plays the dealer."""

from __future__ import annotations

from pathlib import Path

import click

from mm_env.atomic_write import write_text
from mm_env.cli.console import print_json
from mm_env.cli.inputs import make_policies, read_market
from mm_env.cli.options import Command, Place, json_option, market_option, seed_option, set_option, trust_option
from mm_env.market.params import MarketParams

RIVALS = ("threshold", "ppo", "optimal")


@click.command(cls=Command)
@market_option
@set_option
@click.option(
    "--policy",
    "policies",
    multiple=True,
    help="Whom the visitor plays against, as of `mm-env compare`; repeatable. A score of 0 is as good as the first."
    f"  [default: {', '.join(RIVALS)}; best-threshold for ppo where none comes trained]",
)
@click.option("--tapes", default=20, type=click.IntRange(1, 200), help="Episodes that the page holds.")
@seed_option
@click.option("--out", type=Place(folder=False), default=Path("game.html"), help="The page to write.")
@json_option
@trust_option
def game(
    market: str,
    changes: tuple[str, ...],
    policies: tuple[str, ...],
    tapes: int,
    seed: int,
    out: Path,
    as_json: bool,
    trust_pickle: bool,
) -> None:
    """Write one page of HTML, without network, on which a visitor is the dealer.

    Example: mm-env game --market mm_env/Imbalance-v0 --out game.html
    """
    from baselines import policy_value
    from baselines import solve as solved
    from mm_env.game import game_page

    params = read_market(market, changes)
    chosen = make_policies(policies or _rivals(params), params, seed, trust_pickle)
    values = policy_value(next(iter(chosen.values())), params), solved(params).value
    page = game_page(params, chosen, values, " ".join([market, *changes]), seed, tapes)
    write_text(out, page)
    if as_json:
        print_json({"page": str(out), "bytes": len(page.encode()), "value": values[0], "optimum": values[1]})
    else:
        click.echo(f"wrote {out}: open it in a browser", err=True)


def _rivals(params: MarketParams) -> list[str]:
    from train.policies.shipped import shipped_path

    try:
        shipped_path("ppo", params)
    except ValueError:
        return [name if name != "ppo" else "best-threshold" for name in RIVALS]
    return list(RIVALS)
