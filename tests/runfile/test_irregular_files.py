"""Pipes, loops, devices, folders, too long names and locked files are called what they are, at once."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from grokscope.errors import BadRunFile, UsageError
from grokscope.runfile import Run, RunWriter
from grokscope.runfile.check import check
from tests.runfile.conftest import create


def pipe(path: Path) -> None:
    """Opening it would wait for a writer."""
    os.mkfifo(path)


def loop(path: Path) -> None:
    """A symbolic link to itself."""
    path.symlink_to(path)


def device(path: Path) -> None:
    """A link to a device."""
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    """A folder."""
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "says"), [(pipe, "is a pipe"), (loop, "loop of symbolic"), (device, "a device"), (folder, "a folder")]
)
def test_what_is_no_regular_file_is_refused_at_once(
    tmp_path: Path,
    grokscope_here: Callable[..., Result],
    make: Callable[[Path], None],
    says: str,
) -> None:
    path = tmp_path / "run.h5"
    make(path)
    for take in (Run, RunWriter.reopen, check):
        with pytest.raises(BadRunFile, match=says):
            take(path)
    with pytest.raises(UsageError, match=says):
        create(path, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
    done = grokscope_here("compact", path)
    assert done.exit_code == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_name_that_is_too_long_is_one_sentence(tmp_path: Path) -> None:
    for take in (Run, check):
        with pytest.raises(BadRunFile, match="name that is too long"):
            take(tmp_path / ("x" * 300))


TAKEN_EVERY_WAY = """
import sys
from pathlib import Path
from grokscope.errors import RunLocked
from grokscope.importers.hdf5_file import read_hdf5
from grokscope.runfile import Run
from grokscope.trajectory import open_trajectory
for take in (Run, open_trajectory, read_hdf5):
    try:
        take(Path(sys.argv[1]))
    except RunLocked as error:
        print(error)
"""


def test_a_file_that_another_program_locks_is_not_called_damaged(path: Path) -> None:
    with path.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        child = subprocess.run(
            [sys.executable, "-c", TAKEN_EVERY_WAY, str(path)],
            env=os.environ | {"HDF5_USE_FILE_LOCKING": "TRUE"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert child.stdout.count("is locked by another program") == 3, child.stderr
        assert Run(path).num_checkpoints == 3
