"""Every usual client, unmodified, on our ids: `make test-clients` runs docs/tools.md and writes docs/clients.md."""

from __future__ import annotations

import importlib.metadata
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import click

from benchmarks import versions
from benchmarks.environments import ROOT, Environment, prepared, surroundings
from mm_env.atomic_write import write_text
from mm_env.cli.console import print_json
from mm_env.readable import markdown_rows, text_table

TOOLS = ROOT / "docs" / "tools.md"
PAGE = "clients.md"
LONGEST = 15  # lines of code of a client
_SECONDS = 3_600  # that a client may take
_MARKET = "mm_env/Imbalance-v0"  # in which clients learn
_RANDOM = {"mm_env/Imbalance-v0": -5.1, "mm_env/Hedging-v0": 0.85}  # share of random actions
_LEARNED = {"mm_env/Imbalance-v0": -4.1, "mm_env/Hedging-v0": 0.95}  # share from which on a client has learned


ENVIRONMENTS = {
    "current": Environment(
        "-e .[contrib,track,multi,render,offline,data] rl_zoo3 torchrl skrl supersuit mo-gymnasium optuna tyro pytest"
    ),
    "tianshou": Environment("-e . tianshou[eval]"),
    "agilerl": Environment("-e .[multi] agilerl peft"),
    "d3rlpy": Environment(
        "-e .[multi,offline] torch tqdm gym structlog colorama dataclasses-json scikit-learn", unpinned="d3rlpy"
    ),
    "rllib": Environment("-e .[rllib]", "constraints-ray.txt"),
}


class Client(NamedTuple):
    """A section of docs/tools.md: the distribution that it shows, and the environment in which it is run."""

    title: str
    distribution: str
    environment: str = "current"


CLIENTS = (
    Client("Stable-Baselines3", "stable-baselines3"),
    Client("MaskablePPO", "sb3-contrib"),
    Client("The rest of sb3-contrib", "sb3-contrib"),
    Client("RL Zoo: train, enjoy, video", "rl_zoo3"),
    Client("RL Zoo: the hyperparameters that ship", "rl_zoo3"),
    Client("RL Zoo: optimize", "rl_zoo3"),
    Client("CleanRL", "cleanrl"),
    Client("TorchRL: policy gradient", "torchrl"),
    Client("TorchRL: environments", "torchrl"),
    Client("Tianshou", "tianshou", "tianshou"),
    Client("skrl", "skrl"),
    Client("AgileRL", "agilerl", "agilerl"),
    Client("RLlib: one dealer", "ray", "rllib"),
    Client("RLlib: several dealers", "ray", "rllib"),
    Client("SuperSuit", "supersuit"),
    Client("Minari", "minari"),
    Client("d3rlpy", "d3rlpy", "d3rlpy"),
    Client("MO-Gymnasium", "mo-gymnasium"),
    Client("A cost, as OmniSafe and Safety-Gymnasium have it", "gymnasium"),
    Client("Optuna", "optuna"),
    Client("Weights & Biases, offline", "wandb"),
    Client("MLflow, offline", "mlflow-skinny"),
)


class Section(NamedTuple):
    """What docs/tools.md says of a client."""

    blocks: list[tuple[str, str]]  # language and code, in order
    obstacle: str  # what stood in the way

    @classmethod
    def of(cls, title: str) -> Section:
        """Read it.

        Raises:
            ValueError: No such section.
        """
        found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", TOOLS.read_text(), flags=re.M | re.S)
        if found is None:
            raise ValueError(f"{TOOLS}: no section {title!r}")
        obstacle = re.search(r"^In the way: (.*?)(?:\n\n|\Z)", found[1], flags=re.M | re.S)
        blocks = re.findall(r"```(python|bash)\n(.*?)```", found[1], flags=re.S)
        return cls(blocks, " ".join(obstacle[1].split()) if obstacle else "")

    @property
    def lines(self) -> int:
        """Lines of code that are not blank."""
        return sum(bool(line.strip()) for _, code in self.blocks for line in code.splitlines())


class Outcome(NamedTuple):
    """What a client did."""

    client: str
    version: str
    gymnasium: str
    learned: str  # or what it printed last; empty if it failed
    seconds: float  # of CPU, start and imports of the client included
    obstacle: str
    failure: str = ""


