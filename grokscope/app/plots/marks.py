"""The marks of a described figure, drawn into the area of its plot from back to front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len

from grokscope.app.plots.heat import heat
from grokscope.app.plots.plot import Plot
from grokscope.app.plots.raster import Series, column_of, raster
from grokscope.figures import Band, Bars, Curve, Heatmap, HLine, Mark, Points, Span, VLine
from grokscope.figures.axis import to_the_frame
from grokscope.figures.colors import PHASE_LETTERS, phase_letter

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_FREE = " │┊╎"
POINT = "•"


def draw(plot: Plot, marks: Sequence[Mark] | None = None) -> None:
    """Draw the marks, by default all of the figure: grounds, bars, curves, lines, and what has a name."""
    shown = plot.figure.marks if marks is None else marks
    for mark in shown:
        if isinstance(mark, Span):
            _span(plot, mark)
        elif isinstance(mark, Heatmap):
            heat(plot, mark)
        elif isinstance(mark, Band):
            _band(plot, mark)
        elif isinstance(mark, Bars):
            _bars(plot, mark)
    _curves(plot, [mark for mark in shown if isinstance(mark, (Curve, Points)) and not _named(mark)])
    lines = [mark for mark in shown if isinstance(mark, VLine)]
    for place, line in enumerate(lines):
        vertical(plot, line.at, plot.palette.role(line.role), "┊", line.label, row=place % 2 * (plot.rows > 5))
    for mark in shown:
        if isinstance(mark, HLine):
            _horizontal(plot, mark)
        elif isinstance(mark, Points) and _named(mark):
            _signs(plot, mark)


def vertical(plot: Plot, at: float, color: str, character: str, label: str = "", *, row: int = 0) -> None:
    """A vertical line at an x value, behind curves, with a label beside it in the given row of the area.

    The label stands right of the line, left of it where there is no room or another label, else nowhere.
    """
    column = plot.column(at)
    if column is None:
        return
    for level in range(plot.top, plot.top + plot.rows):
        cells = plot.canvas.characters[level]
        if cells[column] in _FREE + "█" and not _within_words(cells, column):
            plot.put(level, column, character, color)
    if label and plot.rows:
        cells, size = plot.canvas.characters[plot.top + row], cell_len(label)
        for start in (column + 1, column - size):
            near = cells[max(start - 1, 0) : start + size + 1]
            if plot.left <= start <= plot.right - size and not any(map(str.isalpha, near)):
                plot.canvas.put(plot.top + row, start, label, color)
                return


def _within_words(cells: Sequence[str], column: int) -> bool:
    """Whether a blank parts two words of a label, such as α = 2."""
    around = cells[max(column - 1, 0)], cells[column + 1 : column + 2]
    return cells[column] == " " and all(one[0].isalnum() or one[0] == "=" for one in around if one) and all(around)


def _named(mark: Mark) -> bool:
    return isinstance(mark, Points) and bool(mark.names)


def _span(plot: Plot, mark: Span) -> None:
    """A phase: a ground behind the plot, and its letter on the first row where it begins."""
    x0, x1 = max(mark.x0, plot.x.low), min(mark.x1, plot.x.high)
    first, last = plot.column(x0), plot.column(x1)
    if mark.role not in PHASE_LETTERS or first is None or last is None:
        return
    last += x1 >= plot.x.high or last == first
    for row in range(plot.top, plot.top + plot.rows):
        plot.canvas.background(row, first, last, plot.palette.band(mark.role))
    plot.canvas.put(plot.top, first, phase_letter(mark.role), plot.palette.phase(mark.role), bold=True)


def _band(plot: Plot, mark: Band) -> None:
    """A ground from low to high, in every column between two known neighbours and in that of one alone."""
    at = plot.x.position(mark.x)
    low, high = (plot.y.position(np.clip(end, plot.y.low, plot.y.high)) for end in (mark.low, mark.high))
    centres = (np.arange(plot.columns) + 0.5) / plot.columns
    lows, highs = (np.interp(centres, at, end, left=np.nan, right=np.nan) for end in (low, high))
    for k in np.flatnonzero(np.isfinite(low) & np.isfinite(high) & (at >= 0) & (at <= 1)).tolist():
        column = column_of(float(at[k]), plot.columns)
        lows[column], highs[column] = low[k], high[k]
    for column in np.flatnonzero(np.isfinite(lows) & np.isfinite(highs)).tolist():
        ends = [round(float(end[column]) * (4 * plot.rows - 1)) // 4 for end in (lows, highs)]
        for up in range(max(0, ends[0]), min(plot.rows - 1, ends[1]) + 1):
            row, place = plot.top + plot.rows - 1 - up, plot.left + column
            plot.canvas.background(row, place, place + 1, plot.palette.shade)


def _bars(plot: Plot, mark: Bars) -> None:
    """A bar in every column whose middle lies in its bin, in eighths of a cell; the least is still seen."""
    color = plot.palette.role(mark.role)
    ends = plot.x.position(mark.edges) * plot.columns
    centres = np.arange(plot.columns) + 0.5
    bins = np.searchsorted(ends, centres, side="right") - 1
    inside = (bins >= 0) & (bins < len(mark.heights))
    heights = np.where(inside, mark.heights[np.clip(bins, 0, len(mark.heights) - 1)], np.nan)
    levels = np.clip(plot.y.position(heights), 0, 1) * plot.rows * 8
    bottom = plot.top + plot.rows - 1
    for column in np.flatnonzero(heights > 0).tolist():
        full, rest = divmod(max(1, round(float(levels[column]))), 8)
        for k in range(min(full, plot.rows)):
            plot.canvas.put(bottom - k, plot.left + column, "█", color)
        if rest and full < plot.rows:
            plot.canvas.put(bottom - full, plot.left + column, _EIGHTHS[rest], color)


def _curves(plot: Plot, marks: Sequence[Curve | Points]) -> None:
    """Curves in braille, points as dots of a cell over them, later ones over earlier ones."""
    places = [(plot.x.position(mark.x), plot.y.position(mark.y)) for mark in marks]
    series = [
        Series(*to_the_frame(*place)) if isinstance(mark, Curve) else Series(*place, line=False)
        for mark, place in zip(marks, places, strict=True)
    ]
    colors = [plot.palette.role(mark.role) for mark in marks]
    for points in (False, True):
        drawn = [one if one.line is not points else Series(one.x[:0], one.y[:0]) for one in series]
        for row, column, character, number in raster(drawn, plot.columns, plot.rows):
            plot.put(plot.top + row, plot.left + column, POINT if points else character, colors[number])


def _horizontal(plot: Plot, mark: HLine) -> None:
    """A horizontal line where nothing else is, with its label at the right end where there is room for it."""
    row, color = plot.row(mark.at), plot.palette.role(mark.role)
    if row is None:
        return
    cells, size = plot.canvas.characters[row], cell_len(mark.label)
    for column in range(plot.left, plot.right):
        if cells[column] == " ":
            plot.canvas.put(row, column, "╌", color)
    for start in range(plot.right - size, plot.left, -1):
        if size and set(cells[start : start + size]) == {"╌"}:
            plot.canvas.put(row, start, mark.label, color)
            return


def _signs(plot: Plot, mark: Points) -> None:
    """A sign and the name above it over the bar that each point stands on."""
    color = plot.palette.role(mark.role)
    for x, name in zip(mark.x.tolist(), mark.names, strict=True):
        column = plot.column(x)
        if column is None or plot.rows < 2:
            continue
        place = _on_its_bar(plot, column, color)
        row = _free_row(plot, place)
        plot.canvas.put(row - 1, place, name, color, bold=True)
        plot.canvas.put(row, place, "▲", color)


def _on_its_bar(plot: Plot, column: int, color: str) -> int:
    """The column itself or, where none of its colour stands there, a neighbour on a bar that does."""
    looks = plot.canvas.looks[plot.top + plot.rows - 1]
    near = [place for place in (column, column - 1, column + 1) if plot.left <= place < plot.right]
    return next((place for place in near if looks[place][0] == color), column)


def _free_row(plot: Plot, column: int) -> int:
    """The lowest row of a column with nothing in it, and a row above it; signs of other points do not count."""
    for row in range(plot.top + plot.rows - 1, plot.top, -1):
        if plot.canvas.characters[row][column] in " ▲":
            return row
    return plot.top + 1
