"""Offline data: what a policy did in a market, as a Minari dataset or a Parquet table; imports mm_env and baselines."""

from baselines.datasets.minari_dataset import write_minari
from baselines.datasets.parquet_table import write_parquet
from baselines.datasets.transitions import Collection, Transitions

__all__ = ["Collection", "Transitions", "write_minari", "write_parquet"]
