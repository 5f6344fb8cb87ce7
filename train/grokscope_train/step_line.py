"""How far a training is, on one line of a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.text import Text

ECHO_WIDTH = 4  # of ^C^C, which the terminal writes behind the line: one that wraps could not be drawn over
SMALLEST_BAR = 8
GAP = "  "
GIVE_WAY_TO_THE_BAR = {"rate"}
LEFT_OUT_FIRST = ("rate", "name", "left", "accuracies")


@dataclass(frozen=True)
class StepLine:
    """A name, a bar and figures; where room is short, the rate goes first, then the bar; no number is cut.

    `parts` are texts in their order on the line; those called as in LEFT_OUT_FIRST go next.
    """

    parts: Mapping[str, str]
    step: int
    last: int

    def fitting(self, room: int) -> dict[str, str]:
        """Return the parts for which `room` columns suffice."""
        parts = {key: text for key, text in self.parts.items() if text}
        for key in LEFT_OUT_FIRST:
            if _width(parts) > room:
                parts.pop(key, None)
        return parts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the line."""
        room = max(options.max_width - ECHO_WIDTH, 1)
        parts = self.fitting(room - SMALLEST_BAR - len(GAP))
        if not {key for key, text in self.parts.items() if text} <= parts.keys() | GIVE_WAY_TO_THE_BAR:
            parts = self.fitting(room)
        bar = room - _width(parts) - len(GAP)
        if bar >= SMALLEST_BAR:
            name = parts.pop("name", "")
            yield Text(name + GAP if name else "", end="")
            yield ProgressBar(total=max(self.last, 1), completed=self.step, width=bar)
            yield Text(GAP, end="")
        yield Text(GAP.join(parts.values()), end="", no_wrap=True)


def _width(parts: Mapping[str, str]) -> int:
    return cell_len(GAP.join(parts.values()))
