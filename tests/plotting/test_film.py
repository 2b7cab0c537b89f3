"""Films: the pixels of a frame are those of the charts drawn whole, and moving pictures hold every frame."""

import numpy as np
import pytest
from PIL import Image

from baselines import make_policy
from mm_env import DealersParams, market_params, play, play_dealers
from mm_env.plotting import episode_film, episode_frame, episode_frames, plot_dealers, plot_episode, save_movie
from mm_env.plotting.dealers_chart import dealers_film
from mm_env.plotting.movie import ffmpeg
from mm_env.plotting.style import FigureCanvasAgg
from tests.plotting.artists import FRAME_SHAPE, so_far

MARKETS = ["Hedging", "VolatilityRegimes", "Latency", "FXDealer", "AdverseSelection"]


def drawn_whole(film, played):
    """The same artists through Matplotlib's own drawing of a figure."""
    film.frame(played)
    figure = film._canvas.figure
    for _, artist, _ in film._moving:
        artist.set_animated(False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


@pytest.mark.parametrize("market", MARKETS)
def test_a_frame_after_others_is_the_whole_drawing_of_its_moment(market):
    """But for what lies behind the lines of the grid: nothing of an earlier frame stays."""
    params = market_params(f"mm_env/{market}-v0", num_trades=40)
    run = play(make_policy("random", params), params, episodes=1, seed=3)
    film = episode_film(params)
    for steps in (0, 39, 7):
        frame = film.frame(so_far(run, steps))
    np.testing.assert_array_less(np.abs(frame.astype(int) - drawn_whole(film, so_far(run, 7))).mean(), 0.6)
    fresh = episode_film(params)
    fresh.frame(so_far(run, 39))  # the same axes
    np.testing.assert_array_equal(frame, fresh.frame(so_far(run, 7)))


def test_the_artists_of_a_film_hold_what_the_chart_holds(hedged):
    film = episode_film(hedged.params)
    film.frame(hedged[2])
    whole = plot_episode(hedged, 2).axes
    for number, (axes, _) in enumerate(film._charts):
        moving = [artist.get_xydata() for artist in axes.lines if artist.get_animated()]
        drawn = [line.get_xydata() for line in whole[number].lines][: len(moving)]
        for one, other in zip(moving, drawn, strict=True):
            np.testing.assert_array_equal(one, other)


def test_axes_grow_until_they_hold_what_is_shown_and_never_shrink():
    params = market_params(num_trades=30, price_volatility=50.0, spread=0.001, hedge_threshold=0)
    run = play(make_policy("never", params), params, episodes=1)
    film = episode_film(params)
    _, pnl, _ = (axes for axes, _ in film._charts)
    film.frame(so_far(run, 0))
    spans = []
    for steps in (1, 30, 2):
        film.frame(so_far(run, steps))
        spans.append(pnl.get_ylim())
    assert spans[0][0] <= run.equity[0, 0] <= spans[0][1]
    assert spans[1][0] <= run.equity.min() < run.equity.max() <= spans[1][1]
    assert spans[2] == spans[1]


def test_frames_of_several_dealers_follow_their_chart():
    params = market_params("mm_env/DynamicSpread-v0", num_trades=20)

    params = DealersParams(
        num_dealers=2, tick=0.01, quote_levels=8, tiers=[{"decay": 30.0}], spread=0.02, num_trades=20
    )
    runs = dict(zip("ab", play_dealers([make_policy("threshold:2:0.03", params)] * 2, params, episodes=1), strict=True))
    film = dealers_film(params, "ab")
    assert film.frame(runs).shape == FRAME_SHAPE
    whole = plot_dealers(runs).axes
    for axes, other in zip((axes for axes, _ in film._charts), whole, strict=True):
        for line, drawn in zip(axes.lines[:2], other.lines[:2], strict=True):
            np.testing.assert_array_equal(line.get_xydata(), drawn.get_xydata())


def test_a_gif_holds_a_frame_before_the_first_trade_and_one_after_each(hedged, tmp_path):
    short = hedged.first_trades(4)
    save_movie(episode_frames(short, index=1), tmp_path / "a.gif", fps=5)
    with Image.open(tmp_path / "a.gif") as movie:
        assert (movie.n_frames, movie.info["loop"], movie.info["duration"]) == (5, 0, 200)
        movie.seek(4)
        last = np.asarray(movie.convert("RGB")).astype(int)
    assert np.abs(last - episode_frame(short[1:2])).mean() < 3
    assert len(list(episode_frames(short, every=3))) == 3  # before any trade, after three, at the end


def test_a_video_is_written_where_ffmpeg_is(hedged, tmp_path):
    try:
        ffmpeg()
    except ValueError as error:
        with pytest.raises(ValueError, match="MP4 needs ffmpeg"):
            save_movie(episode_frames(hedged), tmp_path / "a.mp4")
        pytest.skip(str(error))
    save_movie(episode_frames(hedged.first_trades(3)), tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"


def test_what_is_no_moving_picture_is_refused(hedged, tmp_path):
    with pytest.raises(ValueError, match=r"moving pictures are saved as \.gif, \.mp4"):
        save_movie(episode_frames(hedged), tmp_path / "a.png")
    with pytest.raises(ValueError, match="no frames"):
        save_movie([], tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())
