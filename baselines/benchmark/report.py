"""The report: results as one page of HTML that needs no network, drawn with Plotly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from baselines.benchmark.agents import short
from baselines.benchmark.played import EPISODES, FIGURES, MOST_AGENTS, Played
from baselines.benchmark.results import Results, markdown, market_figure, ranked
from baselines.evaluation.scores import SCORES
from mm_env.extras import needed_for
from mm_env.readable import markdown_rows

Curves = Mapping[str, Sequence[Mapping[str, Any]]]  # of `learning_curves`, by market
_CAPTIONS = ("The league", "Scores by market", "What they are measured against")


def page(results: Results, played: Played | None = None, curves: Curves | None = None) -> str:
    """The scores of the suite and of the market that a menu names, as charts, and every number as tables.

    Args:
        results: Of a benchmark.
        played: What agents made of the same tapes, for charts of it. Default: none.
        curves: How they learned, for a chart of it. Default: none.
    """
    with needed_for("the report"):
        from plotly.offline import get_plotlyjs

    tables = list(_tables(results))
    league, others = (tables[:1], tables[1:]) if results["league"] else ([], tables)
    text = json.dumps(_data(results, played, curves), separators=(",", ":"), allow_nan=False)
    return _filled(
        {
            "TITLE": f"Hedging benchmark {escape(results['suite'])}",
            "LEAGUE": "".join(league),
            "FIGURES": "" if played is None else "".join(_figures(played)),
            "TABLES": "".join(others),
            "COMPARISONS": _comparisons(results),
            "ORIGIN": f"Checksum of the results: <code>{escape(results['checksum'])}</code>",
            "DATA": text.replace("<", "\\u003c"),
            "PLOTLY": get_plotlyjs(),
        }
    )


def _filled(parts: Mapping[str, str]) -> str:
    """The page with its parts, each put in once: what is put in is not looked through again."""
    before, *rest = files("baselines.benchmark").joinpath("report.html").read_text(encoding="utf-8").split("<!--")
    pieces = [before]
    for piece in rest:
        name, _, after = piece.partition("-->")
        pieces += [parts[name], after]
    return "".join(pieces)


def _data(results: Results, played: Played | None, curves: Curves | None) -> dict[str, Any]:
    """What the page's script draws."""
    agents, markets = ranked(results), list(results["markets"])
    learned = [
        agent for agent in agents if any(run["agent"] == agent for row in (curves or {}).values() for run in row)
    ]
    shown = agents[:MOST_AGENTS]
    one = next((agent for agent in learned if agent in shown), shown[0])
    another = next((agent for agent in ("best-threshold", *reversed(shown)) if agent in shown and agent != one), one)
    return {
        "agents": agents,
        "most": MOST_AGENTS,
        "pair": [one, another],
        "names": {market: short(market) for market in markets},
        "complete": results["complete"],
        "league": {agent: figure["iqm"] for agent, figure in results["league"].items()},
        "scores": {market: {agent: _score(results, agent, market) for agent in agents} for market in markets},
        "played": played,
        "learning": curves if learned else None,
    }


def _score(results: Results, agent: str, market: str) -> list[float]:
    value, half = market_figure(results, agent, market)
    return [value, float(np.nan_to_num(half))]


def _figures(played: Played) -> Iterator[str]:
    """For each market the figures of the agents, and what the others have more than the first."""
    head = [f"{name}, {SCORES[name].unit}" for name in FIGURES]
    for market, its in played.items():
        first = its["figures"][0][0]
        tables = {
            f"On the same {EPISODES:,} tapes of {short(market)}; of each agent the first training seed": its["figures"],
            f"The others less {first}, paired": its["differences"],
        }
        shown = [
            _table(caption, markdown_rows([short(market), *head], rows)) for caption, rows in tables.items() if rows
        ]
        yield f'<div data-market="{market}">{"".join(shown)}</div>\n'


def _tables(results: Results) -> Iterator[str]:
    """The tables of `results.md` as HTML."""
    blocks = markdown(results).strip().split("\n\n")
    for caption, block in zip(_CAPTIONS[-len(blocks) :], blocks, strict=True):
        yield _table(caption, block.splitlines())


def _comparisons(results: Results) -> str:
    """Every two agents, the better one first: the difference of their mean scores, its interval, and p after Holm."""
    rows = []
    for row in results["comparisons"]:
        sign = 1.0 if row["difference"] >= 0 else -1.0
        pair = (row["agent"], row["other"])[:: int(sign)]
        low, high = sorted((sign * row["low"], sign * row["high"]))
        rows.append([*pair, f"{sign * row['difference']:.3f}", f"{low:.3f} to {high:.3f}", f"{row['holm']:.3g}"])
    if not rows:
        return ""
    caption = "Every two agents: the difference of their mean scores, and p with Holm's correction"
    lines = markdown_rows(["better", "other", "difference", "95 % interval", "p (Holm)"], rows)
    return f"<details><summary>Comparisons</summary>{_table(caption, lines)}</details>"


def _table(caption: str, lines: Sequence[str]) -> str:
    """The lines of a table in Markdown as HTML."""
    head, _, *body = [[escape(cell.strip()) for cell in line.strip("|").split("|")] for line in lines]
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    rows = [
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>' for name, *cells in body
    ]
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>\n"
    )
