"""Results: the file `results.json` that anyone can check, and the same as CSV and as tables.

The file is one JSON object:

| key | what it holds |
|---|---|
| format, suite | "mm_env benchmark 1", and the name of the suite |
| versions | of this package, Python, NumPy, SciPy and Gymnasium |
| commit | of this package's repository; null outside one |
| evaluation | what policies without an exact value play: episodes and seed |
| markets | by id: whether it is scored, every parameter, and the scale: exact J of optimum and rules |
| agents | by name: the source of its policies, and its training seeds, by market where they differ |
| cells | a row per agent, market and seed: source, sha256, objective J, standard_error (0: exact), score |
| complete | whether every scored market is there: otherwise the league is not one of the suite |
| league | by agent: every aggregate of the scored markets, with the 95 % interval |
| comparisons | of every two agents: difference of mean scores, 95 % interval, p-value, Holm's |
| checksum | SHA-256 of all the rest, as `canonical` writes it |
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from baselines.benchmark.agents import Agent, short
from baselines.benchmark.aggregate import AGGREGATES, Scores, comparisons, league
from baselines.benchmark.suite import SUITES, Scale
from mm_env.atomic_write import write_text
from mm_env.intervals import half_width, plus_minus
from mm_env.market.params import MarketParams
from mm_env.readable import markdown_rows
from mm_env.registration import market_params

FORMAT = "mm_env benchmark 1"
FILES = ("results.json", "results.csv", "results.md")
_KEYS = {
    "format": str,
    "suite": str,
    "versions": dict,
    "commit": str | None,
    "evaluation": dict,
    "markets": dict,
    "agents": dict,
    "cells": list,
    "complete": bool,
    "league": dict,
    "comparisons": list,
    "checksum": str,
}
_CLOSE = 1e-9  # numbers that differ by less, absolutely or relatively, were summed by another build of NumPy
_ORIGIN = ("versions", "commit", "checksum")  # what another machine may have otherwise

Results = dict[str, Any]


def assemble(
    suite: str,
    agents: Mapping[str, Agent],
    scales: Mapping[str, Scale],
    cells: list[dict[str, Any]],
    origin: Mapping[str, Any],
) -> Results:
    """The results made of what was evaluated: cells without their scores, in any order."""
    its = SUITES[suite]
    rows = sorted(cells, key=lambda cell: (list(agents).index(cell["agent"]), _place(cell, scales), cell["seed"]))
    rows = [{**cell, "score": scales[cell["market"]].score(cell["objective"])} for cell in rows]
    scored = [market for market in scales if market in its.scored]
    scores = {name: _scores(name, rows, scored, scales) for name in agents} if scored else {}
    results = {
        "format": FORMAT,
        "suite": suite,
        **origin,
        "markets": {
            market: {
                "scored": market in its.scored,
                "params": market_params(market).to_dict(),
                "scale": scale.to_dict(),
            }
            for market, scale in scales.items()
        },
        "agents": {name: agent.told() for name, agent in agents.items()},
        "cells": rows,
        "complete": len(scored) == len(its.scored),
        "league": league(scores),
        "comparisons": comparisons(scores),
    }
    plain = json.loads(json.dumps(results))
    return {**plain, "checksum": checksum(plain)}


def _place(cell: Mapping[str, Any], scales: Mapping[str, Scale]) -> int:
    return list(scales).index(cell["market"])


def _scores(agent: str, rows: list[dict[str, Any]], markets: list[str], scales: Mapping[str, Scale]) -> Scores:
    """The scores of one agent in these markets."""
    mine = [[row for row in rows if (row["agent"], row["market"]) == (agent, market)] for market in markets]
    gaps = [scales[market].optimum - scales[market].rule for market in markets]
    errors = [[row["standard_error"] / gap for row in row_of] for row_of, gap in zip(mine, gaps, strict=True)]
    return Scores(np.array([[row["score"] for row in row_of] for row_of in mine]), np.array(errors))


def canonical(results: Results) -> str:
    """The text that is hashed: JSON with sorted keys, no spaces, without the checksum."""
    content = {name: value for name, value in results.items() if name != "checksum"}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def checksum(results: Results) -> str:
    """SHA-256 of `canonical`."""
    return hashlib.sha256(canonical(results).encode()).hexdigest()


def read(path: Path) -> Results:
    """Read `results.json`.

    Raises:
        ValueError: It cannot be read, is not of this format, or not as it was written. The message names the file.
    """
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a whole results file: {error}") from error
    if not isinstance(results, dict) or results.get("format") != FORMAT:
        raise ValueError(f"{path}: not a results file: format is not {FORMAT!r}")
    for name, kind in _KEYS.items():
        if name not in results or not isinstance(results[name], kind):
            raise ValueError(f"{path}: {name!r} is missing or of another kind")
    if results["checksum"] != checksum(results):
        raise ValueError(f"{path}: changed since it was written: its checksum is another one")
    if results["suite"] not in SUITES:
        raise ValueError(f"{path}: no suite {results['suite']!r}; suites are {', '.join(SUITES)}")
    missing = [market for market in SUITES[results["suite"]].scored if market not in results["markets"]]
    if results["complete"] and missing:
        raise ValueError(f"{path}: {missing[0]} is missing")
    for market in results["markets"].values():  # parameters that the package has gained since have their defaults
        market["params"] = json.loads(json.dumps(MarketParams.from_mapping(market["params"]).to_dict()))
    return results


def differences(mine: Any, its: Any, place: str = "") -> Iterator[str]:
    """Where two results differ, as text; numbers to 1e-9, where they come from left out."""
    if isinstance(mine, dict) and isinstance(its, dict):
        for name in [*mine, *(name for name in its if name not in mine)]:
            if place or name not in _ORIGIN:
                yield from differences(mine.get(name), its.get(name), f"{place}.{name}" if place else name)
    elif isinstance(mine, list) and isinstance(its, list):
        if len(mine) != len(its):
            yield f"{place} has {len(its)} entries in the file, recomputed it has {len(mine)}"
            return
        for number, (a, b) in enumerate(zip(mine, its, strict=True)):
            yield from differences(a, b, f"{place}[{number}]")
    elif isinstance(mine, float | int) and isinstance(its, float | int):
        if not math.isclose(mine, its, rel_tol=_CLOSE, abs_tol=_CLOSE):
            yield f"{place} is {its!r} in the file, recomputed it is {mine!r}"
    elif mine != its:
        yield f"{place} is {its!r} in the file, recomputed it is {mine!r}"


def write(results: Results, folder: Path) -> None:
    """Write `results.json`, `results.csv` and `results.md`, each whole or not at all."""
    texts = (json.dumps(results, indent=1) + "\n", _csv(results), markdown(results))
    for name, text in zip(FILES, texts, strict=True):
        write_text(folder / name, text)


def _csv(results: Results) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, list(results["cells"][0]), lineterminator="\n")
    table.writeheader()
    table.writerows(results["cells"])
    return text.getvalue()


def markdown(results: Results) -> str:
    """The league and the scores by market, as tables."""
    markets = list(results["markets"])
    order = ranked(results)
    lines = []
    if results["league"]:
        lines += markdown_rows(
            ["agent", *(aggregate.title for aggregate in AGGREGATES.values())],
            [[agent, *(_interval(results["league"][agent][name]) for name in AGGREGATES)] for agent in order],
        )
    rows = []
    for agent in order:
        rows.append([agent, *(_cell(results, agent, market) for market in markets)])
    lines += ["", *markdown_rows(["score by market", *map(short, markets)], rows)]
    named = {"optimum": "optimum", "best fixed rule": "rule", "the market's rule": "usual", "never": "never"}
    scales = [results["markets"][market]["scale"] for market in markets]
    rows = [[title, *(f"{scale[name]:.4f}" for scale in scales)] for title, name in named.items()]
    lines += ["", *markdown_rows(["J, price units", *map(short, markets)], rows)]
    return "\n".join(lines) + "\n"


def ranked(results: Results) -> list[str]:
    """The agents, the best first."""
    return sorted(results["agents"], key=lambda agent: -_rank(results, agent))


def _rank(results: Results, agent: str) -> float:
    if results["league"]:
        return float(results["league"][agent]["iqm"]["value"])
    return float(np.mean([cell["score"] for cell in results["cells"] if cell["agent"] == agent]))


def _interval(figure: Mapping[str, float]) -> str:
    value, low, high = (_number(figure[name]) for name in ("value", "low", "high"))
    return value if figure["low"] == figure["high"] else f"{value} ({low} to {high})"


def _number(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # no minus zero


def market_figure(results: Results, agent: str, market: str) -> tuple[float, float]:
    """The mean score in one market, and the half-width of its interval over seeds, or of what was played."""
    rows = [cell for cell in results["cells"] if (cell["agent"], cell["market"]) == (agent, market)]
    scores = [row["score"] for row in rows]
    if len(scores) > 1:
        error = float(np.std(scores, ddof=1)) / len(scores) ** 0.5
        return float(np.mean(scores)), half_width(error, len(scores))
    scale = results["markets"][market]["scale"]
    return scores[0], half_width(rows[0]["standard_error"] / (scale["optimum"] - scale["rule"]))


def _cell(results: Results, agent: str, market: str) -> str:
    value, half = market_figure(results, agent, market)
    return plus_minus(value, half) if half else _number(value)
