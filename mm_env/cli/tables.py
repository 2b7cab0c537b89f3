"""What the commands tell: comparisons, markouts, solutions and markets as tables; --json tells the same in full."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from mm_env.cli.console import print_table
from mm_env.market.dynamics import fits
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.numbers import evenly_spaced
from mm_env.market.params import MarketParams
from mm_env.market.validation import written
from mm_env.registration import find_market
from mm_env.state_labels import MIRRORED, distinct_panels, representative_states, state_names

if TYPE_CHECKING:
    from baselines import Comparison, Solution
    from baselines.evaluation.league import League
    from baselines.evaluation.markouts import Markout
    from baselines.solver.summary import RuleValue

_MOST_ROWS = 12  # of a table over time
_HELD = (-0.5, -0.2, 0.0, 0.2, 0.5)  # inventories that a table of quotes shows, as a share of the cap
_TRADES = 3  # that it shows at most
_MOST_NUMBERS = 1_000_000  # of thresholds in --json


def print_scores(comparison: Comparison, policy: str) -> None:
    """Every score of one policy, with its meaning."""
    figures = ((name, comparison.score(policy, name)) for name in comparison.names())
    rows = [[name, str(found), _meaning(name)] for name, found in figures]
    print_table(["score", policy, "meaning"], rows)


def print_comparison(comparison: Comparison) -> None:
    """The main scores, a row for each policy."""
    print_table(*comparison.table())


def print_markouts(found: Sequence[Markout]) -> None:
    """How the mid moves after a fill, a row for each kind of client."""
    click.echo("\nMean move of the mid after a fill, price units per unit; positive is good for the dealer:\n")
    horizons = [f"{horizon} request{'s' * (horizon > 1)} on" for horizon in found[0].estimates]
    rows = []
    for markout in found:
        figures = map(str, markout.estimates.values())
        rows.append([_clients(markout), f"{markout.fills:,}", *figures])
    print_table(["clients", "fills", *horizons], rows)


def markout_rows(found: Sequence[Markout]) -> list[dict[str, Any]]:
    """The same for --json, with 95 % intervals."""
    rows = []
    for markout in found:
        for horizon, estimate in markout.estimates.items():
            kind = {"tier": markout.tier, "informed": markout.informed, "fills": markout.fills, "horizon": horizon}
            rows.append({**kind, **estimate.to_dict()})
    return rows


def print_solution(solution: Solution, benchmarks: Sequence[RuleValue], why: str) -> None:
    """What the optimum is worth, what fixed rules leave of it, and what it does."""
    if why:
        click.echo(f"{why}\n")
    quotes = solution.params.quote_levels > 1
    rows = [["exact optimum", f"{solution.value:.4f}", ""]]
    for rule in benchmarks:
        target = f" to {rule.target}" if rule.target < rule.threshold else ""
        said = f"threshold {rule.threshold}{target}" + (f", quote {rule.distance:g}" if quotes else "")
        rows.append(
            [f"{rule.name}: {said}", f"{rule.value:.4f}", f"{100 * rule.gap:.2f} %" if np.isfinite(rule.gap) else "-"]
        )
    print_table(["policy", "objective", "below the optimum, % of its value"], rows)
    picked = representative_states(solution.params)
    states = solution.mdp.law.states.map(lambda part: part[picked])
    _print_bands(solution, states, picked)
    if quotes:
        _print_quotes(solution, states, picked)


def solution_figures(solution: Solution, benchmarks: Sequence[RuleValue]) -> dict[str, Any]:
    """The same for --json, with the decisions in every state: of every trade, or where that is long of every n-th."""
    every = 1 + solution.thresholds.size // _MOST_NUMBERS
    trades = np.arange(solution.params.num_trades, 0, -every)[::-1]
    return {
        "market": solution.params.to_dict(),
        "value": solution.value,
        "rules": [rule._asdict() for rule in benchmarks],
        "trades": trades,
        "inventories": solution.inventories,
        "scenes": state_names(solution.mdp.law.states, solution.params),
        "thresholds": solution.thresholds[trades - 1],
        "targets": None if solution.hedges.target is None else np.asarray(solution.hedges.target)[trades - 1],
        "distances": solution.distances[trades - 1],
    }


def print_league(league: League) -> None:
    """The main scores, a row for each dealer."""
    print_table(*league.table())


def print_market(name: str) -> None:
    """One registered market: what is hard in it, why its numbers are what they are, and what they are."""
    entry = find_market(name)
    click.echo(f"{name}: {entry.summary}.\n\n{entry.why}\n")
    params = MarketParams.from_mapping(entry.changes)
    described = [row for row in MarketParams.describe() if row[0] in entry.changes]
    if described:
        rows = [[field, written(getattr(params, field)), *rest] for field, *rest in described]
        print_table(["field", "value", "default", "unit", "allowed", "meaning"], rows)


def _meaning(score: str) -> str:
    from baselines import SCORES

    if score == "share":
        return "share of the gap between the market's threshold rule and the exact optimum"
    return f"{SCORES[score].summary}; {SCORES[score].unit}"


def _clients(markout: Markout) -> str:
    told = {None: "", True: "informed", False: "not informed"}[markout.informed]
    tier = "" if markout.tier is None else f"tier {markout.tier}"
    return ", ".join(filter(None, (tier, told))) or "all"


def _print_bands(solution: Solution, states: ExogenousState, picked: NDArray[np.intp]) -> None:
    from baselines.solver.summary import no_hedge_bands

    params = solution.params
    shown, mirrored = distinct_panels(states, solution.thresholds[:, :, picked].transpose(2, 1, 0), params)
    effective = max(params.num_trades - params.hedge_latency, 1)  # later orders do not execute
    lowest, highest = (ends[:effective, picked] for ends in no_hedge_bands(solution))
    columns = [(lowest[:, list(numbers)].max(axis=1), highest[:, list(numbers)].min(axis=1)) for numbers, _ in shown]
    ends = np.array(columns).transpose(2, 0, 1)
    names = [panel.name for panel in shown]
    if (ends == ends[:, :1]).all() and not (mirrored and (ends[:, :, 0] != -ends[:, :, 1]).any()):
        ends, names, mirrored = ends[:, :1], [""], False
    runs = [0, *(np.flatnonzero((ends[1:] != ends[:-1]).any(axis=(1, 2))) + 1), len(ends)]
    spans = [(runs[i], runs[i + 1]) for i in evenly_spaced(len(runs) - 1, _MOST_ROWS)]
    rows = [[_span(start, stop), *(f"{low} to {high}" for low, high in ends[start].tolist())] for start, stop in spans]
    start = "Without orders in flight, the" if params.hedge_latency else "The"
    every = f" ({len(spans)} of {len(runs) - 1} stretches of trades)" if len(spans) < len(runs) - 1 else ""
    click.echo(f"\n{start} optimum hedges nothing while the inventory after the trade is within, units{every}:\n")
    _print_states(["trade"], names, rows, mirrored)


def _print_quotes(solution: Solution, states: ExogenousState, picked: NDArray[np.intp]) -> None:
    limit = solution.params.inventory_limit
    distances = solution.distances[:, :, picked].transpose(2, 1, 0)
    shown, mirrored = distinct_panels(states, distances, solution.params)
    places = np.unique(np.round(limit * (1.0 + np.array(_HELD))).astype(int))
    trades = evenly_spaced(solution.params.num_trades, _TRADES)
    seen = distances[:, places][:, :, trades]
    fresh = [i for i in range(len(trades)) if i == 0 or (seen[:, :, i] != seen[:, :, i - 1]).any()]
    rows = []
    for trade, place in itertools.product(trades[fresh], places):
        held = solution.inventories[place]
        cells = [
            f"{distances[panel.numbers[0], place, trade]:.4g}"
            if fits(held - np.asarray(states.request.signed_size)[panel.numbers[0]], (), solution.params)
            else "-"  # the cap forbids the trade
            for panel in shown
        ]
        rows.append([f"{trade + 1}", f"{held:g}", *cells])
    click.echo("\nIt quotes at this distance from the mid, price units:\n")
    _print_states(["trade", "inventory"], [panel.name for panel in shown], rows, mirrored)


def _print_states(header: Sequence[str], states: Sequence[str], rows: Sequence[Sequence[str]], mirrored: bool) -> None:
    """A column for every exogenous state; what all their names begin with is said once, below."""
    buys = "client buys, "
    shared = all(name.startswith(buys) for name in states)
    print_table([*header, *(name.removeprefix(buys) if shared else name or "any client" for name in states)], rows)
    notes = [*(["for a client who buys"] if shared else []), *([MIRRORED] if mirrored else [])]
    if notes:
        click.echo("; ".join(notes).capitalize() + ".")


def _span(start: int, stop: int) -> str:
    return f"{start + 1}" if stop == start + 1 else f"{start + 1}-{stop}"
