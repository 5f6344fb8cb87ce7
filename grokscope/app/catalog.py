"""A folder of runs: what each of its run files is, read again and again beside the screen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from textual.message import Message

from grokscope.analysis.evidence import observe_run
from grokscope.analysis.spectra_file import Spectra
from grokscope.app.news import LOOK_SECONDS, UNREADABLE
from grokscope.app.state import Entry
from grokscope.runfile import Run
from grokscope.trajectory.whose import is_of_grokscope


def run_files(folder: Path) -> tuple[Path, ...]:
    """The run files that lie in a folder, by name; not the spectra files beside them."""
    found = (path for path in sorted(folder.glob("*.h5")) if not path.name.endswith(".spectra.h5"))
    return tuple(path for path in found if path.is_file() and is_of_grokscope(path))


def look(path: Path) -> Entry:
    """Read what the list says of a run."""
    try:
        run = Run.open(path)
        count, labels, done = run.num_checkpoints, observe_run(run).labels, Spectra(run).done
        test = run.metrics().get("test_accuracy", np.empty(0))
        known = test[np.isfinite(test)]
        return Entry(
            path, True, "", count, int(run.steps[-1]) if count else 0, labels[-1] if count else "unknown",
            float(known[-1]) if len(known) else float("nan"), run.liveness().state,
            float(done.mean()) if done.size else 0.0,
        )  # fmt: skip
    except UNREADABLE as error:
        return Entry(path, True, problem=str(error))


class Listed(Message):
    """The list of runs has changed."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        super().__init__()
        self.entries = entries


class Lister(threading.Thread):
    """Looks at the runs of a folder, one after the other, and tells when one is not as it was."""

    def __init__(self, folder: Path, post: Callable[[Message], object]) -> None:
        super().__init__(daemon=True, name="grokscope-lister")
        self.folder, self.post = folder, post
        self.entries = tuple(map(Entry, run_files(folder)))
        self.once = threading.Event()
        """Set when every run has been read."""
        self._ended = threading.Event()

    def run(self) -> None:
        """Look until told to end."""
        while not self._ended.is_set():
            known = {entry.path: entry for entry in self.entries}
            self._tell([known.get(path, Entry(path)) for path in run_files(self.folder)])
            for place, entry in enumerate(self.entries):
                if self._ended.is_set():
                    return
                self._tell([*self.entries[:place], look(entry.path), *self.entries[place + 1 :]])
            self.once.set()
            self._ended.wait(LOOK_SECONDS)

    def _tell(self, entries: Sequence[Entry]) -> None:
        if repr(tuple(entries)) != repr(self.entries):  # NaN differs from itself
            self.entries = tuple(entries)
            self.post(Listed(self.entries))

    def end(self) -> None:
        """End before the next look."""
        self._ended.set()
        self.once.set()
