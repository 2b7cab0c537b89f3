"""State labels: which exogenous states a table or a chart of a policy shows, and what to call them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.numbers import Values, evenly_spaced
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import exogenous_states

MIRRORED = "a client who sells: the mirror image"
_MOST_VALUES = 3  # of sizes, tiers or regimes: the smallest, one in the middle, the largest

_SIDES = {1.0: "client buys", -1.0: "client sells", 0.0: "nobody comes"}
_LASTS = {1.0: "after a buyer", -1.0: "after a seller", 0.0: "as the first"}


class StateLabel(NamedTuple):
    """One exogenous state, as a reader tells it apart."""

    side: float
    size: float
    tier: int
    last_side: float
    regime: int

    def mirrored(self) -> StateLabel:
        """The same with buyers and sellers exchanged."""
        return self._replace(side=-self.side, last_side=-self.last_side)


NAMES: Mapping[str, Callable[[StateLabel, MarketParams], str]] = {
    "side": lambda label, params: _SIDES[label.side],
    "size": lambda label, params: f"{label.size:g} unit{'s' * (label.size != 1)}" if label.side else "",
    "tier": lambda label, params: f"tier {label.tier}" if label.side else "",
    "last_side": lambda label, params: _LASTS[label.last_side],
    "regime": lambda label, params: f"volatility {params.volatilities[label.regime]:g}",
}


class Panel(NamedTuple):
    """States that are answered alike, and are shown as one."""

    numbers: tuple[int, ...]  # of the states; the first stands for all
    name: str  # what sets them apart from the others; "" where nothing does


def state_names(states: ExogenousState, params: MarketParams) -> list[str]:
    """What to call each state; parts of shape (n,)."""
    listed = _listed(states)
    return [_name(label, _varying(listed), params) for label in listed]


def representative_states(params: MarketParams) -> NDArray[np.intp]:
    """The numbers of the states of `exogenous_states` that are worth a look.

    Those that come, later than as the first of an episode; of sizes, tiers and regimes at most three each.
    """
    (request, observed), chance = exogenous_states(params)
    comes = np.where(request.side == 0, params.arrival_probability < 1, params.arrival_probability > 0) & (chance > 0)
    later = comes & (np.asarray(observed.last_side) != 0)
    comes = later if later.any() else comes
    regimes = _spread(observed.regime)
    side, tier = np.asarray(request.side), np.asarray(request.tier)
    tiers = _spread(tier[comes])
    picked = comes & np.isin(observed.regime, regimes)
    asked = np.abs(request.signed_size)
    sizes = {each: _spread(asked[comes & (side != 0) & (tier == each)]) for each in tiers}
    rows = zip(side, tier, asked, strict=True)
    right = [d == 0 or size in sizes.get(each, ()) for d, each, size in rows]
    return np.flatnonzero(picked & right)


def distinct_panels(states: ExogenousState, choices: Values, params: MarketParams) -> tuple[list[Panel], bool]:
    """The states that are answered differently, and whether sellers, the mirror image of buyers, are left out.

    Args:
        states: Exogenous states; parts of shape (n,).
        choices: What is done in each; shape (n, inventories from -a to a, ...).
        params: The market.
    """
    labels = _listed(states)
    if all(np.array_equal(choices[0], other) for other in choices):
        return [Panel(tuple(range(len(labels))), "")], False
    kept: dict[StateLabel, tuple[int, ...]] = {label: (number,) for number, label in enumerate(labels)}
    named = _varying(labels)
    mirrored = not _alike(kept, choices, "side") and _is_mirrored(kept, choices)
    if mirrored:
        kept = {s: i for s, i in kept.items() if s.side > 0 or (s.side == 0 and s.last_side >= 0)}
    for name in named[1:] if mirrored else tuple(named):
        if _alike(kept, choices, name):
            named.remove(name)
            kept = {group[0]: tuple(n for label in group for n in kept[label]) for group in _groups(kept, name)}
    return [Panel(numbers, _name(label, named, params)) for label, numbers in kept.items()], mirrored


def _listed(states: ExogenousState) -> list[StateLabel]:
    request, observed = states
    parts = np.broadcast_arrays(
        request.side, np.abs(request.signed_size), request.tier, observed.last_side, observed.regime
    )
    return [StateLabel(*row) for row in zip(*(part.tolist() for part in parts), strict=True)]


def _spread(values: Any) -> NDArray[Any]:
    different = np.unique(values)
    return np.asarray(different[evenly_spaced(len(different), _MOST_VALUES)])


def _varying(labels: Sequence[StateLabel]) -> list[str]:
    """The fields that differ among the labels; size and tier among those with a client."""
    clients = [label for label in labels if label.side]
    return [
        name
        for name in StateLabel._fields
        if len({getattr(label, name) for label in (clients if name in ("size", "tier") else labels)}) > 1
    ]


def _name(label: StateLabel, fields: Sequence[str], params: MarketParams) -> str:
    return ", ".join(filter(None, (NAMES[name](label, params) for name in fields)))


def _groups(labels: Iterable[StateLabel], name: str) -> list[list[StateLabel]]:
    """States that differ in nothing but one field."""
    groups: dict[StateLabel, list[StateLabel]] = {}
    for label in labels:
        groups.setdefault(label._replace(**{name: 0}), []).append(label)
    return list(groups.values())


def _alike(labels: Mapping[StateLabel, tuple[int, ...]], choices: Values, name: str) -> bool:
    return all(
        np.array_equal(choices[labels[group[0]][0]], choices[labels[other][0]])
        for group in _groups(labels, name)
        for other in group[1:]
    )


def _is_mirrored(labels: Mapping[StateLabel, tuple[int, ...]], choices: Values) -> bool:
    pairs = [(numbers[0], labels.get(label.mirrored())) for label, numbers in labels.items()]
    return all(other and np.array_equal(choices[number], choices[other[0]][::-1]) for number, other in pairs)
