"""The list of a folder's runs, from which one is opened."""

from __future__ import annotations

from functools import partial

from rich.text import Text

from grokscope.app import actions
from grokscope.app.actions import Action
from grokscope.app.layout import Place, fitting
from grokscope.app.plots.canvas import Canvas, fit_middle
from grokscope.app.state import Entry, State
from grokscope.figures.colors import Palette, phase_letter
from grokscope.numbers import counted, percent, whole

COLUMNS = (("checkpoints", 13, 5), ("last step", 12, 4), ("phase", 17, 0), ("test", 7, 1), ("training", 13, 2),
           ("analysed", 10, 3))  # fmt: skip
"""Title, width, importance: low stays longest."""

SMALLEST_NAME = 20

FIRST_ROW = 2


def draw_runs(state: State, width: int, height: int) -> Text:
    """A row for each run: how long it is, where it stands and how much of it is analysed."""
    canvas, palette = Canvas(width, height), state.palette
    canvas.put_fitted(0, 1, width - 2, f"{counted(len(state.entries), 'run')} in {state.folder}", palette.text)
    canvas.background(1, 0, width, palette.panel)
    canvas.put(1, 2, "run", palette.muted)
    names, end = _name_width(state, width), _name_width(state, width) + 2
    for title, size in _columns(width, names):
        canvas.put_right(1, end + size, title, palette.muted)
        end += size
    first = _first(state, height)
    for place, entry in list(enumerate(state.entries))[first : first + height - FIRST_ROW]:
        row = FIRST_ROW + place - first
        if place == state.row:
            canvas.background(row, 0, width, palette.selected)
            canvas.put(row, 0, "▸", palette.accent, bold=True)
        canvas.put(row, 2, fit_middle(entry.name, names - 1), palette.text, bold=place == state.row)
        _values(canvas, row, names, entry, palette)
    return canvas.text()


def hit_runs(state: State, place: Place) -> Action | None:
    """The run that was clicked at is chosen; one that is chosen already is opened."""
    row = _first(state, place.height) + place.row - FIRST_ROW
    if place.row < FIRST_ROW or row >= len(state.entries):
        return None
    return actions.enter if row == state.row else partial(actions.select, by=row - state.row)


def _first(state: State, height: int) -> int:
    return max(0, state.row - (height - FIRST_ROW) + 1)


def _name_width(state: State, width: int) -> int:
    longest = max([len(entry.name) for entry in state.entries], default=0) + 1
    return min(longest, max(SMALLEST_NAME, width * 2 // 5))


def _columns(width: int, names: int) -> list[tuple[str, int]]:
    """The columns that fit beside the names, in their order."""
    _, widths, ranks = zip(*COLUMNS, strict=True)
    return [COLUMNS[place][:2] for place in fitting(widths, ranks, width - names - 2)]


def _values(canvas: Canvas, row: int, names: int, entry: Entry, palette: Palette) -> None:
    if entry.problem or not entry.read:
        words = entry.problem or "being read"
        canvas.put_fitted(row, names + 3, canvas.width - names - 3, words, palette.warning)
        return
    live = entry.state in {"running", "stalled"}
    shown = {
        "checkpoints": (f"{entry.checkpoints:,}", palette.muted),
        "last step": (whole(entry.step), palette.text),
        "phase": (f"{phase_letter(entry.phase)} {entry.phase}", palette.phase(entry.phase)),
        "test": (percent(entry.accuracy), palette.test),
        "training": (f"● {entry.state}" if live else entry.state, palette.phases["G"] if live else palette.muted),
        "analysed": (f"{percent(entry.analysed)} %", palette.muted if entry.analysed == 1 else palette.warning),
    }
    end = names + 2
    for title, size in _columns(canvas.width, names):
        end += size
        words, color = shown[title]
        canvas.put_right(row, end, words, color)
