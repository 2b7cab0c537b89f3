"""Evaluation: how good a policy is on held-out episodes, and the curve of a run, `evaluations.npz`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baselines.evaluation.comparison import Comparison, gap_ends
from baselines.evaluation.scoring import play_totals
from baselines.policies.registry import Policy
from mm_env.atomic_write import replacing
from mm_env.market.params import MarketParams

CURVE = "evaluations.npz"
# The same episodes for every run, so that runs compare in pairs; the lanes that train start far from it.
HELD_OUT_SEED = int.from_bytes(b"held-out", "big")  # of the selection episodes: the best policy on these is kept
FRESH_SEED = int.from_bytes(b"at-the-end", "big")  # of episodes that have chosen nothing: what a run reports


class Evaluation(NamedTuple):
    """What a policy is worth."""

    objective: float  # J, mean total reward of an episode, price units (variance reduced)
    share: float  # of the gap between the threshold rule and the optimum; NaN where the optimum is unknown
    returns: NDArray[np.float64]  # total reward of each episode, price units
    exact_share: float = float("nan")  # the share computed, not played; NaN where it was not asked for


class Evaluator:
    """Scores policies on the same episodes. The rule and the optimum play them once."""

    def __init__(self, params: MarketParams, episodes: int, seed: int = HELD_OUT_SEED) -> None:
        self.params, self.episodes, self._seed = params, episodes, seed
        self._ends = gap_ends(params, episodes, seed)

    def __call__(self, policy: Policy) -> Evaluation:
        """Play the episodes."""
        totals = play_totals(policy, self.params, self.episodes, self._seed)
        result = Comparison(self.params, {"policy": totals}, self._ends)
        share = result.share("policy").value if self._ends is not None else float("nan")
        return Evaluation(result.score("policy", "objective").value, share, totals.reward)


@dataclass(frozen=True, eq=False)
class Curve:
    """The evaluations of a run, in the file that Stable-Baselines3's `EvalCallback` writes, and more.

    Attributes:
        timesteps: Environment steps learned from; shape (evaluations,).
        seconds: Wall time since training began, without the time between an interruption and its resumption.
        objective: J, price units.
        share: Share of the gap closed.
        results: Total reward of each episode, price units; shape (evaluations, episodes).
        ep_lengths: Steps of each episode.
        exact_share: Share of the gap, computed; NaN where `patience` did not ask for it, or the optimum is unknown.
    """

    timesteps: NDArray[np.int64]
    seconds: NDArray[np.float64]
    objective: NDArray[np.float64]
    share: NDArray[np.float64]
    results: NDArray[np.float64]
    ep_lengths: NDArray[np.int64]
    exact_share: NDArray[np.float64]

    @classmethod
    def empty(cls, episodes: int) -> Curve:
        """No evaluation yet."""
        whole, real = np.empty(0, np.int64), np.empty(0)
        return cls(whole, real, real, real, np.empty((0, episodes)), np.empty((0, episodes), np.int64), real)

    def extended(self, timesteps: int, seconds: float, evaluation: Evaluation, length: int) -> Curve:
        """With one more evaluation, of episodes of `length` steps."""
        lengths = np.full(len(evaluation.returns), length)
        held_out = evaluation.objective, evaluation.share, evaluation.returns
        row = (timesteps, seconds, *held_out, lengths, evaluation.exact_share)
        return Curve(*(np.append(old, [new], axis=0) for old, new in zip(vars(self).values(), row, strict=True)))

    def until(self, timesteps: int) -> Curve:
        """Without what was evaluated later."""
        kept = self.timesteps <= timesteps
        return Curve(*(values[kept] for values in vars(self).values()))

    def save(self, folder: Path) -> None:
        """Write the file, whole or not at all."""
        with replacing(folder / CURVE) as temporary:
            np.savez(temporary, **vars(self))

    @classmethod
    def read(cls, folder: Path, episodes: int) -> Curve:
        """Read the file back; a folder without one has no evaluations yet.

        Raises:
            ValueError: The file is not as `save` left it; the message names it.
        """
        path, empty = folder / CURVE, cls.empty(episodes)
        if not path.exists():
            return empty
        try:
            with np.load(path, allow_pickle=False) as arrays:
                unknown = {"exact_share": np.full(len(arrays["timesteps"]), np.nan)}  # in files of older versions
                curve = cls(**unknown | {name: arrays[name] for name in vars(empty) if name in arrays})
        except Exception as error:  # the reader raises many kinds; each means that the file is damaged
            raise ValueError(f"{path}: not the evaluations of a run: {error}") from error
        for name, like in vars(empty).items():
            values = getattr(curve, name)
            good = values.dtype == like.dtype and values.ndim == like.ndim
            if not good or values.shape != (len(curve.timesteps), *like.shape[1:]):
                raise ValueError(f"{path}: {name} is {values.dtype} of shape {values.shape}")
        return curve
