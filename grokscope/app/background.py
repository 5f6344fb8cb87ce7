"""The threads beside the screen: they look at the runs, read them, have them analysed and compute directions.

They post messages and touch nothing else; `Background.end` joins them all.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from textual.message import Message

from grokscope.analysis.caveats import caveats
from grokscope.analysis.spectra_file import Spectra
from grokscope.app.analyst_process import DAMAGED, DONE, LOCKED
from grokscope.app.session import Session
from grokscope.app.state import Direction
from grokscope.children import python_module
from grokscope.errors import DamagedCheckpoint, GrokscopeError, RunLocked
from grokscope.runfile.liveness import Liveness
from grokscope.trajectory import Place, Trajectory

LOOK_SECONDS = 1.0
LOCKED_SECONDS = 3.0
TELL_SECONDS = 0.5
"""Progress is told no more often than this, except of the checkpoint under the cursor."""

REST_SECONDS = 0.05
"""How long the cursor stands still before a direction is computed: who holds a key wants the next frame first."""

VERIFIED_AT_ONCE = 32
CACHED_DIRECTIONS = 64
JOIN_SECONDS = 0.1
"""Of all threads together: one that is still reading is left to the end of the process."""

UNREADABLE = (GrokscopeError, OSError, KeyError, RuntimeError, IndexError)

Post = Callable[[Message], object]
Cursor = Callable[[], tuple[int, int]]
"""The run in front and the checkpoint under the cursor."""

Key = tuple[int, int, int]
"""A run, a checkpoint and a layer, by number."""


class Looked(Message):
    """A run file was looked at: how its training stands, and whether there is anything new in it."""

    def __init__(self, run: int, liveness: Liveness | None, changed: bool, problem: str = "") -> None:
        super().__init__()
        self.run, self.liveness, self.changed, self.problem = run, liveness, changed, problem


class Warned(Message):
    """What every verdict on a run has to be read with, a sentence each."""

    def __init__(self, run: int, caveats: tuple[str, ...]) -> None:
        super().__init__()
        self.run, self.caveats = run, caveats


class Analysed(Message):
    """The analysis of a run has moved on: (done, total) layers, None when there is nothing left to do."""

    def __init__(self, run: int, progress: tuple[int, int] | None, note: str = "") -> None:
        super().__init__()
        self.run, self.progress, self.note = run, progress, note


class Damaged(Message):
    """Checkpoints of a run are not what was written."""

    def __init__(self, run: int, indices: Sequence[int]) -> None:
        super().__init__()
        self.run, self.indices = run, tuple(indices)


class Reread(Message):
    """A run was read again, and there is something new in it."""

    def __init__(self, run: int, session: Session) -> None:
        super().__init__()
        self.run, self.session = run, session


class Computed(Message):
    """A direction for the traps view is ready."""

    def __init__(self, direction: Direction) -> None:
        super().__init__()
        self.direction = direction


class Background:
    """All threads of an app on these runs, started by `start`; after `end` nothing is posted any more."""

    def __init__(self, sessions: Sequence[Session], post: Post, cursor: Cursor) -> None:
        self.sessions, self._post, self._ended = sessions, post, False
        places = [Place.of(session.run) for session in sessions]
        self.reader = Reader(sessions, self._tell)
        self.watcher = Watcher(places, self._tell)
        self.analyst = Analyst(places, self._tell, cursor)
        self.artist = Artist(places, self._tell)
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

    def __init__(self, places: Sequence[Place], post: Post) -> None:
        super().__init__(daemon=True, name="grokscope-watcher")
        self.places, self.post, self._ended = places, post, threading.Event()

    def run(self) -> None:
        """Look until told to end; a file that is gone or being replaced is looked for again."""
        seen: dict[int, tuple[object, ...]] = {}
        opened: dict[int, Trajectory] = {}
        while not self._ended.is_set():
            for number, place in enumerate(self.places):
                try:
                    run = opened[number] = opened.get(number) or place.open()
                    run.refresh()
                    now = (run.uuid, run.num_checkpoints, len(run.planned_steps))
                    first_look = number not in seen
                    self.post(Looked(number, run.liveness(), seen.setdefault(number, now) != now))
                    seen[number] = now
                    if first_look and (found := caveats(run)):
                        self.post(Warned(number, found))
                except UNREADABLE as error:
                    opened.pop(number, None)
                    self.post(Looked(number, None, False, str(error)))
            self._ended.wait(LOOK_SECONDS)

    def end(self) -> None:
        """End before the next look."""
        self._ended.set()


class Analyst(threading.Thread):
    """Has one checkpoint after another analysed by a process of its own: the front run's first, and of each run
    always the unmeasured one that is nearest to the cursor."""

    def __init__(self, places: Sequence[Place], post: Post, cursor: Cursor) -> None:
        super().__init__(daemon=True, name="grokscope-analyst")
        self.places, self.post, self.cursor = places, post, cursor
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
        return sorted(range(len(self.places)), key=lambda run: run != front)

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
        """Look again at a run, opened once, and at what is measured of it."""
        if run not in self._opened:
            self._opened[run] = Spectra(self.places[run].open())
        self._opened[run].run.refresh()
        self._opened[run].refresh()
        return self._opened[run]

    def _tell(self, run: int, done: int, total: int, *, seen: bool = False) -> None:
        if seen or time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            self.post(Analysed(run, (done, total)))

    def _verify_some(self, run: int, count: int) -> bool:
        """Have those verified that were measured before, some at a time; returns whether there were any."""
        verified = self._verified.setdefault(run, set())
        some = sorted(set(range(count)) - verified)[:VERIFIED_AT_ONCE]
        verified.update(some)
        if some:
            self._found_damaged(run, json.loads(self._asked(run, some) or "[]"))
        return bool(some)

    def _found_damaged(self, run: int, indices: Sequence[int]) -> None:
        if indices:
            self.damaged.setdefault(run, set()).update(indices)
            self.post(Damaged(run, indices))

    def _asked(self, run: int, what: int | list[int]) -> str:
        """Return the process's answer, a line; nothing where it has ended."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            print(json.dumps([what, *self.places[run].words]), file=process.stdin, flush=True)
            return process.stdout.readline().strip()
        except BrokenPipeError:
            return ""

    def _measure(self, run: int, index: int) -> None:
        """Ask the process for a checkpoint, and wait for its answer."""
        answer = self._asked(run, index)
        if answer == LOCKED:
            raise RunLocked("another process is analysing this run")
        self._verified.setdefault(run, set()).add(index)
        if answer.startswith(DAMAGED):
            self._found_damaged(run, [index])
            raise DamagedCheckpoint(answer.partition(" ")[2])
        if answer != DONE and not self._ended.is_set():
            raise GrokscopeError(answer.partition(" ")[2] or "its process was ended from outside; it starts again")

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


