"""mm_env: how should a market maker hedge his inventory? A Gymnasium environment, and everything it is made of.

Importing it registers the markets with Gymnasium:

    >>> import gymnasium as gym, mm_env
    >>> env = gym.make("mm_env/Hedging-v0", risk_aversion=0.02)
"""

from mm_env.envs.dealers_market import play_dealers
from mm_env.envs.hedging_env import HedgingEnv
from mm_env.envs.hedging_vector_env import HedgingVectorEnv
from mm_env.envs.observation import observation_names
from mm_env.episodes import Episodes
from mm_env.market.params import DealersParams, MarketParams
from mm_env.market.tape import Tape
from mm_env.registration import MARKETS, dealers_params, market_params, register_markets
from mm_env.rollout import play, play_blocks

__all__ = [
    "MARKETS",
    "DealersParams",
    "Episodes",
    "HedgingEnv",
    "HedgingVectorEnv",
    "MarketParams",
    "Tape",
    "dealers_params",
    "market_params",
    "observation_names",
    "play",
    "play_blocks",
    "play_dealers",
]
__version__ = "0.1.0"

register_markets()
