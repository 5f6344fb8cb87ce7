"""Real processes: a killed writer, a second writer, a reader at work, a disk that is full."""

from __future__ import annotations

import fcntl
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from grokscope.errors import RunLocked
from grokscope.runfile import Run, RunWriter
from grokscope.runfile.check import inspect
from grokscope.runfile.lock import is_locked, lock_path
from tests.conftest import ROOT
from tests.runfile.conftest import create

LENGTH = 3000


def start_writer(path: Path, length: int = LENGTH) -> subprocess.Popen[str]:
    """Start a process that writes the test run."""
    command = [sys.executable, "-m", "tests.runfile.writing_process", str(path), str(length)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until_writing(process: subprocess.Popen[str]) -> None:
    """Return when the first checkpoint is acknowledged."""
    assert process.stdout is not None
    assert process.stdout.readline().strip().isdigit()


def test_a_killed_writer_loses_no_acknowledged_checkpoint_and_can_go_on(tmp_path: Path) -> None:
    path, randomness = tmp_path / "run.h5", random.Random(0)
    for _ in range(8):
        process = start_writer(path)
        wait_until_writing(process)
        time.sleep(randomness.uniform(0, 0.1))
        process.kill()
        output, _ = process.communicate()
        acknowledged = [int(line) for line in output.split()]
        run = Run(path)
        assert run.num_checkpoints > max(acknowledged, default=0)
        assert inspect(run).problems == ()
    with RunWriter.reopen(path) as writer:
        state = writer.load_resume()
    assert state is not None
    assert run.num_checkpoints - 2 <= state[0] < run.num_checkpoints


def test_a_reader_at_work_sees_whole_checkpoints_and_stops_no_writer(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    process = start_writer(path, length=400)
    wait_until_writing(process)
    run, looks = Run(path), 0
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # what HDF5 does in any notebook that opens the run
        while process.poll() is None:
            run.refresh()
            run.verify(run.num_checkpoints - 1)
            assert run.liveness().state in ("running", "crashed")  # crashed: between its end and our look
            looks += 1
    assert process.returncode == 0, process.communicate()[1]
    assert looks > 5
    run.refresh()
    assert run.complete


def test_a_second_writer_is_refused_by_name_and_let_in_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    process = start_writer(path)
    wait_until_writing(process)
    with pytest.raises(RunLocked, match=f"process {process.pid} on "):
        RunWriter.reopen(path)
    assert is_locked(path)
    process.kill()
    process.wait()
    assert not is_locked(path)
    RunWriter.reopen(path).close()
    assert not lock_path(path).exists()
    assert process.communicate()[1] == ""


def test_a_writer_that_dies_reads_as_crashed(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    process = start_writer(path)
    wait_until_writing(process)
    wait_until_writing(process)  # a second one: its process has beaten by now
    assert Run(path).liveness().state == "running"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert Run(path).liveness().state == "crashed"


def test_a_full_disk_is_one_sentence_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    process = start_writer(path)
    wait_until_writing(process)
    wait_until_writing(process)  # a second one: the first one's training state is saved
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.startswith("StorageError: no room for ")
    assert errors.count("\n") == 1
    run = Run(path)
    assert run.num_checkpoints > max((int(line) for line in output.split()), default=0)
    assert inspect(run).problems == ()
    with RunWriter.reopen(path) as writer:
        assert writer.load_resume() is not None


def test_no_room_at_creation_leaves_nothing_behind(tmp_path: Path) -> None:
    script = (
        "import resource, sys, pathlib\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "from tests.runfile.writing_process import main\n"
        "from grokscope.errors import StorageError\n"
        "try:\n    main(pathlib.Path(sys.argv[1]), 3000)\n"
        "except StorageError as error:\n    sys.exit(str(error))\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "run.h5")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no room for" in child.stderr
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_stale_temporary_or_lock_file_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    lock_path(path).write_text("left by a machine that lost power")
    with create(path, steps=np.arange(2)):
        assert is_locked(path)
    assert not is_locked(path)
