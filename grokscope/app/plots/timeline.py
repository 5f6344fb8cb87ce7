"""The run through time: accuracies over the logarithm of the step, phases, events and the cursor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from grokscope.analysis.timeline import Timeline, stretches
from grokscope.app.plots.canvas import Canvas, fit_end
from grokscope.app.plots.marks import draw
from grokscope.app.plots.plot import Plot
from grokscope.figures import PANELS, Axis, Curve, Figure, Points, on_axis, over_time, step_axis
from grokscope.figures.colors import Palette, phase_letter
from grokscope.figures.history import broken
from grokscope.figures.over_time import ACCURACY_LIMITS
from grokscope.numbers import counted, whole

LABEL_WIDTH = 9
MOST_COLORS = 4
"""As many other runs the eye can tell apart by their colours."""
LONGEST_NAME = 12  # cells of a legend's entry where there is little room

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
    axis: Axis | None = None,
    others: Sequence[Timeline] = (),
) -> Text:
    """Draw the run over an axis of steps, by default all of them. The first rows are the phases, observed and
    inferred; the last two the axis.

    With fewer than six rows there is no room for the accuracies: the phases and the axis stay.
    """
    if not len(data.steps):
        canvas = Canvas(width, height)
        canvas.put_fitted(height // 2, 2, width - 2, f"{data.run}: no checkpoints yet", palette.muted)
        return canvas.text()
    bands = [
        Band(data, "observed", data.observed, NOT_OBSERVED),
        Band(data, "weights", data.inferred, NOT_KNOWN),
    ]
    bands += [Band(other, "obs. b", other.observed, NOT_OBSERVED) for other in others[:1] if height >= 7]
    full = step_axis([data, *others])
    plot = frame(full if axis is None else axis, width, height, palette, len(bands))
    plot.canvas.put(0, plot.left - 1, "┌", palette.faint)
    for row, band in enumerate(bands):
        _draw_band(plot, row, band)
    if plot.rows >= 2:
        _accuracies(plot, data, others, full)
    _events(plot, data)
    if cursors.mark is not None:
        _cursor(plot, data, cursors.mark, palette.mark, "╎", "◆")
    _cursor(plot, data, cursors.index, palette.cursor, "│", "▲")
    return plot.finished().text()


def frame(axis: Axis, width: int, height: int, palette: Palette, bands: int = 2) -> Plot:
    """The frame around the accuracies and so many rows of phases above them, the first of them in its top edge."""
    y = Axis("accuracy", "linear", *ACCURACY_LIMITS, form="percent")
    rows = height - bands - 2
    ticks = y.ticks(3 if rows >= 5 else 2) if rows >= 2 else ()
    return Plot(Figure("", axis, y), width, height, palette, top=bands, edge=0, left=LABEL_WIDTH, y_ticks=ticks)


def _column(plot: Plot, data: Timeline, index: int) -> int:
    """The column of a checkpoint; of one that is not shown, the nearest."""
    return plot.column(min(max(_at(plot, data, index), plot.x.low), plot.x.high)) or plot.left


def _at(plot: Plot, data: Timeline, index: int) -> float:
    """The step of a checkpoint on the axis; step 0 stands where the axis says that it does."""
    return max(float(data.steps[index]), plot.x.low) if plot.x.start else float(data.steps[index])


def _draw_band(plot: Plot, row: int, band: Band) -> None:
    """One row of phases: coloured ground, the name where it fits, and letters else; ground behind the plot too."""
    data, palette = band.run, plot.palette
    plot.canvas.put_right(row, plot.left - 1, band.title, palette.muted)
    for start, stop, phase in stretches(band.labels):
        if _at(plot, data, start) > plot.x.high or _at(plot, data, min(stop, len(data.steps) - 1)) < plot.x.low:
            continue
        first = _column(plot, data, start)
        last = _column(plot, data, stop) if stop < len(data.steps) else _column(plot, data, stop - 1) + 1
        plot.canvas.background(row, first, last, palette.band(phase))
        if row == 0:
            for below in range(plot.top, plot.top + plot.rows):
                plot.canvas.background(below, first, last, palette.band(phase))
        word = band.unknown if phase == "unknown" else phase
        _name(plot.canvas, row, first, last, phase_letter(phase), word, palette.phase(phase))


def _name(canvas: Canvas, row: int, first: int, last: int, letter: str, word: str, color: str) -> None:
    """The phase's letter, its name where it fits, and a line to its end."""
    room = max(1, last - first)
    words = f"{letter} {word} " if room >= len(word) + 4 else f"{letter} " if room >= 4 else letter
    canvas.put(row, first, words.ljust(room, "─")[:room], color)
    canvas.put(row, first, letter, color, bold=True)


def run_role(number: int, count: int) -> str:
    """The role of one of several other runs: each its own where the eye can tell so many apart."""
    return f"run{number}" if count <= MOST_COLORS else "faint"


