"""policy_maps: what policies would hedge, trade by trade and inventory by inventory, with the optimum's bands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from baselines.solver.optimum import last_solution
from mm_env.envs.action import PolicyFunction
from mm_env.market.numbers import Values, evenly_spaced
from mm_env.market.params import MarketParams
from mm_env.policy_map import chosen, edges_of, map_grid, map_states
from mm_env.state_labels import MIRRORED, distinct_panels

MOST_TRADES, MOST_INVENTORIES, MOST_PANELS = 40, 41, 6


def policy_maps(policies: Mapping[str, PolicyFunction], params: MarketParams) -> dict[str, Any]:
    """Units hedged, if the client trades, by policy, trade number and inventory before the trade, as JSON keeps it.

    Returns:
        trades and inventories: of the map. note: whom the panels leave out. panels: one for each kind of request that
        is answered in its own way, with its name, the units of each policy, shape (inventories, trades), and the
        inventories beyond which the optimum hedges something, above and below, null where it hedges nothing.
    """
    states, (trades, inventories) = map_states(params), map_grid(params, MOST_TRADES, MOST_INVENTORIES)
    units = {
        name: chosen(name, policy, params, states, trades, inventories).units(params)
        for name, policy in policies.items()
    }
    every, mirrored = distinct_panels(states, np.concatenate(list(units.values()), axis=2), params)
    panels = [every[place] for place in evenly_spaced(len(every), MOST_PANELS)]
    all_inventories = np.arange(-params.inventory_limit, params.inventory_limit + 1)
    best = chosen("optimum", last_solution(params).policy, params, states, trades, all_inventories).units(params) > 0
    size = np.broadcast_to(np.asarray(states.request.signed_size), np.shape(states.request.side))
    return {
        "trades": trades.tolist(),
        "inventories": inventories.tolist(),
        "note": MIRRORED if mirrored else "",
        "panels": [
            {
                "name": panel.name or "every request",
                "units": {name: its[panel.numbers[0]].astype(int).tolist() for name, its in units.items()},
                "bands": [
                    _json(edge)
                    for edge in edges_of(best[panel.numbers[0]], float(size[panel.numbers[0]]), all_inventories)
                ],
            }
            for panel in panels
        ],
    }


def _json(values: Values) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]
