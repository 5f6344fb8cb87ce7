"""How many rows each pane gets, and which columns a table: functions of the size that there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

SMALLEST = (60, 20)
BESIDE = 76
"""From this width the two spectra of the overview stand side by side; below it one is shown at a time."""


class Place(NamedTuple):
    """A cell of a pane, and the pane's size."""

    column: int
    row: int
    width: int
    height: int


@dataclass(frozen=True)
class Layout:
    """Rows of the status line (0 or 1), the timeline and the table, and whether two spectra fit side by side."""

    status: int
    timeline: int
    table: int
    beside: bool


def layout(width: int, height: int, view: str, *, layers: int, compared: bool, status: bool, runs: int) -> Layout:
    """The rows of each pane; what they leave goes to the plots."""
    lines = 1 if status or height >= 30 else 0
    if view != "overview":
        return Layout(lines, 4 if height < 44 else 8, 0, False)
    timeline = 6 if height < 24 else 7 if height < 30 else 9 + (runs > 1) if height < 44 else 13 + (runs > 1)
    each = 2 if compared else 1
    most = max(5, 3 * height // 10) if compared else max(4, height // 4)
    return Layout(lines, timeline, 1 + each * min(max(1, layers), (most - 1) // each), width >= BESIDE)


def fitting(widths: Sequence[int], ranks: Sequence[int], width: int) -> list[int]:
    """The places of the columns that fit, in their order: those of low rank are the last to be left out."""
    chosen: list[int] = []
    for place in sorted(range(len(widths)), key=lambda place: ranks[place]):
        width -= widths[place]
        if width < 0:
            break
        chosen.append(place)
    return sorted(chosen)


def too_small(width: int, height: int) -> str:
    """A sentence for a terminal that is too small, else nothing."""
    if width >= SMALLEST[0] and height >= SMALLEST[1]:
        return ""
    return f"grokscope needs {SMALLEST[0]}×{SMALLEST[1]} characters; this terminal has {width}×{height}. q quits."
