"""Aggregates: by hand on small tables, and intervals that hold what they say."""

import numpy as np
import pytest
from scipy import stats

from baselines.benchmark.aggregate import AGGREGATES, Scores, comparisons, holm, league


def exact(values):
    values = np.array(values, dtype=float)
    return Scores(values, np.zeros_like(values))


def test_aggregates_by_hand():
    """Eight scores in order; the middle four are 0.2, 0.4, 0.6 and 0.8."""
    found = league({"a": exact([[0.6, 0.2], [9.0, 0.9], [0.8, -5.0], [0.0, 0.4]])})["a"]
    assert found["iqm"]["value"] == pytest.approx(0.5)
    assert found["mean"]["value"] == pytest.approx(6.9 / 8)
    assert found["worst"]["value"] == pytest.approx(-2.1)
    assert found["improvement"]["value"] == pytest.approx((6 + 0.5) / 8)


def test_a_tie_with_the_best_rule_counts_half_up_to_rounding():
    assert AGGREGATES["improvement"].of(np.array([[1e-13], [-1e-13]])) == 0.5


def test_an_agent_without_seeds_and_tapes_has_no_interval():
    found = league({"a": exact([[0.5], [0.7]])})["a"]
    assert all(figure["low"] == figure["value"] == figure["high"] for figure in found.values())


def test_what_was_played_has_an_interval_of_its_standard_error():
    found = league({"a": Scores(np.array([[0.5]]), np.array([[0.1]]))})["a"]["mean"]
    assert found["low"] == pytest.approx(0.5 - 1.96 * 0.1, abs=0.02)
    assert found["high"] == pytest.approx(0.5 + 1.96 * 0.1, abs=0.02)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_difference_is_welch_s_in_one_market():
    generator = np.random.default_rng(0)
    a, b = generator.normal(0.5, 0.1, 8), generator.normal(0.4, 0.3, 8)
    (row,) = comparisons({"a": exact([a]), "b": exact([b])})
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert row["p"] == pytest.approx(expected.pvalue)
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected.confidence_interval()))


def test_exact_agents_differ_or_not():
    rows = comparisons({"a": exact([[0.5], [0.7]]), "b": exact([[0.5], [0.7]]), "c": exact([[0.5], [0.6]])})
    assert [(row["agent"], row["other"], row["p"]) for row in rows] == [("a", "b", 1), ("a", "c", 0), ("b", "c", 0)]
    assert rows[1]["low"] == rows[1]["high"] == pytest.approx(0.05)


@pytest.mark.parametrize("truth", [0.0, 0.1])
def test_the_interval_of_a_difference_holds_it_as_often_as_it_says(truth):
    """Two agents alike, or apart by what is known: 1,000 repetitions of 8 markets and 10 seeds, spreads unlike."""
    generator = np.random.default_rng(1)
    spread = np.array([0.02, 0.02, 0.05, 0.1, 0.02, 0.05, 0.05, 0.2])[:, None]
    held = 0
    for _ in range(1000):
        one, other = (exact(generator.normal(centre, spread, (8, 10))) for centre in (0.8 + truth, 0.8))
        (row,) = comparisons({"one": one, "other": other})
        held += row["low"] <= truth <= row["high"]
    assert 0.93 <= held / 1000 <= 0.97


def test_the_interval_of_the_mean_holds_it_as_often_as_it_says():
    generator = np.random.default_rng(2)
    centres = np.linspace(0.6, 1.0, 8)[:, None]
    held = 0
    for _ in range(400):
        figure = league({"a": exact(generator.normal(centres, 0.05, (8, 10)))})["a"]["mean"]
        held += figure["low"] <= centres.mean() <= figure["high"]
    assert 0.92 <= held / 400 <= 0.98
