"""Whatever is given instead of a run file, the answer is one sentence that says what and where."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import Result

from grokscope.errors import BadRunFile, DamagedCheckpoint
from grokscope.runfile import Run, RunWriter
from grokscope.runfile.check import Report, check
from tests.runfile.conftest import commit, create


def truncated(path: Path) -> None:
    """Cut the second half off."""
    os.truncate(path, path.stat().st_size // 2)


def not_hdf5(path: Path) -> None:
    """A text file."""
    path.write_text("step,accuracy\n0,0.1\n")


def empty(path: Path) -> None:
    """No bytes at all."""
    path.write_bytes(b"")


def other_hdf5(path: Path) -> None:
    """Somebody else's HDF5 file."""
    with h5py.File(path, "w") as file:
        file["data"] = np.arange(3)


def newer(path: Path) -> None:
    """A format of the future."""
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 99


def no_version(path: Path) -> None:
    """A run file that does not say its format's version."""
    with h5py.File(path, "r+") as file:
        del file.attrs["format_version"]


def layers_of_another_kind(path: Path) -> None:
    """A layer that is an array and not a group of arrays."""
    with h5py.File(path, "r+") as file:
        file["layers/fc0"] = np.arange(3)
        file["layers/fc0"].attrs["order"] = 7


def escape_codes(path: Path) -> None:
    """A layer whose name would clear the reader's terminal."""
    with h5py.File(path, "r+") as file:
        file.move("layers/fc1", "layers/fc1\x1b[2J")


def half_a_run(path: Path) -> None:
    """A run file without its layers."""
    with h5py.File(path, "r+") as file:
        del file["layers"]


def spectra(path: Path) -> None:
    """The spectra beside a run."""
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "grokscope-spectra"


def scrambled(path: Path) -> None:
    """The right signature and then noise."""
    noise = np.random.default_rng(0).integers(0, 256, 20_000, dtype=np.uint8).tobytes()
    path.write_bytes(path.read_bytes()[:8] + noise)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (truncated, "truncated"),
        (not_hdf5, "not an HDF5 file"),
        (empty, "not an HDF5 file"),
        (other_hdf5, "no grokscope run"),
        (newer, "newer grokscope"),
        (half_a_run, "damaged run file"),
        (no_version, "damaged run file"),
        (layers_of_another_kind, "damaged run file"),
        (escape_codes, "control characters"),
        (spectra, "spectra of a run"),
        (scrambled, "damaged HDF5 file"),
        (Path.unlink, "there is no file"),
    ],
)
def test_a_bad_file_is_named(run_with: Callable[[int], Path], spoil: Callable[[Path], None], says: str) -> None:
    path = run_with(2)
    spoil(path)
    with pytest.raises(BadRunFile) as raised:
        Run(path)
    assert says in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    with pytest.raises(BadRunFile, match=says):
        check(path)


def test_a_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(BadRunFile, match="grokscope import"):
        Run(tmp_path)


def test_damage_that_is_met_while_reading_is_one_sentence_too(run_with: Callable[[int], Path]) -> None:
    path = run_with(2)
    run = Run(path)
    with h5py.File(path, "r+") as file:
        del file["metrics/train_accuracy"]
    with pytest.raises(BadRunFile, match="damaged run file"):
        run.metrics()
    assert len(check(path).problems) == 2


def test_check_finds_each_damaged_checkpoint(run_with: Callable[[int], Path]) -> None:
    path = run_with(5)
    assert check(path).problems == ()
    with h5py.File(path, "r+") as file:
        file["layers/fc1/weight"][1, 0, 0] += 1
        file["metrics/train_accuracy"][3] = 0.5
    report = check(path)
    assert report.num_checkpoints == 5
    assert [problem.split(" of ")[0] for problem in report.problems] == [
        "checkpoint 1 (step 1)",
        "checkpoint 3 (step 5)",
    ]


@pytest.fixture
def with_states(tmp_path: Path) -> Path:
    """A run with a checkpoint, two training states, of steps 1 and 2, and an array that was written once."""
    path = tmp_path / "run.h5"
    with create(path, fixed={"train_indices": np.arange(9)}) as writer:
        commit(writer, 0)
        for step in (1, 2):
            writer.save_resume(step, {"parameters": np.full(7, step / 3), "counter": np.array([step])})
    return path


def flip(path: Path, name: str, bit: int = 3) -> None:
    """Flip a bit in the first byte of a dataset."""
    with h5py.File(path, "r") as file:
        offset = file[name].id.get_offset()
    content = bytearray(path.read_bytes())
    content[offset] ^= 1 << bit
    path.write_bytes(content)


