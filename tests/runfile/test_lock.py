"""A lock keeps writers apart, and says in one sentence where it cannot."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from grokscope.errors import RunLocked, StorageError
from grokscope.runfile import Run, RunWriter
from grokscope.runfile.lock import WriterLock, is_locked, lock_path
from tests.runfile.conftest import create


def test_a_lock_is_held_until_it_is_released(tmp_path: Path) -> None:
    run = tmp_path / "run.h5"
    lock = WriterLock(run)
    assert is_locked(run)
    with pytest.raises(RunLocked, match="is being written by process"):
        WriterLock(run)
    lock.release()
    lock.release()
    assert not is_locked(run)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_nobody_holds_and_nobody_may_delete_is_in_no_ones_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run.h5"
    lock = WriterLock(run)
    with monkeypatch.context() as patch:

        def refuse(path: Path, missing_ok: bool = False) -> None:
            raise PermissionError(errno.EPERM, "a sticky folder", str(path))

        patch.setattr(Path, "unlink", refuse)
        lock.release()
    assert lock_path(run).exists()
    assert not is_locked(run)
    WriterLock(run).release()


def test_a_run_behind_a_symbolic_link_has_one_lock_and_grows_where_it_is(tmp_path: Path) -> None:
    link, real = tmp_path / "link.h5", tmp_path / "scratch" / "run.h5"
    real.parent.mkdir()
    create(real).close()
    link.symlink_to(real)
    with RunWriter.reopen(link) as writer:
        with pytest.raises(RunLocked):
            RunWriter.reopen(real)
        writer.extend([0, 1, 2, 3, 4, 5, 6])
    assert link.is_symlink()
    assert Run(real).planned_steps.tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_a_file_system_without_locks_is_named_and_reads_as_not_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    run = tmp_path / "run.h5"
    lock_path(run).touch()
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError, match="cannot lock files"):
        WriterLock(run)
    assert not is_locked(run)
