"""MachineCodeCache: what Numba has compiled, kept in the user's cache folder for other processes.

A file holds the machine code of one function for one kind of arguments. Its name is a digest of all that the code is
made of: the function's text, the versions of Python, NumPy, Numba and LLVM, and the processor with the instructions
that may be used. So a file is never out of date; those of other versions are let go when there are too many.

A file is read only if it and its folder are this user's own, and it is whole: it begins with the digest of the rest.
Whatever else is found is ignored with a warning, and the function is compiled.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import warnings
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mm_env.atomic_write import replacing

FOLDER = "MM_ENV_CACHE_DIR"  # environment variable: another folder, or nothing to keep nothing

_MOST_FILES = 512
_DIGEST_BYTES = hashlib.sha256().digest_size

Compiled = TypeVar("Compiled")


def kept(compiled: Compiled, text: str) -> Compiled:
    """A function made by `numba.njit`, to be compiled only if it is not in the cache.

    Args:
        compiled: The function. It must not share its name with another of its kind: linkers go by names.
        text: All that it is made of, the functions that it calls included.
    """
    if cache_folder() is not None:
        compiled._cache = MachineCodeCache(text)  # type: ignore[attr-defined]  # where Numba's own cache would be
    return compiled


def cache_folder() -> Path | None:
    """Where machine code is kept; None if nowhere. Needs Numba."""
    named = os.environ.get(FOLDER)
    if named is not None:
        return Path(named) if named else None
    return Path(_numba("misc.appdirs").user_cache_dir("mm_env", appauthor=False))


class MachineCodeCache:
    """What Numba asks before it compiles a function of this text, and tells when it has."""

    cache_path: str | None = None  # Numba's own would have one

    def __init__(self, text: str) -> None:
        self._text = text

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The function compiled for a signature, or None. Called by Numba."""
        context.refresh()
        path = self._path(signature, context)
        if path is None or not path.exists():
            return None
        try:
            _check_own(path.parent)
            _check_own(path)
            content = path.read_bytes()
            if hashlib.sha256(content[_DIGEST_BYTES:]).digest() != content[:_DIGEST_BYTES]:
                raise ValueError("it is damaged")
            found = _numba("core.compiler").CompileResult._rebuild(context, *pickle.loads(content[_DIGEST_BYTES:]))
        except Exception as error:  # whatever it holds: compiling always works
            _warn(f"{path} is ignored: {error}")
            return None
        _mark_as_used(path)
        return found

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep what was compiled. Called by Numba."""
        path = self._path(signature, result.target_context)
        if path is None or result.lifted or result.library.has_dynamic_globals:
            return
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_own(path.parent)
            content = _numba("core.serialize").dumps(result._reduce())
            with replacing(path) as temporary:
                temporary.write_bytes(hashlib.sha256(content).digest() + content)
            _let_go(path.parent)
        except Exception as error:  # it is compiled all the same
            _warn(f"machine code is not kept in {path.parent}: {error} ({FOLDER} names another folder)")

    def enable(self) -> None:
        """It always is; Numba asks for the method, and for those below."""

    disable = flush = enable

    def _path(self, signature: Any, context: Any) -> Path | None:
        folder = cache_folder()
        made_of = (self._text, _versions(), context.codegen().magic_tuple(), signature)
        return folder and folder / f"{hashlib.sha256(repr(made_of).encode()).hexdigest()}.machinecode"


@lru_cache(maxsize=1)
def _versions() -> tuple[str, ...]:
    import llvmlite
    import numba

    return platform.python_implementation(), platform.python_version(), *(m.__version__ for m in (np, numba, llvmlite))


def _numba(module: str) -> Any:
    """A module of Numba that its own cache is made of."""
    return import_module(f"numba.{module}")


def _check_own(path: Path) -> None:
    """Raise `PermissionError` where another user could have written, for what is read may run."""
    status = path.stat()
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o002):
        raise PermissionError(f"{path} is not yours alone to write")


def _mark_as_used(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:  # read-only: nothing is let go there either
        return


def _let_go(folder: Path) -> None:
    """Remove what was not used for longest, where there are too many files."""
    files = sorted(folder.glob("*.machinecode"), key=lambda path: path.stat().st_mtime)
    for path in files[:-_MOST_FILES]:
        path.unlink(missing_ok=True)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=2)
