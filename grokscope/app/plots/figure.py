"""A plot with its title, axes and tick labels around an area in which curves, bars and marks are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.cells import cell_len

from grokscope.app.plots.axis import Axis
from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.raster import Series, column_of, raster
from grokscope.app.theme import Palette

_EIGHTHS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Curve:
    """A curve to draw, in data units."""

    x: ArrayLike
    y: ArrayLike
    color: str
    line: bool = True


class Figure:
    """The frame of one plot: rows 0..top-1 for titles, the area, then the axis and its labels.

    The area is `rows` × `columns` cells at (`top`, `left`). Everything is drawn on `canvas`.
    """

    def __init__(
        self,
        width: int,
        height: int,
        x: Axis,
        y: Axis,
        palette: Palette,
        *,
        top: int = 1,
        y_ticks: Sequence[tuple[float, str]] | None = None,
        x_label: str = "",
        left: int | None = None,
    ) -> None:
        self.canvas = Canvas(width, height)
        self.x, self.y, self.palette, self.top = x, y, palette, top
        self.rows = max(0, height - top - 2)
        ticks = y.ticks(max(2, min(6, self.rows // 2))) if y_ticks is None else list(y_ticks)
        self.y_ticks = [(value, label) for value, label in ticks if 0 <= float(y.position(value)) <= 1]
        self.left = max([cell_len(label) for _, label in self.y_ticks], default=0) + 1 if left is None else left
        self.columns = max(1, width - self.left)
        self._draw_axes(x_label)

    def column(self, value: float) -> int | None:
        """The canvas column of an x value; None where it lies outside."""
        position = float(self.x.position(value))
        return self.left + column_of(position, self.columns) if 0 <= position <= 1 else None

    def row(self, value: float) -> int | None:
        """The canvas row of a y value; None where it lies outside."""
        position = float(self.y.position(value))
        if not 0 <= position <= 1:
            return None
        return self.top + self.rows - 1 - round(position * (4 * self.rows - 1)) // 4

    def _draw_axes(self, x_label: str) -> None:
        palette, canvas, bottom = self.palette, self.canvas, self.top + self.rows
        for row in range(self.top, bottom):
            canvas.put(row, self.left - 1, "│", palette.faint)
        canvas.put(bottom, self.left - 1, "└" + "─" * self.columns, palette.faint)
        used: set[int] = set()
        for value, label in self.y_ticks:
            level = self.row(value)
            if level is not None and level not in used:
                used.add(level)
                canvas.put_right(level, self.left - 1, label, palette.muted)
                canvas.put(level, self.left - 1, "┤", palette.faint)
        end = self.canvas.width - (cell_len(x_label) + 1 if x_label else 0)
        self._draw_x_ticks(bottom, end)
        canvas.put_right(bottom + 1, self.canvas.width, x_label, palette.muted)

    def _draw_x_ticks(self, bottom: int, end: int) -> None:
        free = 0
        for value, label in self.x.ticks(max(2, self.columns // 9)):
            column = self.column(value)
            if column is None:
                continue
            start = max(0, column - cell_len(label) // 2)
            start = min(start, self.canvas.width - cell_len(label))
            if start < free or start + cell_len(label) > end:
                continue
            self.canvas.put(bottom, column, "┴", self.palette.faint)
            self.canvas.put(bottom + 1, start, label, self.palette.muted)
            free = start + cell_len(label) + 1

    def curves(self, curves: Sequence[Curve]) -> None:
        """Draw curves in braille, later ones over earlier ones."""
        series = [Series(self.x.position(c.x), self.y.position(c.y), c.line) for c in curves]
        for row, column, character, number in raster(series, self.columns, self.rows):
            self._draw_over(self.top + row, self.left + column, character, curves[number].color)

    def _draw_over(self, row: int, column: int, character: str, color: str) -> None:
        """Put a character; over a full bar the bar's colour becomes the ground."""
        if self.canvas.characters[row][column] == "█":
            self.canvas.background(row, column, column + 1, self.canvas.looks[row][column][0] or "")
        self.canvas.put(row, column, character, color)

    def bars(
        self, edges: NDArray[np.float64], heights: NDArray[np.float64], colors: Sequence[str]
    ) -> NDArray[np.intp]:
        """Fill a histogram: edges float64 [n + 1] and heights float64 [n] in data units, one colour a bar.

        Returns which bar each column of the area shows, intp [columns], −1 where none.
        """
        left = self.x.position(edges[:-1]) * self.columns
        right = self.x.position(edges[1:]) * self.columns
        levels = np.nan_to_num(np.clip(self.y.position(heights), 0, 1), nan=0.0) * self.rows * 8
        centres = np.arange(self.columns) + 0.5
        bins = np.minimum(np.searchsorted(right, centres), len(heights) - 1)
        shown = np.where((left[bins] <= centres) & (centres <= right[bins]) & (heights[bins] > 0), bins, -1)
        for column, index in enumerate(shown.tolist()):
            if index >= 0:
                self._bar(self.left + column, max(1, round(float(levels[index]))), colors[index])
        return shown

    def _bar(self, column: int, eighths: int, color: str) -> None:
        full, rest = divmod(eighths, 8)
        bottom = self.top + self.rows - 1
        for k in range(min(full, self.rows)):
            self.canvas.put(bottom - k, column, "█", color)
        if rest and full < self.rows:
            self.canvas.put(bottom - full, column, _EIGHTHS[rest], color)

    def vertical(
        self, value: float, color: str, character: str = "│", label: str = "", *, label_row: int = 0
    ) -> None:
        """A vertical line at an x value, behind curves, with a label beside it in the given row of the area."""
        column = self.column(value)
        if column is None:
            return
        for row in range(self.top, self.top + self.rows):
            if self.canvas.characters[row][column] in " │┊╎█":
                self._draw_over(row, column, character, color)
        if label:
            start = column + 1 if column + 1 + cell_len(label) <= self.canvas.width else column - cell_len(label)
            self.canvas.put(self.top + label_row, start, label, color)

    def horizontal(self, value: float, color: str, character: str = "╌", label: str = "") -> None:
        """A horizontal line at a y value, drawn where nothing else is, with its label at the right end."""
        row = self.row(value)
        if row is None:
            return
        for column in range(self.left, self.canvas.width):
            if self.canvas.characters[row][column] == " ":
                self.canvas.put(row, column, character, color)
        self.canvas.put_right(row, self.canvas.width, label, color)
