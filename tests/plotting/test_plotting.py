"""The figures: their artists hold the numbers of the episodes, and nothing else."""

import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.figure import Figure

from baselines import make_policy, solve
from mm_env import MARKETS, MarketParams, market_params, play
from mm_env.envs.observation import decode_observation
from mm_env.episodes import Episodes
from mm_env.plotting import (
    SERIES_STYLES,
    episode_frame,
    plot_episode,
    plot_frontier,
    plot_policies,
    plot_quotes,
    save_figure,
)

PARAMS = MarketParams(inventory_limit=6, hedge_threshold=3, num_trades=60)
FRAME_SHAPE = (576, 720, 3)
RED_HUES, ORANGE_HUES = (-20, 15), (20, 50)  # degrees


def always(action):
    return lambda observations: np.full(len(observations), action)


def later_is_lower(observations):
    """Threshold 6 at the start, 0 at the last request."""
    return (decode_observation(observations, PARAMS).trades_left - 1).astype(int) // 10


def by_side(observations):
    """Threshold 1 for a client who buys, 5 for one who sells."""
    return np.where(decode_observation(observations, PARAMS).request.side > 0, 1, 5)


@pytest.fixture(scope="module")
def hedged() -> Episodes:
    return play(always(3), PARAMS, episodes=4, seed=1)


@pytest.fixture(scope="module")
def unhedged() -> Episodes:
    return play(always(6), PARAMS, episodes=4, seed=1)


def so_far(episodes, steps):
    """The first episode when only `steps` of it have been played, as an environment would tell it."""
    return Episodes(episodes.params, **{name: a[:1, :steps] for name, a in episodes.arrays().items()})


def line(axes, label):
    """The one line whose label begins so."""
    (found,) = [artist for artist in axes.lines if str(artist.get_label()).startswith(label)]
    return found


def dashed_levels(axes, hues):
    """Where the dashed horizontal lines of these hues stand."""
    return sorted(
        artist.get_ydata()[0]
        for artist in axes.lines
        if artist.get_linestyle() == "--" and hues[0] < (hue(artist) + 20) % 360 - 20 < hues[1]
    )


def hue(artist):
    return 360 * rgb_to_hsv(to_rgb(artist.get_color()))[0]


class TestEpisode:
    def test_the_lines_are_the_arrays_of_the_episode_asked_for(self, hedged):
        inventory, pnl, hedging = plot_episode(hedged, index=2).axes
        lines = {
            "inventory": inventory.lines[0],
            "unrealized_pnl": line(pnl, "unrealized PnL"),
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
        limit, trigger = line(inventory, "inventory limit"), line(inventory, "hedge trigger")
        assert limit._unscaled_dash_pattern != trigger._unscaled_dash_pattern

    def test_rejected_requests_are_marked_where_they_were_made(self, unhedged):
        rejected = (unhedged.request != 0) & ~unhedged.filled
        index = int(rejected.sum(axis=1).argmax())
        assert rejected[index].sum() > 0
        marks = line(plot_episode(unhedged, index).axes[0], "rejected")
        np.testing.assert_array_equal(marks.get_xdata(), 1 + np.flatnonzero(rejected[index]))
        assert set(np.abs(marks.get_ydata())) == {6}
        assert marks.get_label() == f"rejected ({rejected[index].sum()})"

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

    def test_a_trigger_far_beyond_the_cap_does_not_flatten_the_chart(self):
        episodes = play(always(0), MarketParams(inventory_limit=5, hedge_threshold=1000), episodes=1)
        assert plot_episode(episodes).axes[0].get_ylim()[1] < 12

    @pytest.mark.parametrize("index", [-1, 4, 1.0, True, None])
    def test_an_index_out_of_range_says_what_is_allowed(self, hedged, index):
        with pytest.raises(ValueError, match="index must be a whole number below the number of episodes, 4, got"):
            plot_episode(hedged, index)

    def test_what_is_no_episodes_is_refused(self):
        with pytest.raises(ValueError, match="episodes must be Episodes, got dict"):
            plot_episode({})


def named(axes, label):
    return line(axes, label).get_xdata()


class TestEpisodeOfOtherMarkets:
    """What the seed's market does not have is marked where a market has it, and nowhere else."""

    def test_nothing_is_added_to_the_market_of_the_seed(self, hedged):
        charts = plot_episode(hedged).axes
        labels = [text.get_text().partition(" (")[0] for text in charts[0].get_legend().get_texts()]
        assert labels == ["inventory", "inventory limit ±6", "hedge trigger ±3", "hedge", "rejected"]
        assert len(charts) == 3
        assert not charts[0].patches

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
            spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]
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


