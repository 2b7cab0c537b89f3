"""Scenes to show: which requests a table or a chart of a policy needs, and what to call them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_env.market import flow
from mm_env.market.dynamics import Request
from mm_env.market.params import MarketParams

Values = NDArray[np.float64]

MIRRORED = "a client who sells: the mirror image"
_MOST_VALUES = 3  # of sizes, tiers or regimes: the smallest, one in the middle, the largest

_SIDES = {1.0: "client buys", -1.0: "client sells", 0.0: "nobody comes"}
_LASTS = {1.0: "after a buyer", -1.0: "after a seller", 0.0: "as the first"}


class ExogenousState(NamedTuple):
    """One scene, as a reader tells it apart."""

    side: float
    size: float
    tier: int
    last_side: float
    regime: int

    def mirrored(self) -> ExogenousState:
        """The same with buyers and sellers exchanged."""
        return self._replace(side=-self.side, last_side=-self.last_side)


NAMES: Mapping[str, Callable[[ExogenousState, MarketParams], str]] = {
    "side": lambda scene, params: _SIDES[scene.side],
    "size": lambda scene, params: f"{scene.size:g} unit{'s' * (scene.size != 1)}" if scene.side else "",
    "tier": lambda scene, params: f"tier {scene.tier}" if scene.side else "",
    "last_side": lambda scene, params: _LASTS[scene.last_side],
    "regime": lambda scene, params: f"volatility {params.volatilities[scene.regime]:g}",
}


class Panel(NamedTuple):
    """Scenes that are answered alike, and are shown as one."""

    numbers: tuple[int, ...]  # of the scenes; the first stands for all
    name: str  # what sets them apart from the others; "" where nothing does


def scene_names(request: Request, params: MarketParams) -> list[str]:
    """What to call each scene; parts of shape (n,)."""
    listed = _listed(request)
    return [_name(scene, _varying(listed), params) for scene in listed]


def sample(params: MarketParams) -> NDArray[np.intp]:
    """The numbers of the scenes of `flow.scenes` that are worth a look.

    Those that come, later than as the first of an episode; of sizes, tiers and regimes at most three each.
    """
    request, chance = flow.exogenous_states(params)
    comes = np.where(request.side == 0, params.arrival_probability < 1, params.arrival_probability > 0) & (chance > 0)
    later = comes & (np.asarray(request.last_side) != 0)
    comes = later if later.any() else comes
    regimes = _spread(request.regime)
    tiers = _spread(request.tier[comes])
    picked = comes & np.isin(request.regime, regimes)
    asked = np.abs(request.signed_size)
    sizes = {tier: _spread(asked[comes & (request.side != 0) & (request.tier == tier)]) for tier in tiers}
    rows = zip(request.side, request.tier, asked, strict=True)
    right = [side == 0 or size in sizes.get(tier, ()) for side, tier, size in rows]
    return np.flatnonzero(picked & right)


def distinct_panels(request: Request, choices: Values, params: MarketParams) -> tuple[list[Panel], bool]:
    """The scenes that are answered differently, and whether sellers, the mirror image of buyers, are left out.

    Args:
        request: Scenes; parts of shape (n,).
        choices: What is done in each; shape (n, inventories from -a to a, ...).
        params: The market.
    """
    scenes = _listed(request)
    if all(np.array_equal(choices[0], other) for other in choices):
        return [Panel(tuple(range(len(scenes))), "")], False
    kept: dict[ExogenousState, tuple[int, ...]] = {scene: (number,) for number, scene in enumerate(scenes)}
    named = _varying(scenes)
    mirrored = not _alike(kept, choices, "side") and _is_mirrored(kept, choices)
    if mirrored:
        kept = {s: i for s, i in kept.items() if s.side > 0 or (s.side == 0 and s.last_side >= 0)}
    for name in named[1:] if mirrored else tuple(named):
        if _alike(kept, choices, name):
            named.remove(name)
            kept = {group[0]: tuple(n for scene in group for n in kept[scene]) for group in _groups(kept, name)}
    return [Panel(numbers, _name(scene, named, params)) for scene, numbers in kept.items()], mirrored


def _listed(request: Request) -> list[ExogenousState]:
    parts = np.broadcast_arrays(
        request.side, np.abs(request.signed_size), request.tier, request.last_side, request.regime
    )
    return [ExogenousState(*row) for row in zip(*(part.tolist() for part in parts), strict=True)]


def _spread(values: Any) -> NDArray[Any]:
    different = np.unique(values)
    ends = np.linspace(0, len(different) - 1, min(_MOST_VALUES, len(different)))
    return np.asarray(different[ends.round().astype(int)])


def _varying(scenes: Sequence[ExogenousState]) -> list[str]:
    """The fields that differ among the scenes; size and tier among those with a client."""
    clients = [scene for scene in scenes if scene.side]
    return [
        name
        for name in ExogenousState._fields
        if len({getattr(scene, name) for scene in (clients if name in ("size", "tier") else scenes)}) > 1
    ]


def _name(scene: ExogenousState, fields: Sequence[str], params: MarketParams) -> str:
    return ", ".join(filter(None, (NAMES[name](scene, params) for name in fields)))


def _groups(scenes: Iterable[ExogenousState], name: str) -> list[list[ExogenousState]]:
    """Scenes that differ in nothing but one field."""
    groups: dict[ExogenousState, list[ExogenousState]] = {}
    for scene in scenes:
        groups.setdefault(scene._replace(**{name: 0}), []).append(scene)
    return list(groups.values())


def _alike(scenes: Mapping[ExogenousState, tuple[int, ...]], choices: Values, name: str) -> bool:
    return all(
        np.array_equal(choices[scenes[group[0]][0]], choices[scenes[other][0]])
        for group in _groups(scenes, name)
        for other in group[1:]
    )


def _is_mirrored(scenes: Mapping[ExogenousState, tuple[int, ...]], choices: Values) -> bool:
    pairs = [(numbers[0], scenes.get(scene.mirrored())) for scene, numbers in scenes.items()]
    return all(other and np.array_equal(choices[number], choices[other[0]][::-1]) for number, other in pairs)
