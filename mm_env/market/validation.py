"""Checked fields of a frozen record: each carries its meaning, unit and range, and a bad value names all three."""

from __future__ import annotations

import dataclasses
import json
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeGuard

import numpy as np

MOST = 32  # of the entries of a list
LARGEST = 1e9  # far beyond any market, small enough that squares and sums of it stay finite


def whole(default: int | None, meaning: str, unit: str, low: int, high: int = 1_000_000) -> Any:
    """A whole number."""
    return _field(default, meaning, unit, kind=int, low=low, high=high)


def real(default: float, meaning: str, unit: str, low: float = 0.0, high: float = LARGEST) -> Any:
    """A finite number."""
    return _field(default, meaning, unit, kind=float, low=low, high=high)


def flag(default: bool, meaning: str) -> Any:
    """True or False."""
    return _field(default, meaning, "true or false", kind=bool)


def choice(default: str, meaning: str, choices: Sequence[str]) -> Any:
    """One of some names."""
    return _field(default, meaning, "name", kind=str, choices=tuple(choices))


def several(default: tuple[Any, ...] | None, meaning: str, unit: str, each: Any, least: int = 1) -> Any:
    """A list of `least` to 32 values, each as the field `each` asks; kept as a tuple."""
    return _field(default, meaning, unit, kind=tuple, each=each.metadata, least=least)


def records(default: tuple[Any, ...], meaning: str, build: Callable[[Mapping[str, object]], Any], kind: type) -> Any:
    """A list of records, or of mappings that `build` makes one from; kept as a tuple."""
    return _field(default, meaning, "list", kind=list, build=build, record=kind)


def on_tape(field: Any) -> Any:
    """The same field, marked as one that what is drawn on a tape depends on."""
    return dataclasses.field(default=field.default, metadata={**field.metadata, "on_tape": True})


def fields_on_tape(cls: Any) -> tuple[str, ...]:
    """The names of the fields that what is drawn on a tape depends on."""
    return tuple(field.name for field in dataclasses.fields(cls) if "on_tape" in field.metadata)


def check_fields(record: Any) -> None:
    """Turn every field of a frozen record into the plain type it asks for, or raise `ValueError`."""
    for field in dataclasses.fields(record):
        value = _checked(field.name, field.metadata, getattr(record, field.name))
        object.__setattr__(record, field.name, value)


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether it is a whole number, Python's or NumPy's; True and False are not.

    Example:
        >>> is_whole(3), is_whole(np.int64(3)), is_whole(3.0), is_whole(True)
        (True, True, False, False)
    """
    return type(value) is int or _is_number(value, numbers.Integral)


def check_whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as a plain whole number of at least `low`, and at most `high` if that is given.

    Raises:
        ValueError: It is none; the message names it, what is allowed, and what it was.

    Example:
        >>> check_whole("num_envs", np.int64(8), 1)
        8
    """
    if not is_whole(value) or value < low or (high is not None and value > high):
        allowed = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} must be a whole number {allowed}, got {value!r}")
    return int(value)


def is_real(value: Any) -> TypeGuard[float]:
    """Whether it is a finite number, Python's or NumPy's; True and False are not.

    Example:
        >>> is_real(3), is_real(np.float32(0.5)), is_real(float("nan")), is_real(True), is_real(-(10**400))
        (True, True, False, False, False)
    """
    try:
        return _is_number(value, numbers.Real) and math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


class UnknownNameError(TypeError, ValueError):
    """A keyword that is unknown: a bad value to who checks values, and the `TypeError` that clients wait for.

    Those that offer a keyword and go on without it look for the phrase "got an unexpected keyword argument".
    """


