"""The report: results as one page of HTML that needs no network, drawn with Plotly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from baselines.benchmark.agents import short
from baselines.benchmark.played import EPISODES, FIGURES, Played, figures, rows
from baselines.benchmark.results import Results, markdown, market_figure, ranked
from mm_env.extras import needed_for
from mm_env.readable import markdown_rows

_SHOWN = (-1.0, 1.05)  # scores that the chart begins with; it can be dragged and zoomed
_INK, _POINTS = "#808080", "#0072b2"  # both can be told on white and on black, by the colour-blind too
_CONFIG = {"responsive": True, "displaylogo": False}
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; }
.wide, [data-chart] { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.85rem; margin: 1rem 0; }
th, td { border-bottom: 1px solid #8888; padding: 0.2rem 0.6rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
select { font: inherit; padding: 0.2rem; }
:focus-visible { outline: 3px solid #0072b2; }
@media print { .modebar, .updatemenu-container { display: none; } }
"""


class _Series(NamedTuple):
    """What one choice of the menu shows: a figure of every agent with its interval."""

    title: str
    values: list[float]
    below: list[float]  # half-width of the interval, downwards
    above: list[float]


_SCRIPT = """
const charts = JSON.parse(document.getElementById("charts").textContent);
const choice = document.getElementById("market");
function show() {
  for (const section of document.querySelectorAll("section[data-market]")) {
    section.hidden = section.dataset.market !== choice.value;
    if (section.hidden) continue;
    for (const div of section.querySelectorAll("[data-chart]")) {
      const chart = charts[section.dataset.market][div.dataset.chart];
      Plotly.react(div, chart.data, chart.layout, {responsive: true, displayModeBar: false});
    }
  }
}
choice.addEventListener("change", show);
show();
"""


def page(results: Results, played: Played | None = None) -> str:
    """The league and the scores by market as one chart with a menu, and every number as tables below it.

    Args:
        results: Of a benchmark.
        played: What agents made of the same tapes: charts of each market, which another menu names. Default: none.
    """
    with needed_for("the report"):
        import plotly.graph_objects as go
        from plotly.offline import get_plotlyjs

    agents, every = ranked(results), list(_series(results))
    figure = go.Figure(
        [
            go.Bar(
                x=series.values,
                y=agents,
                orientation="h",
                name=series.title,
                visible=number == 0,
                marker={"color": _POINTS},
                error_x={"type": "data", "array": series.above, "arrayminus": series.below, "color": _INK},
                text=[f"{value:.3f}" for value in series.values],
                textposition="auto",
                hovertemplate="%{y}: %{x:.6f}<extra></extra>",
            )
            for number, series in enumerate(every)
        ]
    )
    buttons = [
        {"label": series.title, "method": "update", "args": [{"visible": [one is series for one in every]}]}
        for series in every
    ]
    figure.update_layout(
        updatemenus=[{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}],
        xaxis={"title": "score: 0 best fixed rule, 1 exact optimum", "range": _SHOWN, "gridcolor": "#8884"},
        yaxis={"autorange": "reversed", "automargin": True},
        font={"color": _INK},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        height=160 + 34 * len(agents),
        margin={"l": 10, "r": 10, "t": 60, "b": 50},
        showlegend=False,
    )
    drawn = figure.to_html(full_html=False, include_plotlyjs=False, div_id="chart", config=_CONFIG)
    title = f"Hedging benchmark {escape(results['suite'])}"
    told = "A bar for each agent, its score in the market that the menu names; the tables below hold the same numbers."
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style>'
        f"<script>{get_plotlyjs()}</script></head>\n<body><h1>{title}</h1>\n"
        f'<div class="wide" role="img" aria-label="{told}">{drawn}</div>\n{"".join(_tables(results))}'
        f"{'' if played is None else _played(played)}"
        f"<p>Checksum of the results: <code>{escape(results['checksum'])}</code></p></body></html>\n"
    )


def _played(played: Played) -> str:
    """A menu of markets, and for each its charts with a table of what they show."""
    drawn = {market: list(figures(totals).items()) for market, totals in played.items()}
    data = {market: [chart for _, chart in charts] for market, charts in drawn.items()}
    options = "".join(f'<option value="{market}">{short(market)}</option>' for market in played)
    sections = []
    for market, totals in played.items():
        charts = "".join(
            f'<h3>{text}</h3><div role="img" aria-label="{text}" data-chart="{number}"></div>'
            for number, (text, _) in enumerate(drawn[market])
        )
        lines = markdown_rows([short(market), *FIGURES], rows(totals))
        sections.append(f'<section data-market="{market}">{charts}{_table(lines)}</section>\n')
    text = json.dumps(data).replace("<", "\\u003c")
    return (
        f"<h2>The best agents on the same {EPISODES:,} tapes</h2>\n"
        "<p>Of each the first training seed; intervals are of 95 %, and the tables hold what the charts show.</p>"
        f'<p><label>Market <select id="market">{options}</select></label></p>\n{"".join(sections)}'
        f'<script type="application/json" id="charts">{text}</script><script>{_SCRIPT}</script>\n'
    )


def _series(results: Results) -> Iterator[_Series]:
    """The league's score, then every market's."""
    agents = ranked(results)
    if results["league"]:
        figures = [results["league"][agent]["iqm"] for agent in agents]
        values = [figure["value"] for figure in figures]
        below, above = ([abs(figure[end] - figure["value"]) for figure in figures] for end in ("low", "high"))
        yield _Series("the suite (IQM)" if results["complete"] else "these markets (IQM)", values, below, above)
    for market in results["markets"]:
        found = [market_figure(results, agent, market) for agent in agents]
        halves = np.nan_to_num([half for _, half in found]).tolist()
        yield _Series(short(market), [value for value, _ in found], halves, halves)


def _tables(results: Results) -> Iterator[str]:
    """The tables of `results.md` as HTML."""
    for block in markdown(results).strip().split("\n\n"):
        yield _table(block.splitlines())


def _table(lines: Sequence[str]) -> str:
    """The lines of a table in Markdown as HTML."""
    found = [[escape(cell.strip()) for cell in line.strip("|").split("|")] for line in lines]
    head, _, *body = found
    cells: list[Any] = [("th", head), *(("td", row) for row in body)]
    made = ["<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in row) + "</tr>" for tag, row in cells]
    return f'<div class="wide" tabindex="0"><table>{"".join(made)}</table></div>\n'
