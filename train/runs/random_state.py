"""RandomState: where a model's random numbers stand, so that a resumed run draws those that were to come."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

_MEMBER = "random_state.npz"  # of a checkpoint, beside what Stable-Baselines3 keeps there
_MERSENNE = "MT19937"  # NumPy's global generator, which shuffles the batches
_NOISE = ("exploration_mat", "exploration_matrices")  # that gSDE holds on to for a rollout


class RandomState(NamedTuple):
    """The states of the generators that Stable-Baselines3 draws from, and the noise that is in use.

    Attributes:
        torch: Of PyTorch's generator, bytes.
        numpy: Of NumPy's, key and position.
        noise: Of gSDE, by the attributes of its distribution; empty without it.
    """

    torch: NDArray[np.uint8]
    numpy: NDArray[np.uint32]
    noise: dict[str, NDArray[np.float32]]

    @classmethod
    def of(cls, model: BaseAlgorithm) -> RandomState:
        """As they are now."""
        _, key, position, *_ = np.random.get_state(legacy=True)  # noqa: NPY002
        distribution = _distribution(model)
        noise = {name: getattr(distribution, name).detach().numpy().copy() for name in _NOISE if distribution}
        return cls(torch.get_rng_state().numpy(), np.append(key, np.uint32(position)), noise)

    def apply(self, model: BaseAlgorithm) -> None:
        """Let the model go on from here."""
        torch.set_rng_state(torch.from_numpy(self.torch))
        np.random.set_state((_MERSENNE, self.numpy[:-1], int(self.numpy[-1])))  # noqa: NPY002
        for name, values in self.noise.items():
            setattr(_distribution(model), name, torch.from_numpy(values))

    def add_to(self, checkpoint: Path) -> None:
        """Put it into the file of a checkpoint."""
        written = io.BytesIO()
        np.savez(written, torch=self.torch, numpy=self.numpy, **self.noise)
        with zipfile.ZipFile(checkpoint, "a") as archive:
            archive.writestr(_MEMBER, written.getvalue())

    @classmethod
    def read(cls, checkpoint: Path, model: BaseAlgorithm) -> RandomState | None:
        """What `add_to` put there; None in a checkpoint of before.

        Raises:
            ValueError: It is not as `add_to` left it, or of another model.
        """
        try:
            with zipfile.ZipFile(checkpoint) as archive:
                if _MEMBER not in archive.namelist():
                    return None
                with np.load(io.BytesIO(archive.read(_MEMBER)), allow_pickle=False) as arrays:
                    held = {name: arrays[name] for name in arrays.files}
        except Exception as error:  # the readers raise many kinds; each means that the file is damaged
            raise ValueError(f"{checkpoint}: {_MEMBER} cannot be read: {error}") from error
        if _distribution(model) is not None:
            model.policy.reset_noise(model.n_envs)  # type: ignore[attr-defined, operator]  # as many as in a rollout
        now = cls.of(model)
        _check(checkpoint, held, {"torch": now.torch, "numpy": now.numpy, **now.noise})
        return cls(held.pop("torch"), held.pop("numpy"), held)


def _check(checkpoint: Path, held: dict[str, Any], like: dict[str, Any]) -> None:
    for name in {**held, **like}:
        found, wanted = (None if name not in of else (of[name].dtype, of[name].shape) for of in (held, like))
        if found != wanted:
            raise ValueError(f"{checkpoint}: {name} of {_MEMBER} must be {wanted}, got {found}")
        if not np.isfinite(held[name]).all():
            raise ValueError(f"{checkpoint}: {name} of {_MEMBER} is not finite")


def _distribution(model: BaseAlgorithm) -> Any:
    """The distribution whose noise lasts for a rollout, if the model explores by gSDE."""
    return model.policy.action_dist if getattr(model, "use_sde", False) else None
