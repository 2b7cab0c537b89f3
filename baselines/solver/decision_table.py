"""DecisionTable: what a policy decides, looked up by what there is to see instead of asked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from baselines.solver.market_mdp import MarketMDP, exogenous_code, state_number
from mm_env.envs.action import PolicyFunction, decode_actions
from mm_env.envs.observation import observation_names
from mm_env.kernels.episode_kernel import Table, look_up
from mm_env.market.dynamics import Book, Decision
from mm_env.market.exogenous_state import ExogenousState
from mm_env.market.params import MarketParams
from mm_env.market.transition_law import UnsolvableError

LARGEST_TABLE = 20_000_000  # cases: a table of each part of the decision takes 160 MB


class DecisionTable(NamedTuple):
    """The decisions of a policy that is a function of the observation.

    Attributes:
        decision: Each part is a table, with a row of all cases for each step; or a number that is always decided.
        exogenous: From `exogenous_code` to the number of the exogenous state; None where nothing varies.
        states: The number of exogenous states.
        places: From `state_number` to the number of the state; None where these are the same.
    """

    decision: Decision
    exogenous: Table | None = None
    states: int = 1
    places: Table | None = None

    @classmethod
    def of(cls, policy: PolicyFunction, params: MarketParams, most: int) -> DecisionTable | None:
        """Ask a policy about everything that can be seen; None where that is more than `most` cases, or endless."""
        if getattr(policy, "decision", None) is not None:
            blank = np.zeros((1, len(observation_names(params))), np.float32)
            return cls(Decision(*(_part((part,)) for part in decode_actions(policy(blank), 1, params))))
        try:
            mdp = MarketMDP(params).possible()
        except UnsolvableError:
            return None
        code = np.asarray(exogenous_code(mdp.law.states, params)).astype(np.int64)
        cases = mdp.states * len(code)
        if params.num_trades * cases > min(most, LARGEST_TABLE):
            return None
        asked = (mdp.observations(left).reshape(cases, -1) for left in range(params.num_trades, 0, -1))
        decided = [decode_actions(policy(seen), cases, params) for seen in asked]
        exogenous = np.zeros(code.max() + 1, np.int64)
        exogenous[code] = np.arange(len(code))
        places = None if mdp.places is None else Table(mdp.places)
        return cls(Decision(*map(_part, zip(*decided, strict=True))), Table(exogenous), len(code), places)

    def look_up(self, table: DecisionTable, book: Book, state: ExogenousState, params: MarketParams) -> Decision:
        """The decision in one case; `table` is this one, traced."""
        if self.exogenous is None:
            return table.decision
        exogenous = look_up(table.exogenous, exogenous_code(state, params))
        number = state_number(book, params)
        state_place = number if self.places is None else look_up(table.places, number)
        case = state_place * self.states + exogenous
        parts: Any = zip(self.decision, table.decision, strict=True)
        return Decision(*(look_up(traced, case) if isinstance(part, Table) else traced for part, traced in parts))


def _part(steps: tuple[Any, ...]) -> Any:
    """One part of the decisions of all steps: a table, unless it is always the same."""
    if steps[0] is None:
        return None
    values = np.stack([np.asarray(part) for part in steps])
    first = values.flat[0]
    return first if (values == first).all() else Table(values)
