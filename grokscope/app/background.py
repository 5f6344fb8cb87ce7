"""The threads beside the screen, which look at runs, read them, have them analysed and compute directions."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from textual.message import Message

from grokscope.analysis.caveats import caveats
from grokscope.app.analyst import Analyst, Cursor
from grokscope.app.artist import Artist
from grokscope.app.news import LOOK_SECONDS, UNREADABLE, Looked, Post, Reread, Warned
from grokscope.app.session import Session
from grokscope.trajectory import Place, Trajectory, apart

JOIN_SECONDS = 0.02
"""Of all threads together: one that is still reading is left to the end of the process."""


class Background:
    """All threads of an app on these runs, started by `start`; after `end` nothing is posted any more."""

    def __init__(self, sessions: Sequence[Session], post: Post, cursor: Cursor) -> None:
        self.sessions, self._post, self._ended = sessions, post, False
        runs = [session.run for session in sessions]
        self.reader = Reader(sessions, self._tell)
        self.watcher = Watcher(runs, self._tell)
        self.analyst = Analyst(runs, self._tell, cursor)
        self.artist = Artist(self._tell)
        self._started: list[threading.Thread] = []

    def start(self, *, watching: bool, analysis: bool) -> None:
        """Start looking and analysing, as asked for, where there is a run."""
        if not self.sessions:
            return
        wanted = [(self.reader, True), (self.watcher, watching), (self.analyst, analysis), (self.artist, True)]
        self._started = [thread for thread, asked in wanted if asked]
        for thread in self._started:
            thread.start()

    def end(self) -> None:
        """End the threads, and wait for them a moment; what has been measured is kept."""
        self._ended = True
        for one in (self.reader, self.watcher, self.analyst, self.artist):
            one.end()
        latest = time.monotonic() + JOIN_SECONDS
        for thread in self._started:
            thread.join(max(0.0, latest - time.monotonic()))

    def _tell(self, message: Message) -> None:
        """Post; not of a run that another has taken the place of while a thread still read it."""
        if not self._ended:
            self._post(message)


class Reader(threading.Thread):
    """Reads runs again that have something new, and at first those that were only glanced at."""

    def __init__(self, sessions: Sequence[Session], post: Post) -> None:
        super().__init__(daemon=True, name="grokscope-reader")
        self.sessions, self.post = list(sessions), post
        self.idle = threading.Event()
        """Set while nothing is waited for."""
        self._wanted = {number: set[int]() for number, session in enumerate(sessions) if session.glanced}
        self._asked, self._ended = threading.Event(), False
        if self._wanted:
            self._asked.set()
        else:
            self.idle.set()

    def want(self, run: int, doubted: Sequence[int] = ()) -> None:
        """Ask for a run to be read again, and for some checkpoints to be verified."""
        self.idle.clear()
        self._wanted[run] = self._wanted.get(run, set()).union(doubted)
        self._asked.set()

    def run(self) -> None:
        """Read what is asked for until told to end."""
        while self._asked.wait() and not self._ended:
            self._asked.clear()
            while self._wanted and not self._ended:
                self._read(*self._wanted.popitem())
            if not self._asked.is_set():
                self.idle.set()

    def end(self) -> None:
        """End after the run that is being read."""
        self._ended = True
        self._asked.set()
        self.idle.set()

    def _read(self, run: int, doubted: set[int]) -> None:
        try:
            for session in self.sessions[run].again(sorted(doubted)):
                self.sessions[run] = session
                if self._ended:
                    return
                self.post(Reread(run, session))
        except UNREADABLE:
            pass  # gone or being replaced: the next look tells


class Watcher(threading.Thread):
    """Looks at every run file once a second."""

    def __init__(self, runs: Sequence[Trajectory], post: Post) -> None:
        super().__init__(daemon=True, name="grokscope-watcher")
        self.runs, self.post, self._ended = runs, post, threading.Event()

    def run(self) -> None:
        """Look until told to end; a file that is gone or being replaced is looked for again."""
        seen: set[int] = set()
        opened: dict[int, Trajectory] = {}
        while not self._ended.is_set():
            for number, given in enumerate(self.runs):
                try:
                    if number not in opened:
                        opened[number] = Place.of(given).open() if number in seen else apart(given)
                    run = opened[number]
                    self.post(Looked(number, changed=run.refresh(), liveness=run.liveness()))
                    if number not in seen and (found := caveats(run)):
                        self.post(Warned(number, found))
                    seen.add(number)
                except UNREADABLE as error:
                    opened.pop(number, None)
                    self.post(Looked(number, None, False, str(error)))
            self._ended.wait(LOOK_SECONDS)

    def end(self) -> None:
        """End before the next look."""
        self._ended.set()
