"""ClientTier: one kind of client, how often he comes, how much he asks for, and what he is willing to pay."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mm_env.market.numbers import Values
from mm_env.market.validation import LARGEST, changed_fields, check_fields, check_names, real, several, whole
from mm_env.readable import Readable


@dataclass(frozen=True, kw_only=True, repr=False)
class ClientTier(Readable):
    """One kind of client.

    A client accepts a quote at distance delta from the mid iff delta <= rho, his private reservation distance:

        exponential  P(rho >= delta) = exp(-decay * max(delta - spread, 0)), and always if decay = 0
        logistic     P(rho >= delta) = 1 / (1 + exp(a + b * delta)), with logistic = (a, b)

    Raises:
        ValueError: A bad value; the message names the field, the value and what is allowed.

    Example:
        >>> ClientTier(decay=20.0).acceptance(0.1, spread=0.05).round(4).item()  # exp(-20 * 0.05)
        0.3679
        >>> ClientTier(sizes=(1, 5), size_weights=(3, 1)).size_probabilities.tolist()
        [0.75, 0.25]
    """

    weight: float = real(1.0, "how often he comes, relative to the other tiers", "share")
    sizes: tuple[int, ...] = several((1,), "what he may ask for", "units", whole(1, "", "", low=1))
    size_weights: tuple[float, ...] | None = several(
        None, "how often each size, relative to the others; None = equally often", "share", real(1.0, "", "")
    )
    decay: float = real(0.0, "k of the exponential law; 0 = he accepts any quote", "1 / (price units)")
    logistic: tuple[float, ...] | None = several(
        None,
        "a and b of the logistic law, instead of the exponential one",
        "1, 1 / (price units)",
        real(0.0, "", "", -LARGEST),
    )

    def facts(self) -> list[tuple[str, str]]:
        """What differs from the defaults."""
        return [(name, repr(value)) for name, value in changed_fields(self).items()]

    def __post_init__(self) -> None:
        check_fields(self)
        if self.size_weights is not None and len(self.size_weights) != len(self.sizes):
            raise ValueError(f"size_weights must be as many as sizes, {len(self.sizes)}, got {self.size_weights!r}")
        if self.size_weights is not None and sum(self.size_weights) == 0:
            raise ValueError(f"size_weights must not all be 0, got {self.size_weights!r}")
        if len(set(self.sizes)) != len(self.sizes):
            raise ValueError(f"sizes must differ, got {self.sizes!r}")
        if self.logistic is not None:
            if len(self.logistic) != 2 or self.logistic[1] <= 0:
                raise ValueError(f"logistic must be (a, b) with b above 0, got {self.logistic!r}")
            if self.decay:
                raise ValueError("decay and logistic are two laws: give one of them")

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> ClientTier:
        """Build from names and values; an unknown name is a `TypeError` and `ValueError` that suggests the nearest."""
        check_names(values, cls, "parameter of a client tier")
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks every value

    @property
    def accepts_any(self) -> bool:
        """Whether he accepts every quote."""
        return self.decay == 0 and self.logistic is None

    @property
    def size_probabilities(self) -> Values:
        """The probability of each size, shape (sizes,)."""
        weights = np.array(self.size_weights or [1.0] * len(self.sizes))
        return np.asarray(weights / weights.sum())

    def acceptance(self, distance: Any, spread: float) -> Values:
        """P(rho >= distance), for distances of any shape; price units."""
        if self.logistic is None:
            return np.asarray(np.exp(-self.decay * np.maximum(np.asarray(distance, dtype=np.float64) - spread, 0.0)))
        a, b = self.logistic
        exponent = np.minimum(a + b * np.asarray(distance, dtype=np.float64), 700.0)  # more would overflow
        return np.asarray(1.0 / (1.0 + np.exp(exponent)))

    @property
    def law(self) -> str | None:
        """The name of the law of his reservation distance, of `LOGARITHMS`; None if he accepts any quote."""
        return None if self.accepts_any else "exponential" if self.logistic is None else "logistic"

    def reservation(self, uniform: Any, spread: float) -> Values:
        """Rho from a uniform number on (0, 1]: the distance that a share `uniform` of clients would accept."""
        uniform = np.asarray(uniform, dtype=np.float64)
        if self.law is None:
            return np.full(uniform.shape, math.inf)
        return np.asarray(self.reservation_of(LOGARITHMS[self.law](uniform), spread))

    def reservation_of(self, logarithm: Any, spread: float) -> Any:
        """Rho from what the `LOGARITHMS` of his law make of the uniform number."""
        if self.law is None:
            return math.inf
        if self.logistic is None:
            return spread - logarithm / self.decay
        a, b = self.logistic
        return (logarithm - a) / b


def _log_odds_against(uniform: Values) -> Values:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log((1.0 - uniform) / uniform))


LOGARITHMS: Mapping[str, Callable[[Values], Values]] = {"exponential": np.log, "logistic": _log_odds_against}