def maps(figure):
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


class TestPolicies:
    def test_a_constant_threshold_is_a_constant_map(self):
        figure = plot_policies({"threshold 3": always(3)}, PARAMS)
        (image,) = maps(figure)
        assert image.shape == (13, 60)
        assert (image == 3).all()
        assert figure.axes[0].get_title() == "threshold 3"

    def test_a_threshold_that_depends_on_time_runs_from_left_to_right(self):
        constant, falling = maps(plot_policies({"constant": always(3), "falling": later_is_lower}, PARAMS))
        assert (constant == 3).all()
        np.testing.assert_array_equal(falling, np.tile((59 - np.arange(60)) // 10, (13, 1)))

    def test_a_threshold_that_depends_on_inventory_runs_from_bottom_to_top(self):
        (image,) = maps(
            plot_policies({"own": lambda o: np.maximum(decode_observation(o, PARAMS).inventory, 0).astype(int)}, PARAMS)
        )
        np.testing.assert_array_equal(image[:, 0], np.maximum(np.arange(-6, 7), 0))

    def test_each_cell_stands_at_its_trade_and_inventory(self):
        axes = plot_policies({"x": always(3)}, PARAMS).axes[0]
        assert tuple(axes.images[0].get_extent()) == (0.5, 60.5, -6.5, 6.5)
        assert axes.images[0].origin == "lower"

    def test_buyers_and_sellers_get_rows_of_their_own_where_a_policy_tells_them_apart(self):
        figure = plot_policies({"constant": always(3), "by side": by_side}, PARAMS)
        constant_buys, buys, constant_sells, sells = maps(figure)
        assert (constant_buys == 3).all()
        assert (constant_sells == 3).all()
        assert (buys == 1).all()
        assert (sells == 5).all()
        assert [axes.get_ylabel().split("\n")[0] for axes in figure.axes[::2][:2]] == ["client buys", "client sells"]

    def test_all_panels_share_one_colour_scale_with_a_labelled_bar(self):
        figure = plot_policies({"a": always(1), "b": always(5)}, PARAMS)
        assert {axes.images[0].get_clim() for axes in figure.axes if axes.images} == {(0, 6)}
        assert figure.axes[-1].get_ylabel() == "hedge threshold, units"

    def test_hedge_levels_are_shown_in_units(self):
        (image,) = maps(plot_policies({"second": always(1)}, PARAMS.replace(hedge_levels=3)))
        assert (image == 3).all()

    def test_units_to_offload_are_at_most_what_is_held_after_the_trade(self):
        figure = plot_policies({"two": always(2)}, PARAMS.replace(hedge_action="units"))
        (buys,) = maps(figure)  # sells are the mirror image
        after_buy = np.arange(-6, 7) - 1
        after_buy[0] = -6  # at the cap the client is rejected
        np.testing.assert_array_equal(buys[:, 7], np.minimum(np.abs(after_buy), 2))
        assert figure.get_suptitle().endswith("A client who sells: the mirror image")
        assert figure.axes[-1].get_ylabel() == "units offloaded"

    @pytest.mark.parametrize(
        ("market", "names"),
        [
            ("Hedging", ["optimal"]),
            ("Imbalance", ["client buys"]),
            ("VolatilityRegimes", ["volatility 0.05", "volatility 0.5"]),
            ("AdverseSelection", ["client buys, after a buyer", "client buys, after a seller"]),
        ],
    )
    def test_of_the_optimum_there_is_a_panel_for_every_scene_that_matters(self, market, names):
        params = market_params(f"mm_env/{market}-v0", num_trades=20)
        figure = plot_policies({"optimal": solve(params).policy}, params)
        assert [axes.get_title() for axes in figure.axes if axes.images] == names

    def test_sizes_and_tiers_get_panels_of_their_own_and_at_most_three_sizes(self):
        params = MarketParams(inventory_limit=9, num_trades=5, tiers=[{"sizes": [1, 2, 3, 4, 5]}, {"sizes": [1, 8]}])

        def by_size(observations):
            request = decode_observation(observations, params).request
            return (np.abs(request.signed_size) + request.tier).astype(int)

        figure = plot_policies({"a": always(3), "by size": by_size}, params)
        assert [axes.get_ylabel().split("\n")[0] for axes in figure.axes if axes.get_ylabel()][:5] == [
            "1 unit, tier 0",
            "3 units, tier 0",
            "5 units, tier 0",
            "1 unit, tier 1",
            "8 units, tier 1",
        ]
        assert [image[0, 0] for image in maps(figure)[1::2]] == [1, 3, 5, 2, 9]

    def test_lines_show_where_hedging_begins(self):
        axes = plot_policies({"three": always(3)}, PARAMS).axes[0]
        assert {tuple(set(artist.get_ydata())) for artist in axes.lines} == {(4.5,), (-2.5,)}  # a buyer takes one

    def test_of_many_kinds_of_request_eight_are_shown(self):
        params = market_params("mm_env/FXDealer-v0", num_trades=2)
        figure = plot_policies({"random": make_policy("random", params)}, params)
        assert len(maps(figure)) == 8
        assert "8 of 12 kinds of request" in figure.get_suptitle()

    def test_orders_too_late_to_execute_are_left_out(self):
        axes = plot_policies({"x": always(3)}, PARAMS.replace(hedge_latency=2)).axes[0]
        assert tuple(axes.images[0].get_extent())[:2] == (0.5, 58.5)

    @pytest.mark.parametrize("change", [{"mean_reversion": 0.1}, {"quote_latency": 2}, {"arrival_probability": 0.0}])
    def test_markets_without_an_optimum_are_drawn_too(self, change):
        assert len(maps(plot_policies({"x": always(3)}, PARAMS.replace(**change)))) == 1

    def test_large_markets_are_thinned_out_evenly_and_keep_the_last_trade(self):
        big = MarketParams(num_trades=1439, inventory_limit=503)
        figure = plot_policies({"last": lambda o: np.where(decode_observation(o, big).trades_left == 1, 0, 503)}, big)
        (image,) = maps(figure)
        assert image.shape[0] <= 201
        assert image.shape[1] <= 200
        assert (image[:, -1] == 0).all()
        assert (image[:, :-1] == 503).all()
        left, right, bottom, top = figure.axes[0].images[0].get_extent()
        assert bottom == -top
        assert 0 < left < right < 1439 + 8

    def test_the_smallest_market_has_a_map_of_one_cell(self):
        (image,) = maps(plot_policies({"x": always(0)}, MarketParams(num_trades=1, inventory_limit=0)))
        assert image.shape == (1, 1)

    def test_a_policy_with_a_state_is_reset_first(self):
        class Counting:
            seeds = ()

            def reset(self, seed):
                self.seeds += (seed,)

            def __call__(self, observations):
                return np.full(len(observations), 2)

        policy = Counting()
        plot_policies({"counting": policy}, PARAMS)
        assert policy.seeds == (0,)

    @pytest.mark.parametrize(
        ("policies", "params", "message"),
        [
            ({}, PARAMS, "policies must be a mapping with one entry or more"),
            ([always(3)], PARAMS, "policies must be a mapping with one entry or more"),
            ({"three": 3}, PARAMS, "policy 'three' must be callable, got 3"),
            ({"high": always(7)}, PARAMS, "actions must be from 0 to 6, got 7"),
            ({"x": always(3)}, {}, "params must be MarketParams, got dict"),
        ],
    )
    def test_bad_input_is_refused(self, policies, params, message):
        with pytest.raises(ValueError, match=message):
            plot_policies(policies, params)


class TestQuotes:
    PARAMS = market_params("mm_env/DynamicSpread-v0", num_trades=20, inventory_limit=6, hedge_threshold=3)

    def test_bid_and_ask_over_the_inventory_at_three_times(self):
        policy = solve(self.PARAMS).policy
        (axes,) = plot_quotes({"optimal": policy}, self.PARAMS).axes
        assert {artist.get_label() for artist in axes.lines} == {
            f"{side}, trade {trade}" for side in ("ask", "bid") for trade in (1, 11, 20)
        }
        solution = policy.solution
        for name, scene, places in [("ask", 0, slice(1, None)), ("bid", 1, slice(0, -1))]:
            drawn = line(axes, f"{name}, trade 11").get_ydata()
            np.testing.assert_allclose(drawn[places], solution.distances[10, places, scene])
        assert np.isnan(line(axes, "ask, trade 20").get_ydata()[0])  # at the cap nothing more is sold
        assert np.isnan(line(axes, "bid, trade 20").get_ydata()[-1])

    def test_bid_and_ask_and_times_differ_without_colour(self):
        (axes,) = plot_quotes({"x": make_policy("threshold", self.PARAMS)}, self.PARAMS).axes
        assert len({(artist.get_linestyle(), artist.get_linewidth()) for artist in axes.lines}) == 6

    def test_tiers_get_panels_of_their_own(self):
        tiers = ({"decay": 10.0}, {"decay": 40.0})
        params = self.PARAMS.replace(tiers=tiers)
        figure = plot_quotes({"optimal": solve(params).policy}, params)
        assert [axes.get_title() for axes in figure.axes] == ["tier 0", "tier 1"]
        figure = plot_quotes({"a": make_policy("threshold", params), "b": solve(params).policy}, params)
        assert len(figure.axes) == 4

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"quote_levels": 1, "tick": 0.0}, "quote_levels must be above 1"),
            ({"arrival_probability": 0.0}, "arrival_probability must be above 0"),
        ],
    )
    def test_without_quotes_it_says_so(self, change, message):
        params = self.PARAMS.replace(**change)
        with pytest.raises(ValueError, match=message):
            plot_quotes({"x": make_policy("threshold", params)}, params)


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
        assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["a", "b", "c"]

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