class Artist(threading.Thread):
    """Computes the leading direction of the layer that the traps view asks for, once the cursor rests on it."""

    def __init__(self, places: Sequence[Place], post: Post) -> None:
        super().__init__(daemon=True, name="grokscope-artist")
        self.places, self.post = places, post
        self.idle = threading.Event()
        """Set while no direction is waited for."""
        self.idle.set()
        self._asked = threading.Event()
        self._ended = False
        self._wanted: Key | None = None
        self._known: dict[Key, NDArray[np.float64] | None] = {}

    def want(self, key: Key) -> None:
        """Ask for a direction; only the last one asked for is computed."""
        if key != self._wanted:
            self._wanted = key
            self.idle.clear()
            self._asked.set()

    def run(self) -> None:
        """Compute what was asked for last until told to end."""
        while self._asked.wait() and not self._ended:
            self._asked.clear()
            if self._asked.wait(REST_SECONDS):
                continue  # the cursor has moved on
            key = self._wanted
            assert key is not None
            if key not in self._known:
                self._known[key] = self._direction(key)
            while len(self._known) > CACHED_DIRECTIONS:
                self._known.pop(next(iter(self._known)))
            self.post(Computed(Direction(key, self._known.get(key))))
            if not self._asked.is_set():
                self.idle.set()

    def end(self) -> None:
        """End at the next rest."""
        self._ended = True
        self._asked.set()
        self.idle.set()

    def _direction(self, key: Key) -> NDArray[np.float64] | None:
        from threadpoolctl import threadpool_limits

        run, index, layer = key
        try:
            file = self.places[run].open()
            file.verify(index)
            with threadpool_limits(1):  # more would compete with the screen for the processor
                return leading_direction(file.weight(index, file.layers[layer].name))
        except (*UNREADABLE, np.linalg.LinAlgError):
            return None


def leading_direction(weight: NDArray[np.floating]) -> NDArray[np.float64]:
    """The unit right singular vector v₁ of W [out, in], float64 [in]; its largest component is positive.

    By the eigenvectors of the smaller of WWᵀ and WᵀW. All NaN where W is not finite or zero.
    """
    matrix = np.array(weight, dtype=np.float64).reshape(weight.shape[0], -1)  # a copy, scaled in place below
    unknown = np.full(matrix.shape[1], np.nan)
    scale = max(matrix.max(initial=0.0), -matrix.min(initial=0.0))
    if not np.isfinite(scale) or scale == 0:
        return unknown
    matrix /= scale
    if matrix.shape[0] <= matrix.shape[1]:
        _, vectors = np.linalg.eigh(matrix @ matrix.T)
        direction = matrix.T @ vectors[:, -1]
    else:
        _, vectors = np.linalg.eigh(matrix.T @ matrix)
        direction = vectors[:, -1]
    direction = direction / np.linalg.norm(direction)
    sign = np.sign(direction[np.argmax(np.abs(direction))])
    return np.asarray(direction * sign, dtype=np.float64)
