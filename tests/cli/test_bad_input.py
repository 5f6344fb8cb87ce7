"""Bad input gives one clear sentence on stderr, nothing on stdout, no traceback, and exit code 2."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import Result

from grokscope.runfile import LayerSpec, RunWriter

Command = Callable[..., Result]


def missing(path: Path) -> None:
    """No file at all."""
    path.unlink()


def not_hdf5(path: Path) -> None:
    """Any other file."""
    path.write_text("step,accuracy\n")


def truncated(path: Path) -> None:
    """A copy that broke off."""
    os.truncate(path, path.stat().st_size // 3)


def other_hdf5(path: Path) -> None:
    """Somebody else's HDF5 file."""
    with h5py.File(path, "w") as file:
        file["data"] = np.arange(3)


def empty_run(path: Path) -> None:
    """A run that has not written a checkpoint yet."""
    layers = [LayerSpec("fc1", (20, 30))]
    RunWriter.create(path, steps=[0, 1], layers=layers, metrics=[], config={}, origin="t", overwrite=True).close()


BAD_FILES = [
    (missing, "run.h5` makes one"),
    (not_hdf5, "not an HDF5 file"),
    (truncated, "truncated"),
    (other_hdf5, "holds no float tensor|no grokscope run"),
]


def assert_one_sentence(done: Result, says: str) -> None:
    """The command failed as a kind one does."""
    assert done.exit_code == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("grokscope: ")
    assert any(words in lines[0] for words in says.split("|")), lines[0]


@pytest.mark.parametrize("command", ["info", "check", "export", "compact", "analyze", "show", "report", "view"])
@pytest.mark.parametrize(("spoil", "says"), BAD_FILES)
def test_a_bad_file(
    trained_run: Path,
    tmp_path: Path,
    grokscope_here: Command,
    command: str,
    spoil: Callable[[Path], None],
    says: str,
) -> None:
    path = Path(shutil.copy(trained_run, tmp_path / "run.h5"))
    spoil(path)
    assert_one_sentence(grokscope_here(command, path), says)


@pytest.mark.parametrize("command", ["analyze", "show"])
def test_an_empty_run(tmp_path: Path, grokscope_here: Command, command: str) -> None:
    empty_run(tmp_path / "run.h5")
    assert_one_sentence(grokscope_here(command, tmp_path / "run.h5"), "holds no checkpoint yet")


def test_a_missing_source_of_an_import(tmp_path: Path, grokscope_here: Command) -> None:
    assert_one_sentence(
        grokscope_here("import", "nowhere", "-o", "run.h5", cwd=tmp_path), "there is no file or folder nowhere"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["info", "view", "analyze", "check", "import -o run.h5"])
def test_a_path_that_is_empty_is_not_this_folder(tmp_path: Path, grokscope_here: Command, command: str) -> None:
    """As a variable leaves it that is not set."""
    assert_one_sentence(grokscope_here(*command.split(), "", cwd=tmp_path), "a path is empty")


def test_a_command_that_is_advised_can_be_pasted(tmp_path: Path, grokscope_here: Command) -> None:
    path = tmp_path / "it's here.h5"
    done = grokscope_here("info", path)
    assert shlex.split(done.stderr.split("`")[1]) == ["grokscope", "train", "-o", str(path)]


def test_a_place_that_no_file_can_be_made_in(grokscope_here: Command) -> None:
    done = grokscope_here("train", "-o", "/proc/run.h5", "--dataset", "digits", "--steps", "1")
    assert_one_sentence(done, "cannot write in /proc")


def test_a_second_writer_of_one_file(trained_run: Path, tmp_path: Path, grokscope_here: Command) -> None:
    path = Path(shutil.copy(trained_run, tmp_path / "run.h5"))
    with RunWriter.reopen(path):
        for command in (("train", "--resume", "--steps", "400", "-o"), ("compact",)):
            assert_one_sentence(grokscope_here(*command, path), f"is being written by process {os.getpid()}")


def test_a_step_before_the_first_checkpoint(trained_run: Path, grokscope_here: Command) -> None:
    assert_one_sentence(grokscope_here("show", trained_run, "--step", "-3"), "no checkpoint at step -3")


def test_debug_shows_where(
    tmp_path: Path, grokscope_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = grokscope_command("--debug", "info", tmp_path / "nothing.h5")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "BadRunFile" in done.stderr


def test_what_is_in_a_reports_way_is_called_what_it_is(
    trained_run: Path, tmp_path: Path, grokscope_here: Command
) -> None:
    os.mkfifo(tmp_path / "page")
    done = grokscope_here("report", trained_run, "-o", tmp_path / "page")
    assert_one_sentence(done, "is a pipe; -o takes the folder")


@pytest.mark.parametrize("command", ["report", "evaluate", "view"])
def test_one_table_of_metrics_is_not_taken_for_several_runs(
    trained_run: Path, tmp_path: Path, grokscope_here: Command, command: str
) -> None:
    """It would be read as each one's."""
    other = shutil.copy(trained_run, tmp_path / "b.h5")
    table = tmp_path / "m.csv"
    table.write_text("step,test_accuracy\n1,0.5\n")
    done = grokscope_here(command, trained_run, other, "--metrics", table)
    assert_one_sentence(done, "is of one run, and 2 are given")
    if command == "view":
        assert_one_sentence(grokscope_here("view", tmp_path, "--metrics", table), "holds run files")
