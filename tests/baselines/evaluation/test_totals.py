import numpy as np
import pytest

from baselines import make_policy
from baselines.evaluation.totals import Totals
from mm_env import MarketParams, Tape, market_params, play, play_blocks, rollout
from mm_env.episodes import Episodes


def test_impact_by_hand():
    """Three sold at once and the rest at the end: 0.5 * (3^2 + 1^2) of impact, 0.01 a unit, 0.2 an order."""
    params = MarketParams(
        num_trades=1, hedge_impact=0.5, hedge_ticket=0.2, hedge_threshold=1, inventory_limit=9, liquidate_at_end=True
    )
    tape = Tape.replay(sides=[1], price_moves=[0.0], sizes=[4])
    totals = Totals.of(play(make_policy("threshold", params), params, tape=tape))
    assert totals.impact_cost[0] == pytest.approx(5.0)
    assert totals.hedge_cost[0] == pytest.approx(5.0 + 0.04 + 0.4)


@pytest.mark.parametrize("changes", [{}, {"liquidate_at_end": True, "hedge_ticket": 0.1}])
def test_where_hedges_move_nothing_they_cost_no_impact_not_even_by_rounding(changes):
    params = market_params("mm_env/VolatilityRegimes-v0", num_trades=30, **changes)
    totals = Totals.of(play(make_policy("threshold:3", params), params, 50))
    assert (totals.impact_cost == 0.0).all()
    assert totals.hedge_cost.max() > 0.0


def test_totals_of_an_episode_worked_out_by_hand():
    params = MarketParams(num_trades=4, inventory_limit=1, hedge_threshold=1, hedge_cost_per_unit=0.5, spread=1.0)
    tape = Tape.replay(sides=[1, 1, -1, 0], price_moves=[1.0, 2.0, 0.0, 1.0])
    totals = Totals.of(play(make_policy("threshold", params), params, tape=tape))
    # equity: sold at 101, mid 101: 0; second rejected, mid 103: -2; bought at 102, mid 103: -1; -1
    assert totals.pnl[0] == -1
    assert totals.drawdown[0] == 2
    assert totals.mean_inventory[0] == 0.5
    assert totals.max_inventory[0] == 1
    assert (totals.requests[0], totals.fills[0], totals.client_volume[0]) == (3, 2, 2)
    assert totals.spread_pnl[0] == 2


def test_totals_of_an_episode_that_is_hedged_to_the_last():
    """Both trades are hedged at once, at 0.5 a unit; the client between is not there."""
    params = MarketParams(num_trades=3, hedge_cost_per_unit=0.5, spread=1.0, risk_aversion=0.0)
    tape = Tape.replay(sides=[1, 0, -1], price_moves=[1.0, 2.0, 0.0])
    totals = Totals.of(play(make_policy("threshold:0", params), params, tape=tape))
    assert (totals.hedge_volume[0], totals.hedge_cost[0], totals.spread_pnl[0]) == (2, 1, 2)
    assert (totals.pnl[0], totals.reward[0], totals.unexpected_pnl[0]) == (1, 1, 0)
    assert (totals.max_inventory[0], totals.mean_inventory[0], totals.drawdown[0]) == (0, 0, 0)


def test_blocks_sum_to_the_whole(monkeypatch):
    params = MarketParams()
    policy = make_policy("threshold", params)
    whole = play(policy, params, 7, seed=2)
    monkeypatch.setattr(rollout, "_BLOCK_STEPS", 400)
    blocks = list(play_blocks(policy, params, 7, seed=2))
    assert [len(block) for block in blocks] == [4, 3]
    np.testing.assert_array_equal(Totals.gather(blocks).pnl, Totals.of(whole).pnl)
    np.testing.assert_array_equal(Episodes.concatenate(blocks).reward, whole.reward)