@pytest.mark.parametrize("damaged", ["arrays/parameters", "arrays/counter", "step", "crc32"])
@pytest.mark.parametrize(("slot", "other"), [("0", 2), ("1", 1)])
def test_check_finds_a_damaged_training_state_and_tells_from_where_resume_goes_on(
    with_states: Path, slot: str, other: int, damaged: str
) -> None:
    assert check(with_states) == Report(1, 2, ())
    flip(with_states, f"resume/{slot}/{damaged}")
    report = check(with_states)
    [problem] = report.problems
    assert report.num_states == 1
    assert problem.startswith(f"training state {slot} of {with_states} is damaged")
    assert f"goes on from the other one, of step {other}" in problem
    with RunWriter.reopen(with_states) as writer:
        assert writer.resume_steps == (other,)


def test_check_says_that_no_training_state_is_left(with_states: Path) -> None:
    for slot in ("0", "1"):
        flip(with_states, f"resume/{slot}/arrays/parameters")
    problems = check(with_states).problems
    assert len(problems) == 2
    assert all("would start at step 0" in problem for problem in problems)


def test_check_finds_training_states_that_have_lost_their_order(with_states: Path) -> None:
    flip(with_states, "resume/0/generation")
    [problem] = check(with_states).problems
    assert "do not tell which of them is newer" in problem


@pytest.mark.parametrize("generation", [0, None])
def test_an_empty_or_half_written_training_state_is_no_damage(with_states: Path, generation: int | None) -> None:
    with h5py.File(with_states, "r+") as file:
        file["resume/1/arrays/parameters"][0] = 0.5
        file["resume/1/generation"][0] = 0
        if generation is None:
            file["resume/0/generation"][0] = 0
    assert check(with_states).problems == ()


def test_check_finds_damage_in_what_is_written_once(with_states: Path) -> None:
    flip(with_states, "fixed/train_indices")
    [problem] = check(with_states).problems
    assert "train_indices" in problem
    with pytest.raises(DamagedCheckpoint, match="train_indices"):
        Run(with_states).fixed("train_indices")
    with RunWriter.reopen(with_states) as writer:
        writer.extend([0, 1, 2, 5, 10, 20])
    assert "train_indices" in check(with_states).problems[0]


def test_what_was_written_once_needs_no_crc(with_states: Path) -> None:
    with h5py.File(with_states, "r+") as file:
        del file["fixed/train_indices"].attrs["crc32"]
    assert check(with_states).problems == ()
    assert np.array_equal(Run(with_states).fixed("train_indices"), np.arange(9))  # type: ignore[arg-type]


SABOTAGE = """
import os, signal, sys, time
if "grokscope.runfile.check" in sys.orig_argv and sys.orig_argv[-1].endswith({file!r}):
    {how}
"""
CRASH, HANG, END = (f"os.kill(os.getpid(), signal.{name})" for name in ("SIGSEGV", "SIGSTOP", "SIGKILL"))


@pytest.fixture
def broken_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Have every Python that starts as a check of a file of some name end in a way of its own."""

    def break_(file: str, how: str) -> None:
        (tmp_path / "sitecustomize.py").write_text(SABOTAGE.format(file=file, how=how))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return break_


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (CRASH, r"reading .* crashes HDF5 \(SIGSEGV\); restore it"),
        pytest.param(HANG, "reading .* hangs", marks=pytest.mark.torture),
    ],
)
def test_a_file_that_crashes_its_reader_or_stops_it_is_damaged_if_a_sound_one_does_not(
    run_with: Callable[[int], Path], broken_reader: Callable[[str, str], None], how: str, says: str
) -> None:
    path = run_with(1)
    broken_reader(path.name, how)
    [problem] = check(path, timeout=20).problems
    assert re.search(says, problem)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (CRASH, "crashes HDF5 (SIGSEGV) with a sound file too, so nothing is known of"),
        (END, "the check was ended, and nothing is known of"),
    ],
)
def test_a_broken_reader_says_nothing_of_the_file(
    run_with: Callable[[int], Path],
    broken_reader: Callable[[str, str], None],
    grokscope_here: Callable[..., Result],
    how: str,
    says: str,
) -> None:
    path = run_with(1)
    broken_reader("", how)
    done = grokscope_here("check", path)
    assert done.exit_code == 1
    [sentence] = done.stderr.splitlines()
    assert says in sentence
    assert "damaged" not in sentence
    assert "restore" not in sentence
