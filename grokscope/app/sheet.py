"""A sheet of text over the screen, written for its width, that scrolls where it is taller than the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

WIDTH = 75
"""Cells that a text takes at most; beside it stand a cell on either side and one for the bar that scrolls."""


class Sheet(ModalScreen[None]):
    """Shows what `write` makes of a width, until any of the keys that leave it, or `key`, which asked for it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,space", "dismiss(None)", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, write: Callable[[int], Text], key: str) -> None:
        super().__init__()
        self.write = write
        self._bindings.bind(key, "dismiss(None)", show=False)

    def compose(self) -> ComposeResult:
        """One static text that scrolls."""
        with VerticalScroll(id="sheet"):
            yield Static(self._text(self.app.size.width))

    def on_resize(self, event: events.Resize) -> None:
        """Write it anew for another width."""
        self.query_one(Static).update(self._text(event.size.width))

    def _text(self, screen_width: int) -> Text:
        return self.write(max(1, min(WIDTH, screen_width - 3)))

    def action_scroll(self, by: int) -> None:
        """A line on or back."""
        self.query_one("#sheet").scroll_relative(y=by, animate=False)
