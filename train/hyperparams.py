"""The hyperparameters of PPO: read from YAML as rl_zoo3 reads it, checked, and turned into what PPO takes.

`hyperparameters/ppo.yml` is keyed by environment id, and so is `plain_ppo.yml`, PPO as it comes. rl_zoo3 reads them
through `hyperparameters/rl_zoo3.py` and `plain_rl_zoo3.py`, and the files of other algorithms as they are. Nothing in
them is evaluated: `policy_kwargs` is a mapping, or the text of one that rl_zoo3 would evaluate and `_keywords` reads; a
schedule is a number or `lin_<start>`, falling to zero.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from mm_env.atomic_write import write_text
from mm_env.envs.observation import observation_names
from mm_env.market.params import MarketParams
from mm_env.market.validation import is_real, is_whole, suggestion

if TYPE_CHECKING:
    from stable_baselines3.common.callbacks import BaseCallback

DEFAULT = "mm_env/Hedging-v0"  # its hyperparameters serve markets that have none of their own
RECIPES = ("ppo", "plain_ppo")  # files of hyperparameters: paired tapes and ordered levels; PPO as it comes
POLICIES = ("MlpPolicy", "OrdinalPolicy", "MirroredPolicy")
FOLDER = Path(__file__).parent / "hyperparameters"
_LINEAR = "lin_"
_NETWORK = {"net_arch", "activation_fn", "log_std_init", "time_hinges"}
_LARGEST_FILE = 1_000_000  # bytes


class Rule(NamedTuple):
    """What a hyperparameter may be."""

    allowed: str
    good: Callable[[Any], bool]


def _whole(low: int) -> Rule:
    return Rule(f"a whole number of at least {low}", lambda value: is_whole(value) and value >= low)


def _real(low: float, high: float = math.inf) -> Rule:
    text = f"a number of at least {low:g}" if high == math.inf else f"a number from {low:g} to {high:g}"
    return Rule(text, lambda value: is_real(value) and low <= value <= high)


def _schedule() -> Rule:
    return Rule(f"a number above 0, or '{_LINEAR}<number>'", lambda value: _start(value) > 0)


RULES: Mapping[str, Rule] = {
    "n_timesteps": _whole(1),
    "n_envs": _whole(1),
    "reward_scale": Rule("a number above 0", lambda value: is_real(value) and value > 0),
    "lanes_per_tape": _whole(1),
    "policy": Rule(f"one of {', '.join(POLICIES)}", lambda value: value in POLICIES),
    "n_steps": _whole(1),
    "batch_size": _whole(2),
    "n_epochs": _whole(1),
    "learning_rate": _schedule(),
    "clip_range": _schedule(),
    "gamma": _real(0.0, 1.0),
    "gae_lambda": _real(0.0, 1.0),
    "final_gae_lambda": _real(0.0, 1.0),
    "settled": Rule("a number above 0, at most 1", lambda value: is_real(value) and 0 < value <= 1),
    "ent_coef": Rule(f"a number of at least 0, or '{_LINEAR}<number>'", lambda value: _start(value) >= 0),
    "vf_coef": _real(0.0),
    "max_grad_norm": _real(0.0),
    "target_kl": _real(0.0),
    "normalize_advantage": Rule("true or false", lambda value: isinstance(value, bool)),
    "use_sde": Rule("true or false", lambda value: isinstance(value, bool)),
    "policy_kwargs": Rule(
        "a mapping with 'net_arch': hidden sizes, or those of 'pi' and 'vf'; or dict(net_arch=..., "
        "activation_fn=nn.ReLU, log_std_init=..., time_hinges=...), the last for nn.ReLU alone",
        lambda value: _is_network(_keywords(value)),
    ),
}
# the rest are arguments of PPO
_NOT_PPO = ("n_timesteps", "n_envs", "reward_scale", "lanes_per_tape", "final_gae_lambda", "settled")


def read_hyperparameters(market: str | None, recipe: str = "ppo") -> dict[str, Any]:
    """The entry of a registered id in `hyperparameters/<recipe>.yml`, or that of `DEFAULT`.

    Raises:
        ValueError: There is no such recipe.
    """
    table = recipe_table(recipe)
    return dict(table[market if market in table else DEFAULT])


def recipe_table(recipe: str) -> dict[str, dict[str, Any]]:
    """All entries of `hyperparameters/<recipe>.yml` by id.

    Raises:
        ValueError: There is no such recipe.
    """
    if recipe not in RECIPES:
        raise ValueError(f"recipe must be one of {', '.join(RECIPES)}, got {recipe!r}")
    return read_yaml(FOLDER / f"{recipe}.yml")


def check_hyperparameters(values: Mapping[str, Any]) -> None:
    """Raise `ValueError` naming the first hyperparameter that is unknown or not as it must be."""
    for name, value in values.items():
        if name not in RULES:
            raise ValueError(f"{name!r} is not a hyperparameter; {suggestion(name, list(RULES))}")
        if not RULES[name].good(value):
            raise ValueError(f"{name} must be {RULES[name].allowed}, got {value!r}")


def ppo_arguments(values: Mapping[str, Any], params: MarketParams | None = None) -> dict[str, Any]:
    """Checked hyperparameters as keyword arguments of Stable-Baselines3's PPO.

    Args:
        values: The hyperparameters.
        params: The market; default: that of the seed. Where its actions are numbers, which are in order as they are,
            `MlpPolicy` takes the place of the others; where buyers and sellers do not come alike, `OrdinalPolicy` that
            of `MirroredPolicy`.
    """
    arguments = with_schedules({name: value for name, value in values.items() if name not in _NOT_PPO})
    if "ent_coef" in arguments:
        arguments["ent_coef"] = _start(arguments["ent_coef"])  # where `ppo_callbacks` let it begin
    if values.get("lanes_per_tape", 1) > 1:
        from train.paired_rollout_buffer import PairedRolloutBuffer

        arguments["rollout_buffer_class"] = PairedRolloutBuffer
        arguments["rollout_buffer_kwargs"] = {"lanes_per_tape": values["lanes_per_tape"]}
    named = arguments.keys() & {"policy", "policy_kwargs"}
    return {**arguments, **(network_arguments(arguments, params or MarketParams()) if named else {})}


def with_schedules(values: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters with the schedules that Stable-Baselines3 takes in the place of their text."""
    from stable_baselines3.common.utils import LinearSchedule

    schedules = {
        name: LinearSchedule(_start(values[name]), 0.0, 1.0)
        for name in ("learning_rate", "clip_range")
        if isinstance(values.get(name), str)
    }
    return {**values, **schedules}


