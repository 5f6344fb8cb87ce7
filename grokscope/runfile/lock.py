"""One writer at a time: a lock file beside the run, released by the kernel however its holder ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import socket
import stat
import time
from pathlib import Path

from grokscope.errors import RunLocked, StorageError
from grokscope.files import resolved
from grokscope.names import safe_name

ATTEMPTS = 10  # a viewer that probes the lock holds it for microseconds
ATTEMPT_SECONDS = 0.02
OPENED = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""A link or a pipe in a lock's place is neither followed nor waited for."""

HOLDER_BYTES = 4096


def lock_path(run: Path) -> Path:
    """Return the path of the lock file that belongs to a run file, the same through every symbolic link to it."""
    real = resolved(run)
    return real.with_name(real.name + ".lock")


class WriterLock:
    """An exclusive advisory lock on RUN.lock, which names its holder for whoever is refused."""

    def __init__(self, run: Path, patience: float = 0.2) -> None:
        """Take the lock, and wait so many seconds for it.

        Raises RunLocked naming the process that holds it then, StorageError in a read-only folder.
        """
        self._path = lock_path(run)
        self._descriptor = _acquire(self._path, run, patience)
        holder = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its holder's name
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, holder.encode(), 0)
        _remove_leftovers(run)

    def release(self) -> None:
        """Remove the lock file and let the next writer in; a second call does nothing."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1


def _remove_leftovers(run: Path) -> None:
    """Remove the temporary files of a writer that was killed: only a lock's holder makes them."""
    real = resolved(run)
    temporary = re.compile(rf"\.{re.escape(real.name)}\.[a-z0-9_]{{8}}\.tmp")
    with contextlib.suppress(OSError):
        for path in real.parent.iterdir():
            if temporary.fullmatch(path.name):
                path.unlink()


def _acquire(path: Path, run: Path, patience: float) -> int:
    for _ in range(max(round(patience / ATTEMPT_SECONDS), ATTEMPTS)):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | OPENED, 0o644)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise StorageError(f"{path} is a symbolic link, no lock file; remove it") from None
            if error.errno == errno.ENAMETOOLONG:
                raise StorageError(f"cannot write {run} ({error.strerror}); choose a shorter name") from error
            raise StorageError(f"cannot write in {run.parent}: {error.strerror}; choose another folder") from error
        if not _is_plain(descriptor):
            os.close(descriptor)
            raise StorageError(f"{path} is no lock file, but a pipe, a device or another file's name; remove it")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            time.sleep(ATTEMPT_SECONDS)
            continue
        except OSError as error:
            os.close(descriptor)
            raise StorageError(
                f"the file system of {run.parent} cannot lock files ({error.strerror}); choose another folder"
            ) from None
        if _is_same_file(descriptor, path):
            return descriptor
        os.close(descriptor)  # its last holder removed it between our open and our lock
    raise RunLocked(f"{run} is being written by {_holder(path)}; wait for it or stop it")


def _is_plain(descriptor: int) -> bool:
    """Tell whether it is a regular file with one name at most: writing into it then changes no other file."""
    status = os.fstat(descriptor)
    return stat.S_ISREG(status.st_mode) and status.st_nlink <= 1


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | OPENED)
        try:
            holder = json.loads(os.read(descriptor, HOLDER_BYTES))
        finally:
            os.close(descriptor)
        return f"process {int(holder['pid'])} on {safe_name(str(holder['host']))}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def is_locked(run: Path) -> bool:
    """Tell whether some process is writing this run now; never waits and never keeps the lock."""
    try:
        descriptor = os.open(lock_path(run), os.O_RDONLY | OPENED)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks: nobody can be writing under one
        return False
    finally:
        os.close(descriptor)
    return False
