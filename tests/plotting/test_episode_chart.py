"""The charts of an episode: their artists hold the numbers of the episode, and nothing else."""

import gymnasium as gym
import numpy as np
import pytest

from baselines import make_policy
from mm_env import MARKETS, market_params, play
from mm_env.plotting import (
    episode_frame,
    plot_episode,
    telling_episode,
)
from tests.plotting.artists import (
    FRAME_SHAPE,
    ORANGE_HUES,
    PARAMS,
    RED_HUES,
    always,
    dashed_levels,
    later_is_lower,
    line,
    so_far,
)


class TestEpisode:
    def test_the_lines_are_the_arrays_of_the_episode_asked_for(self, hedged):
        inventory, pnl, hedging = plot_episode(hedged, index=2).axes
        lines = {
            "inventory": inventory.lines[0],
            "unrealized_pnl": line(pnl, "unrealized"),
            "equity": line(pnl, "equity"),
            "cumulative_hedge": line(hedging, "units hedged"),
        }
        for name, artist in lines.items():
            np.testing.assert_array_equal(artist.get_xdata(), np.arange(1, 61))
            np.testing.assert_array_equal(artist.get_ydata(), getattr(hedged, name)[2])

    def test_inventory_and_cumulative_hedging_are_drawn_as_steps(self, hedged):
        inventory, _, hedging = plot_episode(hedged).axes
        assert inventory.lines[0].get_drawstyle().startswith("steps")
        assert hedging.lines[0].get_drawstyle().startswith("steps")

    def test_limits_are_red_and_triggers_orange_dashed_lines_with_different_dashes(self, hedged):
        inventory = plot_episode(hedged).axes[0]
        assert dashed_levels(inventory, RED_HUES) == [-6, 6]
        assert dashed_levels(inventory, ORANGE_HUES) == [-3, 3]
        limit, trigger = line(inventory, "limit"), line(inventory, "hedge trigger")
        assert limit._unscaled_dash_pattern != trigger._unscaled_dash_pattern

    def test_rejected_requests_are_marked_where_they_were_made(self, unhedged):
        rejected = (unhedged.request != 0) & ~unhedged.filled
        index = int(rejected.sum(axis=1).argmax())
        assert rejected[index].sum() > 0
        marks = line(plot_episode(unhedged, index).axes[0], "rejected")
        np.testing.assert_array_equal(marks.get_xdata(), 1 + np.flatnonzero(rejected[index]))
        assert set(np.abs(marks.get_ydata())) == {6}
        assert marks.get_label() == f"rejected ({rejected[index].sum()})"
        accepted = line(plot_episode(unhedged, index).axes[0], "accepted")
        np.testing.assert_array_equal(accepted.get_xdata(), 1 + np.flatnonzero(unhedged.filled[index]))

    def test_nobody_came_is_not_a_rejection(self):
        quiet = play(always(6), PARAMS.replace(arrival_probability=0.0), episodes=1)
        assert not quiet.filled.any()
        assert len(line(plot_episode(quiet).axes[0], "rejected").get_xdata()) == 0

    def test_hedges_are_marked_at_their_trades(self, hedged):
        index = int(np.count_nonzero(hedged.hedge, axis=1).argmax())
        trades = np.flatnonzero(hedged.hedge[index])
        assert len(trades) > 0
        marks = line(plot_episode(hedged, index).axes[0], "hedge (")
        np.testing.assert_array_equal(marks.get_xdata(), trades + 1)
        np.testing.assert_array_equal(marks.get_ydata(), hedged.inventory[index, trades])

    @pytest.mark.parametrize("steps", [0, 1, 25, 60])
    def test_an_episode_in_progress_has_the_axes_of_the_whole(self, hedged, steps):
        figure = plot_episode(so_far(hedged, steps))
        assert dashed_levels(figure.axes[0], RED_HUES) == [-6, 6]
        for axes in figure.axes:
            assert axes.get_xlim() == (0.5, 60.5)
        assert len(figure.axes[0].lines[0].get_xdata()) == steps

    def test_every_chart_has_a_title_a_unit_and_a_legend(self, hedged):
        charts = plot_episode(hedged).axes
        assert [axes.get_title(loc="left") for axes in charts] == [
            "Inventory",
            "Unrealized PnL and equity",
            "Cumulative hedging",
        ]
        assert all("units" in axes.get_ylabel() and axes.get_legend() for axes in charts)
        assert charts[-1].get_xlabel() == "trade number"

    @pytest.mark.parametrize("index", [-1, 4, 1.0, True, None])
    def test_an_index_out_of_range_says_what_is_allowed(self, hedged, index):
        with pytest.raises(ValueError, match="index must be a whole number below the number of episodes, 4, got"):
            plot_episode(hedged, index)

    def test_what_is_no_episodes_is_refused(self):
        with pytest.raises(ValueError, match="episodes must be Episodes, got int"):
            plot_episode([3])
        with pytest.raises(ValueError, match="episodes must be a mapping with one entry or more"):
            plot_episode([])
        with pytest.raises(ValueError, match="episodes must be a mapping with one entry or more"):
            plot_episode({})

    def test_a_policy_that_never_hedges_has_no_trigger_and_the_legend_says_so(self, unhedged):
        inventory = plot_episode(unhedged).axes[0]
        assert dashed_levels(inventory, RED_HUES) == [-6, 6]
        assert len(line(inventory, "no hedge trigger").get_xdata()) == 0
        assert not [artist for artist in inventory.lines if str(artist.get_label()).startswith("hedge trigger")]

    def test_who_chooses_units_has_no_trigger(self):
        params = PARAMS.replace(hedge_action="units")
        run = play(always(1), params, episodes=1)
        assert np.isnan(run.threshold).all()
        assert len(line(plot_episode(run).axes[0], "no hedge trigger").get_xdata()) == 0

    def test_a_trigger_that_changes_is_followed_from_trade_to_trade(self):
        """And left out where it is the cap, beyond which nobody gets."""
        run = play(later_is_lower, PARAMS, episodes=1, seed=1)
        above = line(plot_episode(run).axes[0], "hedge trigger 0 to 5")
        expected = (59.0 - np.arange(60)) // 10
        np.testing.assert_array_equal(run.threshold[0], expected)
        np.testing.assert_array_equal(above.get_ydata(), expected)
        assert above.get_drawstyle() == "steps-mid"

    def test_the_trigger_drawn_is_not_the_parameter_but_what_was_played(self):
        params = PARAMS.replace(hedge_threshold=1000)
        inventory = plot_episode(play(always(2), params, episodes=1)).axes[0]
        assert dashed_levels(inventory, ORANGE_HUES) == [-2, 2]

    def test_two_policies_stand_side_by_side_on_the_same_scales(self, hedged, unhedged):
        figure = plot_episode({"threshold 3": hedged, "never": unhedged}, index=1, title="one tape")
        charts = np.array(figure.axes).reshape(3, 2)
        for column, run in zip(charts.T, (hedged, unhedged), strict=True):
            np.testing.assert_array_equal(column[0].lines[0].get_ydata(), run.inventory[1])
        for left, right in charts:
            assert left.get_ylim() == right.get_ylim()
        assert [text.get_text() for text in figure.texts] == ["threshold 3", "never", "one tape"]
        other = play(always(3), PARAMS.replace(spread=0.1), episodes=4)
        with pytest.raises(ValueError, match="of one market"):
            plot_episode({"a": hedged, "b": other})

    def test_the_telling_episode_has_hedges_of_one_and_rejections_of_the_other(self, hedged, unhedged):
        index = telling_episode([hedged, unhedged])
        hedges = np.count_nonzero(hedged.hedge, axis=1) >= 5
        rejected = ((unhedged.request != 0) & ~unhedged.filled).any(axis=1)
        assert index == int(np.argmax(hedges & rejected))
        assert hedges[index]
        assert rejected[index]


