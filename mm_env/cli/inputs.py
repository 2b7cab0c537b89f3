"""What the commands read: a market, policies by name or from files, a recorded tape."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mm_env.cli.options import READING, read_changes
from mm_env.market.params import MarketParams
from mm_env.market.recordings.recording import TapeWarning
from mm_env.market.tape import Tape, check_tape
from mm_env.market.transition_law import UnsolvableError
from mm_env.registration import market_params

if TYPE_CHECKING:
    from mm_env.envs.action import PolicyFunction


COMPARED = ("never", "threshold", "best-threshold", "optimal")


def read_market(market: str, changes: tuple[str, ...], tape: Tape | None = None) -> MarketParams:
    """The parameters of a market with the changes of --set, and unless these say otherwise as long as the tape.

    A threshold that never hedges is told.
    """
    length = {} if tape is None else {"num_trades": tape.num_trades}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it is told here, for the default threshold as well
        params = market_params(market).replace(**{**length, **read_changes(changes)})
    if params.hedge_threshold > params.inventory_limit:
        click.echo(f"note: {params.threshold_remark}", err=True)
    if tape is not None:
        with warnings_told():
            check_tape(tape, params)
        warnings.simplefilter("ignore", TapeWarning)  # told once, whoever checks the tape again
    return params


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


def read_tape(path: Path, told: bool = True) -> Tape:
    """The recorded tape in a file, read as the command's options say; what may be wrong is told, unless said not to."""
    with warnings_told(told):
        return Tape.read(path, **click.get_current_context().meta[READING])


@contextmanager
def warnings_told(told: bool = True) -> Iterator[None]:
    """Tell on standard error what is warned of within, each once, unless said not to."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TapeWarning)
        yield
    for message in dict.fromkeys(str(warning.message) for warning in caught if told):
        click.echo(f"warning: {message}", err=True)


def episodes_to_play(wanted: int, tape: Tape | None) -> int:
    """How many episodes there are to play: as many as asked for, and no more than the tape has."""
    return wanted if tape is None else min(wanted, tape.num_episodes)
