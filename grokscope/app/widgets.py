"""The one kind of widget: a pane that draws the state by a pure function, and says what the mouse does in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from grokscope.app import actions
from grokscope.app.actions import Action
from grokscope.app.state import State

Draw = Callable[[State, int, int], Text]


class Place(NamedTuple):
    """A cell of a pane, and the pane's size."""

    column: int
    row: int
    width: int
    height: int


Hit = Callable[[State, Place], Action | None]
"""What a click on a cell does, None where it does nothing."""


class Act(Message):
    """The mouse asks for an action."""

    def __init__(self, action: Action) -> None:
        super().__init__()
        self.action = action


class Pane(Widget):
    """Draws `draw(state, width, height)` whenever it is given another state or another size."""

    can_focus = False

    def __init__(self, draw: Draw, state: State, id: str, *views: str, hit: Hit | None = None) -> None:
        """A pane that is seen in these views, or in all where none is named."""
        super().__init__(id=id)
        self.draw, self.state, self.views, self.hit = draw, state, views, hit
        self._strips: list[Strip] = []
        self._drawn: State | None = None
        self._drawn_size = Size(0, 0)
        self._style = Style()

    def show(self, state: State) -> None:
        """Draw another state."""
        self.state = state
        self._drawn = None
        self.refresh()

    def on_click(self, event: events.MouseEvent) -> None:
        """Ask for what a click does, where it does something."""
        action = self.hit and self.hit(self.state, Place(event.x, event.y, *self.size))
        if action:
            event.stop()
            self.post_message(Act(action))

    def render_line(self, y: int) -> Strip:
        """One row of the drawing, which is made once for each state, size and style.

        The text's own runs become the row directly: Textual's general way through its Content takes longer than
        everything else between a key and the screen.
        """
        size = self.size
        if self._drawn is not self.state or self._drawn_size != size:
            self._drawn, self._drawn_size, self._style = self.state, size, self.rich_style
            text = self.draw(self.state, size.width, size.height)
            self._strips = strips_of(text, size.width, self._style)
        return self._strips[y] if y < len(self._strips) else Strip.blank(size.width, self._style)


def strips_of(text: Text, width: int, base: Style) -> list[Strip]:
    """The lines of a text whose spans come in order and do not overlap, each `width` cells wide."""
    strips, segments, place = [], [], 0
    for span in text.spans:
        segments.append((text.plain[place : span.start], base))
        segments.append((text.plain[span.start : span.end], _over(base, span.style)))
        place = span.end
    segments.append((text.plain[place:], base))
    row: list[Segment] = []
    for words, style in segments:
        first, *others = words.split("\n")
        row.append(Segment(first, style))
        for other in others:
            strips.append(Strip(row).adjust_cell_length(width, base))
            row = [Segment(other, style)]
    strips.append(Strip(row).adjust_cell_length(width, base))
    return strips


@lru_cache(maxsize=4096)
def _over(base: Style, style: Style | str) -> Style:
    return base + (Style.parse(style) if isinstance(style, str) else style)


class TimelinePane(Pane):
    """The timeline, on which a drag takes the cursor along and the wheel moves it."""

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Start scrubbing: follow the mouse until the button is released."""
        self.capture_mouse()
        self.on_click(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Scrub while the button is held."""
        if event.button:
            self.on_click(event)

    def on_mouse_up(self) -> None:
        """End scrubbing."""
        self.release_mouse()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """One checkpoint back."""
        event.stop()
        self.post_message(Act(partial(actions.move, by=-1)))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """One checkpoint on."""
        event.stop()
        self.post_message(Act(partial(actions.move, by=1)))
