"""ModelPolicy: the policy of any model of Stable-Baselines3 or sb3-contrib, out of its zip file."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mm_env.envs.action import Actions, action_space
from mm_env.envs.action_mask import action_mask
from mm_env.envs.observation import Observations, decode_observation, observation_space
from mm_env.envs.predictor import Predictor, act_by_rows
from mm_env.market.params import MarketParams

if TYPE_CHECKING:
    from stable_baselines3.common.policies import BasePolicy


@dataclass(frozen=True, eq=False)
class ModelPolicy(Predictor):
    """What a model does deterministically: a `Policy` as of `baselines.policies.registry`.

    A model of MaskablePPO chooses among the levels that `mm_env.envs.action_mask` leaves, as it did when it learned:
    of the others its network knows nothing.

    Raises:
        ValueError: The model was made for another market, or remembers what it saw.
    """

    policy: BasePolicy
    params: MarketParams

    def __post_init__(self) -> None:
        if hasattr(self.policy, "lstm_actor"):
            raise ValueError("its policy remembers what it saw, which a policy of `play` may not")
        pairs = {
            "observations": (self.policy.observation_space, observation_space(self.params)),
            "actions": (self.policy.action_space, action_space(self.params)),
        }
        for what, (theirs, here) in pairs.items():
            if theirs != here:
                raise ValueError(
                    f"it is for {what} in {theirs}, this market's are in {here}; for actions of another form name the "
                    f"id that it was trained in, such as mm_env/HedgingContinuous-v0"
                )

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...), or (..., parts)."""
        return act_by_rows(self._act, observations)

    def _act(self, rows: Observations) -> Actions:
        policy: Any = self.policy
        if "action_masks" not in inspect.signature(policy.predict).parameters:
            return np.asarray(policy.predict(rows, deterministic=True)[0])
        seen = decode_observation(rows, self.params)
        request = seen.request if self.params.accepts_any else seen.request._replace(reservation=0.0)  # known to nobody
        masks = action_mask(seen.book, request, self.params)
        return np.asarray(policy.predict(rows, deterministic=True, action_masks=masks)[0])

    @classmethod
    def read(cls, path: Path, params: MarketParams) -> ModelPolicy:
        """The policy in a model's file, whichever algorithm wrote it. This runs the code in the file."""
        from stable_baselines3.common.save_util import load_from_zip_file

        data, weights, _ = load_from_zip_file(path, device="cpu")
        if data is None or "policy_class" not in data:
            raise ValueError("it is no model of Stable-Baselines3")
        kind, keywords = data["policy_class"], dict(data.get("policy_kwargs") or {})
        if data.get("use_sde"):
            keywords["use_sde"] = True
        if "lr_schedule" in inspect.signature(kind).parameters:
            keywords["lr_schedule"] = lambda _: 0.0  # it learns no more
        policy: Any = kind(data["observation_space"], data["action_space"], **keywords)
        policy.load_state_dict(weights["policy"])
        policy.set_training_mode(False)
        return cls(policy, params)
