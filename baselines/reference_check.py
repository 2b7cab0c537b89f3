"""ReferenceCheck: a number that somebody else has published, beside ours.

What has a sampling error is compared in standard errors of the difference, the published sample's included; what has
none, with a tolerance in its own units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mm_env.intervals import half_width, plus_minus

HEADER = ("figure", "reference", "ours", "difference", "agrees")
STANDARD_ERRORS = 4.0  # by so many a figure may differ


@dataclass(frozen=True)
class ReferenceCheck:
    """One number, as published and in this market's law.

    Attributes:
        name: What it is, with its unit.
        reference: The published number, or that of a separate program.
        ours: This law's.
        error: Standard error of ours; 0: it has no sampling error.
        reference_error: Standard error of the reference, where it comes from a sample.
        tolerance: How far ours may be off beside the sampling error, in the figure's unit.
    """

    name: str
    reference: float
    ours: float
    error: float = 0.0
    reference_error: float = 0.0
    tolerance: float = 0.0

    @property
    def difference(self) -> float:
        """Ours less the reference."""
        return self.ours - self.reference

    @property
    def difference_error(self) -> float:
        """Standard error of the difference; 0 where nothing is sampled."""
        return math.hypot(self.error, self.reference_error)

    @property
    def standard_errors(self) -> float:
        """The difference in standard errors; NaN where nothing is sampled."""
        return self.difference / self.difference_error if self.difference_error else math.nan

    @property
    def agrees(self) -> bool:
        """Whether the difference is at most 4 standard errors, or the tolerance."""
        return abs(self.difference) <= max(self.tolerance, STANDARD_ERRORS * self.difference_error)

    def row(self) -> list[str]:
        """What to print below `HEADER`.

        Example:
            >>> ReferenceCheck("half-width, M", 14.45, 14.5736, tolerance=0.5).row()
            ['half-width, M', '14.45', '14.57', '+0.12, allowed 0.5', 'yes']
        """
        if self.difference_error:
            ours = plus_minus(self.ours, half_width(self.error))
            difference = f"{self.difference:+.2g}, {self.standard_errors:+.1f} standard errors"
        else:
            digits = 1 - math.floor(math.log10(self.tolerance)) if self.tolerance else 10
            ours = f"{self.ours:.{digits}f}"
            difference = f"{self.difference:+.2g}, allowed {self.tolerance:g}"
        return [self.name, f"{self.reference:.10g}", ours, difference, "yes" if self.agrees else "NO"]

    def to_dict(self) -> dict[str, Any]:
        """Names and values, for JSON."""
        return {**vars(self), **{name: getattr(self, name) for name in ("difference", "standard_errors", "agrees")}}
