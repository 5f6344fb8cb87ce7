"""A command in a process forked from this warm one, with limits of time and memory; what it left, how it ended."""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60.0  # of a loaded machine
CPU_SECONDS = 20
MEGABYTE = 1 << 20
MEMORY = 1024 * MEGABYTE  # beside what the warm process has
FILE_SIZE = 128 * MEGABYTE


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (-n for signal n), what it printed, its processor time in seconds."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    hung: bool = False


class Forked:
    """Some work in a forked process, the leader of a session of its own; its streams are files in a folder."""

    def __init__(self, work: Callable[[], int | None], folder: Path) -> None:
        """Start it."""
        self.folder = folder
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _work(work, folder)

    def wait(self) -> Ended:
        """Wait for its end, and end it where it takes too long."""
        if hung := not self._ends_within(SECONDS):
            os.killpg(self.pid, signal.SIGKILL)
        _, status, usage = os.wait4(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        texts = [(self.folder / name).read_text(errors="replace") for name in ("stdout", "stderr")]
        return Ended(code, *texts, usage.ru_utime + usage.ru_stime, hung or code == -signal.SIGXCPU)

    def _ends_within(self, seconds: float) -> bool:
        descriptor = os.pidfd_open(self.pid)
        try:
            return bool(select.select([descriptor], [], [], seconds)[0])
        finally:
            os.close(descriptor)


def run_forked(work: Callable[[], int | None], folder: Path) -> Ended:
    """Do some work in a forked process and wait for its end."""
    return Forked(work, folder).wait()


def _work(work: Callable[[], int | None], folder: Path) -> None:
    code = 70
    try:
        os.setsid()
        _limit()
        _redirect(folder)
        code = work() or 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _limit() -> None:
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for what, most in ((resource.RLIMIT_AS, now + MEMORY), (resource.RLIMIT_CPU, CPU_SECONDS),
                       (resource.RLIMIT_FSIZE, FILE_SIZE), (resource.RLIMIT_CORE, 0)):  # fmt: skip
        resource.setrlimit(what, (most, most))


def _redirect(folder: Path) -> None:
    descriptors = [os.open(os.devnull, os.O_RDONLY)]
    descriptors += [os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in ("stdout", "stderr")]
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
    for name, number in (("stdout", 1), ("stderr", 2)):
        setattr(sys, name, open(number, "w", errors="replace", closefd=False))  # noqa: SIM115


def grokscope(*words: str | Path) -> int:
    """Run the command line in this process, as the `grokscope` program does."""
    from grokscope.cli.main import main

    sys.argv = ["grokscope", *map(str, words)]
    main()
    return 0