def run_section(title: str) -> Outcome:
    """Run the code of a section in this interpreter and folder, and tell what came of it.

    It leaves a `policy` behind, a function from observations to actions, which is scored exactly in its `market`; or a
    `result` to show.

    Raises:
        ValueError: It leaves neither, or a policy that is no better than random actions.
    """
    section = Section.of(title)
    names: dict[str, Any] = {}
    for language, code in section.blocks:
        if language == "bash":
            subprocess.run(["bash", "-euc", code], check=True)
        else:
            exec(compile(code, f"docs/tools.md, {title}", "exec"), names)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = round(sum(each.ru_utime + each.ru_stime for each in used), 1)
    if "policy" in names:
        learned = _share(names["policy"], names.get("market", _MARKET))
    else:
        learned = str(names.get("result", ""))
    if not learned:
        raise ValueError(f"the code of {title!r} leaves neither `policy` nor `result`")
    gymnasium = importlib.metadata.version("gymnasium")
    return Outcome(title, _version(title), gymnasium, learned, seconds, section.obstacle)


def _share(policy: Any, market: str) -> str:
    from baselines import policy_value
    from baselines.evaluation.gap import Gap

    first, second = Gap.of(market).shares(policy_value(policy, market))
    if first < _LEARNED[market.removeprefix("mm_env:")]:
        raise ValueError(f"nothing was learned: a share of {first:.2f}; {_random()}")
    where = "" if market.endswith(_MARKET) else f" in {market}"
    return f"{first:.2f} of the gap from threshold 10{where}, {second:.2f} from the best rule"


def _random() -> str:
    """What random actions have."""
    return "random actions have " + " and ".join(f"{share} in `{market}`" for market, share in _RANDOM.items())


def _version(title: str) -> str:
    name = next(client.distribution for client in CLIENTS if client.title == title)
    if name == "cleanrl":  # a folder of files, not installed
        found = re.search(r'^version = "(.*)"', Path("pyproject.toml").read_text(), flags=re.M)
        return f"{name} {found[1] if found else ''}"
    return f"{name} {importlib.metadata.version(name)}"


def outcome_of(client: Client, venvs: Path, cleanrl: Path | None, resume: bool, table: bool = False) -> Outcome:
    """Run a client's section in its environment, in an empty folder; or take what came of the same one before.

    Where only the table is asked for, nothing is run.
    """
    section, kept = Section.of(client.title), venvs / f"{_anchor(client.title)}.json"
    told = [repr(ENVIRONMENTS[client.environment]), *map(list, section.blocks)]
    if (resume or table) and kept.exists():
        before = json.loads(kept.read_text())
        if before["told"] == told:
            return Outcome(**before["outcome"])._replace(obstacle=section.obstacle)
    if table:
        return _failed(client, "not run yet")._replace(obstacle="")
    outcome = _run(client, prepared(client.environment, venvs, ENVIRONMENTS[client.environment]), cleanrl)
    if not outcome.failure:
        write_text(kept, json.dumps({"told": told, "outcome": outcome._asdict()}))
    return outcome


def _run(client: Client, python: Path, cleanrl: Path | None) -> Outcome:
    if client.distribution == "cleanrl" and cleanrl is None:
        return _failed(client, "not run: --cleanrl names no clone")
    with TemporaryDirectory() as folder:
        here = Path(folder)
        for name in ("cleanrl", "cleanrl_utils", "pyproject.toml") if client.distribution == "cleanrl" else ():
            (here / name).symlink_to((Path(str(cleanrl)) / name).resolve())
        command, log = [str(python), "-m", "benchmarks.clients", "--here", client.title], here / "log.txt"
        try:
            with log.open("w") as said:
                keywords = {"cwd": here, "env": surroundings(python, here), "stdout": said, "stderr": said}
                subprocess.run(command, check=True, timeout=_SECONDS, **keywords)
            return Outcome(**json.loads((here / "outcome.json").read_text()))
        except (subprocess.SubprocessError, OSError) as error:
            click.echo(log.read_text()[-2_000:], err=True)
            return _failed(client, f"failed: {error}")


