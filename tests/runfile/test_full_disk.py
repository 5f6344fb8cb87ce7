"""A real file system that is full: a tmpfs of a fixed size, where this process may mount one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from grokscope.errors import StorageError
from grokscope.runfile import Run, RunWriter
from grokscope.runfile.check import inspect
from tests.runfile.conftest import commit, create

KILOBYTES = 128


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={KILOBYTES}k", "none", place]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing may be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def enlarge(place: Path) -> None:
    """Make room."""
    subprocess.run(["mount", "-o", "remount,size=8m", place], check=True)


def test_a_full_disk_stops_cleanly_and_the_run_goes_on_when_there_is_room(small_disk: Path) -> None:
    path = small_disk / "run.h5"
    with create(path) as writer:
        for index in range(3):
            commit(writer, index)
        writer.save_resume(2, {"parameters": np.full(7, 2.0), "counter": np.array([2])})
        with pytest.raises(StorageError, match=r"no room for .* what was acknowledged is safe"):
            writer.extend(np.arange(3000))
        commit(writer, 3)  # its room was taken at creation
    assert [file.name for file in small_disk.iterdir()] == ["run.h5"]
    assert inspect(Run(path)).problems == ()
    enlarge(small_disk)
    with RunWriter.reopen(path) as writer:
        assert writer.resume_steps == (2,)
        writer.extend(np.arange(3000))
        commit(writer, 4)
    assert Run(path).num_checkpoints == 5
    assert inspect(Run(path)).problems == ()


def test_commands_on_a_full_disk_say_so_in_one_sentence(
    small_disk: Path, grokscope_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    options = "--dataset digits --steps 20 --width 40 --train-points 100 --engine numpy"
    for command in (
        ("train", "-o", small_disk / "run.h5", *options.split()),
        ("import", _model(small_disk.parent)),
    ):
        output = () if command[0] == "train" else ("-o", small_disk / "imported.h5")
        done = grokscope_command(*command, *output)
        assert done.returncode == 2, done.stderr
        assert "no room for" in done.stderr
        assert "Traceback" not in done.stderr
        assert list(small_disk.iterdir()) == []
    enlarge(small_disk)
    assert grokscope_command("train", "-o", small_disk / "run.h5", *options.split()).returncode == 0


def _model(folder: Path) -> Path:
    path = folder / "model.npz"
    np.savez(path, weight=np.random.default_rng(0).normal(size=(300, 200)))
    return path
