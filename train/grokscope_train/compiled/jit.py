"""How functions are compiled, and where their machine code is kept for the next start."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import config
from numba.extending import intrinsic
from platformdirs import user_cache_path

Array = Any  # a numpy array, whose dtype decides what is compiled
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F, fastmath: frozenset[str] = frozenset({"contract"})) -> F:
    """Compile to machine code that holds no interpreter lock, may fuse a·b + c, and divides as NumPy does."""
    folder = cache_folder()
    config.CACHE_DIR, before = str(folder), config.CACHE_DIR  # type: ignore[attr-defined]
    try:
        compiler = numba.njit(nogil=True, error_model="numpy", fastmath=set(fastmath), cache=folder is not None)
        return cast(F, compiler(function))
    finally:
        config.CACHE_DIR = before  # type: ignore[attr-defined]


def summing(function: F) -> F:
    """Compile as `compiled` does, to machine code that may add in another order."""
    return compiled(function, frozenset({"contract", "reassoc"}))


def built_in(function: Callable[..., Any]) -> Any:
    """Let a function emit the machine code of its calls itself."""
    return intrinsic(function)


@cache
def cache_folder() -> Path | None:
    """Return the folder in the user's cache for the machine code of these sources as they are now.

    Numba renews a function's code when its own file has changed, not when that of a function it calls has. None
    where the folder cannot be made: then every start compiles anew.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    folder = user_cache_path("grokscope") / "compiled" / digest[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def announce_compilation() -> None:
    """Say on stderr that a moment goes by, where this machine has not compiled these sources before."""
    folder = cache_folder()
    if folder is None or not any(folder.iterdir()):
        sys.stderr.write("compiling the training step for this processor, once: about ten seconds\n")
