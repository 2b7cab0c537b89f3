"""A policy on disk: `policy.safetensors`, the weights, and `policy.json`, what they are. Neither can hold code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mm_env.atomic_write import replacing, write_text
from mm_env.envs.observation import observation_names
from mm_env.envs.predictor import Predictor
from mm_env.extras import needed_for
from mm_env.market.params import MarketParams, params_of
from mm_env.market.validation import is_real
from mm_env.registration import params_of_market
from train.policies.network_policy import Layer, NetworkPolicy, layer_shapes, network_sizes
from train.policies.parameter_ranges import Ranges, check_ranges
from train.policies.randomised_policy import RandomisedPolicy
from train.policies.shipped import SHIPPED, shipped_path

NAME = "policy"
FORMAT = "mm_env policy 1"
_LARGEST_JSON = 1_000_000  # bytes; a policy of ours takes about 1,500
_LARGEST_WEIGHTS = 100_000_000  # bytes; a policy of ours takes about 10,000
_MOST_LAYERS = 32


def save_policy(policy: NetworkPolicy | RandomisedPolicy, folder: str | Path) -> None:
    """Write `policy.safetensors` and `policy.json` into a folder, each whole or not at all.

    Args:
        policy: What to write; `NetworkPolicy.of(model, params)` takes it out of a Stable-Baselines3 model.
        folder: Made if it is not there.
    """
    with needed_for("saved policies"):
        from safetensors.numpy import save

    ranges = policy.ranges if isinstance(policy, RandomisedPolicy) else {}
    weights = save({name: np.ascontiguousarray(v) for name, v in _named(policy.layers).items()})
    description = {
        "format": FORMAT,
        "env": policy.env,
        "market": policy.params.to_dict(),
        "observations": list(observation_names(policy.params)),
        "layers": policy.sizes(),
        "activation": policy.activation,
        "training": dict(policy.training),
        "sha256": hashlib.sha256(weights).hexdigest(),
        **({"ranges": {name: list(ends) for name, ends in ranges.items()}} if ranges else {}),
    }
    with replacing(Path(folder) / f"{NAME}.safetensors") as temporary:
        temporary.write_bytes(weights)
    write_text(Path(folder) / f"{NAME}.json", json.dumps(description, indent=2) + "\n")


def load_policy(
    path: str | Path, params: MarketParams | str | None = None, trust_pickle: bool = False
) -> NetworkPolicy:
    """Read a trained policy. Needs NumPy and safetensors only, and runs nothing that is in the files.

    Args:
        path: A run folder, or either file of the pair; or "ppo", the policy that comes trained with this package for
            that market (a folder of that name is "./ppo").
        params: The market it is to act in, or its id. Its numbers may differ from those it was trained with, what its
            actions mean may not. Default: the market it was trained in. A policy that is told the market's parameters
            is told those of this one.
        trust_pickle: Also read a Stable-Baselines3 model, `.zip`. That runs the code in the file: trust its author.
            The model does not say what market it is for, so it needs `params`.

    Raises:
        ValueError: No such file, one that is not whole, not a policy, not of the other, or not for this market. The
            message names the file.

    Example:
        >>> load_policy("ppo", "mm_env/Hedging-v0").env
        'mm_env/Hedging-v0'
    """
    params = None if params is None else params_of_market(params)
    if path in SHIPPED:
        if params is None:
            raise ValueError(f"{path!r} comes trained for every market: name one, load_policy({path!r}, market)")
        path = shipped_path(str(path), params)
    path = Path(path)
    if path.suffix == ".zip":
        return _load_model(path, params, trust_pickle)
    pair = path if path.suffix in (".safetensors", ".json") else path / f"{NAME}.json"
    about = pair.with_suffix(".json")
    try:
        description = _read_description(about)
        market = params_of(description["market"])
        ranges = _read_ranges(description, market)
        sizes = _read_sizes(description, market, len(ranges))
    except ValueError as error:
        raise ValueError(f"{about}: {error}") from error
    try:
        layers = _read_layers(pair.with_suffix(".safetensors"), sizes, description["sha256"])
        activation, env, training = (description[name] for name in ("activation", "env", "training"))
        if ranges:
            return RandomisedPolicy(layers, activation, market, ranges, env, training).in_market(params or market)
        policy = NetworkPolicy(layers, activation, market, env, training)
        if policy.sizes() != sizes:
            raise ValueError(f"{NAME}.json describes layers of sizes {sizes}, the weights are of {policy.sizes()}")
        policy.check_market(params or market)
    except ValueError as error:
        raise ValueError(f"{pair.with_suffix('.safetensors')}: {error}") from error
    return policy


def _read_description(path: Path) -> dict[str, Any]:
    content = _read(path, _LARGEST_JSON)
    try:
        description = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a policy's description: {error}") from error
    kinds = {"market": dict, "observations": list, "layers": list, "activation": str, "training": dict, "sha256": str}
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ValueError(f"not a policy's description: format is not {FORMAT!r}")
    for name, kind in kinds.items():
        if not isinstance(description.get(name), kind):
            raise ValueError(f"{name!r} must be a {kind.__name__}, got {description.get(name)!r}")
    if not isinstance(description.get("env"), str | None):
        raise ValueError(f"'env' must be a str or null, got {description.get('env')!r}")
    return description


def _read_ranges(description: Mapping[str, Any], market: MarketParams) -> Ranges:
    """The ranges of the parameters that the policy is told; none where it is told none."""
    ranges: dict[str, tuple[float, float]] = {}
    found = description.get("ranges", {})
    if not isinstance(found, dict):
        raise ValueError(f"'ranges' must be a dict, got {found!r}")
    for name, ends in found.items():
        if not (isinstance(ends, list) and len(ends) == 2 and all(is_real(end) for end in ends)):
            raise ValueError(f"'ranges' of {name!r} must be two numbers, got {ends!r}")
        ranges[name] = (float(ends[0]), float(ends[1]))
    if ranges:
        check_ranges(market, ranges)
    return ranges


def _read_sizes(description: Mapping[str, Any], market: MarketParams, told: int) -> list[int]:
    names = observation_names(market)
    if description["observations"] != list(names):
        raise ValueError(f"made for observations {description['observations']}, here they are {names}")
    sizes: list[Any] = description["layers"]
    whole = all(type(size) is int and size > 0 for size in sizes)
    may_be = [network_sizes(market, sizes[1:-1], numbers, told) for numbers in (False, True)]
    if not whole or not 2 <= len(sizes) <= _MOST_LAYERS or sizes not in may_be:
        raise ValueError(f"'layers' must be {network_sizes(market, [])} with hidden sizes between, got {sizes}")
    return sizes


def _read_layers(path: Path, sizes: list[int], sha256: str) -> tuple[Layer, ...]:
    with needed_for("saved policies"):
        from safetensors.numpy import load

    content = _read(path, _LARGEST_WEIGHTS)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"not the weights that {NAME}.json describes (sha256 differs): copy the two files together")
    try:
        tensors = load(content)
    except Exception as error:  # the reader raises many kinds; each means that the file is not one of weights
        raise ValueError(f"not a safetensors file: {error}") from error
    names = [(f"{i}.weight", f"{i}.bias") for i, _ in enumerate(layer_shapes(sizes))]
    if sorted(tensors) != sorted(name for pair in names for name in pair):
        raise ValueError(f"must hold weight and bias of {len(names)} layers, got {', '.join(sorted(tensors))}")
    return tuple(Layer(tensors[weight], tensors[bias]) for weight, bias in names)


def read_policy(path: str | Path, params: MarketParams, trust_pickle: bool = False) -> Predictor:
    """A policy out of any file that holds one: a saved one, `.onnx`, or the `.zip` of any model, as of `load_policy`.

    Args:
        path: A name of `SHIPPED`, a run folder, either file of the pair, what `mm-env export` wrote, or a model of
            Stable-Baselines3 or sb3-contrib.
        params: The market it is to act in.
        trust_pickle: Read a model. That runs the code in the file: trust its author.

    Raises:
        ValueError: No such file, or not a policy for this market.
    """
    if path in SHIPPED:
        return load_policy(path, params)
    path = Path(path)
    if path.suffix == ".onnx":
        from train.policies.onnx_policy import load_onnx

        return load_onnx(path, params)
    if path.suffix != ".zip":
        return load_policy(path, params)
    try:
        return _load_model(path, params, trust_pickle)
    except NotShareableError:
        from train.policies.model_policy import ModelPolicy

        try:
            return ModelPolicy.read(path, params)
        except Exception as error:  # unpickling can raise anything
            raise ValueError(f"{path}: not a model for this market: {error}") from error


class NotShareableError(ValueError):
    """A model whose policy is no network that NumPy alone can run."""


def _load_model(path: Path, params: MarketParams | None, trust_pickle: bool) -> NetworkPolicy:
    if not trust_pickle:
        raise ValueError(
            f"{path}: reading a Stable-Baselines3 model runs the code in it. Name the run folder instead, or, if you "
            f"trust its author, pass trust_pickle=True (--trust-pickle)"
        )
    if params is None:
        raise ValueError(f"{path}: a model does not say what market it is for: pass params")
    with needed_for("models of Stable-Baselines3"):
        from stable_baselines3 import PPO

    try:
        return NetworkPolicy.of(PPO.load(path, device="cpu"), params)
    except Exception as error:  # unpickling can raise anything
        raise NotShareableError(f"{path}: not a PPO model for this market: {error}") from error


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise ValueError(f"larger than {most:,} bytes")
    return content


def _named(layers: tuple[Layer, ...]) -> dict[str, Any]:
    return {f"{i}.{name}": values for i, layer in enumerate(layers) for name, values in layer._asdict().items()}
