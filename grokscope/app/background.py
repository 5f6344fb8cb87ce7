"""Two threads beside the app: one looks whether the run has grown, one analyses what is missing near the cursor.

Both have a Run and a Spectra of their own, post messages, and are daemons: quitting never waits for a matrix.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from textual.message import Message

from grokscope.app.messages import Analysed, Looked
from grokscope.errors import GrokscopeError, RunLocked

LOOK_SECONDS = 1.0
LOCKED_SECONDS = 3.0


class Watcher(threading.Thread):
    """Looks at the run file once a second."""

    def __init__(self, path: Path, post: Callable[[Message], object]) -> None:
        super().__init__(daemon=True, name="grokscope-watcher")
        self.path, self.post, self.stop = path, post, threading.Event()

    def run(self) -> None:
        """Look until told to stop; a file that is gone or being replaced is looked for again."""
        from grokscope.runfile import Run

        seen: tuple[object, ...] = ()
        while not self.stop.is_set():
            try:
                run = Run.open(self.path)
                now = (run.uuid, run.num_checkpoints, len(run.planned_steps))
                self.post(Looked(run.liveness(), bool(seen) and now != seen))
                seen = now
            except (GrokscopeError, OSError, KeyError, RuntimeError) as error:
                self.post(Looked(None, False, str(error)))
            self.stop.wait(LOOK_SECONDS)


class Analyst(threading.Thread):
    """Analyses one checkpoint after another, always the unmeasured one that is nearest to the cursor."""

    def __init__(self, path: Path, post: Callable[[Message], object], cursor: Callable[[], int]) -> None:
        super().__init__(daemon=True, name="grokscope-analyst")
        self.path, self.post, self.cursor, self.stop = path, post, cursor, threading.Event()

    def run(self) -> None:
        """Work until told to stop; wait for new checkpoints when there is nothing to do."""
        idle = False
        while not self.stop.is_set():
            try:
                idle = self._analyse_nearest(idle)
                wait = LOOK_SECONDS if idle else 0.0
            except RunLocked:
                self.post(Analysed(None, "another process is analysing this run"))
                idle, wait = False, LOCKED_SECONDS
            except (GrokscopeError, OSError, KeyError, RuntimeError, IndexError) as error:
                self.post(Analysed(None, f"analysis: {error}"))
                idle, wait = False, LOCKED_SECONDS
            self.stop.wait(wait)

    def _analyse_nearest(self, idle: bool) -> bool:
        """Measure one checkpoint; returns whether there was none left to measure."""
        from grokscope.analysis.spectra_file import Spectra
        from grokscope.runfile import Run

        run = Run.open(self.path)
        done = Spectra(run).done
        missing = np.flatnonzero(~done.all(axis=1))
        if not len(missing):
            if not idle:
                self.post(Analysed(None))
            return True
        self.post(Analysed((int(done.sum()), int(done.size))))
        from grokscope.analysis.engine import analyze

        nearest = int(missing[np.argmin(np.abs(missing - self.cursor()))])
        analyze(run, indices=[nearest], stop=self.stop)
        self.post(Analysed((int(done.sum()) + int((~done[nearest]).sum()), int(done.size))))
        return False