def check_names(
    names: Mapping[str, object], cls: Any, noun: str, instead: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Raise `UnknownNameError` at the first name that is no field of `cls`: the nearest, or what to pass `instead`."""
    known = [field.name for field in dataclasses.fields(cls)]
    for name in names:
        if name not in known:
            hint = instead.get(name) or suggestion(name, known)
            raise UnknownNameError(f"{name!r} is not a {noun}; {hint} (got an unexpected keyword argument {name!r})")


def suggestion(name: object, known: Sequence[str]) -> str:
    """The nearest of the known names, after a slash also its last part alone; where none is near, all of them.

    Example:
        >>> suggestion("thresold", ["threshold", "never"]), suggestion("x", ["threshold", "never"])
        ("did you mean 'threshold'?", 'known: threshold, never')
    """
    near = nearest(name, known)
    return f"known: {', '.join(known)}" if near is None else f"did you mean '{near}'?"


def nearest(name: object, known: Sequence[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like this one, itself or its part after a slash; None where none is as like as that.

    Example:
        >>> nearest("thresold", ["threshold", "never"]), nearest("x", ["threshold", "never"])
        ('threshold', None)
    """
    short = {each.rpartition("/")[2]: each for each in known} | {each: each for each in known}
    near = get_close_matches(str(name), short, n=1, cutoff=cutoff)
    return short[near[0]] if near else None


def describe_fields(cls: Any) -> list[list[str]]:
    """Every field: name, default, unit, what is allowed, meaning; below a list of records, their fields."""
    rows = []
    for field in dataclasses.fields(cls):
        rule = field.metadata
        rows.append([field.name, written(field.default), rule["unit"], _allowed(rule), rule["meaning"]])
        inner = describe_fields(rule["record"]) if rule["kind"] is list else []
        rows += [[f"{field.name}[].{name}", *rest] for name, *rest in inner]
    return rows


def written(value: Any) -> str:
    """A value as `--set` reads it; of records, only what differs from the default.

    Example:
        >>> written(0.5), written((1, 2)), written(None)
        ('0.5', '[1, 2]', 'None')
    """
    return json.dumps(_plain(value)) if isinstance(value, tuple) else str(value)


def changed_fields(record: Any) -> dict[str, Any]:
    """The fields of a record that differ from their defaults, by name."""
    values = {field.name: (getattr(record, field.name), field.default) for field in dataclasses.fields(record)}
    return {name: value for name, (value, default) in values.items() if value != default}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {name: _plain(item) for name, item in changed_fields(value).items()}
    return value


def _field(default: object, meaning: str, unit: str, **check: object) -> Any:
    return dataclasses.field(
        default=default, metadata={"meaning": meaning, "unit": unit, "optional": default is None, **check}
    )


def _checked(name: str, rule: Mapping[str, Any], value: Any) -> object:
    """Return `value` as the plain Python type that the rule asks for, or raise `ValueError`."""
    if value is None and rule["optional"]:
        return None
    kind = rule["kind"]
    if kind is bool and isinstance(value, bool | np.bool_):
        return bool(value)
    if kind is str and isinstance(value, str) and value in rule["choices"]:
        return value
    if kind is int and is_whole(value) and rule["low"] <= value <= rule["high"]:
        return int(value)
    if kind is float and is_real(value) and rule["low"] <= value <= rule["high"]:
        return float(value)
    if kind in (tuple, list) and (isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim)):
        items = list(value)
        if kind is tuple and rule["least"] <= len(items) <= MOST:
            return tuple(_checked(f"{name}[{i}]", rule["each"], item) for i, item in enumerate(items))
        if kind is list and 1 <= len(items) <= MOST:
            return tuple(_record(f"{name}[{i}]", rule, item) for i, item in enumerate(items))
    raise ValueError(f"{name} must be {_allowed(rule)} ({rule['unit']}), got {value!r}")


def _record(name: str, rule: Mapping[str, Any], value: Any) -> object:
    if isinstance(value, rule["record"]):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a mapping of names to values, got {value!r}")
    try:
        return rule["build"](value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool | np.bool_)


def _allowed(rule: Mapping[str, Any]) -> str:
    end = ", or None" if rule["optional"] else ""
    if rule["kind"] is bool:
        return "True or False"
    if rule["kind"] is str:
        return "one of " + ", ".join(repr(choice) for choice in rule["choices"])
    if rule["kind"] is tuple:
        return f"a list of {rule['least']} to {MOST}, each {_allowed(rule['each'])}{end}"
    if rule["kind"] is list:
        return f"a list of 1 to {MOST} {rule['record'].__name__} or mappings"
    noun = "a whole number" if rule["kind"] is int else "a number"
    return f"{noun} from {rule['low']:g} to {rule['high']:g}{end}"
