"""EpisodeKernel: a function of one step, traced and run over whole episodes as one piece of machine code.

Many episodes are run abreast. What a step hands on to the next is in the rows of one small array, each at a fixed
place: then LLVM knows that what a loop over the episodes writes is apart from what it reads, and turns it into
instructions that serve several episodes at once. A few are run one after another: what is handed on stays in registers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from inspect import getsource
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.kernels import scalar_ops
from mm_env.kernels.machine_code_cache import kept
from mm_env.kernels.tracing import FLAG, REAL, WHOLE, Tree, defined, kind_of, leaves, lifted, needed, trace, written
from mm_env.kernels.vector_kernel import WITHIN, elementary
from mm_env.market.numbers import Values

_ABREAST = 160  # episodes at once: their rows fit the processor's first cache
_FEW = 8  # so many are run one after another
_PLACE = "place({0})"
_READ = {FLAG: "{} != 0.0", WHOLE: "np.int32({})", REAL: "{}"}  # numbers of every kind are handed on as real ones

# What picks a step's share of a number that never changes, of one for each step, and of one for each step and episode:
_ALONE = "", "[t]", "[t, i]"
_TOGETHER = "", "[t]", "[t, start:stop]"  # of which an episode's is
_OF_SHARE = "", "", "[i]"


class Table:
    """Numbers that a step looks up by a number of its own: of shape (n,), or (steps, n) with a row for each step."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = np.ascontiguousarray(values, np.float64)


def look_up(table: Any, index: Any) -> Any:
    """The number of a traced `Table` that a traced whole number picks."""
    return written(f"{{0}}[{_PLACE.format('{1}')}]", table, index)


class EpisodeProgram(NamedTuple):
    """What a step computes: number n of what it hands on is named cn, of what it is given xn, of its constants kn."""

    lines: tuple[str, ...]
    handed_on: tuple[str, ...]  # the names of the numbers that it hands on,
    kinds: tuple[int, ...]  # what they are,
    results: tuple[str, ...]  # and what becomes of them
    sums: tuple[int, ...]  # which of these each sum is
    given: tuple[tuple[str, int], ...] = ()  # the name of what it reads, and for what there is one: see `_ALONE`
    constants: int = 0


class EpisodeKernel:
    """A pure function of one step, run over all steps of many episodes. Needs Numba.

    Args:
        function: From the memory, the sums and what a step is given, to the memory and the sums after it: trees of
            numbers; its elementary functions come from `TraceOps`.
    """

    def __init__(self, function: Callable[[Tree, Tree, Tree], tuple[Tree, Tree]]) -> None:
        self._function = function
        self._compiled: dict[Any, tuple[Callable[..., None], EpisodeProgram, Values]] = {}
        self._few: bool | None = None  # whatever comes first decides: what is left over is not worth compiling for

    def __call__(self, out: Values, memory: Tree, sums: Tree, given: Tree, steps: int) -> None:
        """Write the sums after the last step of each episode.

        Args:
            out: Where to, shape (sums, episodes).
            memory: What the first step of every episode finds, plain numbers.
            sums: What it adds to, plain floats.
            given: What the steps are given: arrays of shape (steps, episodes), or (steps,) where all episodes are
                given the same, tables, and numbers that never change.
            steps: Of each episode.
        """
        numbers = [*leaves((memory, sums, given))]
        if self._few is None:
            self._few = out.shape[1] <= _FEW
        kinds = tuple(None if number is None else _varies(number) for number in numbers)
        if kinds not in self._compiled:
            self._compiled[kinds] = self._compile(memory, sums, given, self._few)
        run, program, constants = self._compiled[kinds]
        starts = np.array([numbers[_number(name)] for name in program.handed_on], np.float64)
        read = [numbers[_number(name)] for name, _ in program.given]
        read = [getattr(number, "values", number) for number in read]
        run(out, np.array(program.sums), starts, steps, constants, *read)

    def _compile(
        self, memory: Tree, sums: Tree, given: Tree, few: bool
    ) -> tuple[Callable[..., None], EpisodeProgram, Values]:
        starts = [*leaves((memory, sums))]

        def text(place: int, value: Any) -> str:
            return f"c{place}" if place < len(starts) else f"x{place}{(_ALONE if few else _OF_SHARE)[_varies(value)]}"

        traced = trace(self._function, (memory, sums, given), text)
        found = lean(traced.lines, [*map(str, leaves(traced.result))], starts, len([*leaves(memory)]))
        numbers = [*starts, *leaves(given)]
        read = sorted(_names("x", (*found.lines, *found.results)), key=_number)
        lines, results, constants = lifted(found.lines, found.results)
        program = found._replace(
            lines=tuple(lines),
            results=tuple(results),
            given=tuple((name, _varies(numbers[_number(name)])) for name in read),
            constants=len(constants),
        )
        return episode_loop(program, few), program, np.array([*map(float, constants)])


def _varies(number: Any) -> int:
    """For what there is one of a number: see `_ALONE`."""
    return number.values.ndim - 1 if isinstance(number, Table) else np.ndim(number)


def lean(lines: Sequence[str], results: Sequence[str], starts: Sequence[float], memory: int) -> EpisodeProgram:
    """The program without what no sum is made of, and with numbers that are always the same handed on once.

    Args:
        lines: The program as traced.
        results: What it hands on.
        starts: What stands for it at the first step.
        memory: How many of these are memory; the others are sums.
    """
    first: dict[tuple[str, str], int] = {}
    twin = [first.setdefault(alike, place) for place, alike in enumerate(zip(results, map(repr, starts), strict=True))]

    def renamed(text: str) -> str:
        return re.sub(r"\bc(\d+)\b", lambda found: f"c{twin[int(found[1])]}", text)

    lines, results = [*map(renamed, lines)], [*map(renamed, results)]
    matter = {f"c{place}" for place in twin[memory:]}
    known: set[str] = set()
    while matter != known:
        known = set(matter)
        ends = [results[_number(name)] for name in known]
        matter |= _names("c", (*needed(lines, ends), *ends))
    names = sorted(matter, key=_number)
    ends = [results[_number(name)] for name in names]
    sums = tuple(names.index(f"c{place}") for place in twin[memory:])
    kinds = tuple(kind_of(starts[_number(name)]) for name in names)
    return EpisodeProgram(tuple(needed(lines, ends)), tuple(names), kinds, tuple(ends), sums)


