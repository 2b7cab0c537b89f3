"""spread: independent jobs on processes of this machine or on a Ray cluster, with the same results for any of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from mm_env.extras import needed_for
from mm_env.pools.worker_pool import at_once

Job = TypeVar("Job")
Result = TypeVar("Result")

RUNNING, HERE = "auto", "local"  # the cluster that runs on this machine; one that is started for these jobs alone
_PATIENCE = 5.0  # seconds in which an address has to answer
# How often Ray asks whoever does answer, once a second, whether he is a cluster: read when Ray is imported.
_RETRIES, _FEW = "RAY_NUM_REDIS_GET_RETRIES", "5"


def spread(
    function: Callable[[Job], Result], jobs: Iterable[Job], workers: int, ray: str | None = None
) -> Iterator[tuple[Job, Result]]:
    """Every job and what the function makes of it, as they come: `on_cluster` if an address is given, else `at_once`.

    Example:
        >>> list(spread(abs, [-2, 3], workers=1))
        [(-2, 2), (3, 3)]
    """
    return at_once(function, jobs, workers) if ray is None else on_cluster(function, jobs, ray)


def on_cluster(function: Callable[[Job], Result], jobs: Iterable[Job], address: str) -> Iterator[tuple[Job, Result]]:
    """Every job and what the function makes of it, as they come; one whose machine is lost is done again elsewhere.

    Every machine needs this package and what the jobs read, at the same paths.

    Args:
        function: It, the jobs and the results must be what pickle can send.
        jobs: All are sent at once; Ray gives a job to each core that is free.
        address: "HOST:PORT" of a cluster, "ray://HOST:PORT" of its client server, "auto" for the cluster that runs on
            this machine, or "local" for one that is started for these jobs.

    Raises:
        MissingExtraError: Ray is not installed.
        ValueError: No cluster answers there.
    """
    os.environ.setdefault(_RETRIES, _FEW)
    with needed_for("jobs on a cluster", extra="ray"):
        import ray
    with _connection(ray, address):
        remote = ray.remote(max_retries=-1)(_there)
        sent, here = ray.put(function), os.getcwd()
        running = {remote.remote(sent, here, job): job for job in jobs}
        while running:
            (ended,), _ = ray.wait(list(running), num_returns=1)
            yield running.pop(ended), _outcome(ray, ended)


def _there(function: Callable[[Any], Any], folder: str, job: Any) -> Any:
    """On some machine of the cluster: do a job, in the folder of whoever asked for it."""
    os.chdir(folder)
    return function(job)


def _outcome(ray: Any, ended: Any) -> Any:
    """The result of a job; its error as it was raised, without the traces of the cluster."""
    try:
        return ray.get(ended)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error


def _connection(ray: Any, address: str) -> AbstractContextManager[Any]:
    if ray.is_initialized():
        return nullcontext()
    if address not in (RUNNING, HERE):
        _check_answers(address)
    try:
        connected: AbstractContextManager[Any] = ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError) as error:
        raise ValueError(f"no Ray cluster can be joined at {address!r}: {error}") from error
    return connected


def _check_answers(address: str) -> None:
    """Raise `ValueError` unless somebody listens there: Ray itself would go on asking."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise ValueError(f"a Ray cluster is HOST:PORT, ray://HOST:PORT, {RUNNING} or {HERE}, got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise ValueError(f"no Ray cluster answers at {address}: {error}") from error
