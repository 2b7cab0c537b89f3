"""uninterrupted: Ctrl-C waits while what cannot bear it is under way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let an interrupt (SIGINT) wait until the block is done, then have its usual effect.

    PyTorch writes a model through Python's zip files; an exception between the two may end the process.
    """
    former = signal.getsignal(signal.SIGINT)
    if former is None or threading.current_thread() is not threading.main_thread():
        yield  # signals are not Python's to handle, or are another thread's
        return
    waiting: list[int] = []

    def wait(number: int, _frame: FrameType | None) -> None:
        waiting.append(number)

    signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
        if waiting:
            signal.raise_signal(signal.SIGINT)
