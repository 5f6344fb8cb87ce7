"""Is a run file whole? Looked at in a child process, since a damaged file can hang or crash libhdf5."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from grokscope.errors import BadRunFile, DamagedCheckpoint, GrokscopeError
from grokscope.runfile.kept_states import KeptStates
from grokscope.runfile.preallocated import PreallocatedFile
from grokscope.runfile.reader import Run, read_layout
from grokscope.runfile.resume_slots import ResumeSlots

CHILD_SECONDS = 600.0


@dataclass(frozen=True)
class Report:
    """What a check found: the checkpoints and the whole training states, and what is wrong, one sentence each."""

    num_checkpoints: int
    num_states: int
    problems: tuple[str, ...]


def check(path: Path, timeout: float = CHILD_SECONDS) -> Report:
    """Check everything in a run file that has a CRC, in a child process.

    That is every checkpoint (its step, weights, biases, metrics and predictions), every training state and every
    array that was written once, such as `train_indices` (files of before the CRC of these have none). Times, the
    heartbeat, the plan and the configuration have no CRC.

    Raises BadRunFile where the path is no run file at all. A child that hangs or crashes is itself a finding.
    """
    command = [sys.executable, "-m", "grokscope.runfile.check", str(path)]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Report(0, 0, (f"reading {path} hangs; restore it from a copy",))
    try:
        answer = json.loads(child.stdout)
    except ValueError:
        return Report(
            0, 0, (f"reading {path} crashes HDF5 (exit code {child.returncode}); restore it from a copy",)
        )
    if "error" in answer:
        raise _error_named(answer["kind"], answer["error"])
    return Report(int(answer["num_checkpoints"]), int(answer["num_states"]), tuple(answer["problems"]))


def inspect(run: Run) -> Report:
    """Check a run in this process: its steps' order, and the CRC of all that has one."""
    with closing(PreallocatedFile(run.path, writable=False)) as file:
        slots = ResumeSlots(file, read_layout(run.path))
        problems = [*_checkpoint_problems(run), *_state_problems(run, slots), *_fixed_problems(run)]
        kept = KeptStates(file, read_layout(run.path))
        problems += [
            f"a kept training state of {run.path}, of step {slot.step:,}, is damaged: its bytes do not match "
            "their CRC; restore the file from a copy"
            for slot in kept.slots
            if slot.is_damaged
        ]
        return Report(run.num_checkpoints, len(slots.whole) + len(kept.steps), tuple(problems))


def _checkpoint_problems(run: Run) -> Iterator[str]:
    if np.any(np.diff(run.steps) <= 0):
        yield f"the steps of {run.path} are not ascending; restore it from a copy"
    for index in range(run.num_checkpoints):
        try:
            run.verify(index)
        except DamagedCheckpoint as error:
            yield str(error)
        except BadRunFile as error:
            yield f"checkpoint {index} of {run.path} cannot be read: {error.__cause__}; restore it from a copy"


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


def _fixed_problems(run: Run) -> Iterator[str]:
    for name in run.fixed_names:
        try:
            run.fixed(name)
        except DamagedCheckpoint as error:
            yield str(error)


def _error_named(kind: str, message: str) -> GrokscopeError:
    kinds = {cls.__name__: cls for cls in GrokscopeError.__subclasses__()}
    return kinds.get(kind, GrokscopeError)(message)


def _child(path: str) -> None:
    try:
        report = inspect(Run(path))
        answer = asdict(report)
    except GrokscopeError as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    _child(sys.argv[1])
