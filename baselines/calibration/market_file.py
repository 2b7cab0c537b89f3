"""The file of a calibrated market: TOML with units, estimates and their intervals, which `market_params` reads."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from baselines.calibration.estimates import Calibration
from mm_env.atomic_write import write_text
from mm_env.intervals import with_interval
from mm_env.market.client_tier import ClientTier
from mm_env.market.params import MarketParams


def market_text(found: Calibration, origin: str) -> str:
    """The market as commented TOML.

    Args:
        found: What the tape told.
        origin: Where the tape is from, told in the first line.
    """
    lines = [f"# A market calibrated from {origin}: --market FILE, or market_params(FILE)", ""]
    for field in dataclasses.fields(MarketParams):
        if field.name != "tiers":
            told = "" if field.name in found.kept else _told(found, field.name) or "told by the tape"
            lines += _entry(field, getattr(found.params, field.name), told or "not told by the tape")
    for number, tier in enumerate(found.params.tiers):
        lines += ["", "[[tiers]]"]
        for field in dataclasses.fields(ClientTier):
            if getattr(tier, field.name) != field.default:
                lines += _entry(field, getattr(tier, field.name), _told(found, f"tiers[{number}].{field.name}"))
    return "\n".join(lines) + "\n"


def write_market(found: Calibration, path: Path, origin: str) -> None:
    """Write `market_text`, whole or not at all."""
    write_text(path, market_text(found, origin))


def _entry(field: Any, value: Any, told: str) -> list[str]:
    """A field with its meaning, unit and what was told of it; commented out where it has no value."""
    mark = "# " if value is None else ""
    note = f"# {field.metadata['meaning']}; {field.metadata['unit']}" + (f"; {told}" if told else "")
    return [note, f"{mark}{field.name} = {json.dumps(value) if value is not None else 'none'}"]


def _told(found: Calibration, name: str) -> str:
    """The estimates of a field, or of the entries of a list, with their 95 % intervals."""
    figures = [each for field, each in found.estimates.items() if field == name or field.startswith(f"{name}[")]
    text = ", ".join(with_interval(*figure) for figure in figures)
    left_out = ", not told apart from 0" if name in found.left_out else ""
    return f"estimate {text} (95 %){left_out}" if text else ""
