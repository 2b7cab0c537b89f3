"""A page for every market of `MARKETS`, written when the site is built: nothing in it is listed by hand."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from baselines import solve
from baselines.benchmark.results import market_figure, read
from baselines.solver.summary import benchmarks
from mm_env import MARKETS, market_params, observation_names
from mm_env.cli.outputs import draw_episodes, draw_policies
from mm_env.cli.tables import print_solution
from mm_env.envs.action import action_space
from mm_env.intervals import plus_minus
from mm_env.market.params import MarketParams
from mm_env.market.validation import written
from mm_env.readable import markdown_rows

RESULTS = Path(__file__).parents[1] / "results" / "v1" / "results.json"
FIGURES = {"optimal": "When the optimum hedges", "optimal-quotes": "What the optimum quotes"}
PAGE = """# {name}

*{summary}*

{why}

```python
import gymnasium as gym
import mm_env

env = gym.make("{market}")
```

The agent sees {seen}. Its action is `{action}`.

## What differs from the defaults

{parameters}

## The optimum and fixed rules

{rules}

These tables are those of `mm-env solve --market {market}`: every value is computed by dynamic programming, and none is
simulated.

{scores}
## What the optimum does

{figures}

These charts are those of `mm-env solve --market {market} --out out/solve`.

An episode that it plays, the first of seed 0 that shows most
(`mm-env simulate --market {market} --policy optimal --animate {name}.gif`):

![An episode of the optimum in {name}, trade by trade]({name}/episode.gif)

Played against the market's own rule: `mm-env compare --market {market} --policy threshold --policy optimal`.
"""
SCORES = """## Rules and agents

From the [benchmark's results](../benchmark.md), which `mm-env benchmark --verify results/v1/results.json` recomputes.
The score is 0 for the best fixed rule and 1 for the optimum; ± is a 95 % interval, over training seeds or the
episodes played; what has none is exact.

{table}
"""
INDEX = """# The markets that ship

Each is one set of parameters of [one law](../guide/law.md), chosen so that something else is hard in it. What
PPO learns in them stands on [a page of its own](../markets.md).

{markets}

```{{toctree}}
:hidden:

{names}
parameters
```
"""
PARAMETERS = """# All parameters

Each is a keyword argument of `gym.make` and of `mm_env.market_params`, and can be changed in every market. The
same table is printed by `mm-env markets --params`.

{table}
"""


def write(folder: Path) -> None:
    """Write the page of every market, a page of all parameters, and an index of them."""
    folder.mkdir(exist_ok=True)
    names = [market.partition("/")[2] for market in MARKETS]
    for market, name in zip(MARKETS, names, strict=True):
        _write(folder / f"{name}.md", _page(market, name, folder))
    fields = [[f"`{field}`", f"`{default}`", _meaning(*told)] for field, default, *told in MarketParams.describe()]
    _write(folder / "parameters.md", PARAMETERS.format(table=_table(["field", "default", "meaning"], fields)))
    rows = [[f"[{name}]({name}.md)", MARKETS[market].summary] for market, name in zip(MARKETS, names, strict=True)]
    _write(folder / "index.md", INDEX.format(markets=_table(["id", "what is hard"], rows), names="\n".join(names)))


def _page(market: str, name: str, folder: Path) -> str:
    entry, params = MARKETS[market], market_params(market)
    solution = solve(params)
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(io.StringIO()):
        print_solution(solution, benchmarks(solution), "")
        draw_policies(folder / name, "optimal", {"optimal": solution.policy}, params)
        paths = {"optimal": folder / name / "episode.gif"}
        draw_episodes(paths, {"optimal": solution.policy}, params, market, 0, None)
    drawn = sorted((folder / name).glob("*.png"), key=lambda path: path.stem)
    return PAGE.format(
        name=name,
        market=market,
        summary=entry.summary[0].upper() + entry.summary[1:] + ".",
        why=entry.why,
        seen=", ".join(f"`{column}`" for column in observation_names(params)),
        action=action_space(params),
        parameters=_differences(params, list(entry.changes)),
        rules="\n".join(line.strip() for line in printed.getvalue().splitlines()),
        scores=_scores(market),
        figures="\n\n".join(f"![{FIGURES[path.stem]} in {name}]({name}/{path.name})" for path in drawn),
    )


def _scores(market: str) -> str:
    """Every rule and agent of the benchmark in this market, the best first; nothing where it is not part of it."""
    results = read(RESULTS)
    if market not in results["markets"]:
        return ""
    scale = results["markets"][market]["scale"]
    gap = scale["optimum"] - scale["rule"]
    found = {agent: market_figure(results, agent, market) for agent in results["agents"]}
    rows = [
        [f"`{agent}`", _figure(scale["rule"] + gap * score, gap * half, 4), _figure(score, half, 3)]
        for agent, (score, half) in sorted(found.items(), key=lambda item: -item[1][0])
    ]
    return SCORES.format(table=_table(["policy", "J, price units", "score"], rows))


def _figure(value: float, half: float, digits: int) -> str:
    return plus_minus(value, half) if half else f"{round(value, digits) + 0.0:.{digits}f}"


def _differences(params: MarketParams, names: Sequence[str]) -> str:
    if not names:
        return "Nothing: these are the defaults, which stand among [all parameters](parameters.md)."
    described = [row for row in MarketParams.describe() if row[0] in names]
    rows = [
        [f"`{field}`", f"`{written(getattr(params, field))}`", f"`{default}`", _meaning(*told)]
        for field, default, *told in described
    ]
    return _table(["field", "here", "default", "meaning"], rows)


def _meaning(unit: str, allowed: str, meaning: str) -> str:
    return f"{meaning} ({unit}; {allowed})"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(markdown_rows(header, [[cell.replace("|", r"\|") for cell in row] for row in rows]))


def _write(path: Path, text: str) -> None:
    """Write a page only if it has changed, so that Sphinx reads only such pages again."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
