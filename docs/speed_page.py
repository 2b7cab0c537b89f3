"""How a step becomes machine code, shown on one market: `python docs/speed_page.py` writes speed.md beside this file.

Nothing on the page is written by hand but its sentences: the lines of the law, what tracing makes of each, and the
loop are what `HedgingVectorEnv(compiled=True)` runs.
"""

from __future__ import annotations

import inspect
import linecache
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mm_env import market_params
from mm_env.atomic_write import write_text
from mm_env.envs.arguments import checked_reward
from mm_env.kernels.tracing import Program, Traced, TraceOps, Tree, kind_of, leaves, like
from mm_env.kernels.vector_kernel import groups_of, loop_bodies
from mm_env.market import dynamics
from mm_env.market.dynamics import Book, Decision, Move, Request

MARKET = "mm_env/Hedging-v0"
LAW = Path(dynamics.__file__)

PAGE = """# From a step to machine code

Written by `python docs/speed_page.py` for `{market}`; a test holds it to what the package runs.

**1. The step.** `HedgingVectorEnv.step` decodes the actions, hands book, request, decision and move to
`dynamics.rewarded_step`, and looks at what is to be seen next. With `compiled=True` it calls a `VectorKernel` made of
that very function: `mm_env/kernels/vector_kernel.py` holds no equation of its own.

**2. The trace.** The kernel calls the law once with numbers that are not there yet (`tracing.py`). Each operation on
them writes a line down. A condition on a parameter is decided then, so that what a market does not have costs nothing.
On the left the law as it stands in `mm_env/market/dynamics.py`, on the right what its lines wrote for this market:

{trace}

Here x0, x1, ... are numbers that a step reads; those of a lane each are arrays:

{arguments}

**3. The loop.** The results are rows of arrays. The {rows} of the law, alone as it runs on recorded tapes and
where lanes are apart, are cut into {loops} loops of at most seven, each made of the lines that its rows need:
loops that write few contiguous rows LLVM turns into instructions that serve several lanes at once. They take
turns, 8,192 lanes each: what the first has read is near when the next reads it. The first of them, which writes
{first}:

```python
{loop}
```

**4. The machine code.** `numba.njit` compiles the loops for the kinds of arguments of the first call, and
`machine_code_cache.py` keeps the result on disk for other processes, under a digest of the loops' text, the versions
and the processor. In that text a market's own numbers, such as the 20.0 above, are arguments (`lifted`), so that
markets which differ by numbers alone share machine code. `where`, `maximum` and `minimum` are those of `scalar_ops.py`.
No operation is reordered or fused, so that every number has the bits of NumPy's, whatever the processor: `python -m
benchmarks.bits`. The rows and the named tuples made of
them are made once: a later step writes over them if nobody holds a part any more, or a view of a part
(`reused_memory.py`), else it makes others. What a caller is handed are views of his own.

**5. The market.** What clients ask for and how the price moves goes the same way: `flow` in `mm_env/market/flow.py` is
traced as one step (`one_step.py`), from the random numbers that `random_numbers.py` draws for whole episodes ahead, to
request, price move and what is remembered for the next step. While all lanes are together, the loops that run are those
of one traced function of a whole step (`mm_env/envs/cursors/flow_cursor.py`): flow, law, the flow of the next step, and
what is observed there. Request and move are then written to memory only if somebody asks for them. For whole episodes
at once NumPy runs the same text (`whole_episodes.py`): tapes, single environments, and all where Numba is missing.
Scores of many episodes take flow, decision, law and sums as one traced step (`baselines/evaluation/scoring.py`), which
an `EpisodeKernel` runs over 160 episodes abreast: of the steps nothing is written to memory.

The single environment runs the same lines as plain Python (`ScalarKernel`). Made with `compiled=False` either
environment runs the law as it stands, and a debugger steps into it.
"""


