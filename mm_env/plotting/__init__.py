"""Figures of what was played and of what a policy would do. They read arrays and step no environment."""

from mm_env.plotting.dealers_chart import dealers_film, dealers_frame, plot_dealers
from mm_env.plotting.episode_chart import episode_film, episode_frame, plot_episode, telling_episode
from mm_env.plotting.film import Film
from mm_env.plotting.frontier_chart import plot_frontier
from mm_env.plotting.interval_chart import plot_intervals
from mm_env.plotting.movie import MOVIES, episode_frames, save_movie
from mm_env.plotting.policy_chart import plot_policies, plot_quotes
from mm_env.plotting.style import SERIES_STYLES, save_figure
from mm_env.plotting.tape_chart import plot_tape

__all__ = [
    "MOVIES",
    "SERIES_STYLES",
    "Film",
    "dealers_film",
    "dealers_frame",
    "episode_film",
    "episode_frame",
    "episode_frames",
    "plot_dealers",
    "plot_episode",
    "plot_frontier",
    "plot_intervals",
    "plot_policies",
    "plot_quotes",
    "plot_tape",
    "save_figure",
    "save_movie",
    "telling_episode",
]