@lru_cache(maxsize=256)
def episode_loop(program: EpisodeProgram, few: bool) -> Callable[..., None]:
    """The machine code of a program, for a few episodes or for many; markets whose programs read alike share it."""
    from numba import njit

    def place(number: Any) -> Any:
        """A place in a row: without a sign, so that none is counted from its end."""
        return np.uint64(np.int64(number))

    scope = {"place": njit(place, **WITHIN), "np": np} | elementary()
    name = f"episodes_{sha256(repr((program, few)).encode()).hexdigest()[:16]}"
    if few:
        body = _one_by_one(program)
    else:
        places = _places(program)
        names = ["rows", "episodes", *_constants(program), *(name for name, _ in program.given)]
        fixed = {f"{name}_row": np.uint64(row * _ABREAST) for row, name in enumerate(places)}
        step = defined(f"{name}_step({', '.join(names)})", _step_abreast(program, places), scope | fixed)
        scope["step"] = njit(step, error_model="numpy", **WITHIN)
        body = _abreast(program, len(places))
    arguments = ["out", "sums", "starts", "steps", "constants", *(name for name, _ in program.given)]
    body = [*(f"{name} = constants[{place}]" for place, name in enumerate(_constants(program))), *body]
    compiled: Callable[..., None] = njit(defined(f"{name}({', '.join(arguments)})", body, scope), error_model="numpy")
    return kept(compiled, name + "".join(map(getsource, (import_module(__name__), scalar_ops))))


def _one_by_one(program: EpisodeProgram) -> list[str]:
    """The loop over episodes, and in it the one over steps."""
    return [
        "for i in range(out.shape[1]):",
        *[
            f"    {name} = {_READ[program.kinds[row]].format(f'starts[{row}]')}"
            for row, name in enumerate(program.handed_on)
        ],
        "    for t in range(steps):",
        *[f"        {line}" for line in program.lines],
        f"        {', '.join(program.handed_on)} = {', '.join(program.results)}",
        *[f"    out[{row}, i] = {program.handed_on[place]}" for row, place in enumerate(program.sums)],
    ]


def _abreast(program: EpisodeProgram, rows: int) -> list[str]:
    """The loop over steps, which calls the one over episodes."""
    shares = [f"{name}{_TOGETHER[varies]}" for name, varies in program.given]
    return [
        f"rows = np.empty(({rows}, {_ABREAST}))",
        f"for start in range(0, out.shape[1], {_ABREAST}):",
        f"    stop = min(start + {_ABREAST}, out.shape[1])",
        "    for row in range(len(starts)):",
        "        rows[row] = starts[row]",
        "    for t in range(steps):",
        f"        step(rows.ravel(), stop - start, {', '.join([*_constants(program), *shares])})",
        "    for row in range(len(sums)):",
        "        out[row, start:stop] = rows[sums[row], : stop - start]",
    ]


def _places(program: EpisodeProgram) -> list[str]:
    """The names of the numbers in the rows: what is handed on, and what is looked up for the other lines."""
    looked_up, others = _parted(program)
    read = _names("t", (*others, *program.results))
    return [*program.handed_on, *(name for name in looked_up if name in read)]


def _parted(program: EpisodeProgram) -> tuple[list[str], list[str]]:
    """The names of all that is looked up, and the lines that are needed beside it."""
    mark = _PLACE.partition("{")[0]
    looked_up = {line.partition(" = ")[0]: line for line in program.lines if mark in line}
    return [*looked_up], needed([line for line in program.lines if mark not in line], program.results)


def _step_abreast(program: EpisodeProgram, places: Sequence[str]) -> list[str]:
    """The loops of one step over the episodes: looking things up serves one at a time, and has a loop of its own."""
    looked_up = places[len(program.handed_on) :]
    found = {name: name for name in looked_up}
    after = dict(zip(program.handed_on, program.results, strict=True))
    _, others = _parted(program)
    kinds = dict(zip(program.handed_on, program.kinds, strict=True))
    return [*_loop(needed(program.lines, looked_up), found, (), kinds), *_loop(others, after, looked_up, kinds)]


def _loop(
    lines: Sequence[str], results: Mapping[str, str], looked_up: Iterable[str], kinds: Mapping[str, int]
) -> list[str]:
    """A loop over episodes that writes results into the rows of these names."""
    if not results:
        return []
    read = sorted({*_names("c", (*lines, *results.values())), *looked_up})
    return [
        "for episode in range(episodes):",
        "    i = np.uint64(episode)",
        *[f"    {name} = {_READ[kinds.get(name, REAL)].format(f'rows[{name}_row + i]')}" for name in read],
        *[f"    {line}" for line in lines],
        *[f"    rows[{name}_row + i] = {result}" for name, result in results.items()],
    ]


def _constants(program: EpisodeProgram) -> list[str]:
    return [f"k{place}" for place in range(program.constants)]


def _names(letter: str, texts: Iterable[str]) -> set[str]:
    """The names that begin with a letter in some texts."""
    return set(re.findall(rf"\b{letter}\d+\b", " ".join(texts)))


def _number(name: str) -> int:
    return int(name[1:])
