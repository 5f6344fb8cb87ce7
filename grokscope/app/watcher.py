"""The thread that looks whether the run has grown, and how its trainer stands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from textual.message import Message

from grokscope.app.messages import Looked
from grokscope.errors import GrokscopeError

LOOK_SECONDS = 1.0


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
