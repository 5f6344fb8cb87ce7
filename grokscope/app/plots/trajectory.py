"""One measure through the whole run, with the phases behind it and the cursor on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.timeline import Timeline, stretches
from grokscope.app.plots.axis import Axis, axis_over
from grokscope.app.plots.canvas import Canvas, fit
from grokscope.app.plots.figure import Curve, Figure
from grokscope.app.plots.timeline import Cursors, step_axis
from grokscope.app.theme import Palette, phase_letter
from grokscope.numbers import number

Array = NDArray[np.float64]
INTERVAL_WIDTH = 56
"""Narrower panels show no intervals: neighbouring bars would run into one another."""

SHADES = " ░▒▓█"


@dataclass(frozen=True)
class Line:
    """One curve of a panel: values float64 [n] over the timeline's steps, NaN where unknown.

    `low` and `high`, float64 [n], draw its uncertainty; `timeline` is the run where it is not the panel's own;
    without `joined` the values are points.
    """

    name: str
    values: Array
    color: str
    low: Array | None = None
    high: Array | None = None
    timeline: Timeline | None = None
    joined: bool = True


@dataclass(frozen=True)
class Panel:
    """What a small plot shows: lines with a title, horizontal references, and which axis is logarithmic.

    The lines come in order of importance: the first is named first, whatever the room, and drawn over the others.
    """

    title: str
    lines: tuple[Line, ...]
    y_log: bool = False
    references: tuple[float, ...] = ()
    limits: tuple[float, float] | None = None
    show: Callable[[float], str] = number


def trajectory(
    panel: Panel,
    timeline: Timeline,
    cursors: Cursors,
    width: int,
    height: int,
    palette: Palette,
    *,
    log: bool = True,
    focused: bool = False,
    others: Sequence[Timeline] = (),
    x_label: str = "",
) -> Canvas:
    """Draw a panel; its first row names it and gives each line's value at the cursor, `x_label` ends its last."""
    values = np.concatenate([line.values for line in panel.lines] or [np.empty(0)])
    if not np.isfinite(values).any():
        return _nothing(panel.title, width, height, palette, focused)
    y = _value_axis(panel, values)
    figure = Figure(width, height, step_axis(timeline, log=log, others=others), y, palette, x_label=x_label)
    _phases(figure, timeline, palette)
    figure.curves(_curves(panel, timeline, figure.x, y, palette, intervals=width >= INTERVAL_WIDTH))
    for reference in panel.references:
        figure.horizontal(reference, palette.muted)
    _cursors(figure, timeline, cursors, palette)
    _title(figure.canvas, panel, cursors.index, int(timeline.steps[cursors.index]), palette, focused)
    return figure.canvas


def class_shares(
    timeline: Timeline,
    cursors: Cursors,
    width: int,
    height: int,
    palette: Palette,
    *,
    log: bool = True,
    focused: bool = False,
    x_label: str = "",
) -> Canvas:
    """A row for each label, darker the larger its share of the test images' predictions; needs predictions.

    Where there are fewer rows than labels a row stands for several, and is as dark as the largest of them.
    """
    shares = timeline.predictions
    if shares is None or not len(shares):
        return _nothing("share of each predicted class", width, height, palette, focused)
    classes = shares.shape[1]
    rows = _label_rows(classes, height - 3)
    labels = [f"{first}–{last}" if last > first else str(first) for first, last in rows]
    axis, left = Axis(0.0, float(len(rows))), max(len(label) for label in labels) + 2
    steps = step_axis(timeline, log=log)
    figure = Figure(width, len(rows) + 3, steps, axis, palette, y_ticks=[], left=left, x_label=x_label)
    indices = _index_of_columns(figure, timeline)
    for row, (first, last) in enumerate(rows):
        figure.canvas.put_right(figure.top + row, left - 1, labels[row], palette.muted)
        largest = shares[:, first : last + 1].max(axis=1)
        for column, index in enumerate(indices):
            if index is not None:
                shade = SHADES[min(4, round(4 * min(1.0, float(largest[index]) / (3.0 / classes))))]
                figure.canvas.put(figure.top + row, figure.left + column, shade, palette.test)
    _cursors(figure, timeline, cursors, palette)
    _name(figure.canvas, _shares_title(shares[cursors.index], width), palette, focused)
    return figure.canvas


