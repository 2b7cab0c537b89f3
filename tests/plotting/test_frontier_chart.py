"""The chart of mean against risk."""

import numpy as np
import pytest

from mm_env.plotting import (
    SERIES_STYLES,
    plot_frontier,
)
from tests.plotting.artists import so_far


class TestFrontier:
    def test_points_stand_at_risk_and_mean_with_bars_of_the_interval(self, hedged, unhedged):
        figure = plot_frontier({"fixed": [hedged, unhedged]})
        (container,) = figure.axes[0].containers
        points, _, (bars,) = container
        pnl = [hedged.pnl, unhedged.pnl]
        np.testing.assert_allclose(points.get_xdata(), np.std(pnl, axis=1, ddof=1))
        foreseen = [episodes.pnl - episodes.unexpected_pnl.sum(axis=1) for episodes in (hedged, unhedged)]
        np.testing.assert_allclose(points.get_ydata(), np.mean(foreseen, axis=1))
        half = 3.182446305284263 * np.std(foreseen, axis=1, ddof=1) / 2  # sqrt(4) = 2; Student's t, 3 degrees
        lengths = [segment[1, 1] - segment[0, 1] for segment in bars.get_segments()]
        np.testing.assert_allclose(lengths, 2 * half)

    def test_series_differ_in_marker_and_dashes_and_a_single_point_has_no_line(self, hedged, unhedged):
        figure = plot_frontier({"a": [hedged, unhedged], "b": [unhedged, hedged], "c": [hedged]})
        a, b, c = (container[0] for container in figure.axes[0].containers)
        assert len({a.get_marker(), b.get_marker(), c.get_marker()}) == 3
        assert a.get_linestyle() == "-"
        assert b.get_linestyle() == "--"
        assert c.get_linestyle() == "None"
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
        assert [text.get_text() for text in figure.axes[0].texts] == ["c"]

    def test_single_points_that_lie_together_are_shown_apart_in_an_inset(self, hedged, unhedged):
        alone = plot_frontier({"curve": [hedged, unhedged], "one": [hedged], "far": [unhedged]}).axes[0]
        assert not alone.child_axes
        both = plot_frontier({"curve": [hedged, unhedged], "one": [hedged], "two": [hedged], "far": [unhedged]}).axes[0]
        (inset,) = both.child_axes
        assert [text.get_text() for text in both.texts] == ["far"]
        assert {text.get_text() for text in inset.texts} == {"one", "two"}
        (low, high), at = inset.get_xlim(), hedged.pnl.std(ddof=1)
        assert low < at < high < unhedged.pnl.std(ddof=1)

    def test_no_two_styles_are_alike_without_colour(self):
        assert len({style["marker"] for style in SERIES_STYLES}) == len(SERIES_STYLES)
        assert len({str(style["linestyle"]) for style in SERIES_STYLES}) == len(SERIES_STYLES)

    def test_more_series_than_styles_begin_again(self, hedged):
        many = {str(i): [hedged] for i in range(len(SERIES_STYLES) + 1)}
        assert len(plot_frontier(many).axes[0].containers) == len(many)

    def test_bad_input_is_refused(self, hedged):
        cases = [
            ({}, "series must be a mapping with one entry or more"),
            ({"a": []}, "series 'a' must be a list of Episodes with one entry or more"),
            ({"a": hedged}, "series 'a' must be a list of Episodes"),
            ({"a": [3]}, "series 'a' must be a list of Episodes"),
            ({"a": [hedged[:1]]}, "series 'a': a standard deviation needs 2 episodes or more, got 1"),
            ({"a": [so_far(hedged, 0)]}, "series 'a': its episodes stop after 0 of 60 trades"),
        ]
        for series, message in cases:
            with pytest.raises(ValueError, match=message):
                plot_frontier(series)
