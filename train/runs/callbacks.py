"""What Stable-Baselines3 calls as a model learns, in each of the forms that its `learn(callback=...)` takes."""

from __future__ import annotations

from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from stable_baselines3.common.type_aliases import MaybeCallback


def callback_list(callback: MaybeCallback) -> list[BaseCallback]:
    """The callbacks that are meant: none, one, a list of them, or a function of local and global names.

    Raises:
        ValueError: It is none of these.
    """
    given = callback if isinstance(callback, list | tuple) else [] if callback is None else [callback]
    for each in given:
        if not callable(getattr(each, "on_step", each)):
            raise ValueError(f"callback must be a callback of Stable-Baselines3, a function or a list, got {each!r}")
    return [each if isinstance(each, BaseCallback) else ConvertCallback(each) for each in given]
