"""The charts of policies: hedges as maps, quotes as lines."""

import numpy as np
import pytest

from baselines import make_policy, solve
from mm_env import MarketParams, market_params
from mm_env.envs.observation import decode_observation
from mm_env.plotting import (
    plot_policies,
    plot_quotes,
)
from tests.plotting.artists import PARAMS, always, by_side, later_is_lower, line


def maps(figure):
    """The levels of every map, those behind no colour as well."""
    return [np.ma.getdata(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def bands(axes):
    """By policy, the inventories above and below which something is hedged, at every trade."""
    lines = axes.lines
    return {
        above.get_label(): (above.get_ydata(), below.get_ydata())
        for above, below in zip(lines[::2], lines[1::2], strict=True)
    }


class TestPolicies:
    def test_a_constant_threshold_is_a_constant_map(self):
        figure = plot_policies({"threshold 3": always(3)}, PARAMS)
        (image,) = maps(figure)
        assert image.shape == (13, 60)
        assert (image == 3).all()
        assert figure.axes[0].get_title() == "threshold 3"

    def test_a_threshold_that_depends_on_time_runs_from_left_to_right(self):
        (falling,) = maps(plot_policies({"falling": later_is_lower}, PARAMS))
        np.testing.assert_array_equal(falling, np.tile((59 - np.arange(60)) // 10, (13, 1)))

    def test_where_nothing_is_hedged_there_is_no_colour(self):
        """A client who buys takes one unit: what exceeds 3 after that is hedged, and no policy is one flat colour."""
        (axes, _) = plot_policies({"three": always(3)}, PARAMS).axes
        hidden = np.ma.getmaskarray(axes.images[0].get_array())[:, 0]
        np.testing.assert_array_equal(hidden, np.abs(np.clip(np.arange(-6, 7) - 1, -6, 6)) <= 3)

    def test_several_policies_are_lines_between_which_nothing_is_hedged(self):
        figure = plot_policies({"three": always(3), "falling": later_is_lower, "never": always(6)}, PARAMS)
        (axes,) = figure.axes
        found = bands(axes)
        assert {tuple(np.unique(edge)) for edge in found["three"]} == {(4.5,), (-2.5,)}
        np.testing.assert_array_equal(found["falling"][1][10:], 0.5 - (59 - np.arange(10, 60)) // 10)
        assert np.isnan(found["never (nothing, ever)"]).all()
        widths = [line.get_linewidth() for line in axes.lines[::2]]
        assert widths == sorted(widths, reverse=True)  # none hides another
        assert len({str(line.get_linestyle()) + str(line._unscaled_dash_pattern) for line in axes.lines[::2]}) == 3
        assert figure.get_suptitle() == "Nothing is hedged between the lines\nA client who sells: the mirror image"

    def test_charts_of_several_policies_fit_half_a_phone(self):
        """Letters are at least six pixels high at a width of 180."""
        figure = plot_policies({"three": always(3), "by side": by_side}, PARAMS)
        figure.draw_without_rendering()
        points = min(text.get_fontsize() for text in figure.axes[1].get_xticklabels())
        assert points / 72 * 180 / figure.get_figwidth() > 6

    def test_a_threshold_that_depends_on_inventory_runs_from_bottom_to_top(self):
        (image,) = maps(
            plot_policies({"own": lambda o: np.maximum(decode_observation(o, PARAMS).inventory, 0).astype(int)}, PARAMS)
        )
        np.testing.assert_array_equal(image[:, 0], np.maximum(np.arange(-6, 7), 0))

    def test_each_cell_stands_at_its_trade_and_inventory(self):
        axes = plot_policies({"x": always(3)}, PARAMS).axes[0]
        assert tuple(axes.images[0].get_extent()) == (0.5, 60.5, -6.5, 6.5)
        assert axes.images[0].origin == "lower"

    def test_buyers_and_sellers_get_charts_of_their_own_where_a_policy_tells_them_apart(self):
        buys, sells = plot_policies({"constant": always(3), "by side": by_side}, PARAMS).axes
        assert [axes.get_title(loc="left") for axes in (buys, sells)] == ["client buys", "client sells"]
        assert {edge[0] for edge in bands(buys)["by side"]} == {2.5, -0.5}
        above, below = bands(sells)["by side"]
        assert set(above) == {4.5}
        assert np.isnan(below).all()  # at the cap he is rejected, and 5 before it nothing is hedged

    def test_the_colours_of_a_map_are_told_by_a_labelled_bar(self):
        figure = plot_policies({"a": always(1)}, PARAMS)
        assert figure.axes[0].images[0].get_clim() == (0, 6)
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

        figure = plot_policies({"by size": by_size}, params)
        assert [axes.get_title() for axes in figure.axes if axes.images] == [
            "1 unit, tier 0",
            "3 units, tier 0",
            "5 units, tier 0",
            "1 unit, tier 1",
            "8 units, tier 1",
        ]
        assert [image[0, 0] for image in maps(figure)] == [1, 3, 5, 2, 9]

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
            ({"x": always(3)}, {}, "params must be MarketParams or the id of a market, got {}"),
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
