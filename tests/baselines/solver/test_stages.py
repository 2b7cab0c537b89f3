"""The solver's search as machine code: the same values and actions bit for bit, and only where it saves time."""

import numpy as np
import pytest
from hypothesis import given, settings

from baselines import solve
from baselines.solver import choice, choice_kernel, stages
from baselines.solver.stages import Stages
from mm_env import market_params
from tests.markets import IDS, market_parameters


@pytest.fixture(autouse=True)
def _numba():
    pytest.importorskip("numba")


def searched_by(search, params):
    """The solution, found by one of the two only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "choice", search)
        return solve(params)


def assert_alike(params):
    plain, compiled = (searched_by(search, params) for search in (choice, choice_kernel))
    for name in ("values", "hedge_index", "quote_index"):
        assert getattr(plain, name).tobytes() == getattr(compiled, name).tobytes()


@given(params=market_parameters(finite=True, max_limit=6))
@settings(max_examples=30, deadline=None)
def test_machine_code_finds_the_same_in_any_market(params):
    assert_alike(params)


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("changes", [{}, {"hedge_action": "units", "hedge_levels": None}, {"liquidate_at_end": True}])
def test_machine_code_finds_the_same_in_markets_that_ship(name, changes):
    size = {"num_trades": 4, "inventory_limit": 8, "permanent_impact": 0.0, "hedge_levels": None}
    assert_alike(market_params(name, **(size | changes)))


def test_it_begins_when_it_pays(monkeypatch):
    layout = Stages(solve(market_params(num_trades=5)).mdp)
    monkeypatch.setattr(stages, "_SOME", 0.0)
    for worth, search in (((1e9, 1e9), choice), ((0.0, 0.0), choice_kernel)):
        monkeypatch.setattr(stages, "_WORTH_COMPILING", worth)
        layout.best(np.zeros((41, 3)), 3)
        assert layout._search is search
