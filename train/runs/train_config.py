"""TrainConfig: everything that decides how a run goes, as its folder keeps it in `config.yml` and `args.yml`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_env.envs.arguments import check_one_number, reward_function
from mm_env.market.params import MarketParams
from mm_env.registration import FORMS, MARKETS, market_params, short_id
from train.hyperparams import DEFAULT, check_hyperparameters, read_hyperparameters, read_yaml, write_yaml

CONFIG, ARGS = "config.yml", "args.yml"  # rl_zoo3's names: the hyperparameters, and the rest
_REST = ("seed", "eval_episodes", "eval_freq", "numbers")


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        env: The market's registered id; None if it has none.
        params: The market.
        reward: What the agent is trained on, "expected" or "realised".
        seed: Of the network's first weights, of the actions drawn and of the training episodes.
        eval_episodes: Held-out episodes of one evaluation.
        eval_freq: Steps between evaluations, and between checkpoints; None: a twentieth of the run.
        hyperparameters: As in `hyperparameters/ppo.yml`, or another recipe.
        numbers: Learn in a Box, numbers from -1 to 1, where the market's actions are levels. The policy then takes
            the nearest levels. Their order is known to it, and it can explore by what is near to what it does.

    Raises:
        ValueError: A bad value; the message names it.
    """

    env: str | None
    params: MarketParams
    reward: str
    seed: int
    eval_episodes: int
    eval_freq: int | None
    hyperparameters: Mapping[str, Any]
    numbers: bool = False

    def __post_init__(self) -> None:
        reward_function(self.reward, None)
        check_one_number(self.reward)
        check_hyperparameters(self.hyperparameters)
        if self.hyperparameters.get("use_sde") and not self.learned_in.continuous:
            raise ValueError("use_sde explores in continuous actions only")
        lanes, group = self.hyperparameters.get("n_envs", 1), self.hyperparameters.get("lanes_per_tape", 1)
        if lanes % group:
            raise ValueError(f"lanes_per_tape must divide n_envs={lanes}, got {group}")
        for name, low in (("seed", 0), ("eval_episodes", 2), ("eval_freq", 1)):
            value = getattr(self, name)
            if value is None and name == "eval_freq":
                continue
            if type(value) is not int or value < low:
                raise ValueError(f"{name} must be a whole number of at least {low}, got {value!r}")

    @property
    def learned_in(self) -> MarketParams:
        """The market that is learned in: the same law, its actions in a Box where the plan says so."""
        return self.params.replace(continuous=True) if self.numbers else self.params

    @property
    def total_timesteps(self) -> int:
        """Environment steps of the run; PPO goes on to the end of the rollout that reaches them."""
        return int(self.hyperparameters["n_timesteps"])

    @property
    def recipe(self) -> str:
        """The file that its hyperparameters are from, told by whether lanes share tapes."""
        return "ppo" if "lanes_per_tape" in self.hyperparameters else "plain_ppo"

    @property
    def interval(self) -> int:
        """Steps between evaluations."""
        return self.eval_freq or -(-self.total_timesteps // 20)

    def changed(
        self,
        market: str | MarketParams | None = None,
        env_kwargs: Mapping[str, Any] | None = None,
        hyperparameters: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> TrainConfig:
        """This plan with what is not None changed, checked again.

        Args:
            market: Another market: an id, or its parameters.
            env_kwargs: Changes to the market's parameters, and `reward`.
            hyperparameters: Changes to those.
            others: Further fields.
        """
        changes = {name: value for name, value in others.items() if value is not None}
        if market is not None or env_kwargs is not None:
            numbers = dict(env_kwargs or {})
            changes["reward"] = numbers.pop("reward", self.reward)
            changes["env"], params = (self.env, self.params) if market is None else named_market(market)
            changes["params"] = params.replace(**numbers)
        changes["hyperparameters"] = {**self.hyperparameters, **(hyperparameters or {})}
        return dataclasses.replace(self, **changes)

    def settings(self) -> dict[str, Any]:
        """Every setting by name; the market by its parameters."""
        return {**self._env_kwargs(), **self.hyperparameters, **{name: getattr(self, name) for name in _REST}}

    def write(self, folder: Path) -> None:
        """Write both files."""
        rest = {name: getattr(self, name) for name in _REST}
        write_yaml({"algo": "ppo", "env": self.env, **rest}, folder / ARGS)
        write_yaml({**self.hyperparameters, "env_kwargs": self._env_kwargs()}, folder / CONFIG)

    @classmethod
    def read(cls, folder: Path) -> TrainConfig:
        """Read both files back.

        Raises:
            ValueError: The folder holds no run, or a file is not as `write` left it; the message names it.
        """
        config, args = read_yaml(folder / CONFIG), read_yaml(folder / ARGS)
        try:
            numbers = dict(config.pop("env_kwargs"))
            reward = numbers.pop("reward")
            rest = {name: args[name] for name in ("env", *_REST)}
            return cls(params=MarketParams.from_mapping(numbers), reward=reward, hyperparameters=config, **rest)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{folder / CONFIG}: {error}") from error
        except KeyError as error:
            raise ValueError(f"{folder}: {CONFIG} and {ARGS} do not say {error}") from error

    def _env_kwargs(self) -> dict[str, Any]:
        return {**self.params.to_dict(), "reward": self.reward}


def default_config(market: str | MarketParams | None, recipe: str = "ppo") -> TrainConfig:
    """The plan for a market that ships, by `hyperparameters/<recipe>.yml`; other markets take that of `DEFAULT`."""
    env, params = named_market(DEFAULT if market is None else market)
    hyperparameters = read_hyperparameters(env, recipe)
    learned = hyperparameters.pop("env_kwargs", {})
    return TrainConfig(
        env,
        params,
        learned.get("reward", "expected"),
        seed=0,
        eval_episodes=2000,
        eval_freq=None,
        hyperparameters=hyperparameters,
        numbers=learned.get("continuous", False),
    )


def check_same(asked: TrainConfig, stored: TrainConfig) -> None:
    """Raise `ValueError` unless what is asked for is what a run folder holds; the message lists what differs."""
    mine, theirs = asked.settings(), stored.settings()
    differ = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
    if differ:
        listed = "; ".join(f"{name} is {theirs.get(name)!r}, asked for {mine.get(name)!r}" for name in differ)
        raise ValueError(f"cannot resume another run: {listed}")


def named_market(market: str | MarketParams) -> tuple[str | None, MarketParams]:
    """The id of a market, None if it has none, and its parameters."""
    if isinstance(market, MarketParams):
        return next((name for name in (*MARKETS, *FORMS) if market_params(name) == market), None), market
    return short_id(market), market_params(market)
