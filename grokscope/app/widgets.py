"""The one kind of widget: a pane that draws the state by a pure function."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual import events
from textual.widget import Widget

from grokscope.app.messages import Scrub
from grokscope.app.plots.timeline import index_at
from grokscope.app.state import State

Draw = Callable[[State, int, int], Text]


class Pane(Widget):
    """Draws `draw(state, width, height)` whenever it is given another state or another size."""

    can_focus = False

    def __init__(self, draw: Draw, state: State, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.draw, self.state = draw, state

    def show(self, state: State) -> None:
        """Draw another state."""
        self.state = state
        self.refresh()

    def render(self) -> Text:
        """Draw into the widget's size."""
        return self.draw(self.state, self.size.width, self.size.height)


class TimelinePane(Pane):
    """The timeline, on which a click or a drag puts the cursor and the wheel moves it."""

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Start scrubbing: follow the mouse until the button is released."""
        self.capture_mouse()
        self._scrub(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Scrub while the button is held."""
        if event.button:
            self._scrub(event)

    def on_mouse_up(self) -> None:
        """End scrubbing."""
        self.release_mouse()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """One checkpoint back."""
        event.stop()
        self.post_message(Scrub(self.state.index - 1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """One checkpoint on."""
        event.stop()
        self.post_message(Scrub(self.state.index + 1))

    def _scrub(self, event: events.MouseEvent) -> None:
        event.stop()
        timeline = self.state.timeline
        if len(timeline.steps):
            index = index_at(timeline, event.x, self.size.width, log=self.state.steps_log, others=self.state.others)
            self.post_message(Scrub(index))