def _label_rows(classes: int, most: int) -> list[tuple[int, int]]:
    """The first and last label of each row: all labels in order, as evenly as goes, in at most `most` rows."""
    each = -(-classes // max(1, most))
    return [(first, min(first + each, classes) - 1) for first in range(0, classes, each)]


def _shares_title(shares: Array, width: int) -> str:
    largest = int(np.argmax(shares))
    words = f"most: {largest} with {100 * shares[largest]:.0f} %"
    forms = [f"{name}  {words}" for name in ("share of each predicted class", "predicted classes", "classes")]
    return next((form for form in forms if len(form) < width), words)


def _nothing(title: str, width: int, height: int, palette: Palette, focused: bool) -> Canvas:
    canvas = Canvas(width, height)
    _name(canvas, title, palette, focused)
    canvas.put_fitted(height // 2, 4, width - 4, "nothing recorded or analysed yet", palette.muted)
    return canvas


def _value_axis(panel: Panel, values: Array) -> Axis:
    if panel.limits is not None:
        return Axis(*panel.limits)
    known = values[np.isfinite(values)]
    if panel.y_log and not (known > 0).any():
        return Axis(0.1, 1.0, True)
    return axis_over(known, log=panel.y_log, padding=0.06, include=panel.references)


def _curves(
    panel: Panel, timeline: Timeline, x: Axis, y: Axis, palette: Palette, *, intervals: bool
) -> list[Curve]:
    """Uncertainties first, as bars from low to high; the lines over them."""
    ranges, lines = [], []
    for line in reversed(panel.lines):
        steps = np.maximum((line.timeline or timeline).steps, x.low).astype(np.float64)
        if intervals and line.low is not None and line.high is not None:
            gap = np.full(len(steps), np.nan)
            ends = np.clip([line.low, line.high], y.low, y.high)
            known = np.where(np.isfinite(line.low) & np.isfinite(line.high), ends, np.nan)
            x_ends = np.stack([steps, steps, gap], axis=1).ravel()
            ranges.append(Curve(x_ends, np.stack([*known, gap], axis=1).ravel(), palette.faint))
        lines.append(Curve(steps, line.values, line.color, line=line.joined))
        lone = np.isfinite(line.values) & ~_has_neighbour(line.values)
        if lone.any():
            lines.append(Curve(steps[lone], line.values[lone], line.color, line=False))
    return ranges + lines


def _has_neighbour(values: Array) -> NDArray[np.bool_]:
    known = np.isfinite(values)
    padded = np.concatenate([[False], known, [False]])
    return np.asarray(padded[:-2] | padded[2:])


def _phases(figure: Figure, timeline: Timeline, palette: Palette) -> None:
    """The observed phases: a ground behind the plot and a letter on its first row where each begins."""
    for start, stop, phase in stretches(timeline.observed):
        first = figure.column(max(float(timeline.steps[start]), figure.x.low)) or figure.left
        after = min(stop, len(timeline.steps) - 1)
        last = figure.column(max(float(timeline.steps[after]), figure.x.low)) or figure.left
        last += stop == len(timeline.steps)
        for row in range(figure.top, figure.top + figure.rows):
            figure.canvas.background(row, first, last, palette.band(phase))
        figure.canvas.put(figure.top, first, phase_letter(phase), palette.phase(phase), bold=True)


def _cursors(figure: Figure, timeline: Timeline, cursors: Cursors, palette: Palette) -> None:
    for index, color, line in ((cursors.mark, palette.mark, "╎"), (cursors.index, palette.cursor, "│")):
        if index is not None and index < len(timeline.steps):
            figure.vertical(max(float(timeline.steps[index]), figure.x.low), color, line)


def _title(canvas: Canvas, panel: Panel, index: int, step: int, palette: Palette, focused: bool) -> None:
    """The panel's name and its lines with their values; the first always, what has no room by an ellipsis."""
    column = _name(canvas, panel.title, palette, focused)
    named = [(line.name, _value_at(line, panel, index, step), line.color) for line in panel.lines]
    for place, (name, value, color) in enumerate(named):
        more = 2 * (place + 1 < len(named))
        if place == 0:
            name = fit(name, min(len(name), canvas.width - column - len(value) - 1 - more))
        words = f"{name} {value}".strip()
        if place and column + len(words) + more > canvas.width:
            canvas.put(0, column - 1, "…", palette.muted)
            return
        canvas.put(0, column, words, color)
        column += len(words) + 2


def _value_at(line: Line, panel: Panel, index: int, step: int) -> str:
    place = index if line.timeline is None else line.timeline.nearest(float(step))
    return panel.show(float(line.values[place])) if place < len(line.values) else ""


def _name(canvas: Canvas, title: str, palette: Palette, focused: bool) -> int:
    canvas.put(0, 0, "▌" if focused else " ", palette.accent)
    canvas.put_fitted(0, 1, canvas.width - 1, title, palette.accent if focused else palette.text)
    return len(title) + 3


def _index_of_columns(figure: Figure, timeline: Timeline) -> list[int | None]:
    """For each column of the area the checkpoint nearest to it; None beyond the last one."""
    columns = (np.arange(figure.columns) + 0.5) / figure.columns
    at = figure.x.position(np.maximum(timeline.steps, figure.x.low))
    nearest = np.abs(columns[:, None] - at[None, :]).argmin(axis=1)
    return [
        int(k) if column - 1 / figure.columns <= at[-1] else None
        for column, k in zip(columns, nearest, strict=True)
    ]
