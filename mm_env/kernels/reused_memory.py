"""ReusedMemory: results that are written over once nobody holds them, instead of made anew.

To make arrays, cut them into rows and put these into named tuples takes longer than the law itself for a few lanes,
and memory that is written again and again stays in the processor's cache.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mm_env.kernels.tracing import Tree

_MOST = 4  # results that are kept: what somebody holds on to beyond these is his


class Result(NamedTuple):
    """What is returned, and the blocks of memory that it is made of."""

    tree: Tree
    blocks: tuple[NDArray[Any], ...]
    parts: list[Any]  # all that holds the memory: a view, of a view too, holds the block that owns it
    holders: int = 0  # how many references there are to the parts if nobody else holds one


class ReusedMemory:
    """Makes results of one kind, or finds one of which nobody holds a part any more, nor a view of a part.

    Args:
        blocks: Shape and dtype of each block.
        build: From the blocks to the tree that is returned, which has views of them.
    """

    def __init__(self, blocks: Sequence[tuple[tuple[int, ...], DTypeLike]], build: Callable[..., Tree]) -> None:
        self._blocks, self._build = blocks, build
        self._kept: deque[Result] = deque()  # that for longest first; none that is being written to

    def take(self) -> Result:
        """A result to write to."""
        for _ in range(len(self._kept)):
            found = self._kept.popleft()
            if _holders(found) == found.holders:
                return found
            self._kept.append(found)
        if len(self._kept) == _MOST:
            self._kept.popleft()
        made = self._made()
        return made._replace(holders=_holders(made))

    def give(self, result: Result) -> Tree:
        """What is returned, once it is written."""
        self._kept.append(result)
        return result.tree

    def _made(self) -> Result:
        blocks = tuple([np.empty(*block) for block in self._blocks])
        tree = self._build(*blocks)
        return Result(tree, blocks, [*{id(part): part for part in (*blocks, *_parts(tree))}.values()])


def _holders(result: Result) -> int:
    """How many references there are to the parts."""
    return sum(map(getrefcount, result.parts))


def _parts(tree: Any) -> Iterator[Any]:
    """The arrays of a tree, and what holds them in it."""
    if isinstance(tree, np.ndarray):
        yield tree
    elif tree and isinstance(tree, tuple | dict):
        yield tree
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from _parts(part)
