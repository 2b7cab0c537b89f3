import numpy as np
import pytest

from mm_env import Tape, market_params

pytest.importorskip("matplotlib")

from mm_env.plotting import plot_tape


def test_the_chart_of_a_tape_shows_mid_flow_and_markouts():
    tape = Tape.draw(market_params(num_trades=30), 0, 2)
    mid, flow, markouts = plot_tape(tape).axes
    np.testing.assert_allclose(mid.lines[0].get_ydata(), tape.paths.change.T.cumsum())
    np.testing.assert_allclose(flow.lines[0].get_ydata(), tape.paths.side.T.cumsum(dtype=float))
    expected = [found.value for found in tape.summary().markouts["all"].values()]
    np.testing.assert_allclose(np.array(markouts.containers[0].lines[0].get_ydata(), float), expected)
    with pytest.raises(ValueError, match="must be a Tape"):
        plot_tape("trades.csv")
