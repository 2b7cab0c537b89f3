"""at_once and in_order: independent jobs on several processes, with the same results for any number of them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import lru_cache
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any, TypeVar

from mm_env.market.validation import check_whole

Job = TypeVar("Job")
Result = TypeVar("Result")

_WAITING = 2  # jobs begun for each worker: one under way, one for when it is done

_function = b""  # in a worker: what it computes, pickled


def at_once(function: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[tuple[Job, Result]]:
    """Every job and what the function makes of it, as they come; what is left is cancelled when one fails.

    Workers are fresh processes, which import anew: about a second each. They end with the process that started them,
    however that ends.

    Args:
        function: With several workers it, the jobs and the results must be what pickle can send, and a script that
            calls this must do so below `if __name__ == "__main__":`, as it is imported by each worker.
        jobs: Read as workers are free for them.
        workers: Processes. One: this one, and the jobs in turn.

    Raises:
        ValueError: A bad number of workers, or a function that cannot be sent to them.

    Example:
        >>> list(at_once(abs, [-2, 3], workers=1))
        [(-2, 2), (3, 3)]
    """
    return ((job, result) for _, job, result in _ended(function, jobs, workers))


def in_order(function: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[Result]:
    """What the function makes of each job, as `at_once`, in the order of the jobs.

    Example:
        >>> list(in_order(abs, [-2, 3], workers=1))
        [2, 3]
    """
    early: dict[int, Result] = {}
    following = 0
    for place, _, result in _ended(function, jobs, workers):
        early[place] = result
        while following in early:
            yield early.pop(following)
            following += 1


def _ended(function: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[tuple[int, Job, Result]]:
    """The jobs with their places and results, as they end."""
    if check_whole("workers", workers, 1) == 1:
        return ((place, job, function(job)) for place, job in enumerate(jobs))
    return _on_processes(_sent(function), enumerate(jobs), workers)


def _on_processes(function: bytes, jobs: Iterator[tuple[int, Job]], workers: int) -> Iterator[tuple[int, Job, Any]]:
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (function,)) as pool:
        running: dict[Future[Any], tuple[int, Job]] = {}
        try:
            while True:
                for place, job in _first(jobs, _WAITING * workers - len(running)):
                    running[pool.submit(_work, job)] = place, job
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield (*running.pop(future), future.result())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _first(jobs: Iterator[Job], number: int) -> Iterator[Job]:
    return (job for _, job in zip(range(number), jobs, strict=False))


def _sent(function: Callable[..., Any]) -> bytes:
    try:
        return pickle.dumps(function)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(f"several workers need what pickle can send, as functions of a module are: {error}") from error


def _begin(function: bytes) -> None:
    """Let a worker end when the process that started it does, and know what it has to compute."""
    global _function
    _function = function
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _work(job: Any) -> Any:
    return _received(_function)(job)


@lru_cache(maxsize=1)
def _received(function: bytes) -> Callable[[Any], Any]:
    received: Callable[[Any], Any] = pickle.loads(function)
    return received
