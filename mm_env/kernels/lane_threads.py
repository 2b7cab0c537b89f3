"""LaneThreads: the threads among which lanes are divided."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

LEAST = 16_384  # lanes of a thread in a step: handing fewer over costs more than it saves
_LINE = 64  # lanes whose numbers fill whole lines of the cache


class LaneThreads:
    """Does the work of all lanes, each thread that of neighbours: what every lane gets does not depend on how many.

    Args:
        threads: The most to use.
        lanes: How many there are.
    """

    def __init__(self, threads: int, lanes: int) -> None:
        self._threads, self._lanes = threads, lanes
        self._pool: ThreadPoolExecutor | None = None
        self._process = os.getpid()

    def __reduce__(self) -> Any:
        return LaneThreads, (self._threads, self._lanes)  # threads cannot be copied

    def number(self, least: int = LEAST) -> int:
        """How many threads have work, if each has at least so many lanes."""
        return max(1, min(self._threads, self._lanes // least))

    def __call__(self, work: Callable[[int, int], None], least: int = LEAST) -> None:
        """Call `work(start, stop)` for the lanes of every thread, and return when all of it is done."""
        parts = self.number(least)
        edges = [self._lanes * part // parts // _LINE * _LINE for part in range(parts)]
        own, *others = pairwise((*edges, self._lanes))
        running = [self._others().submit(work, *part) for part in others]
        work(*own)
        for each in running:
            each.result()

    def _others(self) -> ThreadPoolExecutor:
        """The threads beside the one that asks; a process that was forked has none of its parent's."""
        if self._pool is None or self._process != os.getpid():
            self._pool, self._process = ThreadPoolExecutor(self._threads - 1), os.getpid()
        return self._pool
