"""EpisodeKernel: a function of one step, traced and run over whole episodes as one piece of machine code.

Episodes are run one after another, so that what a step hands on to the next stays in the processor's registers, and
their length does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from inspect import getsource
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.kernels import scalar_ops
from mm_env.kernels.machine_code_cache import kept
from mm_env.kernels.tracing import SCALAR_OPS, Tree, defined, leaves, trace, written
from mm_env.market.numbers import Values

_ABREAST = 2  # episodes run at once: while one waits for a number, the other goes on


class Table:
    """Numbers that a step looks up by a number of its own: of shape (n,), or (steps, n) with a row for each step."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = np.ascontiguousarray(values)


def look_up(table: Any, index: Any) -> Any:
    """The number of a traced `Table` that a traced whole number picks."""
    return written("{0}[place({1})]", table, index)


class EpisodeKernel:
    """A pure function of one step, run over all steps of many episodes. Needs Numba.

    Args:
        function: From the memory, the sums and what a step is given, to the memory and the sums after it: trees of
            numbers; its elementary functions come from `TraceOps`.
    """

    def __init__(self, function: Callable[[Tree, Tree, Tree], tuple[Tree, Tree]]) -> None:
        self._function = function
        self._compiled: dict[Any, tuple[Callable[..., None], list[int]]] = {}

    def __call__(self, out: Values, episodes: slice, memory: Tree, sums: Tree, given: Tree, steps: int) -> None:
        """Write the sums after the last step of each episode.

        Args:
            out: Where to, shape (sums, all episodes).
            episodes: Which of them these are, as many as `given` holds, or the first of those.
            memory: What the first step of every episode finds, plain floats.
            sums: What it adds to, plain floats.
            given: What the steps are given: arrays of shape (steps, episodes), or (steps,) where all episodes are
                given the same, tables, and numbers that never change.
            steps: Of each episode.
        """
        carried = [*leaves((memory, sums))]
        numbers = [*carried, *leaves(given)]
        abreast = min(_ABREAST, episodes.stop - episodes.start)
        kinds = abreast, *(None if number is None else _step_of(number) for number in numbers)
        if kinds not in self._compiled:
            self._compiled[kinds] = self._compile(memory, sums, given, abreast)
        run, used = self._compiled[kinds]
        run(
            out,
            episodes.start,
            episodes.stop,
            steps,
            *carried,
            *[getattr(numbers[place], "values", numbers[place]) for place in used],
        )

    def _compile(self, memory: Tree, sums: Tree, given: Tree, abreast: int) -> tuple[Callable[..., None], list[int]]:
        first, number = len([*leaves(memory)]), len([*leaves((memory, sums))])

        def text(place: int, value: Any) -> str:
            return f"c{place}" if place < number else f"x{place}{_step_of(value)}"

        program = trace(self._function, (memory, sums, given), text)
        names = tuple(f"x{place}" for place in program.used)
        results = tuple(map(str, leaves(program.result)))
        return episode_loop(names, tuple(program.lines), results, first, abreast), program.used


def _step_of(number: Any) -> str:
    """What picks a step's share of what all steps are given."""
    if isinstance(number, Table):
        return "[t]" if number.values.ndim == 2 else ""
    return "[t, i]" if np.ndim(number) == 2 else "[t]" if np.ndim(number) == 1 else ""


@lru_cache(maxsize=256)
def episode_loop(
    arguments: tuple[str, ...], lines: tuple[str, ...], results: tuple[str, ...], first: int, abreast: int
) -> Callable[..., None]:
    """The machine code of a program of `lines`; markets whose programs read alike share it.

    Args:
        arguments: The names of what it reads.
        lines: The program.
        results: The numbers that a step hands on.
        first: How many of them are memory; the others are written to the rows of the first argument.
        abreast: How many episodes are run at once.
    """
    from numba import njit

    def place(number: Any) -> Any:
        """A place in a row: without a sign, so that none is counted from its end."""
        return np.uint64(np.int64(number))

    elementary = {"place": njit(place)} | {name: njit(function) for name, function in SCALAR_OPS.items()}
    carried = ", ".join(f"c{place}" for place, _ in enumerate(results))
    starts = ", ".join(f"s{place}" for place, _ in enumerate(results))
    writes = [f"out[{row}, start + i] = c{place}" for row, place in enumerate(range(first, len(results)))]
    body = [
        f"for j in range(0, stop - start, {abreast}):",
        *[f"    {line}" for line in _abreast(abreast, "i = min(j + {0}, stop - start - 1)", f"{carried} = {starts}")],
        "    for t in range(steps):",
        *[f"        {line}" for line in _abreast(abreast, *lines, f"{carried} = {', '.join(results)}")],
        *[f"    {line}" for line in _abreast(abreast, *writes)],
    ]
    program = repr((arguments, lines, results, first, abreast))
    name = f"episodes_{sha256(program.encode()).hexdigest()[:16]}"
    loop = defined(f"{name}({', '.join(['out', 'start', 'stop', 'steps', starts, *arguments])})", body, elementary)
    compiled: Callable[..., None] = njit(loop, error_model="numpy")
    return kept(compiled, name + "".join(map(getsource, (import_module(__name__), scalar_ops))))


def _abreast(abreast: int, *lines: str) -> Iterator[str]:
    """The lines once for each of the episodes that are run at once, the names of their numbers apart."""
    for place in range(abreast):
        for line in lines:
            yield re.sub(r"\b([tc]\d+|i)\b", rf"\1_{place}", line).replace("{0}", str(place))
