"""A Minari dataset of what a policy did, made without Minari's own collector, which needs jax."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import numpy as np

from baselines.datasets.transitions import Collection, Transitions
from mm_env.envs.observation import observation_space
from mm_env.extras import needed_for

if TYPE_CHECKING:
    from minari import MinariDataset
    from minari.data_collector import EpisodeBuffer

_ROOT = "MINARI_DATASETS_PATH"  # where Minari looks for its folder of datasets; else ~/.minari/datasets
_EPISODES = 500  # written at once: progress is told that often


def minari_id(name: str) -> str:
    """A name as Minari wants it, with a version: hedging/threshold becomes hedging/threshold-v0.

    Raises:
        ValueError: Minari takes no such name.
    """
    with needed_for("Minari datasets"):
        from minari.dataset.minari_dataset import DATASET_ID_RE
    found = DATASET_ID_RE.fullmatch(name)
    if found is None:
        raise ValueError(
            f"{name!r} is no name of a Minari dataset: letters, digits, - and _, such as hedging/threshold-v0; what "
            f"stands before a / has at least three letters"
        )
    return name if found["version"] else f"{name}-v0"


def write_minari(
    collection: Collection, name: str, advance: Callable[[int], object] | None = None
) -> tuple[MinariDataset, Path]:
    """Play the collection and write it into Minari's folder of datasets, whole or not at all.

    Its reference scores are the exact J of the best fixed rule (0 of `minari.get_normalized_score`) and of the optimum
    (1), where they are known. `minari.load_dataset(id).recover_environment()` needs no `import mm_env`.

    Args:
        collection: What to play.
        name: `minari_id` makes the id of it.
        advance: Called with the number of episodes written since.

    Returns:
        The dataset, and its folder.

    Raises:
        ValueError: Minari takes no such name, or there is a dataset of that id.
        MissingExtraError: Minari, or h5py, is not installed.
    """
    with needed_for("Minari datasets"):
        import h5py  # noqa: F401  # Minari's own message names no package of ours
        import minari
        from minari.storage import get_dataset_path

    dataset = minari_id(name)
    folder = Path(get_dataset_path(dataset))
    if folder.exists():
        raise ValueError(f"{folder} holds a dataset of that name: choose another, or delete it with minari delete")
    with _whole(dataset, Path(get_dataset_path())):
        blocks = _in_buffers(collection.blocks(), advance)
        written = _created(dataset, collection, next(blocks))
        for buffers in blocks:
            written.update_dataset_from_buffer(buffers)
    return minari.load_dataset(dataset), folder


def _created(dataset: str, collection: Collection, buffers: list[EpisodeBuffer]) -> MinariDataset:
    """A dataset with its first episodes."""
    import minari

    worst, best = collection.references
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it has no author
        return minari.create_dataset_from_buffers(
            dataset,
            buffers,
            env=collection.spec,
            observation_space=observation_space(collection.params),
            algorithm_name=collection.name,
            description=collection.described,
            ref_min_score=worst,
            ref_max_score=best,
            requirements=["mm_env"],
        )


def _in_buffers(
    blocks: Iterable[Transitions], advance: Callable[[int], object] | None
) -> Iterator[list[EpisodeBuffer]]:
    """The episodes as Minari takes them, so many at a time."""
    from minari.data_collector import EpisodeBuffer

    first = 0
    for block in blocks:
        ends = np.arange(block.rewards.shape[1]) == block.rewards.shape[1] - 1
        never = np.zeros_like(ends)
        for start in range(0, len(block.seeds), _EPISODES):
            some = Transitions._make(part[start : start + _EPISODES] for part in block)
            yield [
                EpisodeBuffer(first + row, int(seed), None, seen, actions, rewards, ends, never)
                for row, (seed, seen, actions, rewards) in enumerate(zip(*some, strict=True))
            ]
            first += len(some.seeds)
            if advance is not None:
                advance(len(some.seeds))


@contextmanager
def _whole(dataset: str, root: Path) -> Iterator[None]:
    """Let Minari write into a folder beside, and move the dataset to where it belongs if all went well."""
    from minari.namespace import create_namespace, list_local_namespaces

    root.mkdir(parents=True, exist_ok=True)
    beside = Path(mkdtemp(prefix=".writing-", dir=root))  # Minari lists no hidden folders
    try:
        with _environment(_ROOT, str(beside)):
            yield
        namespace = dataset.rpartition("/")[0]
        if namespace and namespace not in list_local_namespaces():
            create_namespace(namespace)
        (root / dataset).parent.mkdir(parents=True, exist_ok=True)
        os.replace(beside / dataset, root / dataset)
    finally:
        shutil.rmtree(beside)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """With an environment variable set."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