def _accuracies(plot: Plot, data: Timeline, others: Sequence[Timeline], axis: Axis) -> None:
    """The front run's accuracies over the other runs', with a legend where there is room beside them."""
    behind = [
        Curve(*broken(on_axis(other.steps, axis), other.metric("test_accuracy"), axis), label=f"test {other.run}",
              role=run_role(number, len(others)))
        for number, other in enumerate(others)
    ]  # fmt: skip
    front = over_time(PANELS["accuracy"](data, ()), [data], axis).marks
    curves = [mark for mark in front if isinstance(mark, (Curve, Points))]
    draw(plot, [*behind, *curves])
    own = {name: plot.palette.role(name) for name in ("train", "test")}
    _legend(plot, [*own.items(), *((mark.label, plot.palette.role(mark.role)) for mark in behind)])


def _legend(plot: Plot, words: Sequence[tuple[str, str]]) -> None:
    """Write (words, colour) in one place where nothing is drawn: whole, else shorter, else the first two and how
    many there are beside; nothing where there is no such place. Runs of one colour are counted only."""
    own, others = list(words[:2]), list(words[2:])
    how_many = [(f"+ {counted(len(others), 'other run')}", others[-1][1])] if others else []
    names = told_apart([text.removeprefix("test ") for text, _ in others])
    shorter = [
        (fit_end(name, min(LONGEST_NAME, cell_len(name))), one[1]) for name, one in zip(names, others, strict=True)
    ]
    forms = (own + others, own + shorter) if len(others) <= MOST_COLORS else ()
    for form in (*forms, own + how_many, own):
        size = sum(cell_len(text) + 2 for text, _ in form) - 2
        if place := _gap(plot, size):
            row, column, _ = place
            for text, color in form:
                plot.canvas.put(row, column, text, color)
                column += cell_len(text) + 2
            return


def told_apart(names: Sequence[str]) -> list[str]:
    """File names without their ending, and without the parts up to a dash or underscore that all begin with."""
    parts = [re.split(r"(?<=[-_])", name.removesuffix(".h5")) for name in names]
    while len(parts) > 1 and all(len(one) > 1 and one[0] == parts[0][0] for one in parts):
        parts = [one[1:] for one in parts]
    return ["".join(one) for one in parts]


def _gap(plot: Plot, size: int) -> tuple[int, int, int] | None:
    """(row, first column, cells) of the leftmost empty stretch of so many cells, near the middle of the height."""
    middle = plot.top + plot.rows // 2
    gaps = [gap for row in range(plot.top, plot.top + plot.rows) for gap in _gaps(plot, row)]
    fitting = [gap for gap in gaps if gap[2] >= size]
    return min(fitting, key=lambda gap: (gap[1], abs(gap[0] - middle))) if fitting else None


def _gaps(plot: Plot, row: int) -> list[tuple[int, int, int]]:
    """The empty stretches of a row, less the cells that keep words in them from their neighbours."""
    cells, found = "".join(plot.canvas.characters[row][plot.left : plot.right]), []
    for match in re.finditer(" +", cells):
        start = match.start() + (2 if match.start() else 1)
        found.append((row, plot.left + start, match.end() - 1 - start))
    return found


def _events(plot: Plot, data: Timeline) -> None:
    """A mark on the axis for each event: a trap's letter, or where a phase begins."""
    bottom = plot.top + plot.rows
    for event in data.events:
        column = plot.column(_at(plot, data, event.index))
        if column is None:
            continue
        color = plot.palette.trap if event.kind == "trap" else plot.palette.text
        plot.canvas.put(bottom, column, "▴" if event.kind == "trap" else "◇", color)


def _cursor(plot: Plot, data: Timeline, index: int, color: str, line: str, foot: str) -> None:
    column = plot.column(_at(plot, data, index))
    if column is None:
        return
    for row in range(plot.top + plot.rows):
        if row >= plot.top or not _in_a_name(plot.canvas.characters[row], column):
            plot.canvas.put(row, column, line, color, bold=True)
    bottom = plot.top + plot.rows
    plot.canvas.put(bottom, column, foot, color, bold=True)
    label = f" {whole(float(data.steps[index]))} "
    start = min(max(0, column - len(label) // 2), plot.canvas.width - len(label))
    _clear_labels(plot.canvas, bottom + 1, start, start + len(label))
    plot.canvas.put(bottom + 1, start, label, color, bold=True)


def _in_a_name(cells: Sequence[str], column: int) -> bool:
    """Whether a cell of a row of phases lies within a phase's name, which would not be read with a line in it."""
    near = cells[max(0, column - 1) : column + 2]
    return len(near) == 3 and all(cell.isalpha() or cell in "- " for cell in near) and near.count(" ") < 2


def _clear_labels(canvas: Canvas, row: int, start: int, stop: int) -> None:
    """Remove every label that the cells touch, whole: half a number reads as another number."""
    cells = canvas.characters[row]
    while start > 0 and cells[start] != " ":
        start -= 1
    while stop < canvas.width and cells[stop] != " ":
        stop += 1
    canvas.put(row, start, " " * (stop - start))
