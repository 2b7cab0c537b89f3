import numpy as np
import pytest

from mm_env import Tape, market_params
from mm_env.market.recordings.summary import mean_of


def test_a_summary_by_hand():
    tape = Tape.replay(
        [[1, 1, -1, 0], [-1, -1, 1, 1]], [[1, -2, 0.5, 0], [0.5, 1, 1, -1]], [[2, 1, 1, 1], [1, 1, 3, 1]]
    )
    found = tape.summary()
    assert (found.rows, found.clients, found.episodes, found.num_trades) == (8, 7, 2, 4)
    assert found.buys.value == pytest.approx(4 / 7)
    assert found.repeats.value == pytest.approx(3 / 5)
    assert found.volatility.value == pytest.approx(np.sqrt((1 + 4 + 0.25 + 0.25 + 1 + 1 + 1) / 8))
    assert found.sizes == (1, 10 / 7, 3)
    assert found.different_sizes == 3
    # minus side times move, by units
    assert found.markouts["all"][1].value == pytest.approx((-2 + 2 + 0.5 + 0.5 + 1 - 3 + 1) / 10)
    assert np.isnan(found.markouts["all"][5].value)
    assert found.span is None


@pytest.mark.parametrize("market", ["mm_env/Hedging-v0", "mm_env/Imbalance-v0", "mm_env/AdverseSelection-v0"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(market):
    """Of 200 tapes the 95 % intervals should miss ten times: between 2 and 20 is four standard errors and more."""
    params = market_params(market, num_trades=1000)
    informed, persistence = params.informed_fraction, params.flow_persistence
    truths = {
        "buys": 0.5,
        "volatility": params.price_volatility,
        "markout": -informed * params.price_volatility * np.sqrt(2 / np.pi),
        "repeats": 0.5 + 0.5 * (1 - informed) * persistence,
    }
    missed = dict.fromkeys(truths, 0)
    for seed in range(200):
        found = Tape.draw(params, seed, 1).summary()
        figures = {"markout": found.markouts["all"][1]}
        for name, truth in truths.items():
            value, error = figures.get(name) or getattr(found, name)
            missed[name] += abs(value - truth) > 1.96 * error
    for name, number in missed.items():
        # what neighbours share over twenty requests and more is not all seen within ten
        most = 40 if (name, market) == ("buys", "mm_env/Imbalance-v0") else 20
        assert 2 <= number <= most, missed


def test_what_neighbours_share_widens_the_interval():
    same = np.repeat(np.random.default_rng(0).normal(size=100), 10)[None]
    wide = mean_of(same, np.ones_like(same), memory=20)
    assert wide.standard_error == pytest.approx(same.std() / 10, rel=0.3)
    assert wide.standard_error > 2 * same.std() / np.sqrt(1000)


def test_what_looks_wrong_is_said():
    pd = pytest.importorskip("pandas")
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"sides": random.choice([1, -1], 500), "price_moves": random.normal(size=500)})
    frame.loc[7, "price_moves"] = 80.0
    frame["time"] = np.arange(500.0)
    frame.loc[250:, "time"] += 1000
    remarks = " ".join(Tape.read(frame).summary().remarks)
    assert "1 of 500 price moves are beyond 10 deviations of the rest, the largest 80" in remarks
    assert "1 gaps are beyond 100 times the median" in remarks
    assert Tape.read(frame[8:200].reset_index(drop=True)).summary().remarks == ()


def test_tiers_and_acceptance_are_told_apart():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"sides": [1, -1] * 50, "price_moves": [1, -1] * 50, "tier": ["a"] * 40 + ["b"] * 60})
    frame["accepted"] = [True] * 40 + [False] * 60
    found = Tape.read(frame).summary()
    assert found.tiers == {"all": 100, "tier a": 40, "tier b": 60}
    assert [share.value for share in found.accepted.values()] == [0.4, 1.0, 0.0]
    assert {name: each[1].value for name, each in found.markouts.items()} == dict.fromkeys(found.tiers, -1.0)
