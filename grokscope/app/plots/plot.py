"""The frame of a described figure in cells: its axes with their ticks, and where a value lies."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from rich.cells import cell_len

from grokscope.app.plots.canvas import Canvas, fit_end
from grokscope.app.plots.raster import column_of
from grokscope.figures import Axis, Figure, Heatmap
from grokscope.figures.colors import Palette

Ticks = Sequence[tuple[float, str]]

ROOMY = 12
"""Rows of an area above which the frame's top edge has a row of its own; below it shares the title's."""


class Plot:
    """Rows 0..top-1 are for titles, then the framed area, and the labels of the x axis; all is drawn on `canvas`.

    The area is `rows` × `columns` cells at (`top`, `left`), and `right` the column of the frame's right edge. Its
    top edge is in the row `edge`: by default one of its own where there is room, else the last of the titles'.
    `x_label` ends the last row, by default what the figure says of its x axis.
    """

    def __init__(
        self,
        figure: Figure,
        width: int,
        height: int,
        palette: Palette,
        *,
        top: int = 1,
        edge: int | None = None,
        left: int | None = None,
        least_left: int = 0,
        y_ticks: Ticks | None = None,
        x_label: str | None = None,
    ) -> None:
        self.canvas = Canvas(width, height)
        self.figure, self.palette = figure, palette
        self.x, self.y = figure.x, figure.y
        self.top = top + (edge is None and height - top - 2 > ROOMY)
        self.edge = self.top - 1 if edge is None else edge
        self.rows = max(0, height - self.top - 2)
        ticks = _ticks(figure, self.rows, width) if y_ticks is None else y_ticks
        self.y_ticks = [(value, label) for value, label in ticks if 0 <= float(self.y.position(value)) <= 1]
        needed = max([cell_len(label) for _, label in self.y_ticks], default=0) + 1
        self.left = max(needed, least_left) if left is None else left
        self.mapped = False  # a map covers the area: what is drawn over it gets a ground of its own
        self.columns = max(1, width - self.left - 1)
        self.right = self.left + self.columns
        self._draw_axes(short(self.x, width // 5) if x_label is None else x_label)

    @property
    def title_end(self) -> int:
        """Where words at the right of the title's row end: before the corner of a top edge that is there, too."""
        return self.canvas.width - 2 * (self.edge == 0)

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

    def x_at(self, column: int) -> float:
        """The x value in the middle of a canvas column, at the axis's end where that lies beyond it."""
        return self.x.value(min(max((column - self.left + 0.5) / self.columns, 0.0), 1.0))

    def y_at(self, row: int) -> float:
        """The y value in the middle of a canvas row, at the axis's end where that lies beyond it."""
        return self.y.value(min(max(1 - (row - self.top + 0.5) / max(1, self.rows), 0.0), 1.0))

    def put(self, row: int, column: int, character: str, color: str, *, bold: bool = False) -> None:
        """Put a character; a full bar's colour becomes its ground, and over a map it has the screen's."""
        characters, looks = self.canvas.characters[row], self.canvas.looks[row]
        ground = looks[column][0] if characters[column] == "█" else None
        ground = self.palette.background if self.mapped else ground
        self.canvas.put(row, column, character, color, ground, bold=bold)

    def again(self) -> Plot:
        """The same plot, to draw over."""
        other = copy(self)
        other.canvas = self.canvas.copy()
        return other

    def finished(self) -> Canvas:
        """The canvas with the frame's top edge, as far as no title stands in it."""
        canvas, corners = self.canvas, {self.left - 1: "┌", self.right: "┐"}
        if 0 <= self.edge < canvas.height:
            cells = [" ", *canvas.characters[self.edge], " "]
            for column in range(max(0, self.left - 1), min(self.right + 1, canvas.width)):
                near = cells[column : column + 3]
                if near[1] == " " and (column == self.right or not "".join(near).strip()):
                    canvas.put(self.edge, column, corners.get(column, "─"), self.palette.faint)
        return canvas

    def _draw_axes(self, x_label: str) -> None:
        palette, canvas, bottom = self.palette, self.canvas, self.top + self.rows
        for row in range(self.edge + 1, bottom):
            canvas.put(row, self.left - 1, "│", palette.faint)
            canvas.put(row, self.right, "│", palette.faint)
        canvas.put(bottom, self.left - 1, "└" + "─" * self.columns + "┘", palette.faint)
        used: set[int] = set()
        for value, label in self.y_ticks:
            level = self.row(value)
            if level is not None and level not in used:
                used.add(level)
                canvas.put_right(level, self.left - 1, label, palette.muted)
                canvas.put(level, self.left - 1, "┤", palette.faint)
        end = canvas.width - (cell_len(x_label) + 1 if x_label else 0)
        self._draw_x_ticks(bottom, end)
        canvas.put_right(bottom + 1, canvas.width, x_label, palette.muted)

    def _draw_x_ticks(self, bottom: int, end: int) -> None:
        free = 0
        for value, label in self.x.ticks(max(2, self.columns // 8)):
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


def short(axis: Axis, room: int) -> str:
    """What an axis measures, with its unit where there is room, else up to the first comma."""
    words = (axis.title, axis.label, axis.label.partition(",")[0])
    return next((one for one in words if len(one) <= room), words[-1])


def _ticks(figure: Figure, rows: int, width: int) -> Ticks:
    """Round values of the y axis; of a map with names, the names of its rows, as many as there is room for."""
    maps = [mark for mark in figure.of(Heatmap) if isinstance(mark, Heatmap) and mark.names]
    if not maps:
        return figure.y.ticks(max(3 if rows > 2 else 2, min(12, rows // 2)))
    names, stride = maps[0].names, -(-len(maps[0].names) // max(1, rows))
    room = min(max(map(cell_len, names)), max(8, width // 4))
    return [(k + 0.5, fit_end(name, room).strip()) for k, name in enumerate(names)][::stride]
