"""One measure through the whole run, with the phases behind it and the cursor on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grokscope.app.frame import Timeline, stretches
from grokscope.app.plots.axis import Axis, axis_over
from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.figure import Curve, Figure
from grokscope.app.plots.timeline import Cursors, step_axis
from grokscope.app.text import number
from grokscope.app.theme import Palette, phase_letter

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
    """What a small plot shows: lines with a title, horizontal references, and which axis is logarithmic."""

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
) -> Canvas:
    """Draw a panel; its first row names it and gives each line's value at the cursor."""
    values = np.concatenate([line.values for line in panel.lines] or [np.empty(0)])
    if not np.isfinite(values).any():
        return _nothing(panel.title, width, height, palette, focused)
    y = _value_axis(panel, values)
    figure = Figure(width, height, step_axis(timeline, log=log, others=others), y, palette)
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
) -> Canvas:
    """A row for each label, darker the larger its share of the test images' predictions; needs predictions."""
    title = "share of each predicted class"
    shares = timeline.predictions
    if shares is None or not len(shares):
        return _nothing(title, width, height, palette, focused)
    classes = shares.shape[1]
    rows = max(1, min(classes, height - 3))
    axis = Axis(0.0, float(rows))
    figure = Figure(width, rows + 3, step_axis(timeline, log=log), axis, palette, y_ticks=[], left=3)
    indices = _index_of_columns(figure, timeline)
    for row in range(rows):
        label = row * classes // rows
        figure.canvas.put_right(figure.top + row, 2, str(label), palette.muted)
        for column, index in enumerate(indices):
            if index is not None:
                shade = SHADES[min(4, round(4 * min(1.0, float(shares[index, label]) / (3.0 / classes))))]
                figure.canvas.put(figure.top + row, figure.left + column, shade, palette.test)
    _cursors(figure, timeline, cursors, palette)
    largest = int(np.argmax(shares[cursors.index]))
    words = f"{title}  most: {largest} with {100 * shares[cursors.index, largest]:.0f} %"
    _name(figure.canvas, words, palette, focused)
    return figure.canvas


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
    for line in panel.lines:
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
    column = _name(canvas, panel.title, palette, focused)
    for line in panel.lines:
        place = index if line.timeline is None else line.timeline.nearest(float(step))
        words = f"{line.name} {panel.show(float(line.values[place]))}" if place < len(line.values) else line.name
        if column + len(words) <= canvas.width:
            canvas.put(0, column, words, line.color)
            column += len(words) + 2


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
