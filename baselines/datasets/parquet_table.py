"""A Parquet table of what a policy did: a row for each step."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from baselines.datasets.transitions import Collection, Transitions
from mm_env.atomic_write import replacing
from mm_env.envs.observation import observation_names
from mm_env.extras import needed_for

if TYPE_CHECKING:
    import pyarrow as pa


def write_parquet(collection: Collection, path: str | Path, advance: Callable[[int], object] | None = None) -> None:
    """Play the collection and write its steps, whole or not at all.

    Columns: `seed` of the episode's reset, `trade` from 1, each number of the observation by its name, `action` (or
    `action_0` ... where it has parts), `reward` and `terminated`. The key `mm_env` of the file's metadata holds, as
    JSON, the environment's spec, a description and the reference scores.

    Args:
        collection: What to play.
        path: The file.
        advance: Called with the number of episodes written since.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    with needed_for("Parquet files"):
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

    worst, best = collection.references
    facts = {
        "env_spec": json.loads(collection.spec.to_json()),
        "description": collection.described,
        "ref_min_score": worst,
        "ref_max_score": best,
    }
    writer = None
    with replacing(path) as temporary:
        try:
            for block in collection.blocks():
                table = _table(block, observation_names(collection.params))
                writer = writer or ParquetWriter(temporary, pa.schema(table.schema, {"mm_env": json.dumps(facts)}))
                writer.write_table(table.cast(writer.schema))
                if advance is not None:
                    advance(len(block.seeds))
        finally:
            if writer is not None:
                writer.close()


def _table(block: Transitions, names: tuple[str, ...]) -> pa.Table:
    import pyarrow as pa

    episodes, trades = block.rewards.shape
    trade = np.tile(np.arange(1, trades + 1), episodes)
    actions = block.actions.reshape(episodes * trades, -1)
    several = actions.shape[1] > 1
    seen = block.observations[:, :-1].reshape(episodes * trades, -1)
    return pa.table(
        {
            "seed": np.repeat(block.seeds, trades),
            "trade": trade,
            **dict(zip(names, seen.T, strict=True)),
            **{f"action_{part}" if several else "action": column for part, column in enumerate(actions.T)},
            "reward": block.rewards.ravel(),
            "terminated": trade == trades,
        }
    )
