"""How functions are compiled, and where their machine code is kept for the next start."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import config
from numba.extending import intrinsic

from grokscope.files import cache_folder

Array = Any  # a numpy array, whose dtype decides what is compiled
F = TypeVar("F", bound=Callable[..., Any])

PATIENCE = 120.0  # seconds for which another process may compile
ATTEMPT_SECONDS = 0.1


def compiled(function: F) -> F:
    """Compile to machine code that holds no interpreter lock, may fuse a·b + c, and divides as NumPy does."""
    folder = code_folder()
    config.CACHE_DIR, before = str(folder), config.CACHE_DIR  # type: ignore[attr-defined]
    try:
        compiler = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}, cache=folder is not None)
        return cast(F, compiler(function))
    finally:
        config.CACHE_DIR = before  # type: ignore[attr-defined]


def built_in(function: Callable[..., Any]) -> Any:
    """Let a function emit the machine code of its calls itself."""
    return intrinsic(function)


@cache
def code_folder() -> Path | None:
    """Return the folder in the user's cache for the machine code of these sources as they are now.

    Numba renews a function's code when its own file has changed, not when that of a function it calls has. None
    where the folder cannot be made: then every start compiles anew.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    folder = cache_folder() / "compiled" / digest[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


@contextmanager
def compiled_once(dtype: str) -> Iterator[None]:
    """Compile the steps for `dtype` within this: of processes that start at once one does, and the others wait.

    On stderr it says that a moment goes by, where this machine has not compiled these sources before. Nobody waits
    for longer than compiling takes, nor where no file can be locked: who has no lock compiles as well.
    """
    folder = code_folder()
    done = None if folder is None else folder / f"{dtype}.done"
    if done is not None and done.exists():
        yield
        return
    once = "at each start, for the cache folder cannot be written" if done is None else "once"
    with contextlib.suppress(OSError):  # a full stderr
        sys.stderr.write(f"compiling the training step for this processor, {once}: about half a minute\n")
    if done is None:
        yield
        return
    with _alone(done.with_suffix(".lock")):
        yield
        with contextlib.suppress(OSError):
            done.touch()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a file's lock, which the kernel releases however its holder ends; without it after PATIENCE seconds."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    except OSError:
        yield
        return
    try:
        end = time.monotonic() + PATIENCE
        while not _locks(descriptor) and time.monotonic() < end:
            time.sleep(ATTEMPT_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _locks(descriptor: int) -> bool:
    """Try to lock a file; a file system without locks counts as locked, for nobody else could tell."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError)
    return True
