"""The winner's curse: what a trade earns the dealer who gets it when nobody sees the mid exactly."""

from __future__ import annotations

from functools import partial

from scipy import stats
from scipy.integrate import quad

from baselines.evaluation.scores import ratio
from baselines.evaluation.totals import Totals
from baselines.policies.registry import make_policy
from baselines.reference_check import ReferenceCheck
from baselines.replications.experiment import Experiment
from mm_env.envs.dealers_market import play_dealers
from mm_env.market.params import DealersParams


def largest_of(dealers: int) -> float:
    """The mean of the largest of so many independent standard normal numbers.

    Closed forms: 1 / sqrt(pi) for two, 3 / (2 sqrt(pi)) for three.

    Example:
        >>> [round(largest_of(dealers), 4) for dealers in (1, 2, 3)]
        [0.0, 0.5642, 0.8463]
    """

    def weighted(x: float) -> float:
        return float(dealers * x * stats.norm.pdf(x) * stats.norm.cdf(x) ** (dealers - 1))

    integral, _ = quad(weighted, -40.0, 40.0, points=(0.0,))
    return float(integral)


def _winners_curse(dealers: int, noise: float, episodes: int, seed: int) -> list[ReferenceCheck]:
    params = DealersParams(num_dealers=dealers, view_noise=noise)
    seats = play_dealers([make_policy("flat", params)] * dealers, params, -(-episodes // 10), seed)
    totals = Totals.summed([Totals.of(seat) for seat in seats])
    earned = ratio(totals.spread_pnl, totals.fills)
    said = f"{dealers} dealers, noise {noise:g}: earned per trade"
    return [ReferenceCheck(said, params.spread - noise * largest_of(dealers), earned.value, earned.standard_error)]


EXPERIMENT = Experiment(
    "The winner's curse among dealers",
    "Milgrom and Weber (1982), A theory of auctions and competitive bidding, Econometrica 50, for the curse; the "
    "references are the mean of the largest of so many normal numbers",
    "Dealers who all quote 0.05 around a mid that each sees with normal noise of his own: the client trades with "
    "the one who errs most in his favour. A trade earns its winner 0.05 - noise / sqrt(pi) among two, 0.05 - 3 "
    "noise / (2 sqrt(pi)) among three, and 0.05 less noise times the mean of the largest of K standard normal "
    "numbers among K. A tenth of the episodes is played.",
    [partial(_winners_curse, dealers, noise) for dealers in (2, 3, 5) for noise in (0.02, 0.05, 0.1)],
)
