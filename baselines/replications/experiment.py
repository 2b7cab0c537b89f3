"""Experiment: what has been published, and the parts that play it again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from baselines.evaluation.scores import Estimate
from baselines.reference_check import ReferenceCheck

Part = Callable[[int, int], list[ReferenceCheck]]  # from episodes and seed


class Experiment(NamedTuple):
    """One published experiment."""

    title: str
    source: str
    setting: str  # how the law plays it
    parts: Sequence[Part]


def sampled(name: str, reference: float, ours: Estimate, sample: int) -> ReferenceCheck:
    """A figure whose reference is that of a sample of so many: its standard error by the spread of ours."""
    error = ours.standard_error
    return ReferenceCheck(name, reference, ours.value, error, error * math.sqrt(len(ours.influence) / sample))
