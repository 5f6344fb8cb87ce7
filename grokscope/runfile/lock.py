"""One writer at a time: a lock file beside the run, released by the kernel however its holder ends."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from pathlib import Path

from grokscope.errors import RunLocked, StorageError

ATTEMPTS = 10  # a viewer that probes the lock holds it for microseconds
ATTEMPT_SECONDS = 0.02


def lock_path(run: Path) -> Path:
    """Return the path of the lock file that belongs to a run file, the same through every symbolic link to it."""
    real = run.resolve()
    return real.with_name(real.name + ".lock")


class WriterLock:
    """An exclusive advisory lock on RUN.lock, which names its holder for whoever is refused."""

    def __init__(self, run: Path) -> None:
        """Take the lock; raises RunLocked naming the process that holds it, StorageError in a read-only folder."""
        self._path = lock_path(run)
        self._descriptor = _acquire(self._path, run)
        holder = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its holder's name
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, holder.encode(), 0)

    def release(self) -> None:
        """Remove the lock file and let the next writer in; a second call does nothing."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1


def _acquire(path: Path, run: Path) -> int:
    for _ in range(ATTEMPTS):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(f"cannot write in {run.parent}: {error.strerror}; choose another folder") from None
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


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def is_locked(run: Path) -> bool:
    """Tell whether some process is writing this run now; never waits and never keeps the lock."""
    try:
        descriptor = os.open(lock_path(run), os.O_RDONLY | os.O_CLOEXEC)
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