def named(axes, label):
    return line(axes, label).get_xdata()


class TestEpisodeOfOtherMarkets:
    """What the seed's market does not have is marked where a market has it, and nowhere else."""

    def test_nothing_is_added_to_the_market_of_the_seed(self, hedged):
        charts = plot_episode(hedged).axes
        labels = [text.get_text().partition(" (")[0] for text in charts[0].get_legend().get_texts()]
        assert labels == ["inventory", "accepted", "limit ±6", "hedge trigger ±3", "hedge", "rejected"]
        assert len(charts) == 3
        assert not charts[0].collections

    def test_informed_clients_are_marked_where_they_traded(self):
        run = play(always(3), PARAMS.replace(informed_fraction=0.3), episodes=1, seed=2)
        known = 1 + np.flatnonzero(run.filled[0] & run.informed[0])
        assert len(known) > 5
        np.testing.assert_array_equal(named(plot_episode(run).axes[0], "informed client"), known)

    def test_orders_are_hollow_where_placed_and_full_where_executed(self):
        run = play(always(3), PARAMS.replace(hedge_latency=2), episodes=1, seed=2)
        axes = plot_episode(run).axes[0]
        ordered, executed = line(axes, "ordered"), line(axes, "hedge (")
        np.testing.assert_array_equal(ordered.get_xdata(), 1 + np.flatnonzero(run.order[0]))
        np.testing.assert_array_equal(executed.get_xdata(), 1 + np.flatnonzero(run.hedge[0]))
        np.testing.assert_array_equal(executed.get_xdata(), [x + 2 for x in ordered.get_xdata() if x + 2 <= 60])
        assert ordered.get_markerfacecolor() == "white"
        assert executed.get_markerfacecolor() != "white"

    def test_the_thin_line_counts_orders_in_flight(self):
        run = play(always(3), PARAMS.replace(hedge_latency=2), episodes=1, seed=2)
        position = line(plot_episode(run).axes[0], "with orders").get_ydata()
        pending = run.order[0].copy()
        pending[1:] += run.order[0, :-1]  # those of the last two steps have not executed
        np.testing.assert_array_equal(position, run.inventory[0] + pending)
        assert np.abs(position).max() <= 3  # what the rule looks at

    def test_storms_are_shaded_in_every_chart(self):
        regimes = {"volatility_regimes": (0.05, 0.5), "regime_persistence": 0.9}
        run = play(always(3), PARAMS.replace(**regimes), episodes=1, seed=2)
        stormy = set(1 + np.flatnonzero(run.regime[0] == 1))
        assert 5 < len(stormy) < 55
        for axes in plot_episode(run).axes:
            corners = [path.vertices[:, 0] for path in axes.collections[-1].get_paths()]
            spans = [(x.min(), x.max()) for x in corners]
            assert {trade for trade in range(1, 61) if any(a < trade < b for a, b in spans)} == stormy
        assert "volatility 0.5" in plot_episode(run).axes[0].get_legend_handles_labels()[1]

    def test_quotes_have_a_chart_of_their_own_where_the_agent_chooses_them(self):
        params = market_params("mm_env/DynamicSpread-v0", num_trades=60)
        run = play(make_policy("random", params), params, episodes=1, seed=2)
        *_, quotes = plot_episode(run).axes
        assert quotes.get_title(loc="left") == "Quoted distance"
        for label, side, filled in [("ask, filled", 1, True), ("bid, refused", -1, False)]:
            chosen = (run.request[0] == side) & (run.filled[0] == filled)
            np.testing.assert_array_equal(named(quotes, label), 1 + np.flatnonzero(chosen))
            np.testing.assert_array_equal(line(quotes, label).get_ydata(), run.distance[0][chosen])
            assert chosen.any()

    @pytest.mark.parametrize("market", MARKETS)
    @pytest.mark.parametrize("steps", [0, 3])
    def test_frames_have_one_shape_in_every_market(self, market, steps):
        params = market_params(market, num_trades=5)
        run = play(make_policy("random", params), params, episodes=1)
        assert episode_frame(so_far(run, steps)).shape == FRAME_SHAPE


class TestFrame:
    @pytest.mark.parametrize("steps", [0, 1, 60])
    def test_frames_have_one_shape_and_type(self, hedged, steps):
        frame = episode_frame(so_far(hedged, steps))
        assert frame.shape == FRAME_SHAPE
        assert frame.dtype == np.uint8
        assert frame.flags["C_CONTIGUOUS"]
        assert frame.min() < 100 < frame.max()

    def test_the_environment_renders_the_episode_so_far(self):
        env = gym.make("mm_env/Hedging-v0", render_mode="rgb_array", num_trades=3)
        env.reset(seed=0)
        frames = [env.render()]
        terminated = False
        while not terminated:
            _, _, terminated, _, _ = env.step(10)
            frames.append(env.render())
        assert [frame.shape for frame in frames] == 4 * [FRAME_SHAPE]
        assert not np.array_equal(frames[0], frames[-1])
        env.close()