class TestSave:
    @pytest.mark.parametrize(
        ("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF"), ("a.PNG", b"\x89PNG")]
    )
    def test_the_ending_decides_the_format(self, tmp_path, name, start):
        save_figure(Figure(figsize=(1, 1)), tmp_path / "new" / name)
        assert (tmp_path / "new" / name).read_bytes().startswith(start)
        assert [path.name for path in (tmp_path / "new").iterdir()] == [name]

    def test_a_failure_leaves_the_old_file_as_it_was(self, tmp_path, monkeypatch):
        def half_written(self, path, **_):
            path.write_text("half")
            raise OSError("disk full")

        target = tmp_path / "a.png"
        target.write_text("old")
        monkeypatch.setattr(Figure, "savefig", half_written)
        with pytest.raises(OSError, match="disk full"):
            save_figure(Figure(), str(target))
        assert target.read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.parametrize("name", ["a.jpg", "a", "png"])
    def test_another_ending_says_what_is_allowed(self, tmp_path, name):
        with pytest.raises(ValueError, match=r"figures are saved as \.png, \.svg, \.pdf"):
            save_figure(Figure(), tmp_path / name)
        assert not list(tmp_path.iterdir())

    def test_what_is_no_figure_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="must be a matplotlib Figure, got str"):
            save_figure("figure", tmp_path / "a.png")


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_without_matplotlib_the_error_says_what_to_install():
    run = python("import sys; sys.modules['matplotlib'] = None; import mm_env; import mm_env.plotting")
    assert "ImportError: figures need matplotlib: pip install 'mm_env[plot]'" in run.stderr


def test_neither_pyplot_nor_an_environment_is_needed():
    """Matplotlib is not imported with mm_env; pyplot, and with it global state and windows, never."""
    run = python(
        "import sys, mm_env; assert 'matplotlib' not in sys.modules;"
        "import mm_env.plotting; assert 'matplotlib.pyplot' not in sys.modules"
    )
    assert run.returncode == 0, run.stderr
