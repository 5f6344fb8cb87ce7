"""Is a run file whole? Looked at in a child process, since a damaged file can hang or crash libhdf5."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grokscope.errors import BadRunFile, DamagedCheckpoint, GrokscopeError
from grokscope.runfile.reader import Run

CHILD_SECONDS = 600.0


@dataclass(frozen=True)
class Report:
    """What a check found: how many checkpoints are committed, and what is wrong, one sentence each."""

    num_checkpoints: int
    problems: tuple[str, ...]


def check(path: Path, timeout: float = CHILD_SECONDS) -> Report:
    """Check every checkpoint of a run file in a child process.

    Raises BadRunFile where the path is no run file at all. A child that hangs or crashes is itself a finding.
    """
    command = [sys.executable, "-m", "grokscope.runfile.check", str(path)]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Report(0, (f"reading {path} hangs; restore it from a copy",))
    try:
        answer = json.loads(child.stdout)
    except ValueError:
        return Report(0, (f"reading {path} crashes HDF5 (exit code {child.returncode}); restore it from a copy",))
    if "error" in answer:
        raise _error_named(answer["kind"], answer["error"])
    return Report(int(answer["num_checkpoints"]), tuple(answer["problems"]))


def inspect(run: Run) -> Report:
    """Check every checkpoint of a run in this process: steps in order, and each CRC."""
    problems = []
    if np.any(np.diff(run.steps) <= 0):
        problems.append(f"the steps of {run.path} are not ascending; restore it from a copy")
    for index in range(run.num_checkpoints):
        try:
            run.verify(index)
        except DamagedCheckpoint as error:
            problems.append(str(error))
        except BadRunFile as error:
            why = error.__cause__
            problems.append(f"checkpoint {index} of {run.path} cannot be read: {why}; restore it from a copy")
    return Report(run.num_checkpoints, tuple(problems))


def _error_named(kind: str, message: str) -> GrokscopeError:
    kinds = {cls.__name__: cls for cls in GrokscopeError.__subclasses__()}
    return kinds.get(kind, GrokscopeError)(message)


def _child(path: str) -> None:
    try:
        report = inspect(Run(path))
        answer: dict[str, object] = {
            "num_checkpoints": report.num_checkpoints,
            "problems": report.problems,
        }
    except GrokscopeError as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    _child(sys.argv[1])
