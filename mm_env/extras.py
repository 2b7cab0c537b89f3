"""The packages that not everybody needs, each named with the line that installs it where it is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

EXTRAS: Mapping[str, str] = {  # the module that is imported, and the extra of `mm_env` that brings it
    "h5py": "offline",
    "matplotlib": "plot",
    "minari": "offline",
    "mlflow": "track",
    "numba": "fast",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "pandas": "data",
    "pettingzoo": "multi",
    "plotly": "report",
    "pyarrow": "data",
    "pygame": "render",
    "ray": "rllib",
    "safetensors": "train",
    "sb3_contrib": "contrib",
    "stable_baselines3": "train",
    "statsmodels": "calibrate",
    "tensorboard": "train",
    "torch": "train",
    "tqdm": "train",
    "wandb": "track",
    "yaml": "train",
}


class MissingExtraError(ImportError):
    """A module of an extra is not installed; the message says what needs it, and how to install it."""


@contextmanager
def needed_for(purpose: str, extra: str | None = None) -> Iterator[None]:
    """What is imported within is needed for `purpose`, and comes with an extra; default: that of `EXTRAS`.

    Raises:
        MissingExtraError: A module of an extra is missing.

    Example:
        >>> with needed_for("tables"):
        ...     raise ModuleNotFoundError(name="pandas.core")
        Traceback (most recent call last):
            ...
        mm_env.extras.MissingExtraError: tables need pandas: pip install 'mm_env[data]'
    """
    try:
        yield
    except MissingExtraError:
        raise
    except ImportError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRAS:
            raise
        raise MissingExtraError(f"{purpose} need {module}: {pip_line(module, extra)}", name=module) from error


def pip_line(module: str, extra: str | None = None) -> str:
    """The line that installs a module of `EXTRAS`, by its extra there or another one."""
    return f"pip install 'mm_env[{extra or EXTRAS[module]}]'"
