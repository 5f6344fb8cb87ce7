"""A lock keeps writers apart, and says in one sentence where it cannot."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from grokscope.errors import RunLocked, StorageError
from grokscope.runfile import Run, RunWriter
from grokscope.runfile.lock import WriterLock, is_locked, lock_path
from tests.runfile.conftest import create
from tests.train.forked import Forked

NOBODY = 65534


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


def test_a_read_only_folder_is_answered() -> None:
    with tempfile.TemporaryDirectory() as folder:  # not in pytest's, which nobody else may enter

        def write() -> int:
            if os.geteuid() == 0:
                os.seteuid(NOBODY)  # root may write anywhere
            with pytest.raises(StorageError, match=f"cannot write in {folder}: Permission denied; choose another"):
                create(Path(folder) / "run.h5")
            return 0

        Path(folder).chmod(0o555)
        assert Forked(write).wait() == 0


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


def link(path: Path, target: Path) -> None:
    """A symbolic link to a file that is not ours."""
    path.symlink_to(target)


def hard_link(path: Path, target: Path) -> None:
    """Another name of a file that is not ours."""
    path.hardlink_to(target)


def pipe(path: Path, target: Path) -> None:
    """Opening it would wait."""
    os.mkfifo(path)


@pytest.mark.parametrize("place", [link, hard_link, pipe])
def test_what_lies_in_a_locks_place_is_neither_followed_nor_emptied(
    tmp_path: Path, place: Callable[[Path, Path], None]
) -> None:
    run, precious = tmp_path / "run.h5", tmp_path / "precious"
    precious.write_text("all my work")
    place(lock_path(run), precious)
    assert not is_locked(run)
    with pytest.raises(StorageError, match="remove it"):
        WriterLock(run)
    assert precious.read_text() == "all my work"


def test_a_killed_writers_temporary_file_is_removed_by_the_next_and_others_stay(tmp_path: Path) -> None:
    run = tmp_path / "run.h5"
    create(run).close()
    left, others = (
        tmp_path / ".run.h5.ab_c12xy.tmp",
        [tmp_path / ".other.h5.ab_c12xy.tmp", tmp_path / "run.h5.tmp"],
    )
    for path in (left, *others):
        path.touch()
    RunWriter.reopen(run).close()
    assert not left.exists()
    assert all(path.exists() for path in others)


def test_a_lock_file_that_is_removed_just_before_it_is_locked_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder lets go, and another takes a new one, between our opening and our locking of the old one."""
    run = tmp_path / "run.h5"
    before, real = WriterLock(run), fcntl.flock

    def after_the_others(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        before.release()
        others.append(WriterLock(run))
        real(descriptor, how)

    others: list[WriterLock] = []
    monkeypatch.setattr(fcntl, "flock", after_the_others)
    with pytest.raises(RunLocked):
        WriterLock(run)
    others[0].release()
    assert not is_locked(run)
    WriterLock(run).release()