def network_arguments(values: Mapping[str, Any], params: MarketParams) -> dict[str, Any]:
    """`policy` and `policy_kwargs` of checked hyperparameters as Stable-Baselines3's PPO takes them.

    Args:
        values: The hyperparameters.
        params: The market, which tells what the observation is.
    """
    from torch import nn

    network = dict(_keywords(values.get("policy_kwargs", {})))
    if "activation_fn" in network:
        network["activation_fn"] = getattr(nn, network["activation_fn"])
    if "time_hinges" in network:
        from train.policies.time_hinges import TIME_LEFT, TimeHinges

        column, shares = observation_names(params).index(TIME_LEFT), network.pop("time_hinges")
        network["features_extractor_class"] = TimeHinges
        network["features_extractor_kwargs"] = {"column": column, "shares": shares}
    policy = values.get("policy", "MlpPolicy")
    if policy == "MlpPolicy" or params.continuous:
        return {"policy": "MlpPolicy", "policy_kwargs": network}
    from train.policies.mirrored_policy import MirroredPolicy, is_symmetric, mirror_signs
    from train.policies.ordinal_policy import OrdinalPolicy

    if policy == "OrdinalPolicy" or not is_symmetric(params):
        return {"policy": OrdinalPolicy, "policy_kwargs": network}
    return {"policy": MirroredPolicy, "policy_kwargs": {**network, "signs": mirror_signs(params)}}


def ppo_callbacks(values: Mapping[str, Any]) -> list[BaseCallback]:
    """Callbacks that belong to checked hyperparameters."""
    from train.schedules import EntropySchedule, LambdaSchedule

    made: list[BaseCallback] = []
    until = values.get("settled", 1.0)
    if isinstance(values.get("ent_coef"), str):
        made.append(EntropySchedule(_start(values["ent_coef"]), until))
    if "final_gae_lambda" in values:
        made.append(LambdaSchedule(values.get("gae_lambda", 0.95), values["final_gae_lambda"], until))
    return made


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; only plain values.

    Raises:
        ValueError: The file cannot be read or holds something else; the message names it.
    """
    try:
        with path.open(encoding="utf-8") as file:
            values = yaml.safe_load(file.read(_LARGEST_FILE))
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: must hold a mapping of names to values")
    return values


def write_yaml(values: Mapping[str, Any], path: Path) -> None:
    """Write a mapping of plain values, whole or not at all."""
    write_text(path, yaml.safe_dump(dict(values), sort_keys=True))


def _start(value: Any) -> float:
    """Where a schedule begins; NaN if it is not one."""
    if isinstance(value, str) and value.startswith(_LINEAR):
        try:
            value = float(value.removeprefix(_LINEAR))
        except ValueError:
            return math.nan
    return float(value) if is_real(value) else math.nan


def _keywords(value: Any) -> Any:
    """What rl_zoo3 would evaluate, `dict(net_arch=[64], activation_fn=nn.ReLU)`, read without evaluating it.

    The activation is its name. Anything else is left as it is.
    """
    try:
        call = ast.parse(value, mode="eval").body if isinstance(value, str) else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return value
    match call:
        case ast.Call(func=ast.Name("dict"), args=[], keywords=keywords):
            try:
                return {str(keyword.arg): _literal(keyword.value) for keyword in keywords}
            except ValueError:
                return value
    return value


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Attribute(value=ast.Name("nn"), attr=name):
            return name
        case ast.Call(func=ast.Name("dict"), args=[], keywords=keywords):
            return {str(keyword.arg): _literal(keyword.value) for keyword in keywords}
    return ast.literal_eval(node)


def _are_shares(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(is_real(value) and 0 < value <= 1 for value in values)


def _is_network(value: Any) -> bool:
    if not isinstance(value, dict) or not {"net_arch"} <= set(value) <= _NETWORK:
        return False
    if "time_hinges" in value and not (_are_shares(value["time_hinges"]) and value.get("activation_fn") == "ReLU"):
        return False
    if not is_real(value.get("log_std_init", 0.0)) or value.get("activation_fn", "ReLU") not in ("ReLU", "Tanh"):
        return False
    hidden = value["net_arch"]
    parts = list(hidden.values()) if isinstance(hidden, dict) and set(hidden) == {"pi", "vf"} else [hidden]
    return all(isinstance(part, list) and all(is_whole(size) and size > 0 for size in part) for part in parts)
