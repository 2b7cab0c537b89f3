"""The packages beside this one, `baselines` and `train`, told apart from foreign modules of the same names."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

SIBLINGS = ("baselines", "train")


def check_sibling(name: str) -> None:
    """Raise `ImportError` unless importing this name would find the package beside `mm_env`. Nothing is imported.

    Raises:
        ImportError: The package is missing, or a foreign module comes before it; the message names the file found,
            why it comes first, and what to do.
    """
    ours = Path(__file__).parents[1] / name / "__init__.py"
    spec = find_spec(name)
    if spec is None:
        raise ImportError(f"no package {name!r}: it comes with mm_env and belongs beside it, in {ours.parent}")
    found = [*([spec.origin] if spec.origin else []), *(spec.submodule_search_locations or [])]
    if not any(Path(place).resolve() in (ours.resolve(), ours.parent.resolve()) for place in found):
        raise ImportError(
            f"{name!r} is {found[0]}, not mm_env's own package in {ours.parent}: {_why_first(Path(found[0]))}. "
            f"Rename it, or run from another folder"
        )


def _why_first(found: Path) -> str:
    """Why Python finds a file before the package beside this one."""
    folders = {found.parent.resolve(), found.parent.parent.resolve()}
    for place, entry in enumerate(sys.path):
        if Path(entry or ".").resolve() in folders:
            here = Path(entry or ".").resolve() == Path.cwd()
            return f"Python looks in {'the current folder' if here else f'{entry} (sys.path[{place}])'} first"
    return "it was imported before"
