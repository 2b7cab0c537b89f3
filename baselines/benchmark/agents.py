"""Agents: who is scored, and where the policies are that he has in each market, of each training seed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

_MARKET, _SEED = "{market}", "{seed}"


class Agent(NamedTuple):
    """Someone who is scored.

    Attributes:
        name: In tables.
        source: What his policies are read from, "{market}" and "{seed}" standing for the market's name without
            "mm_env/" and for the training seed.
        seeds: By market, his training seeds, as many in each; 0 alone where the source has none.
    """

    name: str
    source: str
    seeds: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, text: str, markets: Sequence[str]) -> Agent:
        """Read "SOURCE" or "NAME=SOURCE"; where the source has training seeds, look them up on disk.

        Raises:
            ValueError: No training seed, or not as many in every market.

        Example:
            >>> Agent.of("calm=threshold:3", ["mm_env/Hedging-v0"])
            Agent(name='calm', source='threshold:3', seeds={'mm_env/Hedging-v0': (0,)})
        """
        name, equals, source = text.partition("=")
        if not equals:
            source = name
        if not name or not source:
            raise ValueError(f"{text!r}: expected SOURCE or NAME=SOURCE")
        if _SEED not in source:
            return cls(name, source, dict.fromkeys(markets, (0,)))
        found = {market: _seeds(source.replace(_MARKET, short(market))) for market in markets}
        first, *others = found.items()
        for market, seeds in (first, *others):
            if not seeds:
                raise ValueError(f"{name}: nothing is there for {market}: {source}")
            if len(seeds) != len(first[1]):
                raise ValueError(f"{name}: training seeds {first[1]} for {first[0]}, but {seeds} for {market}")
        return cls(name, source, found)

    @classmethod
    def recorded(cls, name: str, told: Mapping[str, Any], markets: Sequence[str]) -> Agent:
        """The agent that a results file tells of: see `told`."""
        seeds = told["seeds"]
        return cls(name, told["source"], {m: tuple(seeds[m] if isinstance(seeds, dict) else seeds) for m in markets})

    def told(self) -> dict[str, Any]:
        """Source and training seeds as results tell them: a list, or where they differ one for each market."""
        first, *others = self.seeds.values()
        by_market = {market: list(seeds) for market, seeds in self.seeds.items()}
        return {"source": self.source, "seeds": by_market if any(seeds != first for seeds in others) else list(first)}

    def policy(self, market: str, seed: int) -> str:
        """What the policy of one market and training seed is read from."""
        return self.source.replace(_MARKET, short(market)).replace(_SEED, str(seed))


def read_agents(sources: Sequence[str], markets: Sequence[str]) -> list[Agent]:
    """Agents by their names; see `Agent.of`.

    Raises:
        ValueError: None, or two of one name; or as of `Agent.of`.
    """
    found = [Agent.of(source, markets) for source in sources]
    names = [agent.name for agent in found]
    if len(set(names)) < len(names) or not names:
        raise ValueError(f"agents must have names of their own, and be some, got {names}")
    return found


def short(market: str) -> str:
    """The name of a market without its namespace.

    Example:
        >>> short("mm_env/Hedging-v0")
        'Hedging-v0'
    """
    return market.rpartition("/")[2]


def digest(source: str) -> str | None:
    """The SHA-256 of the file, the policy in the folder or the module that a source names; None where it names none."""
    path, module = Path(source), Path(source.partition(":")[0].replace(".", "/") + ".py")
    files = sorted(path.glob("policy.*")) if path.is_dir() else [file for file in (path, module) if file.is_file()][:1]
    if not files:
        return None
    sums = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()


def _seeds(pattern: str) -> tuple[int, ...]:
    """The training seeds for which the path exists."""
    before, _, after = pattern.partition(_SEED)
    wanted = re.compile(re.escape(before) + r"(\d+)" + re.escape(after).replace(re.escape(_SEED), r"\1"))
    root = Path(before if before.endswith("/") else Path(before).parent)
    depth = pattern.count("/") - before.count("/")
    paths = root.glob("/".join(["*"] * (depth + 1)))
    return tuple(sorted({int(match[1]) for path in paths if (match := wanted.fullmatch(str(path)))}))
