"""Every chart can be drawn on axes of one's own and in any style sheet."""

import numpy as np
import pytest
from matplotlib import style
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from baselines import compare, make_policy, solve
from mm_env import DealersParams, MarketParams, Tape, market_params, play, play_dealers
from mm_env.plotting import (
    plot_dealers,
    plot_episode,
    plot_frontier,
    plot_intervals,
    plot_policies,
    plot_quotes,
    plot_tape,
)

MARKET = MarketParams(num_trades=20, inventory_limit=4, hedge_threshold=2)
QUOTING = market_params("mm_env/DynamicSpread-v0", num_trades=20, inventory_limit=4, hedge_threshold=2)
DEALERS = DealersParams(num_dealers=2, tick=0.01, quote_levels=8, spread=0.02, num_trades=20)
RUN = play(make_policy("threshold", MARKET), MARKET, episodes=3)
RULE, BID = make_policy("threshold", MARKET), make_policy("threshold", QUOTING)
BOTH = dict(zip("ab", play_dealers([BID, BID], DEALERS, episodes=1), strict=True))
COMPARED = compare({"rule": RULE, "never": make_policy("never", MARKET)}, MARKET, episodes=50)

CHARTS = {  # how many axes, and the chart drawn on some
    "episode": (3, lambda axes: plot_episode(RUN, axes=axes)),
    "two episodes": (6, lambda axes: plot_episode([RUN, RUN], axes=axes)),
    "Episodes.plot": (3, lambda axes: RUN.plot(axes=axes)),
    "quoting": (4, lambda axes: plot_episode(play(BID, QUOTING, episodes=1), axes=axes)),
    "dealers": (
        2,
        lambda axes: plot_dealers(
            dict(zip("ab", play_dealers([BID, BID], DEALERS, episodes=1), strict=True)), axes=axes
        ),
    ),
    "frontier": (1, lambda axes: plot_frontier({"a": [RUN], "b": [RUN, RUN]}, axes)),
    "intervals": (1, lambda axes: plot_intervals({"a": (1.0, 0.5, 2.0)}, "J", axes)),
    "map": (1, lambda axes: plot_policies({"rule": RULE}, MARKET, axes)),
    "bands": (1, lambda axes: plot_policies({"rule": RULE, "other": RULE}, MARKET, axes)),
    "quotes": (1, lambda axes: plot_quotes({"rule": BID}, QUOTING, axes)),
    "tape": (3, lambda axes: plot_tape(Tape.draw(MARKET, 0, 2), axes)),
    "Comparison.plot": (1, lambda axes: COMPARED.plot("pnl", axes)),
    "Solution.plot": (1, lambda axes: solve(MARKET).plot(axes)),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_drawn_on_the_axes_that_are_given(name):
    number, chart = CHARTS[name]
    figure = Figure(figsize=(6, 9))
    given = figure.subplots(number, squeeze=False)
    assert chart(given) is figure
    assert all(axes.has_data() for axes in given.flat)
    inner = Figure()
    part = inner.subfigures(1, 2)[1].subplots(number, squeeze=False)
    assert chart(list(part.flat)) is inner
    assert isinstance(chart(None), Figure)
    for wrong in ([*given.flat, given.flat[0]], "axes"):
        with pytest.raises(ValueError, match="axes must be "):
            chart(wrong)


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_can_be_read_in_a_dark_style(name):
    """Nothing black on black: lines, marks and letters differ from the paper, which is the style's."""
    with style.context("dark_background"):
        figure = CHARTS[name][1](None)
        assert to_rgb(figure.get_facecolor()) == (0, 0, 0)
        for axes in figure.axes:
            assert to_rgb(axes.get_facecolor()) == (0, 0, 0)
            colors = [line.get_color() for line in axes.lines] + [text.get_color() for text in axes.texts]
            bright = [max(to_rgb(color)) for color in colors]
            paper = "map" in name or "Solution" in name  # lines on a map have an edge of paper
            assert paper or min(bright, default=1) > 0.3, name
        figure.draw_without_rendering()


def test_the_charts_of_results_show_their_numbers():
    (axes,) = COMPARED.plot("pnl").axes
    drawn = [container[0].get_xdata()[0] for container in axes.containers]
    assert drawn == [COMPARED.score(name, "pnl").value for name in COMPARED.totals]
    low, high = COMPARED.score("rule", "pnl").interval()
    np.testing.assert_allclose(axes.containers[0][2][0].get_segments()[0][:, 0], [low, high])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["rule", "never"]
    with pytest.raises(ValueError, match="no score 'pnll'"):
        COMPARED.plot("pnll")
