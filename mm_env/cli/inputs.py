"""What the commands read: a market, policies by name or from files, a recorded tape."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mm_env.cli.options import read_changes
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import UnsolvableError
from mm_env.registration import market_params

if TYPE_CHECKING:
    from mm_env.envs.action import PolicyFunction
    from mm_env.market.tape import Tape


COMPARED = ("never", "threshold", "best-threshold", "optimal")


def read_market(market: str, changes: tuple[str, ...]) -> MarketParams:
    """The parameters of a market with the changes of --set."""
    return market_params(market, **read_changes(changes))


def make_policies(
    names: Iterable[str], params: MarketParams, seed: int, trust_pickle: bool = False
) -> dict[str, PolicyFunction]:
    """Policies by their full names."""
    full = [f"threshold:{params.hedge_threshold}" if name == "threshold" else name for name in names]
    return {name: read_policy(name, params, seed, trust_pickle) for name in full}


def usual_policies(params: MarketParams, seed: int) -> dict[str, PolicyFunction]:
    """What is compared where nothing was asked for: without what needs the solver, where the market has none."""
    found: dict[str, PolicyFunction] = {}
    for name in COMPARED:
        try:
            found |= make_policies([name], params, seed)
        except UnsolvableError as error:
            click.echo(f"without {name}: {error}", err=True)
    return found


def read_policy(name: str, params: MarketParams, seed: int, trust_pickle: bool) -> PolicyFunction:
    """A named policy, or a saved one where `name` is no name of the table but a path that exists."""
    from baselines import POLICIES, make_policy

    if name and name.partition(":")[0] not in POLICIES and Path(name).exists():
        from train.policies.saved_policy import load_policy

        return load_policy(name, params, trust_pickle=trust_pickle)
    return make_policy(name, params, seed)


def read_tape(path: Path | None, params: MarketParams) -> Tape | None:
    """The recorded tape in a file, checked against the market; None without a file."""
    from mm_env.market.tape import Tape, check_tape

    if path is None:
        return None
    tape = Tape.read(path)
    check_tape(tape, params)
    return tape


def episodes_to_play(wanted: int, tape: Tape | None) -> int:
    """How many episodes there are to play: as many as asked for, and no more than the tape has."""
    return wanted if tape is None else min(wanted, tape.num_episodes)
