"""What the commands read: a market, policies by name or from files, a recorded tape."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from mm_env.cli.options import READING, read_changes
from mm_env.market.params import MarketParams
from mm_env.market.recordings.recording import TapeWarning
from mm_env.market.tape import Tape, check_tape
from mm_env.market.transition_law import UnsolvableError
from mm_env.registration import market_params

if TYPE_CHECKING:
    from mm_env.envs.action import PolicyFunction


COMPARED = ("random", "never", "threshold", "best-threshold", "optimal")


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
    return params


def read_replay(
    market: str, changes: tuple[str, ...], recorded: Path | None, seed: int
) -> tuple[MarketParams, Tape | None]:
    """The market of `read_market`, and the tape in a file, if there is one, as it is played there.

    Where clients may refuse and the file does not tell how wide a quote each would have accepted, it is drawn, and told
    so.
    """
    if recorded is None:
        return read_market(market, changes), None
    tape = read_tape(recorded)
    params = read_market(market, changes, tape)
    if not (params.accepts_any or tape.paths.tells_reservations):
        tape = tape.with_reservations(params, seed)
        click.echo(f"note: how wide a quote each client takes is drawn from the market's law, seed {seed}", err=True)
    with warnings_told():
        check_tape(tape, params)
    warnings.simplefilter("ignore", TapeWarning)  # told once, whoever checks the tape again
    return params, tape


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
    """A named policy; where the table has no such name, a saved one at that path, or what MODULE:FUNCTION makes."""
    from baselines import POLICIES, make_policy
    from train.policies.shipped import SHIPPED

    head, _, function = name.partition(":")
    if name in SHIPPED or (name and head not in POLICIES and Path(name).exists()):
        from train.policies.saved_policy import read_policy as read_saved

        return read_saved(name, params, trust_pickle)
    if head not in POLICIES and function.isidentifier() and (module := _module(head)) is not None:
        return _made(name, getattr(module, function, None), params)
    return make_policy(name, params, seed)


def _module(name: str) -> ModuleType | None:
    """The module of that name, from the current folder too; None if there is none."""
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.append(folder)
    try:
        found = find_spec(name)
    except ModuleNotFoundError:
        found = None
    return None if found is None else import_module(name)


def _made(name: str, make: Any, params: MarketParams) -> PolicyFunction:
    """The policy that a user's function makes for a market."""
    if not callable(make):
        raise ValueError(f"{name}: expected MODULE:FUNCTION, a function from the market's parameters to a policy")
    try:
        policy: PolicyFunction = make(params)
    except (AttributeError, TypeError) as error:
        expected = "a function from the market's parameters to a policy, which is a function of observations"
        raise ValueError(f"{name}: expected {expected}; called with parameters it says: {error}") from error
    if not callable(policy):
        raise ValueError(f"{name}: expected a policy, a function of observations, got {policy!r}")
    return policy


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
