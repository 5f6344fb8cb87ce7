"""Many seeds at once: a process and a run file for each, as many at a time as there are cores."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from grokscope.children import python_module
from grokscope.errors import BadRunFile, UsageError
from grokscope.runfile import Run
from grokscope_train.choose import available_cores
from grokscope_train.signals import StopRequest

POLL_SECONDS = 0.5
Show = Callable[[Sequence["Member"]], None]


class Member(Protocol):
    """The training of one seed by its own command, wherever it runs."""

    path: Path

    @property
    def code(self) -> int | None:
        """The exit code, or None before the end."""

    def last_words(self) -> str:
        """Return the last line that the command wrote to stderr."""


@dataclass
class MemberProcess:
    """The training of one seed as a process that runs `grokscope` with `arguments`."""

    path: Path
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    stderr: IO[bytes] | None = None

    def start(self) -> None:
        """Start the process; what it says goes into a temporary file."""
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115  (read when the process has ended)
        command = python_module("grokscope_train.attached", os.getpid(), *self.arguments)
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.stderr)

    @property
    def running(self) -> bool:
        """Tell whether the process has been started and has not ended."""
        return self.process is not None and self.process.poll() is None

    @property
    def code(self) -> int | None:
        """The exit code, or None before the end."""
        return None if self.process is None else self.process.poll()

    def last_words(self) -> str:
        """Return the last line that the process wrote to stderr."""
        if self.stderr is None:
            return ""
        self.stderr.seek(0)
        lines = self.stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def ask_to_stop(self) -> None:
        """Let the process save and end, if it runs."""
        if self.running and self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int | None:
        """Wait for the end; return the exit code, or None where the process was never started."""
        return None if self.process is None else self.process.wait()


class StepsReached:
    """The steps that runs have reached, from their files.

    Each is opened once; from then on its heartbeat alone is read, for what is read here takes time from training.
    """

    def __init__(self, replaced: Collection[str] = ()) -> None:
        """Take the uuids of runs that make way for others: they have reached nothing."""
        self._replaced = replaced
        self._opened: dict[Path, Run] = {}

    def __call__(self, path: Path) -> int:
        """Return the step that the run at a path has reached; 0 where there is none."""
        try:
            run = self._opened.pop(path, None) or Run.open(path)
            step = 0 if run.uuid in self._replaced else max(run.liveness().step, 0)
        except BadRunFile:
            return 0
        self._opened[path] = run
        return step


def identity(path: Path) -> str:
    """Return the uuid of the run file, or "" where there is none."""
    with contextlib.suppress(BadRunFile):
        return Run.open(path).uuid
    return ""


def parse_seeds(text: str) -> list[int]:
    """Read seeds as they are written on the command line: 0-9, or 0,3,7-9. Raises UsageError."""
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()) or (part.endswith("-")):
            raise UsageError(f"--seeds is {text!r}; give numbers and ranges such as 0-9 or 0,3,7-9")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(f"--seeds is {text!r}; give each seed once, ranges from low to high")
    return seeds


def member_path(output: Path, seed: int) -> Path:
    """Return the run file of a seed: run.h5 becomes run-seed3.h5."""
    return output.with_name(f"{output.stem}-seed{seed}{output.suffix}")


def member_arguments(seed: int, path: Path, options: Sequence[str], threads: int, resume: bool) -> list[str]:
    """Return the arguments of a seed's own command; on resume, a seed without a file yet is started."""
    arguments = ["train", "-o", str(path), *options, "--seed", str(seed), "--threads", str(threads)]
    return [*arguments, "--resume"] if resume and path.exists() else arguments


def run_members(members: Sequence[MemberProcess], threads: int, stop: StopRequest, show: Show) -> bool:
    """Run all members, each on its threads; return whether all were finished.

    Stops every process on request, after it has saved. Raises UsageError with the first failure's own words
    when the others have ended.
    """
    at_once = max(available_cores() // threads, 1)
    waiting = list(members)
    while waiting or any(member.running for member in members):
        if stop:
            for member in members:
                member.ask_to_stop()
            for member in members:
                member.wait()
            return all(member.code == 0 for member in members)
        while waiting and sum(member.running for member in members) < at_once:
            waiting.pop(0).start()
        show(members)
        time.sleep(POLL_SECONDS)
    show(members)
    raise_first_failure(members)
    return True


def raise_first_failure(members: Sequence[Member]) -> None:
    """Raise UsageError with the own words of the first member that has failed, if any has."""
    for member in members:
        if member.code != 0:
            words = member.last_words().removeprefix("grokscope: ")
            raise UsageError(words if str(member.path) in words else f"{member.path}: {words}")
