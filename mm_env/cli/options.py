"""Options: what several commands take, how they read it, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import click

from mm_env.extras import needed_for

DEFAULT_MARKET = "mm_env/Hedging-v0"
_RENAMED = {"--run": "--out"}  # old spellings, which keep working


class Command(click.Command):
    """Turns what the package refuses into a usage error (exit code 2), and Ctrl-C into exit code 130."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options, those that have been renamed by their old names as well."""
        known = {spelling for param in self.params for spelling in param.opts}
        for place, (option, equals, value) in enumerate(arg.partition("=") for arg in args):
            if option in _RENAMED and option not in known and _RENAMED[option] in known:
                args[place] = _RENAMED[option] + equals + value
        with _ending(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        with _ending(ctx):
            return super().invoke(ctx)


class Commands(Command, click.Group):
    """Several commands that end like that."""


@contextmanager
def _ending(ctx: click.Context) -> Iterator[None]:
    """What goes wrong within ends the command as it should."""
    try:
        with needed_for(f"{ctx.command_path}: these options"):
            yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except BrokenPipeError:
        raise  # click ends quietly where `| head` has read enough
    except (ImportError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        ctx.exit(130)


Option = Callable[[Callable[..., None]], Callable[..., None]]

market_option: Option = click.option(
    "--market", default=DEFAULT_MARKET, help="A market of `mm-env markets`, or a .toml file of one."
)
set_option: Option = click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Change a parameter of the market; repeatable. Lists and mappings as JSON: volatility_regimes=[0.1,0.6].",
)
seed_option: Option = click.option("--seed", default=0, type=click.IntRange(0), help="Seed of the episodes.")
workers_option: Option = click.option(
    "--workers", default=1, type=click.IntRange(1), help="Processes; the figures are the same for any number."
)
json_option: Option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


class Place(click.Path):
    """A path that names something."""

    def __init__(self, folder: bool) -> None:
        super().__init__(file_okay=not folder, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or a usage error where it is empty."""
        return super().convert(value, param, ctx) if str(value).strip() else self.fail("must not be empty", param, ctx)


def out_option(*modules: str) -> Option:
    """`--out`: a folder that can be written to, with what its files need installed: known before anything is played."""

    def checked(_: click.Context, __: click.Parameter, folder: Path | None) -> Path | None:
        if folder is not None:
            with needed_for("files of --out"):
                for module in modules:
                    import_module(module)
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                pass
        return folder

    return click.option("--out", type=Place(folder=True), callback=checked, help="Folder for charts and files.")


def movie_path(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """The path of a moving picture that can be written: known before anything is played."""
    if path is not None:
        with needed_for("moving pictures"):
            from mm_env.plotting.movie import check_movie
        check_movie(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


trust_option: Option = click.option(
    "--trust-pickle", is_flag=True, help="Read policies from .zip files too. These can run code: only your own."
)


ray_option: Option = click.option(
    "--ray",
    is_flag=False,
    flag_value="auto",
    metavar="[ADDRESS]",
    help="Compute on a Ray cluster: HOST:PORT, ray://HOST:PORT, or local: one of its own.  [alone: this machine's]",
)


def _reading(*names: str, **attributes: Any) -> Option:
    """An option that says how a file of trades is read; `read_tape` finds it, the command need not pass it on."""

    def keep(ctx: click.Context, option: click.Parameter, value: Any) -> None:
        ctx.meta.setdefault(READING, {})[option.name] = value

    return click.option(*names, expose_value=False, callback=keep, **attributes)


def _columns(ctx: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> None:
    pairs = [text.partition("=") for text in texts]
    for text, (_, equals, _) in zip(texts, pairs, strict=True):
        if not equals:
            raise click.UsageError(f"--column {text}: expected NAME=COLUMN")
    ctx.meta.setdefault(READING, {})["columns"] = {role.strip(): column or None for role, _, column in pairs}


READING = "mm_env.reading"  # where a command's context keeps how files of trades are read
reading_options: tuple[Option, ...] = (
    click.option(
        "--column",
        multiple=True,
        metavar="NAME=COLUMN",
        expose_value=False,
        callback=_columns,
        help="The column of what its name does not tell: sizes=qty; repeatable. With nothing after =, go without.",
    ),
    _reading("--sort", is_flag=True, help="Sort the rows of the file by time."),
    _reading("--separator", help="Between the cells of a text file.  [default: as its header has]"),
    _reading("--decimal", type=click.Choice([".", ","]), help="Decimal mark.  [default: as the cells tell]"),
    _reading("--encoding", help="Of a text file.  [default: UTF-8]"),
    _reading("--true", type=click.Choice(["buy", "sell"]), help="What the client does where a side is true."),
)
trades_argument: Option = click.argument("recorded", metavar="FILE", type=Place(folder=False))
tape_options: tuple[Option, ...] = (
    click.option(
        "--tape",
        "recorded",
        type=Place(folder=False),
        help="Play a file of recorded requests: CSV, TSV, Parquet or Feather. Its length is num_trades, unless set.",
    ),
    *reading_options,
)


def with_options(*options: Option) -> Option:
    """Several options, in this order."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        return reduce(lambda decorated, option: option(decorated), reversed(options), command)

    return add


def play_options(episodes: int, *needed: str) -> Option:
    """What the commands that play take: market, episodes (by default so many), seed, tape, output by these modules."""
    number = click.option("--episodes", default=episodes, type=click.IntRange(1), help="Episodes to play.")
    output = (out_option(*needed), json_option, trust_option)
    return with_options(market_option, set_option, number, seed_option, *tape_options, *output)


def read_changes(texts: tuple[str, ...]) -> dict[str, object]:
    """Read FIELD=VALUE texts; values as Python would: 3, 0.5, true, none, or a name; lists and mappings as JSON."""
    changes: dict[str, object] = {}
    for text in texts:
        field, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: expected FIELD=VALUE")
        try:
            changes[field.strip()] = _value(value.strip())
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"--set {text}: not JSON: {error}") from error
    return changes


def _value(text: str) -> object:
    """A value as JSON writes it, or Python, or a bare name."""
    words = {"true": "true", "false": "false", "none": "null"}
    try:
        return json.loads(words.get(text.lower(), text))
    except json.JSONDecodeError:
        if text.startswith(("[", "{")):
            raise
    try:
        return float(text)  # .5, inf: numbers that JSON does not write so
    except ValueError:
        return text
