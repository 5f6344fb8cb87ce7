"""Moving through time: the cursor, its keys, the mouse on the timeline, playing and following."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from grokscope.app.base import Base
from grokscope.app.messages import Scrub

PLAY_SECONDS = 0.25


class TimeKeys(Base):
    """Every action that moves the cursor."""

    _frame_is_stale = False
    _ticking: Any = None

    def watch_index(self) -> None:
        """Draw the new checkpoint once the keys that are waiting have been heard: none is dropped."""
        if not self._frame_is_stale:
            self._frame_is_stale = True
            self.call_later(self._show_cursor)

    def _show_cursor(self) -> None:
        self._frame_is_stale = False
        self.put(self.at_cursor(self.state))

    def action_move(self, by: int) -> None:
        """Step through the checkpoints; disarms following."""
        self.disarm()
        self.index += by

    def action_first(self) -> None:
        """Go to the first checkpoint."""
        self.disarm()
        self.index = 0

    def action_last(self) -> None:
        """Go to the last checkpoint, and stay on the last one of a live run."""
        self.index = self.session.num_checkpoints - 1
        self.put(replace(self.state, following=self.state.live, playing=False))

    def action_event(self, direction: int) -> None:
        """Go to the next or previous event, and say what it is."""
        self.disarm()
        places = sorted({event.index for event in self.state.timeline.events})
        ahead = [i for i in places if (i > self.index if direction > 0 else i < self.index)]
        if not ahead:
            self.notify("no event further on" if direction > 0 else "no event further back", timeout=2)
            return
        self.index = ahead[0] if direction > 0 else ahead[-1]
        words = [event.text for event in self.state.timeline.events if event.index == self.index]
        self.notify("; ".join(words), timeout=3, markup=False)

    def action_go_to(self) -> None:
        """Ask for a step."""
        from grokscope.app.goto_screen import GoToScreen

        def go(step: float | None) -> None:
            if step is not None:
                self.disarm()
                self.index = self.session.timeline().nearest(step)

        if self.session.num_checkpoints:
            self.push_screen(GoToScreen(int(self.session.timeline().steps[-1])), go)

    def on_scrub(self, message: Scrub) -> None:
        """The mouse on the timeline."""
        self.disarm()
        self.index = message.index

    def action_play(self) -> None:
        """Play through the checkpoints, or pause."""
        playing = not self.state.playing
        if playing and self.index >= self.session.num_checkpoints - 1:
            self.index = 0
        self.put(replace(self.state, playing=playing, following=False))
        if self._ticking is None:
            self._ticking = self.set_interval(PLAY_SECONDS, self._tick)

    def _tick(self) -> None:
        if not self.state.playing:
            return
        if self.index >= self.session.num_checkpoints - 1:
            self.put(replace(self.state, playing=False))
        else:
            self.index += 1

    def disarm(self) -> None:
        if self.state.following or self.state.playing:
            self.put(replace(self.state, following=False, playing=False))

    def action_follow(self) -> None:
        """Stay on the last checkpoint of a live run, or stop staying there."""
        if not self.state.live:
            self.notify("this run is not being trained now", timeout=2)
            return
        following = not self.state.following
        self.put(replace(self.state, following=following, playing=False))
        if following:
            self.index = self.session.num_checkpoints - 1
