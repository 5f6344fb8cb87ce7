"""How functions are compiled, and where their machine code is kept for the next start."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import config
from numba.extending import intrinsic
from platformdirs import user_cache_path

Array = Any  # a numpy array, whose dtype decides what is compiled
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile to machine code that holds no interpreter lock, may fuse a·b + c, and divides as NumPy does."""
    config.CACHE_DIR, before = str(cache_folder()), config.CACHE_DIR  # type: ignore[attr-defined]
    try:
        return cast(F, numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}, cache=True)(function))
    finally:
        config.CACHE_DIR = before  # type: ignore[attr-defined]


def built_in(function: Callable[..., Any]) -> Any:
    """Let a function emit the machine code of its calls itself."""
    return intrinsic(function)


def cache_folder() -> Path:
    """Return the folder in the user's cache for the machine code of these sources as they are now.

    Numba renews a function's code when its own file has changed, not when that of a function it calls has.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    return user_cache_path("grokscope") / "compiled" / digest[:16]
