"""What lies over the panes for a while: a sheet of text, the question for a step, the palette of commands."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from grokscope.app.keys import KEYS
from grokscope.steps import parse_step

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


class GoToScreen(ModalScreen[float | None]):
    """Asks for a step; gives None when it is left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", show=False)]

    def __init__(self, last_step: int) -> None:
        super().__init__()
        self.last_step = last_step

    def compose(self) -> ComposeResult:
        """One line of input."""
        yield Input(placeholder=f"step, 0 to {self.last_step:,} (500k and 2.2e5 will do)", id="goto")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Leave with the step; say so where it is none."""
        step = parse_step(event.value)
        if step is None:
            self.notify(f"{event.value} is no step; give a number such as 500000 or 500k", markup=False)
        else:
            self.dismiss(step)


class Commands(Provider):
    """Finds the actions of the table of keys by their words."""

    async def discover(self) -> Hits:
        """All actions, when nothing is typed yet."""
        for key in KEYS:
            if key.palette:
                yield DiscoveryHit(key.palette, partial(self.app.run_action, key.bound), help=f"key {key.shown}")

    async def search(self, query: str) -> Hits:
        """The actions that match what is typed."""
        matcher = self.matcher(query)
        for key in KEYS:
            score = matcher.match(key.palette) if key.palette else 0
            if score > 0:
                action = partial(self.app.run_action, key.bound)
                yield Hit(score, matcher.highlight(key.palette), action, help=f"key {key.shown}")
