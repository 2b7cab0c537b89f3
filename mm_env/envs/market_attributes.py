"""MarketAttributes: lets the market of an environment be changed after it was made; changes apply at the next reset."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from copy import copy
from typing import Any

from gymnasium.envs.registration import EnvSpec

from mm_env.envs.action import action_space
from mm_env.envs.arguments import checked_reward
from mm_env.envs.observation import observation_names, observation_space
from mm_env.market.params import DealersParams, MarketParams
from mm_env.market.tape import Tape
from mm_env.market.validation import nearest, suggestion


class MarketAttributes:
    """`params`, and each market parameter by its name, to read and to set.

    What is set is checked at once and plays from the next reset on, an automatic one included: the next episode of the
    same seed, in the other market. Until then the episode under way goes on as it began; reading gives what was set.
    Spaces stay what they were: a parameter that would change them is refused.
    """

    _params: Any  # the market of the episode under way
    _next_params: Any = None  # the one from the next reset on, if another
    _reward_name: str
    _tape: Tape | None = None
    _spec: EnvSpec | None = None

    @property
    def params(self) -> Any:
        """The market: what the next reset plays."""
        return self._params if self._next_params is None else self._next_params

    @params.setter
    def params(self, params: MarketParams) -> None:
        if not isinstance(params, type(self._params)):
            raise ValueError(f"params must be {type(self._params).__name__}, got {params!r}")
        check_same_spaces(self._params, params)
        self._check_change(params)
        self._next_params = None if params == self._params else params

    @property
    def spec(self) -> EnvSpec | None:
        """How it was registered and made. `max_episode_steps` tells the true horizon, at which episodes terminate."""
        if self._spec is not None:
            self._spec.max_episode_steps = self.params.num_trades
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = copy(spec)
        if self._spec is not None and isinstance(self._spec.kwargs.get("tape"), Tape):
            self._spec.to_json = _no_json  # type: ignore[method-assign]

    def _check_change(self, params: Any) -> None:
        """Raise `ValueError` where the environment cannot go on in this market."""
        checked_reward(self._reward_name, self._tape, params)

    def _take_options(self, options: Any, *others: str) -> dict[str, Any]:
        """The options of a reset, those of the market already set; there may be `others`."""
        if options is not None and not isinstance(options, dict):
            raise ValueError(f"options must be a dictionary or None, got {options!r}")
        known = ("params", *others)
        for name in options or {}:
            if name not in known and nearest(name, known) is not None:  # what is far from ours is for somebody else
                raise ValueError(f"options hold {name!r}; {suggestion(name, known)}")
        changes = (options or {}).get("params")
        if isinstance(changes, MarketParams):
            self.params = changes
        elif isinstance(changes, Mapping):
            self.params = self.params.from_mapping({**self.params.to_dict(), **changes})  # whatever the names are
        elif changes is not None:
            raise ValueError(f'options["params"] must be a mapping of names to values, got {changes!r}')
        return options or {}

    def _take_change(self) -> Any:
        """The market that begins now, if another was set."""
        params, self._next_params = self._next_params, None
        return params


def check_same_spaces(before: MarketParams, after: MarketParams) -> None:
    """Raise `ValueError` where what an agent sees or does, or who takes part, is not the same in both markets."""
    parts = {
        "the dealers": lambda params: params.num_dealers,
        "the action space": action_space,
        "the observation space": observation_space,
        "the columns of the observation": observation_names,
    }
    changed = [
        f"{field.name}={getattr(after, field.name)!r}"
        for field in dataclasses.fields(before)
        if getattr(before, field.name) != getattr(after, field.name)
    ]
    for part, of in parts.items():
        if of(before) != of(after):
            raise ValueError(
                f"{', '.join(changed)} would change {part} from {of(before)} to {of(after)}, which an environment "
                f"keeps: make a new one"
            )


def check_attribute(env: Any, name: str) -> None:
    """Raise `ValueError` at what is nearly a market parameter: setting it would do nothing, and nobody would know."""
    if hasattr(env, name):
        return
    near = nearest(name, [field.name for field in dataclasses.fields(DealersParams)], cutoff=0.8)
    if near is not None:
        raise ValueError(f"there is no attribute {name!r} to set; did you mean {near!r}?")


def _no_json() -> str:
    raise ValueError("the spec holds a Tape, which JSON cannot keep: pass tape='trades.csv', the path of its file")


def _parameter(name: str) -> property:
    def read(self: Any) -> Any:
        return getattr(self.params, name)

    def write(self: Any, value: Any) -> None:
        self.params = self.params.replace(**{name: value})

    return property(read, write, doc=f"The market's {name}; what is set plays from the next reset on.")


for _field in dataclasses.fields(DealersParams):
    setattr(MarketAttributes, _field.name, _parameter(_field.name))
