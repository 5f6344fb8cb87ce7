"""A real file system that is full: a tmpfs of a fixed size, where this process may mount one."""

from __future__ import annotations

import resource
import subprocess
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from grokscope import Recorder
from grokscope.errors import StorageError
from grokscope.runfile import Run, RunWriter
from grokscope.runfile.check import inspect
from grokscope.runfile.exact_layout import Declared
from grokscope.runfile.preallocated import Plan, PreallocatedFile, create_file
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


OPTIONS = ["--dataset", "digits", "--steps", "20", "--width", "40", "--train-points", "100", "--engine", "torch"]


def test_commands_on_a_full_disk_say_so_in_one_sentence(
    small_disk: Path, grokscope_here: Callable[..., Result]
) -> None:
    """They leave nothing, change nothing, and do the same when there is room."""
    for command in (
        ("train", *OPTIONS, "-o", small_disk / "run.h5"),
        ("import", _model(small_disk.parent), "-o", small_disk / "imported.h5"),
    ):
        assert_refused(grokscope_here(*command), command[-1])
        assert list(small_disk.iterdir()) == []
    enlarge(small_disk)
    assert grokscope_here("train", "-o", small_disk / "run.h5", *OPTIONS).exit_code == 0
    run = small_disk / "run.h5"
    fill(small_disk)
    before = {path: path.read_bytes() for path in small_disk.iterdir()}
    results = (
        (("train", "-o", run, "--resume", "--steps", "30000"), run),
        (("compact", run), run),
        (("analyze", "-j", "1", "--null-draws", "100", run), small_disk / "run.spectra.h5"),
        (
            ("branch", run, "--at", "20", "--steps", "30000", "-o", small_disk / "branch.h5"),
            small_disk / "branch.h5",
        ),
        (("report", run, "-o", small_disk / "report"), small_disk / "report"),
        (("plot", run, "accuracy", "-o", small_disk / "accuracy.svg"), small_disk / "accuracy.svg"),
    )
    for command, named in results:
        assert_refused(grokscope_here(*command), named)
        assert {path: path.read_bytes() for path in small_disk.rglob("*") if path.is_file()} == before
    (small_disk / "filling").unlink()
    assert grokscope_here("compact", run).exit_code == 0


def test_a_recorder_on_a_full_disk_warns_once_and_records_when_there_is_room(small_disk: Path) -> None:
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with Recorder(small_disk / "run.h5", torch.nn.Linear(50, 50)) as recorder:
            for step in range(100):
                if step == 40:
                    enlarge(small_disk)
                recorder.step(step)
    run = Run(small_disk / "run.h5")
    assert 40 <= run.steps[0] < 50
    assert run.steps[-1] == 99
    assert sum("a checkpoint was not recorded: no room for" in str(one.message) for one in told) == 1
    assert inspect(run).problems == ()


def test_what_a_working_file_is_refused_is_said_of_the_file_that_was_asked_for(tmp_path: Path) -> None:
    def fill(file: PreallocatedFile) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        file.write("numbers", np.zeros(9))

    limits, path = resource.getrlimit(resource.RLIMIT_FSIZE), tmp_path / "new.h5"
    try:
        with pytest.raises(StorageError) as refused:
            create_file(path, Plan({"numbers": Declared((9,), "f8")}, {}), fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(refused.value).startswith(f"no room for {path} (File too large)")
    assert list(tmp_path.iterdir()) == []


def assert_refused(done: Result, named: Path) -> None:
    """A command ended as bad input does, with one sentence at the end that names what was to be made."""
    assert done.exit_code == 2, done.stderr
    assert "Traceback" not in done.stderr
    sentence = done.stderr.splitlines()[-1]
    assert sentence.startswith("grokscope: ")
    assert "No space left on device" in sentence
    assert f" {named}" in sentence


def fill(place: Path) -> None:
    """Take all the room that is left."""
    with (place / "filling").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


def _model(folder: Path) -> Path:
    path = folder / "model.npz"
    np.savez(path, weight=np.random.default_rng(0).normal(size=(300, 200)))
    return path
