import numpy as np
import pytest

from train.runs.held_out import Curve
from train.runs.stop_rule import StopRule, evaluations_without_rise


def curve(share, objective=None, exact=None):
    share, empty = np.array(share, float), np.empty(0)
    known = np.full(len(share), np.nan) if exact is None else np.array(exact, float)
    return Curve(empty, empty, np.array(objective or share), share, empty, empty, known)


@pytest.mark.parametrize(
    ("share", "waited"),
    [([], 0), ([0.1], 0), ([0.1, 0.2, 0.2], 1), ([0.5, 0.5005, 0.5008], 2), ([0.5, 0.5005, 0.502, 0.4], 1)],
)
def test_a_rise_is_one_of_a_thousandth_of_the_gap(share, waited):
    assert evaluations_without_rise(curve(share)) == waited


def test_the_exact_share_counts_where_it_is_known():
    assert evaluations_without_rise(curve([0.1, 0.2, 0.3], exact=[0.5, 0.5, 0.5])) == 2
    assert evaluations_without_rise(curve([0.3, 0.3, 0.3], exact=[0.5, 0.6, 0.7])) == 0


def test_where_the_optimum_is_unknown_j_has_to_rise():
    nan = float("nan")
    assert evaluations_without_rise(curve([nan] * 4, [-9.0, -8.0, -7.999, -8.0])) == 2


def test_a_run_stops_by_patience_or_time_or_not_at_all():
    flat = curve([0.3, 0.3, 0.3])
    assert StopRule().reason(flat) is None
    assert StopRule(patience=3).reason(flat) is None
    assert StopRule(patience=2).reason(flat) == "no rise in 2 evaluations"
    assert StopRule(time_limit=1e-9).reason(flat).startswith("the time limit of 1e-09 s")
    assert StopRule(time_limit=1e9).reason(flat) is None
