"""The thread that has what is missing analysed, nearest to the cursor first, by a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.spectra_file import Spectra
from grokscope.app.analyst_process import DAMAGED, FAILED, LOCKED
from grokscope.app.news import LOOK_SECONDS, UNREADABLE, Analysed, Damaged, Post
from grokscope.children import python_module
from grokscope.errors import DamagedCheckpoint, GrokscopeError, RunLocked
from grokscope.trajectory import Place, Trajectory, apart

LOCKED_SECONDS = 3.0
TELL_SECONDS = 0.5
"""Progress is told no more often than this, except of the checkpoint under the cursor."""

VERIFIED_AT_ONCE = 32

Cursor = Callable[[], tuple[int, int]]
"""The run in front and the checkpoint under the cursor."""


class Analyst(threading.Thread):
    """Has one checkpoint after another analysed by a process of its own: the front run's first, and of each run
    always the unmeasured one that is nearest to the cursor."""

    def __init__(self, runs: Sequence[Trajectory], post: Post, cursor: Cursor) -> None:
        super().__init__(daemon=True, name="grokscope-analyst")
        self.runs, self.post, self.cursor = runs, post, cursor
        self.process: subprocess.Popen[str] | None = None
        self._opened: dict[int, Spectra] = {}
        self._ended = threading.Event()
        self._told = 0.0
        self.damaged: dict[int, set[int]] = {}
        """The checkpoints of each run that are damaged and so are not measured."""
        self._verified: dict[int, set[int]] = {}
        self._idle: set[int] = set()
        """The runs of which nothing is left to do, and that has been told."""

    def run(self) -> None:
        """Work until told to end; wait for new checkpoints when there is nothing to do."""
        while not self._ended.is_set():
            waits = []
            for run in self._order():
                waits.append(self._look_after(run))
                if not waits[-1]:
                    break
            self._ended.wait(max(waits) if all(waits) else 0.0)
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def end(self) -> None:
        """End the work at once."""
        self._ended.set()
        if self.process is not None:
            self.process.kill()

    def _order(self) -> list[int]:
        front, _ = self.cursor()
        return sorted(range(len(self.runs)), key=lambda run: run != front)

    def _look_after(self, run: int) -> float:
        """Have a checkpoint of a run measured; returns how long to wait before the next, 0 where there was one."""
        if self._ended.is_set():
            return 0.0
        try:
            return LOOK_SECONDS if self._analyse_nearest(run) else 0.0
        except RunLocked:
            self.post(Analysed(run, None, "another process is analysing this run"))
        except UNREADABLE as error:
            self.post(Analysed(run, None, f"analysis: {error}"))
        self._idle.discard(run)
        return LOCKED_SECONDS

    def _analyse_nearest(self, run: int) -> bool:
        """Have one checkpoint measured; returns whether there was none left to measure."""
        done = self._spectra(run).done
        missing = np.setdiff1d(np.flatnonzero(~done.all(axis=1)), list(self.damaged.get(run, ())))
        if not len(missing) and self._verify_some(run, len(done)):
            return False
        if not len(missing):
            if run not in self._idle:
                self._idle.add(run)
                self.post(Analysed(run, None))
            return True
        self._idle.discard(run)
        nearest = nearest_to(missing, self.cursor()[1])
        before, now = int(done.sum()), int((~done[nearest]).sum())
        self._tell(run, before, done.size)
        self._measure(run, nearest)
        self._tell(run, before + now, done.size, seen=(run, nearest) == self.cursor())
        return False

    def _spectra(self, run: int) -> Spectra:
        """Look again at a run and at what is measured of it."""
        if run not in self._opened:
            self._opened[run] = Spectra(apart(self.runs[run]))
        spectra = self._opened[run]
        before = spectra.run.uuid
        spectra.run.refresh()
        if spectra.run.uuid != before:
            self.damaged.pop(run, None)
            self._verified.pop(run, None)
        spectra.refresh()
        return spectra

    def _tell(self, run: int, done: int, total: int, *, seen: bool = False) -> None:
        if seen or time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            self.post(Analysed(run, (done, total)))

    def _verify_some(self, run: int, count: int) -> bool:
        """Have those verified that were measured before, some at a time; returns whether there were any."""
        verified = self._verified.setdefault(run, set())
        some = sorted(set(range(count)) - verified)[:VERIFIED_AT_ONCE]
        if some and (answer := self._asked(run, some)):
            verified.update(some)
            self._found_damaged(run, json.loads(answer))
        return bool(some)

    def _found_damaged(self, run: int, indices: Sequence[int]) -> None:
        if indices:
            self.damaged.setdefault(run, set()).update(indices)
            self.post(Damaged(run, indices))

    def _asked(self, run: int, what: int | list[int]) -> str:
        """Return the process's answer, a line, nothing where this one was told to end; raises where it failed."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            print(json.dumps([what, *Place.of(self.runs[run]).words]), file=process.stdin, flush=True)
            answer = process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        if answer == LOCKED:
            raise RunLocked("another process is analysing this run")
        if not answer and not self._ended.is_set():
            raise GrokscopeError("its process was ended from outside; it starts again")
        if answer.startswith(FAILED):
            raise GrokscopeError(answer.partition(" ")[2])
        return answer

    def _measure(self, run: int, index: int) -> None:
        """Ask the process for a checkpoint, and wait for its answer."""
        answer = self._asked(run, index)
        self._verified.setdefault(run, set()).add(index)
        if answer.startswith(DAMAGED):
            self._found_damaged(run, [index])
            raise DamagedCheckpoint(answer.partition(" ")[2])

    def _running(self) -> subprocess.Popen[str]:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                python_module("grokscope.app.analyst_process"),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                start_new_session=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            if self._ended.is_set():  # told to end while it started
                self.process.kill()
        return self.process


def nearest_to(missing: NDArray[np.intp], cursor: int) -> int:
    """The checkpoint to measure next: of those missing the one nearest to the cursor."""
    return int(missing[np.argmin(np.abs(missing - cursor))])
