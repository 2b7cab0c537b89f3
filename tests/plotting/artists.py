"""What the tests of the figures share: a small market, policies, and what is found among the artists."""

import numpy as np
from matplotlib.colors import rgb_to_hsv, to_rgb

from mm_env import MarketParams
from mm_env.envs.observation import decode_observation
from mm_env.episodes import Episodes

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
