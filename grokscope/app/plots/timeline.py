"""The run through time: accuracies over the logarithm of the step, phases, events and the cursor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from grokscope.analysis.timeline import Timeline, stretches
from grokscope.app.plots.axis import Axis
from grokscope.app.plots.canvas import Canvas, fit
from grokscope.app.plots.figure import Curve, Figure
from grokscope.app.theme import Palette, phase_letter
from grokscope.numbers import whole

ZERO = 0.5
"""Where step 0, the initialisation, stands on a logarithmic axis."""

LABEL_WIDTH = 9
SHORTEST_NAME = 10  # cells of a legend's entry, below which it says nothing


def step_axis(timeline: Timeline, *, log: bool = True, others: Sequence[Timeline] = ()) -> Axis:
    """The axis of steps, from the first to the last that is recorded or planned."""
    firsts = [int(t.steps[0]) for t in (timeline, *others) if len(t.steps)] or [0]
    last = max(float(t.last_step) for t in (timeline, *others))
    if not log:
        return Axis(float(min(firsts)), max(last, min(firsts) + 1.0))
    low = max(float(min(firsts)), ZERO)
    return Axis(low, max(last, low * 40), True)


def positions(
    steps: np.ndarray[tuple[int, ...], np.dtype[np.int64]], axis: Axis
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Where the steps lie on the axis, 0 to 1, step 0 included."""
    return axis.position(np.maximum(steps, axis.low))


NOT_OBSERVED, NOT_KNOWN = "no accuracies", "not known"
"""Why a phase is not known: from accuracies, from weights."""


@dataclass(frozen=True)
class Band:
    """A row of phases through time: the run, the row's title, a label a checkpoint, and the word for unknown."""

    run: Timeline
    title: str
    labels: Sequence[str]
    unknown: str


@dataclass(frozen=True)
class Cursors:
    """Indices of the checkpoint under the cursor and of the marked one (None: none)."""

    index: int
    mark: int | None = None


