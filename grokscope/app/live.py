"""Beside the keys: a run that grows, and the analysis of what is missing in it."""

from __future__ import annotations

import select
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, Any

from grokscope.app.base import Base
from grokscope.app.messages import Analysed, Looked
from grokscope.app.session import Session
from grokscope.app.state import State

if TYPE_CHECKING:
    from grokscope.app.analyst import Analyst
    from grokscope.app.watcher import Watcher


HANGUP_SECONDS = 1.0


def end_with_terminal() -> None:
    """End as by a hangup where the terminal is gone and no hangup came; reading would go on forever."""
    terminal = select.poll()
    terminal.register(sys.__stdin__ or 0, 0)  # POLLHUP is always told
    if any(event & (select.POLLHUP | select.POLLERR) for _, event in terminal.poll(0)):
        signal.raise_signal(signal.SIGHUP)


class Live(Base):
    """Starts the threads, and takes in what they tell."""

    analysis = watching = True
    _analysts: tuple[Analyst, ...] = ()
    _watchers: tuple[Watcher, ...] = ()

    def on_mount(self) -> None:
        """Start the threads once the first frame is on screen."""
        self.call_after_refresh(self._start_threads)
        if not self.is_headless:
            self.set_interval(HANGUP_SECONDS, end_with_terminal)

    def _start_threads(self) -> None:
        from grokscope.app.analyst import Analyst
        from grokscope.app.watcher import Watcher

        if self.watching:
            self._watchers = tuple(Watcher(session.run.path, self._post_for(session)) for session in self.sessions)
        if self.analysis:
            self._analysts = tuple(
                Analyst(session.run.path, self._post_for(session), self._cursor) for session in self.sessions
            )
        threads: list[Thread] = [*self._watchers, *self._analysts]
        for thread in threads:
            thread.start()

    def _cursor(self) -> int:
        return self.state.index

    def _post_for(self, session: Session) -> Callable[[Any], object]:
        def post(message: Any) -> object:
            message.session = session
            return self.post_message(message)

        return post

    def on_unmount(self) -> None:
        """Tell the threads to end; they are daemons and are not waited for."""
        for watcher in self._watchers:
            watcher.stop.set()
        for analyst in self._analysts:
            analyst.end()

    def on_looked(self, message: Looked) -> None:
        """The run file was looked at: show how the training stands, and what is new."""
        session: Session = message.session  # type: ignore[attr-defined]
        if message.changed:
            self._refresh(session, self.state)
        if session is not self.session:
            return
        live = message.liveness
        if live is None:
            self.put(replace(self.state, problem=message.problem))
            return
        state = replace(self.state, liveness=live, problem="")
        first_look = self.state.liveness is None
        if first_look and state.live and self.index == self.session.num_checkpoints - 1:
            state = replace(state, following=True)
        if not state.live:
            state = replace(state, following=False)
        before = self.state
        if (state.liveness, state.following, state.problem) != (before.liveness, before.following, before.problem):
            self.put(state)

    def on_analysed(self, message: Analysed) -> None:
        """More of the run is measured."""
        session: Session = message.session  # type: ignore[attr-defined]
        state = self.state
        if session is self.session:
            state = replace(state, analysing=message.progress, analysis_note=message.note)
        if not self._refresh(session, state) and state is not self.state:
            self.put(state)

    def _refresh(self, session: Session, state: State) -> bool:
        """Take in what is new of a run, and draw the state with it; returns whether there was anything.

        A followed run moves the cursor to its last checkpoint.
        """
        from grokscope.errors import GrokscopeError

        try:
            if not session.refresh():
                return False
            if session is self.session and state.following:
                self.set_reactive(Base.index, max(0, session.num_checkpoints - 1))
            self.set_reactive(Base.index, max(0, self.validate_index(self.index)))
            self.put(self.at_cursor(replace(state, comparison=None)))
        except (GrokscopeError, OSError, KeyError) as error:  # gone or being replaced: the next look tells
            self.put(replace(state, problem=state.problem or str(error)))
        return True
