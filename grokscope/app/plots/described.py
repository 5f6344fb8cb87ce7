"""A described figure as a pane: its title with what is known at the cursor, its frame and its marks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.marks import POINT, draw
from grokscope.app.plots.plot import Plot, short
from grokscope.figures import Band, Bars, Curve, Figure, Heatmap, HLine, Mark, Points
from grokscope.figures.colors import Palette

Words = Sequence[tuple[str, str]]
"""Pieces of text, each with its colour."""


def described(
    figure: Figure, width: int, height: int, palette: Palette, *, focused: bool = False, legend: bool = False
) -> Canvas:
    """A figure with its title and facts on the first row; with `legend` what each mark is on the rows below it."""
    if figure.reason:
        return empty(width, height, figure.title, figure.reason, palette, focused=focused)
    plot = framed(figure, width, height, palette, legend=legend)
    draw(plot)
    if figure.below and plot.rows:
        plot.canvas.put(plot.top + plot.rows - 1, plot.left, f"◂{figure.below}", palette.muted)
    words = [(figure.title, palette.text), *((fact.text, palette.role(fact.role)) for fact in figure.facts)]
    put_words(plot.canvas, words, focused=focused, palette=palette)
    if not legend:
        name_axis(plot)
    return plot.finished()


def framed(
    figure: Figure, width: int, height: int, palette: Palette, *, legend: bool = False, x_label: str | None = None
) -> Plot:
    """The frame of a figure, with a legend above it where asked for."""
    lines = _legend(figure, width, palette) if legend else []
    plot = Plot(figure, width, height, palette, top=1 + len(lines), x_label=x_label)
    for row, line in enumerate(lines, 1):
        put_words(plot.canvas, line, row=row)
    return plot


def empty(width: int, height: int, title: str, reason: str, palette: Palette, *, focused: bool = False) -> Canvas:
    """A plot that has nothing to show, and says why."""
    canvas = Canvas(width, height)
    put_words(canvas, [(title, palette.text)], focused=focused, palette=palette)
    canvas.put_fitted(height // 2, max(1, (width - len(reason)) // 2), width - 2, reason, palette.muted)
    return canvas


def put_words(
    canvas: Canvas, words: Words, *, row: int = 0, focused: bool = False, palette: Palette | None = None
) -> int:
    """Write pieces two cells apart on a row, without those that do not fit; returns the next free column.

    Where the keys act on the pane, a bar stands before its title.
    """
    column = 1
    if focused and palette is not None:
        canvas.put(row, 0, "▌", palette.accent)
    for text, color in words:
        if text and column + cell_len(text) < canvas.width:
            canvas.put(row, column, text, color, bold=column == 1 and row == 0)
            column += cell_len(text) + 2
    return column


def name_axis(plot: Plot) -> None:
    """What the y axis measures, at the right end of the title or, where that is full, inside the area's corner."""
    canvas, palette = plot.canvas, plot.palette
    for level, start in ((0, 0), (plot.top, plot.left), (plot.top + 1, plot.left)):
        if not 0 <= level < canvas.height:
            continue
        cells = "".join(canvas.characters[level])
        free = _free(cells, start) if level else plot.title_end - len(cells.rstrip()) - 2
        words = f"↑ {short(plot.y, free - 2)}"
        if words[2:] == plot.figure.title:
            continue
        if cell_len(words) <= free:
            if level:
                canvas.put(level, start, words, palette.muted)
            else:
                canvas.put_right(level, plot.title_end, words, palette.muted)
            return


def _free(cells: str, start: int) -> int:
    rest = cells[start:]
    return len(rest) - len(rest.lstrip()) - 1


def _legend(figure: Figure, width: int, palette: Palette) -> list[Words]:
    """What the y axis measures, and the sign and label of each mark, once, on as many rows as they take."""
    found = {f"↑ {figure.y.title}": palette.muted}
    curves = {mark.label for mark in figure.marks if isinstance(mark, Curve)}
    for mark in figure.marks:
        lone = isinstance(mark, Points) and mark.label in curves
        if mark.label and _sign(mark) and not lone:
            found.setdefault(f"{_sign(mark)} {mark.label}", palette.role(mark.role))
    lines: list[list[tuple[str, str]]] = [[]]
    for text, color in found.items():
        used = sum(cell_len(one) + 2 for one, _ in lines[-1])
        if lines[-1] and used + cell_len(text) + 1 > width:
            lines.append([])
        lines[-1].append((text, color))
    return [line for line in lines if line]


def _sign(mark: Mark) -> str:
    signs = {Bars: "█", Curve: "⠒⠒", Band: "▒", HLine: "╌╌", Heatmap: "▀"}
    if isinstance(mark, Points):
        return "▲" if mark.names else POINT
    return signs.get(type(mark), "")
