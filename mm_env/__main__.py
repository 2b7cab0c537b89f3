"""The command line: `mm-env`, also `python -m mm_env`. The one file that may import everything, when asked to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mm_env import __version__
from mm_env.console import print_json, print_rows, print_table, progress_bar
from mm_env.files import replacing
from mm_env.flow import UnsolvableError
from mm_env.markets import MARKETS, market_params
from mm_env.options import (
    DEFAULT_MARKET,
    Commands,
    json_option,
    market_option,
    out_option,
    play_options,
    read_changes,
    seed_option,
    set_option,
)
from mm_env.params import MarketParams
from mm_env.report import (
    markout_rows,
    print_comparison,
    print_league,
    print_market,
    print_markouts,
    print_scores,
    print_solution,
    solution_figures,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from baselines import Comparison
    from baselines.markout import Markout
    from mm_env.action import PolicyFunction
    from mm_env.tape import Tape

COMPARED = ("never", "threshold", "best-threshold", "optimal")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__)
def main() -> None:
    """How should a market maker hedge his inventory? Play, solve, train and compare.

    Example: mm-env compare --policy never --policy threshold:10 --policy optimal

    Exit codes: 0 done, 1 something is missing or failed, 2 bad usage, 130 interrupted.
    """


@main.command()
@click.option("--policy", default="threshold", help="A policy of `mm-env policies`, or a folder of a saved one.")
@click.option("--markout", is_flag=True, help="How the mid moves after a fill too: by tier, and informed or not.")
@play_options(episodes=1000)
def simulate(
    policy: str,
    markout: bool,
    market: str,
    changes: tuple[str, ...],
    episodes: int,
    seed: int,
    recorded: Path | None,
    out: Path | None,
    as_json: bool,
    trust_pickle: bool,
) -> None:
    """Play one policy; print its scores, save every step and draw the first episode.

    Example: mm-env simulate --policy threshold:10 --episodes 1000 --seed 0 --out out/simulate
    """
    from mm_env.rollout import play, play_blocks

    params = _params(market, changes)
    tape = _tape(recorded, params)
    chosen = {policy: _policy(policy, params, seed, trust_pickle)}
    comparison = _compared(chosen, params, _episodes(episodes, tape), seed, tape)
    found = _markouts(chosen[policy], params, _episodes(episodes, tape), seed, tape) if markout else None
    if as_json:
        print_json(comparison.to_dict() | ({"markouts": markout_rows(found)} if found else {}))
    else:
        print_scores(comparison, policy)
        if found:
            print_markouts(found)
    if out is not None:
        from mm_env.episodes import save_csv
        from mm_env.plotting import plot_episode

        save_csv(play_blocks(chosen[policy], params, _episodes(episodes, tape), seed, tape), out / "episodes.csv")
        _save(out / "episode.png", plot_episode(play(chosen[policy], params, 1, seed, tape)))


@main.command()
@click.option(
    "--policy",
    "policies",
    multiple=True,
    help="A policy of `mm-env policies`, or a folder of a saved one; repeatable."
    f"  [default: {', '.join(COMPARED)}, as far as the market can be solved]",
)
@click.option("--ppo", is_flag=True, help="Train PPO on the spot and compare it too.")
@play_options(episodes=20_000)
def compare(
    policies: tuple[str, ...],
    ppo: bool,
    market: str,
    changes: tuple[str, ...],
    episodes: int,
    seed: int,
    recorded: Path | None,
    out: Path | None,
    as_json: bool,
    trust_pickle: bool,
) -> None:
    """Play several policies on the same tapes; print a table with 95 % intervals, and draw them.

    Example: mm-env compare --policy never --policy threshold:10 --policy optimal --out out/compare
    """
    params = _params(market, changes)
    tape = _tape(recorded, params)
    chosen = _policies(policies, params, seed, trust_pickle) if policies else _usual_policies(params, seed)
    if ppo:
        chosen["ppo"] = _trained(params, seed)
    comparison = _compared(chosen, params, _episodes(episodes, tape), seed, tape)
    if as_json:
        print_json(comparison.to_dict())
    else:
        print_comparison(comparison)
    if out is not None:
        _draw_comparison(out, chosen, params, seed, tape)


@main.command()
@click.option("--market", help=f"A market of `mm-env markets`.  [default: {DEFAULT_MARKET}]")
@set_option
@click.option("--seed", type=click.IntRange(0), help="Seed of the training.  [default: 0]")
@click.option("--steps", type=click.IntRange(1), help="Environment steps in all.  [default: of the hyperparameters]")
@click.option("--run", "run_dir", type=click.Path(path_type=Path), default="runs/ppo", help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Go on with the interrupted run in that folder, as it was begun.")
@json_option
def train(
    market: str | None,
    changes: tuple[str, ...],
    seed: int | None,
    steps: int | None,
    run_dir: Path,
    resume: bool,
    as_json: bool,
) -> None:
    """Train PPO and save the policy; an interrupted run goes on with --resume.

    Example: mm-env train --seed 0 --run runs/ppo-0 && mm-env simulate --policy runs/ppo-0
    """
    from train.ppo import train_ppo

    env_kwargs = read_changes(changes) or None
    run = train_ppo(market, env_kwargs=env_kwargs, seed=seed, total_timesteps=steps, run_dir=run_dir, resume=resume)
    found = {
        "run": str(run_dir),
        "steps": run.timesteps,
        "J": run.objective,
        "share": run.share,
        "seconds": run.seconds,
    }
    if as_json:
        print_json(found)
    else:
        rows = [[str(run_dir), f"{run.timesteps:,}", f"{run.objective:.4f}", f"{run.share:.4f}", f"{run.seconds:.0f}"]]
        print_table(["run", "steps", "J", "share of gap", "seconds"], rows)


@main.command()
@market_option
@set_option
@out_option
@json_option
def solve(market: str, changes: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """The exact optimum: its value, what fixed rules leave of it, and what it hedges and quotes over time.

    Example: mm-env solve --set risk_aversion=0.02 --out out/solve
    """
    from baselines import solve as solved
    from baselines.schedule import benchmarks

    params = _params(market, changes)
    solution = solved(params)
    rules = benchmarks(solution)
    if as_json:
        print_json(solution_figures(solution, rules))
    else:
        print_solution(solution, rules, "" if changes else MARKETS[market].why)
    if out is not None:
        _draw_policies(out, "optimal", {"optimal": solution.policy}, params)


@main.command()
@click.option(
    "--experiment",
    "experiments",
    multiple=True,
    help="avellaneda-stoikov, cartea-jaimungal or barzykin-bergault-gueant; repeatable.  [default: all of them]",
)
@click.option("--episodes", default=10_000, type=click.IntRange(2), help="Episodes to play where one is simulated.")
@seed_option
@out_option
@json_option
def replicate(experiments: tuple[str, ...], episodes: int, seed: int, out: Path | None, as_json: bool) -> None:
    """Run published experiments in this market; print their numbers beside ours; exit code 1 if one disagrees.

    With --out, write replications.md there. All of them take about a minute.

    Example: mm-env replicate --experiment avellaneda-stoikov --episodes 2000
    """
    from baselines.figure import HEADER
    from baselines.replications import EXPERIMENTS, page
    from baselines.replications import replicate as replicated

    names = experiments or tuple(EXPERIMENTS)
    parts = sum(len(EXPERIMENTS[name].parts) for name in names if name in EXPERIMENTS)
    with progress_bar("replicating", parts) as advance:
        found = replicated(names, episodes, seed, advance)
    if as_json:
        figures = {name: [figure.to_dict() for figure in figures] for name, figures in found.items()}
        print_json({"episodes": episodes, "seed": seed, "experiments": figures})
    else:
        print_table(HEADER, [figure.row() for figures in found.values() for figure in figures])
    if out is not None:
        with replacing(out / "replications.md") as temporary:
            temporary.write_text(page(found, episodes, seed), encoding="utf-8")
        click.echo(f"wrote {out / 'replications.md'}", err=True)
    missed = [figure.name for figures in found.values() for figure in figures if not figure.agrees]
    if missed:
        raise click.ClickException(f"not as published: {'; '.join(missed)}")


@main.command()
@click.option(
    "--seats",
    default="threshold:3:0.03,linear-skew,avellaneda-stoikov",
    help="Policies of `mm-env policies`, or folders of saved ones, separated by commas; the same one may sit twice.",
)
@click.option("--episodes", default=20_000, type=click.IntRange(2), help="Episodes; each is played from every seat.")
@set_option
@seed_option
@out_option
@json_option
def compete(seats: str, episodes: int, changes: tuple[str, ...], seed: int, out: Path | None, as_json: bool) -> None:
    """Let several dealers compete for the same clients; print a league table with 95 % intervals.

    Each policy has every seat in turn, on the same tapes. --set takes the parameters of `mm_env.DealersParams`:
    view_noise=0.01, transparent=true, ...

    Example: mm-env compete --seats threshold:3:0.03,threshold:10:0.04 --episodes 2000
    """
    from baselines.league import league
    from mm_env.floor import DEFAULTS, play_dealers
    from mm_env.params import DealersParams

    names = [name.strip() for name in seats.split(",")]
    asked = {"num_dealers": len(names), **read_changes(changes)}
    if asked["num_dealers"] != len(names):
        raise ValueError(f"num_dealers={asked['num_dealers']}, but --seats names {len(names)}")
    params = DealersParams.from_mapping({**DEFAULTS, **asked})
    chosen = {}
    for seat, name in enumerate(names):
        label = name if names.count(name) == 1 else f"{name} ({names[: seat + 1].count(name)})"
        chosen[label] = _policy(name, params, seed + seat, trust_pickle=False)
    with progress_bar("playing", episodes * len(names)) as advance:
        result = league(chosen, params, episodes, seed, advance)
    if as_json:
        print_json(result.to_dict())
    else:
        print_league(result)
    if out is not None:
        from mm_env.plotting import plot_dealers

        played = play_dealers(list(chosen.values()), params, 1, seed)
        _save(out / "dealers.png", plot_dealers(dict(zip(chosen, played, strict=True))))


@main.command()
@click.option("--params", "fields", is_flag=True, help="List the parameters of a market instead.")
@click.option("--market", type=click.Choice(list(MARKETS)), help="One market: why its numbers are what they are.")
@json_option
def markets(fields: bool, market: str | None, as_json: bool) -> None:
    """The markets that ship; one of them; or every parameter with its default, unit, range and meaning.

    Example: mm-env markets --market mm_env/Latency-v0
    """
    if fields and market:
        raise ValueError("--params and --market: give one of them")
    if market and as_json:
        print_json({"id": market, **MARKETS[market]._asdict()})
    elif market:
        print_market(market)
    elif fields:
        rows = MarketParams.describe()
        print_rows(["field", "default", "unit", "allowed", "meaning"], rows, as_json)
    else:
        print_rows(["id", "what is hard in it"], [[name, entry.summary] for name, entry in MARKETS.items()], as_json)


@main.command()
@json_option
def policies(as_json: bool) -> None:
    """The policies that `--policy` takes. A folder of a trained policy will do too.

    Example: mm-env policies
    """
    from baselines import POLICIES

    rows = [[f"{name}:{entry.argument}" if entry.argument else name, entry.summary] for name, entry in POLICIES.items()]
    print_rows(["policy", "what it does"], rows, as_json)


def _params(market: str, changes: tuple[str, ...]) -> MarketParams:
    return market_params(market, **read_changes(changes))


def _policies(
    names: Iterable[str], params: MarketParams, seed: int, trust_pickle: bool = False
) -> dict[str, PolicyFunction]:
    full = [f"threshold:{params.hedge_threshold}" if name == "threshold" else name for name in names]
    return {name: _policy(name, params, seed, trust_pickle) for name in full}


def _usual_policies(params: MarketParams, seed: int) -> dict[str, PolicyFunction]:
    """What is compared where nothing was asked for: without what needs the solver, where the market has none."""
    found: dict[str, PolicyFunction] = {}
    for name in COMPARED:
        try:
            found |= _policies([name], params, seed)
        except UnsolvableError as error:
            click.echo(f"without {name}: {error}", err=True)
    return found


def _policy(name: str, params: MarketParams, seed: int, trust_pickle: bool) -> PolicyFunction:
    """A named policy, or a saved one where `name` is no name of the table but a path that exists."""
    from baselines import POLICIES, make_policy

    if name and name.partition(":")[0] not in POLICIES and Path(name).exists():
        from train.saved_policy import load_policy

        return load_policy(name, params, trust_pickle=trust_pickle)
    return make_policy(name, params, seed)


def _tape(path: Path | None, params: MarketParams) -> Tape | None:
    from mm_env.tape import Tape, check_tape

    if path is None:
        return None
    tape = Tape.read(path)
    check_tape(tape, params)
    return tape


def _episodes(wanted: int, tape: Tape | None) -> int:
    return wanted if tape is None else min(wanted, tape.num_episodes)


def _compared(
    policies: Mapping[str, PolicyFunction], params: MarketParams, episodes: int, seed: int, tape: Tape | None
) -> Comparison:
    from baselines import compare

    with progress_bar("playing", episodes * len(policies)) as advance:
        return compare(policies, params, episodes, seed, tape, advance)


def _markouts(
    policy: PolicyFunction, params: MarketParams, episodes: int, seed: int, tape: Tape | None
) -> list[Markout]:
    from baselines.markout import markouts
    from mm_env.rollout import play_blocks

    return markouts(play_blocks(policy, params, episodes, seed, tape))


def _trained(params: MarketParams, seed: int) -> PolicyFunction:
    from train.ppo import train_ppo

    click.echo("training PPO", err=True)
    return train_ppo(params, seed=seed).policy


def _save(path: Path, figure: Figure) -> None:
    from mm_env.plotting import save_figure

    save_figure(figure, path)
    click.echo(f"wrote {path}", err=True)


def _draw_comparison(
    out: Path, policies: Mapping[str, PolicyFunction], params: MarketParams, seed: int, tape: Tape | None
) -> None:
    from baselines.frontier import frontier
    from mm_env.plotting import plot_episode, plot_frontier
    from mm_env.rollout import play

    for name, policy in policies.items():
        _save(out / f"episode-{_file_name(name)}.png", plot_episode(play(policy, params, 1, seed, tape)))
    _draw_policies(out, "policies", policies, params)
    if tape is None:
        _save(out / "frontier.png", plot_frontier(frontier(policies, params, seed=seed)))


def _draw_policies(out: Path, name: str, policies: Mapping[str, PolicyFunction], params: MarketParams) -> None:
    from mm_env.plotting import plot_policies, plot_quotes

    _save(out / f"{name}.png", plot_policies(policies, params))
    if params.quote_levels > 1 and params.arrival_probability > 0:
        _save(out / f"{name}-quotes.png", plot_quotes(policies, params))


def _file_name(policy: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in policy).strip("-")


if __name__ == "__main__":
    main()
