import numpy as np

from mm_env import MARKETS, market_params
from mm_env.envs.cursors.tape_cursor import TapeCursor


def test_states_are_of_one_dtype_wherever_the_lanes_stand():
    """Together and apart, with an episode that has ended among them: -0.0 is told from 0.0 only where dtypes agree."""
    for name in MARKETS:
        cursor = TapeCursor(market_params(name, num_trades=3), [1, 2])
        cursor.next_episode(np.array([True, True]))
        together = dtypes(cursor)
        cursor.advance()
        cursor.next_episode(np.array([False, True]))
        assert dtypes(cursor) == together
        cursor.advance()
        cursor.advance()
        assert list(cursor.ended()) == [True, False]
        assert dtypes(cursor) == together


def dtypes(cursor):
    return [getattr(values, "dtype", None) for record in cursor.state() for values in record]