class Written(dict[str, str]):
    """The lines of a trace, and where in the law each was written."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, int] = {}  # from the name of a value to the line of `dynamics.py` that made it

    def setdefault(self, expression: str, name: str) -> str:  # type: ignore[override]
        """The name of the value; remembers who asked first."""
        if expression not in self:
            frame = sys._getframe(1)
            while Path(frame.f_code.co_filename) != LAW:
                frame = frame.f_back  # type: ignore[assignment]
            self.places[name] = frame.f_lineno
        return super().setdefault(expression, name)


def example() -> tuple[Book, Request, Decision, Move]:
    """What the lanes of the market pass to the law: an array where each has its own number."""
    lanes = np.zeros(2)
    return Book(*[lanes] * 6), Request(lanes, lanes), Decision(0.05, lanes, None), Move(lanes, 0.0, False, 0.01, 0.1)


def traced() -> tuple[Program, Written]:
    """The program of the market's law, and where its lines come from."""
    params = market_params(MARKET)
    law = partial(dynamics.rewarded_step, reward=checked_reward("realised", None, params), params=params, xp=TraceOps())
    lines = Written()
    numbers = (
        None if number is None else Traced(_text(place, number), lines, kind_of(number))
        for place, number in enumerate(leaves(example()))
    )
    result = law(*like(example(), numbers))
    return Program([f"{name} = {expression}" for expression, name in lines.items()], result), lines


def page() -> str:
    """The page, in Markdown."""
    program, written = traced()
    paths: dict[int, list[str]] = {}  # the same number may stand in several places
    for number, path in zip(leaves(program.result), _paths(program.result, ("step", "reward")), strict=True):
        paths.setdefault(str(number), []).append(path)
    numbers = [str(number) for group in groups_of(program.result) for number in group.numbers]
    outputs = [(paths[number].pop(0), number) for number in numbers]
    bodies = list(loop_bodies(program.lines, outputs))
    names = _paths(example(), ("book", "request", "decision", "move"))
    arguments = [f"| `x{place}` | `{names[place]}` |" for place in program.used]
    return PAGE.format(
        market=MARKET,
        trace="\n".join(["| the law | traced |", "| --- | --- |", *_rows(program, written)]),
        arguments="\n".join(["| number | of |", "| --- | --- |", *arguments]),
        rows=len(outputs),
        loops=len(bodies),
        first=", ".join(f"`{name}`" for name in bodies[0][0]),
        loop="\n".join(bodies[0][1]),
    )


def _rows(program: Program, written: Written) -> list[str]:
    """A row for each line of the law that wrote any."""
    by_place: dict[int, list[str]] = {}
    for line in program.lines:
        by_place.setdefault(written.places[line.partition(" = ")[0]], []).append(f"`{line}`")
    functions = {place: _function_at(place) for place in by_place}
    return [
        f"| *{functions[place]}*: `{linecache.getline(str(LAW), place).strip()}` | {'<br>'.join(lines)} |".replace(
            "|=", "&#124;="
        )
        for place, lines in by_place.items()
    ]


def _function_at(place: int) -> str:
    """The function of the law that a line belongs to."""
    for name, function in inspect.getmembers(dynamics, inspect.isfunction):
        if function.__module__ == dynamics.__name__:
            text, start = inspect.getsourcelines(function)
            if start <= place < start + len(text):
                return name
    raise ValueError(f"no function at line {place} of {LAW}")


def _text(place: int, number: Any) -> str:
    return f"x{place}[i]" if isinstance(number, np.ndarray) else f"x{place}"


def _paths(trees: Tree, names: tuple[str, ...]) -> list[str]:
    """Where each number of some trees is found."""
    found = []
    for name, tree in zip(names, trees, strict=True):
        if isinstance(tree, tuple):
            fields = getattr(tree, "_fields", tuple(map(str, range(len(tree)))))
            found += _paths(tree, tuple(f"{name}.{field}" for field in fields))
        else:
            found.append(name)
    return found


if __name__ == "__main__":
    write_text(Path(__file__).parent / "speed.md", page())
