"""The one widget: the whole screen, drawn from the state by pure functions; only rows that changed are sent."""

from __future__ import annotations

from functools import lru_cache, partial

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from grokscope.app import actions
from grokscope.app.actions import Action
from grokscope.app.layout import Place
from grokscope.app.state import State
from grokscope.app.views.screen import Pane, panes
from grokscope.names import safe_name


class Act(Message):
    """The mouse asks for an action."""

    def __init__(self, action: Action) -> None:
        super().__init__()
        self.action = action


class Glass(Widget):
    """Shows the panes of a state; a click, a drag or the wheel in one of them asks for what it does there."""

    can_focus = False

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state
        self.panes: tuple[Pane, ...] = ()
        self._rows: list[Strip] = []
        self._drawn: tuple[State | None, Size] = (None, Size(0, 0))
        self._dragged: Pane | None = None

    def show(self, state: State) -> None:
        """Draw another state, and send the rows that differ as far as they differ."""
        if self._drawn == (state, self.size):
            return
        before, self.state = self._rows, state
        self._draw()
        ends = [_differ(old, new) for old, new in zip(before, self._rows, strict=False)]
        if len(before) != len(self._rows):
            self.refresh()
        elif any(ends):
            self.refresh(*(Region(0, y, end, 1) for y, end in enumerate(ends) if end))

    def _draw(self) -> None:
        size, palette = self.size, self.state.palette
        self._drawn = self.state, size
        base = Style(color=palette.text, bgcolor=palette.background)
        self.panes = panes(self.state, *size)
        self._rows = compose(self.panes, self.state, *size, base)

    def render_line(self, y: int) -> Strip:
        """One row of the screen, which is drawn once for each state and size.

        The text's own runs become the row directly: Textual's general way through its Content takes longer than
        everything else between a key and the screen.
        """
        if self._drawn != (self.state, self.size):
            self._draw()
        return self._rows[y] if y < len(self._rows) else Strip.blank(self.size.width)

    def pane_at(self, column: int, row: int) -> Pane | None:
        """The topmost pane at a cell."""
        found = [pane for pane in self.panes if pane.covers(column, row)]
        return found[-1] if found else None

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Do what a press does there; a press in the timeline takes the cursor along until it is released."""
        pane = self.pane_at(event.x, event.y)
        self._press(pane, event)
        if pane is not None and pane.drags:
            self._dragged = pane
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Scrub while the button is held."""
        if event.button and self._dragged is not None:
            self._press(self._dragged, event)

    def on_mouse_up(self) -> None:
        """End scrubbing."""
        if self._dragged is not None:
            self._dragged = None
            self.release_mouse()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """One back of what lies there."""
        self._turn(event, -1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """One on of what lies there."""
        self._turn(event, 1)

    def _turn(self, event: events.MouseEvent, by: int) -> None:
        pane = self.pane_at(event.x, event.y)
        if event.ctrl:
            self.post_message(Act(partial(actions.zoom, by=-by)))
        elif pane is not None and pane.wheel is not None:
            self.post_message(Act(partial(pane.wheel, by=by)))

    def _press(self, pane: Pane | None, event: events.MouseEvent) -> None:
        if pane is None or pane.hit is None:
            return
        action = pane.hit(self.state, Place(event.x - pane.column, event.y - pane.row, pane.width, pane.height))
        if action is not None:
            self.post_message(Act(action))


def compose(shown: tuple[Pane, ...], state: State, width: int, height: int, base: Style) -> list[Strip]:
    """The rows of the screen: the panes from left to right in each, later ones over earlier ones."""
    rows = [Strip.blank(width, base)] * height
    for pane in shown:
        text = pane.draw(state, pane.width, pane.height)
        for y, strip in enumerate(strips_of(text, pane.width, base)[: pane.height], start=pane.row):
            if pane.width == width:
                rows[y] = strip
            else:
                left, right = rows[y].crop(0, pane.column), rows[y].crop(pane.column + pane.width, width)
                rows[y] = Strip([*left, *strip, *right], width)
    return rows


def _differ(old: Strip, new: Strip) -> int:
    """The cells of a row up to the last one that differs; 0 where none does."""
    end = new.cell_length
    if old == new:
        return 0
    for before, after in zip(reversed(list(old)), reversed(list(new)), strict=False):
        if before != after:
            break
        end -= after.cell_length
    return max(1, end)


def strips_of(text: Text, width: int, base: Style) -> list[Strip]:
    """The lines of a text whose spans come in order and do not overlap, each `width` cells wide.

    Nothing leaves here that could move the cursor, whatever file it came from.
    """
    strips, segments, place = [], [], 0
    for span in text.spans:
        segments.append((text.plain[place : span.start], base))
        segments.append((text.plain[span.start : span.end], _over(base, span.style)))
        place = span.end
    segments.append((text.plain[place:], base))
    row: list[Segment] = []
    for words, style in segments:
        first, *others = map(safe_name, words.split("\n"))
        row += [Segment(first, style)] * bool(first)
        for other in others:
            strips.append(Strip(row).adjust_cell_length(width, base))
            row = [Segment(other, style)] * bool(other)
    strips.append(Strip(row).adjust_cell_length(width, base))
    return strips


@lru_cache(maxsize=4096)
def _over(base: Style, style: Style | str) -> Style:
    return base + (Style.parse(style) if isinstance(style, str) else style)
