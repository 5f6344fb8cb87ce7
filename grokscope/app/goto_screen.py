"""The question for a step: a number such as 500000, 500k or 2.2e5."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input

from grokscope.steps import parse_step


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