def timeline(
    data: Timeline,
    cursors: Cursors,
    width: int,
    height: int,
    palette: Palette,
    *,
    log: bool = True,
    others: Sequence[Timeline] = (),
) -> Text:
    """Draw the run. The first rows are the phases, observed and inferred; the last two the axis of steps.

    With fewer than six rows there is no room for the accuracies: the phases and the axis stay.
    """
    if not len(data.steps):
        canvas = Canvas(width, height)
        canvas.put_fitted(height // 2, 2, width - 2, f"{data.run}: no checkpoints yet", palette.muted)
        return canvas.text()
    axis = step_axis(data, log=log, others=others)
    bands = [
        Band(data, "observed", data.observed, NOT_OBSERVED),
        Band(data, "weights", data.inferred, NOT_KNOWN),
    ]
    bands += [Band(other, "obs. b", other.observed, NOT_OBSERVED) for other in others[:1] if height >= 7]
    figure = _figure(width, height, axis, palette, len(bands))
    for row, band in enumerate(bands):
        _draw_band(figure, row, band, palette)
    if figure.rows >= 2:
        _accuracies(figure, data, others, palette)
    _events(figure, data, palette)
    if cursors.mark is not None:
        _cursor(figure, data, cursors.mark, palette.mark, "╎", "◆")
    _cursor(figure, data, cursors.index, palette.cursor, "│", "▲")
    return figure.canvas.text()


def index_at(data: Timeline, column: int, width: int, *, log: bool = True, others: Sequence[Timeline] = ()) -> int:
    """The checkpoint nearest to a column of the drawn timeline, for the mouse."""
    axis = step_axis(data, log=log, others=others)
    position = (column - LABEL_WIDTH) / max(1, width - LABEL_WIDTH - 1)
    return int(np.argmin(np.abs(positions(data.steps, axis) - position)))


def _figure(width: int, height: int, axis: Axis, palette: Palette, bands: int) -> Figure:
    rows = height - bands - 2
    ticks = [(0.0, "0"), (0.5, "50"), (1.0, "100 %")] if rows >= 3 else [(0.0, "0"), (1.0, "100 %")]
    ticks = ticks if rows >= 2 else []
    # The labels of the bands stand where other plots have their y labels.
    return Figure(
        width, height, axis, Axis(-0.02, 1.04), palette, top=bands, y_ticks=ticks, x_label="step", left=LABEL_WIDTH
    )


def _column(figure: Figure, data: Timeline, index: int) -> int:
    step = max(float(data.steps[index]), figure.x.low)
    return figure.column(step) or figure.left


def _draw_band(figure: Figure, row: int, band: Band, palette: Palette) -> None:
    """One row of phases: coloured ground, the name where it fits, and letters else; ground behind the plot too."""
    data = band.run
    figure.canvas.put_right(row, figure.left - 1, band.title, palette.muted)
    for start, stop, phase in stretches(band.labels):
        first = _column(figure, data, start)
        last = _column(figure, data, stop) if stop < len(data.steps) else _column(figure, data, stop - 1) + 1
        figure.canvas.background(row, first, last, palette.band(phase))
        if row == 0:
            for below in range(figure.top, figure.top + figure.rows):
                figure.canvas.background(below, first, last, palette.band(phase))
        word = band.unknown if phase == "unknown" else phase
        _name(figure.canvas, row, first, last, phase_letter(phase), word, palette.phase(phase))


def _name(canvas: Canvas, row: int, first: int, last: int, letter: str, word: str, color: str) -> None:
    room = last - first
    if room >= len(word) + 4:
        canvas.put(row, first, f"{letter} {word} ".ljust(room, "─")[:room], color)
        canvas.put(row, first, f"{letter} ", color, bold=True)
    else:
        canvas.put(row, first, letter * max(1, room), color)


def run_color(palette: Palette, number: int, count: int) -> str:
    """The colour of one of several other runs: each its own where the eye can tell so many apart."""
    return palette.runs[number] if count <= len(palette.runs) else palette.muted


def _accuracies(figure: Figure, data: Timeline, others: Sequence[Timeline], palette: Palette) -> None:
    """The front run's accuracies over the other runs', with a legend where there is room beside them."""
    colors = [run_color(palette, number, len(others)) for number in range(len(others))]
    shown = [(data, "train", palette.train), (data, "test", palette.test)]
    shown += [(other, f"test {other.run}", color) for other, color in zip(others, colors, strict=True)]
    curves = []
    for run, words, color in (*shown[2:], *shown[:2]):
        metric = "train_accuracy" if words == "train" else "test_accuracy"
        curves.append(Curve(np.maximum(run.steps, figure.x.low), run.metric(metric), color))
    figure.curves(curves)
    _legend(figure, [(words, color) for _, words, color in shown])


def _legend(figure: Figure, words: Sequence[tuple[str, str]]) -> None:
    """Write (words, colour) in one place where nothing is drawn: whole, else shorter, else the first two and how
    many there are beside; nothing where there is no such place."""
    own, others = list(words[:2]), list(words[2:])
    counted = [(f"+ {len(others)} other {'run' if len(others) == 1 else 'runs'}", others[-1][1])] if others else []
    names = [(text.removeprefix("test "), color) for text, color in others]
    shorter = [(fit(text, min(SHORTEST_NAME, cell_len(text))), color) for text, color in names]
    for form in (own + others, own + shorter, own + counted, own):
        size = sum(cell_len(text) + 2 for text, _ in form) - 2
        if place := _gap(figure, size):
            row, column, _ = place
            for text, color in form:
                figure.canvas.put(row, column, text, color)
                column += cell_len(text) + 2
            return


def _gap(figure: Figure, size: int) -> tuple[int, int, int] | None:
    """(row, first column, cells) of the leftmost empty stretch of so many cells, near the middle of the height."""
    middle = figure.top + figure.rows // 2
    gaps = [gap for row in range(figure.top, figure.top + figure.rows) for gap in _gaps(figure, row)]
    fitting = [gap for gap in gaps if gap[2] >= size]
    return min(fitting, key=lambda gap: (gap[1], abs(gap[0] - middle))) if fitting else None


def _gaps(figure: Figure, row: int) -> list[tuple[int, int, int]]:
    """The empty stretches of a row, less the cells that keep words in them from their neighbours."""
    cells, found = "".join(figure.canvas.characters[row][figure.left :]), []
    for match in re.finditer(" +", cells):
        start = match.start() + (2 if match.start() else 1)
        found.append((row, figure.left + start, match.end() - 1 - start))
    return found


def _events(figure: Figure, data: Timeline, palette: Palette) -> None:
    """A mark on the axis for each event: a trap's letter, or where a phase begins."""
    bottom = figure.top + figure.rows
    for event in data.events:
        column = _column(figure, data, event.index)
        color = palette.trap if event.kind == "trap" else palette.text
        figure.canvas.put(bottom, column, "▴" if event.kind == "trap" else "◇", color)


def _cursor(figure: Figure, data: Timeline, index: int, color: str, line: str, foot: str) -> None:
    column = _column(figure, data, index)
    for row in range(figure.top + figure.rows):
        figure.canvas.put(row, column, line, color, bold=True)
    bottom = figure.top + figure.rows
    figure.canvas.put(bottom, column, foot, color, bold=True)
    label = f" {whole(float(data.steps[index]))} "
    start = min(max(0, column - len(label) // 2), figure.canvas.width - len(label))
    _clear_labels(figure.canvas, bottom + 1, start, start + len(label))
    figure.canvas.put(bottom + 1, start, label, color, bold=True)


def _clear_labels(canvas: Canvas, row: int, start: int, stop: int) -> None:
    """Remove every label that the cells touch, whole: half a number reads as another number."""
    cells = canvas.characters[row]
    while start > 0 and cells[start] != " ":
        start -= 1
    while stop < canvas.width and cells[stop] != " ":
        stop += 1
    canvas.put(row, start, " " * (stop - start))
