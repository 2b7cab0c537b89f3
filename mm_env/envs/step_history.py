"""StepHistory: the steps of episodes under way, kept as they are, and made into `Episodes` when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.episodes import Episodes, Recorder
from mm_env.market.dynamics import Book, Decision, Move, Step
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.params import MarketParams


class _Recorded(NamedTuple):
    """What one lane has been recorded so far, and from where to go on."""

    recorder: Recorder
    steps: int


class StepHistory:
    """Steps of N lanes, whose records hold arrays of N or a divisor of it, or of one environment in plain numbers.

    To keep a step costs nothing beside: what clients who want no picture do at every step, since many ask for a
    `render_mode` unprompted. Only what was not asked for before is written into arrays.
    """

    def __init__(self, params: MarketParams, lanes: int = 1) -> None:
        self._params = params
        self._steps: list[tuple[ExogenousState, Decision, Step, Move]] = []
        self._begun = [0] * lanes  # where each lane's episode begins
        self._recorded: dict[int, _Recorded] = {}

    def begin(self, lanes: NDArray[np.intp]) -> None:
        """Forget the episodes of these lanes: they begin anew. Steps that no lane needs any more are let go."""
        for lane in lanes.tolist():
            self._begun[lane] = len(self._steps)
            self._recorded.pop(lane, None)
        past = min(self._begun)
        if past:
            del self._steps[:past]
            self._begun = [begun - past for begun in self._begun]
            self._recorded = {lane: each._replace(steps=each.steps - past) for lane, each in self._recorded.items()}

    def record(self, state: ExogenousState, decision: Decision, step: Step, move: Move) -> None:
        """Keep one step of every lane."""
        self._steps.append((state, decision, step, move))

    def episodes(self, lane: int = 0) -> Episodes:
        """The episode of one lane so far, as arrays of shape (1, steps)."""
        recorder, done = self._recorded.get(lane) or _Recorded(Recorder(self._params, 1), self._begun[lane])
        for parts in self._steps[done:]:
            recorder.record(*(of_lane(part, lane) for part in parts))
        self._recorded[lane] = _Recorded(recorder, len(self._steps))
        return recorder.episodes()


def of_lane(value: Any, lane: int) -> Any:
    """What a named tuple of arrays holds for one lane; where lanes share a market, arrays hold one entry for each."""
    if isinstance(value, tuple):
        parts: Iterator[Any] = (of_lane(part, lane) for part in value)
        return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)
    return value[lane % len(value)] if isinstance(value, np.ndarray) and value.ndim else value


def text_line(book: Book, trade: int, params: MarketParams) -> str:
    """An episode so far in one line: what `render_mode="ansi"` shows."""
    return (
        f"trade {trade}/{params.num_trades}  mid {book.mid:.2f}  inventory {book.inventory:+.0f}  "
        f"equity {book.equity:+.2f}  hedged {book.cumulative_hedge:.0f}"
    )
