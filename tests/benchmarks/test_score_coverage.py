"""How often intervals of scores hold the truth is counted rightly."""

import numpy as np
from click.testing import CliRunner

from baselines.benchmark.aggregate import Scores
from benchmarks.score_coverage import aggregates, differences, main, of_seeds, of_tapes

VALUES = np.random.default_rng(0).normal(0.9, 0.05, (8, 30))


def test_seeds_are_drawn_within_their_market():
    drawn = of_seeds(VALUES, 5, np.random.default_rng(1))()
    assert drawn.values.shape == (8, 5)
    assert all(np.isin(row, of).all() for row, of in zip(drawn.values, VALUES, strict=True))
    assert not drawn.errors.any()


def test_intervals_hold_what_they_should_and_not_what_they_should_not():
    draw = of_seeds(VALUES, 10, np.random.default_rng(2))
    for held in [*differences("seeds", draw, 100), *aggregates("seeds", draw, VALUES, 40)]:
        assert held.share >= 0.85 or "worst" in held.what, held  # the least of eight that are alike: too low
    exact = [Scores(np.full((8, 2), value), np.zeros((8, 2))) for value in (0.5, 0.6)]
    turns = iter(exact * 40)
    assert [held.share for held in differences("apart", lambda: next(turns), 10)] == [0.0, 0.0]


def test_a_played_policy_has_another_score_on_other_tapes():
    draw = of_tapes("mm_env/TicketFee-v0", "threshold:3", 50, np.random.default_rng(3))
    one, other = draw(), draw()
    assert one.values != other.values
    assert one.errors > 0


def test_an_agent_without_seeds_is_refused():
    ended = CliRunner().invoke(main, ["--agent", "never"])
    assert ended.exit_code == 1
    assert "has no agent 'never' of several training seeds" in ended.output
