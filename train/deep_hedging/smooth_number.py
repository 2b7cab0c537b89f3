"""SmoothNumber: a number of PyTorch whose comparisons are shares, so that the law has a gradient where it decides."""

from __future__ import annotations

from typing import Any, NamedTuple

from mm_env.extras import needed_for

with needed_for("agents that learn"):
    import torch
    from torch import Tensor


class Scale(NamedTuple):
    """How numbers of one kind are compared."""

    width: float = 0.0  # over which a comparison goes from no to yes, in their unit; 0: it jumps
    step: float = 0.0  # from one such number to the next; `a <= b` turns half of it beyond b, so that a = b is a yes


class SmoothNumber:
    """A tensor, one number for each dealer, that the law computes with as it does with floats.

    Arithmetic is as always. A comparison is the share sigmoid((b - a + step / 2) / width) of a yes, `&` the product of
    two shares: a client who is quoted near what he would just accept buys in part, and so does one who would take the
    book near its cap. As the width falls to zero, the law on smooth numbers becomes the law wherever units are whole.

    Args:
        value: Shape (dealers,).
        scale: Of its kind, units or prices; what is computed of two kinds has that of the first.
    """

    def __init__(self, value: Tensor, scale: Scale = Scale()) -> None:  # noqa: B008  # immutable
        self.value, self.scale = value, scale

    def __abs__(self) -> SmoothNumber:
        return self._like(self.value.abs())

    def __neg__(self) -> SmoothNumber:
        return self._like(-self.value)

    def __add__(self, other: Any) -> SmoothNumber:
        return self._like(self.value + plain(other))

    def __sub__(self, other: Any) -> SmoothNumber:
        return self._like(self.value - plain(other))

    def __mul__(self, other: Any) -> SmoothNumber:
        return self._like(self.value * plain(other))

    def __truediv__(self, other: Any) -> SmoothNumber:
        return self._like(self.value / plain(other))

    def __radd__(self, other: Any) -> SmoothNumber:
        return self._like(other + self.value)

    def __rsub__(self, other: Any) -> SmoothNumber:
        return self._like(other - self.value)

    def __rmul__(self, other: Any) -> SmoothNumber:
        return self._like(other * self.value)

    __and__ = __mul__

    def __le__(self, other: Any) -> SmoothNumber:
        width, step = self.scale
        room: Tensor = plain(other) - self.value + 0.5 * step
        return self._like(torch.sigmoid(room / width) if width else (room >= 0.0).to(self.value.dtype))

    def __gt__(self, other: Any) -> SmoothNumber:
        return 1.0 - (self <= other)

    def _like(self, value: Tensor) -> SmoothNumber:
        return SmoothNumber(value, self.scale)


class SmoothOps:
    """The law's `xp` for smooth numbers; a `condition` is one or a plain flag."""

    @staticmethod
    def where(condition: Any, yes: Any, no: Any) -> Any:
        """`yes` to the share that the condition holds, else `no`."""
        if isinstance(condition, SmoothNumber):
            return condition * yes + (1.0 - condition) * no
        return yes if condition else no

    @staticmethod
    def maximum(a: SmoothNumber, b: Any) -> SmoothNumber:
        """The larger of two numbers."""
        return SmoothNumber(torch.maximum(a.value, torch.as_tensor(plain(b), dtype=a.value.dtype)), a.scale)

    @staticmethod
    def minimum(a: SmoothNumber, b: Any) -> SmoothNumber:
        """The smaller of two numbers."""
        return SmoothNumber(torch.minimum(a.value, torch.as_tensor(plain(b), dtype=a.value.dtype)), a.scale)


def plain(number: Any) -> Any:
    """The tensor of a smooth number; any other as it is."""
    return number.value if isinstance(number, SmoothNumber) else number
