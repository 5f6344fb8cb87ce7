"""Is a run file whole? Looked at in a child process, since a damaged file can hang or crash libhdf5."""

from __future__ import annotations

import contextlib
import json
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from grokscope.children import python_module
from grokscope.errors import DamagedCheckpoint, GrokscopeError
from grokscope.runfile.committed import in_order, row_is_whole
from grokscope.runfile.exact_layout import OtherLayout, exact_extents
from grokscope.runfile.layout import NOT_COMMITTED, LayerSpec, checkpoint_paths, file_plan
from grokscope.runfile.opening import read_layout
from grokscope.runfile.reader import Run
from grokscope.runfile.resume_slots import KeptSlots, ResumeSlots
from grokscope.runfile.writer import RunWriter

STILL_SECONDS = 600.0  # for a checkpoint, not for the file
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL}


class CheckFailed(RuntimeError):
    """The check itself failed, and so says nothing of the file."""


@dataclass(frozen=True)
class Report:
    """What a check found: the checkpoints and the whole training states, and what is wrong, one sentence each.

    `notes` are no damage: that another program has changed the layout, so that the file can only be read.
    """

    num_checkpoints: int
    num_states: int
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def check(path: Path, timeout: float = STILL_SECONDS) -> Report:
    """Check everything in a run file that has a CRC, in a child process.

    That is every checkpoint (its step, weights, biases, metrics and predictions), every training state and every
    array that was written once, such as `train_indices` (files of before the CRC of these have none). Times, the
    heartbeat, the plan and the configuration have no CRC.

    A child that crashes, or stands still for `timeout` seconds, is itself a finding if another one reads a sound
    file in the same way. Raises BadRunFile where the path is no run file at all, CheckFailed where the check
    itself fails.
    """
    answer = _asked(path, timeout)
    if isinstance(answer, str):
        _refuse_broken_reader(path, answer, timeout)
        return Report(0, 0, (f"reading {path} {answer}; restore it from a copy",))
    if "error" in answer:
        raise _error_named(answer["kind"], answer["error"])
    numbers = int(answer["num_checkpoints"]), int(answer["num_states"])
    return Report(*numbers, tuple(answer["problems"]), tuple(answer["notes"]))


def _asked(path: Path, timeout: float) -> dict[str, Any] | str:
    """Return a child's answer about a file, or how reading crashed or hung; CheckFailed where it was ended."""
    with tempfile.TemporaryFile("w+") as errors:
        command = python_module("grokscope.runfile.check", path)
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        try:
            answer = _last_line(child, timeout)
        finally:
            child.kill()
            child.wait()
        if answer is None:
            return "hangs"
        with contextlib.suppress(ValueError):
            return dict(json.loads(answer))
        if -child.returncode in CRASHES:
            return f"crashes HDF5 ({signal.Signals(-child.returncode).name})"
        errors.seek(0)
        why = errors.read().strip().rpartition("\n")[2] or f"exit code {child.returncode}"
        raise CheckFailed(f"the check was ended, and nothing is known of {path} ({why})")


def _last_line(child: subprocess.Popen[bytes], timeout: float) -> bytes | None:
    """Return a child's last line when it ends, or None where it stands still; each checkpoint is a line before."""
    assert child.stdout is not None
    text = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while selector.select(timeout):
            if not (piece := child.stdout.read1()):  # type: ignore[attr-defined]
                child.wait()
                return text.rpartition(b"\n")[2]
            text += piece
    return None


def _refuse_broken_reader(path: Path, finding: str, timeout: float) -> None:
    """Raise CheckFailed where a sound file fares no better than the one at `path`."""
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.h5"
        layer = LayerSpec("layer", (2, 2), bias=False)
        with RunWriter.create(sound, steps=[0], layers=[layer], metrics=[], config={}, origin="") as writer:
            writer.commit(0, {"layer": np.eye(2)}, {}, {})
        if isinstance(_asked(sound, timeout), str):
            raise CheckFailed(f"reading {finding} with a sound file too, so nothing is known of {path}")


def inspect(run: Run, on_checkpoint: Callable[[], None] = lambda: None) -> Report:
    """Check a run in this process: its steps' order, and the CRC of all that has one."""
    with h5py.File(run.path, "r", locking=False) as file:
        layout = read_layout(run.path)
        slots, kept = ResumeSlots(_Stored(file), layout), KeptSlots(_Stored(file), layout)
        rows = list(_damaged_rows(run, file, on_checkpoint))
        problems = [*rows, *_state_problems(run, slots), *_kept_problems(run, kept), *_fixed_problems(run)]
        num_states = len(slots.whole) + len(kept.steps)
        return Report(run.num_checkpoints, num_states, tuple(problems), tuple(_notes(run, file)))


class _Stored:
    """The datasets of a file by HDF5's own reading, of whatever layout they are."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    def read(self, name: str) -> NDArray[Any]:
        return np.asarray(self._file[name][...])


def _damaged_rows(run: Run, file: h5py.File, on_checkpoint: Callable[[], None]) -> Iterator[str]:
    steps = file["steps"][...]
    committed = np.flatnonzero(steps != NOT_COMMITTED)
    if not in_order(steps):
        yield f"the steps of {run.path} are not ascending; restore it from a copy"
    paths = checkpoint_paths(run.layers, run.metric_names, run.classes is not None)
    for row in range(committed[-1] + 1 if len(committed) else 0):
        on_checkpoint()
        name = f"checkpoint {row} (step {steps[row]:,}) of {run.path}"
        try:
            if not row_is_whole(file, row, paths):
                yield f"{name} is damaged: its bytes do not match their CRC; restore the file from a copy"
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            yield f"{name} cannot be read: {error}; restore it from a copy"


def _state_problems(run: Run, slots: ResumeSlots) -> Iterator[str]:
    if slots.whole:
        then = f"`--resume` goes on from the other one, of step {slots.step(slots.whole[0]):,}"
    else:
        then = "there is no other, so `--resume` would start at step 0; restore the file from a copy"
    for slot in slots.damaged:
        yield f"training state {slot} of {run.path} is damaged: its bytes do not match their CRC; {then}"
    if not slots.in_order:
        yield (
            f"the training states of {run.path} do not tell which of them is newer; `--resume` goes on from that "
            f"of step {slots.step(slots.whole[0]):,}, the other one is of step {slots.step(slots.whole[1]):,}"
        )


def _kept_problems(run: Run, kept: KeptSlots) -> Iterator[str]:
    for slot in kept.damaged:
        step = kept.step(slot)
        yield (
            f"the kept training state of step {step:,} of {run.path} is damaged: its bytes do not match "
            "their CRC; restore the file from a copy"
        )


def _fixed_problems(run: Run) -> Iterator[str]:
    for name in run.fixed_names:
        try:
            run.fixed(name)
        except DamagedCheckpoint as error:
            yield str(error)


def _notes(run: Run, file: h5py.File) -> Iterator[str]:
    try:
        exact_extents(file, file_plan(read_layout(run.path)).datasets)
    except OtherLayout as error:
        yield f"{run.path} can be read but not written: {error}"


def _error_named(kind: str, message: str) -> GrokscopeError:
    kinds = {cls.__name__: cls for cls in GrokscopeError.__subclasses__()}
    return kinds.get(kind, GrokscopeError)(message)


def _child(path: str) -> None:
    def tell() -> None:
        sys.stdout.write("\n")
        sys.stdout.flush()

    try:
        answer = asdict(inspect(Run(path), tell))
    except GrokscopeError as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    _child(sys.argv[1])
