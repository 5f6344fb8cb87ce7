"""The help: the table of keys in two columns, on one 80×24 screen."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

from grokscope.app.keys import KEYS, groups
from grokscope.app.plots.canvas import Canvas
from grokscope.app.theme import Palette

WIDTH = 76


def help_text(palette: Palette) -> Text:
    """The table of keys: 76 cells wide and at most 22 rows."""
    left = [key for key in KEYS if key.group == "Look"]
    right_groups = [name for name in groups() if name != "Look"]
    right = [key for name in right_groups for key in groups()[name]]
    half = -(-len(KEYS) // 2)
    rows = [*right, *left]
    canvas = Canvas(WIDTH, half + 4)
    canvas.put(0, 0, "grokscope", palette.accent, bold=True)
    canvas.put(0, 11, "one cursor through time; every pane shows the checkpoint under it", palette.muted)
    for place, key in enumerate(rows):
        column, row = (0, 2 + place) if place < half else (38, 2 + place - half)
        canvas.put(row, column, key.shown, palette.accent, bold=True)
        canvas.put(row, column + 9, key.help, palette.text)
    canvas.put(half + 3, 0, "phases: P pre-grokking  G grokking  A anti-grokking  ? undecided", palette.muted)
    canvas.put_right(half + 3, WIDTH, "esc closes", palette.muted)
    return canvas.text()


class HelpScreen(ModalScreen[None]):
    """Shows the keys until any of the keys that leave it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter,space", "dismiss(None)", show=False)
    ]

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette

    def compose(self) -> ComposeResult:
        """One static text."""
        yield Static(help_text(self.palette), id="help")