def _failed(client: Client, why: str) -> Outcome:
    return Outcome(client.title, client.distribution, "", "", 0.0, Section.of(client.title).obstacle, why)


def page(outcomes: Sequence[Outcome], contracts: Sequence[Sequence[str]] = ()) -> str:
    """The table of clients as a page."""
    header = ["client", "version", "Gymnasium", "what it learned or did", "seconds of CPU", "what stood in the way"]
    rows = [
        [
            f"[{each.client}](tools.md#{_anchor(each.client)})",
            each.version,
            each.gymnasium,
            each.learned or each.failure,
            f"{each.seconds:.0f}" if each.seconds else "",
            each.obstacle,
        ]
        for each in outcomes
    ]
    told = f"""# Clients, tried

Written by `make test-clients` with Python {sys.version.split()[0]}: the code of [tools.md](tools.md), each in its own
words and unmodified, with small budgets: that an agent learns is shown, not how well it could. A *share* is exact, of
`{_MARKET}` where no other market is named: 0 is the rule of threshold 10, or the best fixed rule, and 1 the
optimum. Of the gap from threshold 10, {_random()}.
Seconds are those of the processor, start and imports included, on one thread.
*Not run yet*: no run of this code has ended so far; `python -m benchmarks.clients --resume` runs what is missing.

"""
    return told + "\n".join([*markdown_rows(header, rows), "", *_contracts(contracts)])


def _contracts(table: Sequence[Sequence[str]]) -> list[str]:
    """What came of the contract tests with the oldest and newest versions, under a heading."""
    if not table[1:]:
        return []
    about = "Tests of every id, of the adapters and of PPO, by `python -m benchmarks.versions` (`make test-clients`)."
    return ["## Oldest and newest versions", "", about, "", *markdown_rows(*table[:1], table[1:]), ""]


def _anchor(title: str) -> str:
    """What Sphinx and GitHub make of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@click.command(context_settings={"show_default": True})
@click.option("--only", multiple=True, help="A client, by its heading in docs/tools.md; writes nothing. Repeatable.")
@click.option("--venvs", type=click.Path(path_type=Path), default=Path(".venv-clients"), help="Where clients are kept.")
@click.option("--cleanrl", type=click.Path(path_type=Path), help="A clone of CleanRL, which is not packaged.")
@click.option("--resume", is_flag=True, help="Take what was found before, where neither code nor requirements changed.")
@click.option("--table", is_flag=True, help="Write the table of what was found before; run nothing.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs"), help="Folder of clients.md.")
@click.option("--here", hidden=True, help="Run this section in this interpreter and folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(
    only: tuple[str, ...],
    venvs: Path,
    cleanrl: Path | None,
    resume: bool,
    table: bool,
    out: Path,
    here: str | None,
    as_json: bool,
) -> None:
    """Run what docs/tools.md shows against the real clients, in virtual environments of their own; write the table.

    The seeds are those in the code shown. It ends with 1 if a client failed.

    Example: python -m benchmarks.clients --only skrl --only Optuna
    """
    if here is not None:
        write_text("outcome.json", json.dumps(run_section(here)._asdict()))
        return
    known = {client.title: client for client in CLIENTS}
    for title in only:
        if title not in known:
            raise click.BadParameter(f"no client {title!r}; known: {', '.join(known)}", param_hint="--only")
    outcomes = []
    for client in (known[title] for title in only or known):
        click.echo(f"running {client.title}", err=True)
        start = time.monotonic()
        outcomes.append(outcome_of(client, venvs.resolve(), cleanrl, resume, table))
        last = outcomes[-1]
        click.echo(f"  {last.learned or last.failure} ({time.monotonic() - start:.0f} s)", err=True)
    if not only:
        write_text(out / PAGE, page(outcomes, versions.rows(venvs)))
    if as_json:
        print_json([each._asdict() for each in outcomes])
    else:
        rows = [[each.client, each.version, each.learned or each.failure, f"{each.seconds:g}"] for each in outcomes]
        click.echo(text_table(["client", "version", "what it learned or did", "CPU s"], rows))
    if any(each.failure for each in outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
