"""The thread that has the run analysed: it says which checkpoint is next, a process of its own measures it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from textual.message import Message

from grokscope.app.analyst_process import DONE, LOCKED
from grokscope.app.messages import Analysed
from grokscope.errors import GrokscopeError, RunLocked

LOOK_SECONDS = 1.0
LOCKED_SECONDS = 3.0
TELL_SECONDS = 0.5
"""Progress is told no more often than this, except of the checkpoint under the cursor."""


class Analyst(threading.Thread):
    """Has one checkpoint after another analysed, always the unmeasured one that is nearest to the cursor."""

    def __init__(self, path: Path, post: Callable[[Message], object], cursor: Callable[[], int]) -> None:
        super().__init__(daemon=True, name="grokscope-analyst")
        self.path, self.post, self.cursor = path, post, cursor
        self.process: subprocess.Popen[str] | None = None
        self._ended = threading.Event()
        self._told = 0.0

    def run(self) -> None:
        """Work until told to end; wait for new checkpoints when there is nothing to do."""
        idle = False
        while not self._ended.is_set():
            try:
                idle = self._analyse_nearest(idle)
                wait = LOOK_SECONDS if idle else 0.0
            except RunLocked:
                self.post(Analysed(None, "another process is analysing this run"))
                idle, wait = False, LOCKED_SECONDS
            except (GrokscopeError, OSError, KeyError, RuntimeError, IndexError) as error:
                self.post(Analysed(None, f"analysis: {error}"))
                idle, wait = False, LOCKED_SECONDS
            self._ended.wait(wait)
        self.end()
        if self.process is not None:
            self.process.wait()

    def end(self) -> None:
        """End the work at once; what has been measured is kept."""
        self._ended.set()
        if self.process is not None:
            self.process.kill()

    def _analyse_nearest(self, idle: bool) -> bool:
        """Have one checkpoint measured; returns whether there was none left to measure."""
        from grokscope.analysis.spectra_file import Spectra
        from grokscope.runfile import Run

        done = Spectra(Run.open(self.path)).done
        missing = np.flatnonzero(~done.all(axis=1))
        if not len(missing):
            if not idle:
                self.post(Analysed(None))
            return True
        nearest = int(missing[np.argmin(np.abs(missing - self.cursor()))])
        before, now = int(done.sum()), int((~done[nearest]).sum())
        self._tell(before, done.size)
        self._measure(nearest)
        self._tell(before + now, done.size, seen=nearest == self.cursor())
        return False

    def _tell(self, done: int, total: int, *, seen: bool = False) -> None:
        if seen or time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            self.post(Analysed((done, total)))

    def _measure(self, index: int) -> None:
        """Ask the process for a checkpoint, and wait for its answer."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            print(index, file=process.stdin, flush=True)
            answer = process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        if answer == LOCKED:
            raise RunLocked("another process is analysing this run")
        if answer != DONE and not self._ended.is_set():
            raise GrokscopeError(answer.partition(" ")[2] or "its process was ended from outside; it starts again")

    def _running(self) -> subprocess.Popen[str]:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "grokscope.app.analyst_process", str(self.path)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                start_new_session=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            if self._ended.is_set():  # told to end while it started
                self.process.kill()
        return self.process
