"""The trajectories view: every measure over the whole run, in as many small plots as fit."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from grokscope.analysis.timeline import Timeline
from grokscope.app import actions
from grokscope.app.actions import Action
from grokscope.app.layout import Place
from grokscope.app.plots.canvas import Canvas, fit
from grokscope.app.plots.described import empty, framed, name_axis
from grokscope.app.plots.heat import heat
from grokscope.app.plots.marks import draw, vertical
from grokscope.app.plots.plot import Plot
from grokscope.app.state import State
from grokscope.app.views.other_runs import Other, others, spelled_at
from grokscope.app.views.panels import CLASSES, of_other, panels
from grokscope.app.views.time import nearest_to, shown_axis, x_of
from grokscope.figures import (
    Axis,
    Band,
    Curve,
    Figure,
    Heatmap,
    Line,
    Panel,
    Points,
    classes,
    on_common_axes,
    over_time,
)
from grokscope.figures.colors import Palette

SMALLEST = (36, 8)


def grid(width: int, height: int, count: int) -> tuple[int, int]:
    """(columns, rows) of small plots that fit, at least one."""
    columns = max(1, min(4 if width >= 180 else 3, width // SMALLEST[0]))
    rows = max(1, min(-(-count // columns), height // SMALLEST[1]))
    return columns, rows


def draw_trajectories(state: State, width: int, height: int) -> Text:
    """The page of small plots that holds the chosen one, or that one alone."""
    canvas = Canvas(width, height)
    if not len(state.timeline.steps):
        canvas.put_fitted(0, 1, width, "waiting for the first checkpoint", state.palette.muted)
        return canvas.text()
    for number, label, at in _places(state, width, height):
        canvas.paste(_draw(state, number, at.width, at.height, label), at.row, at.column)
    return canvas.text()


def hit_trajectories(state: State, place: Place) -> Action | None:
    """The checkpoint nearest to a column of the plot that was clicked at, which the keys act on from now."""
    if not len(state.timeline.steps):
        return None
    for number, _, at in _places(state, place.width, place.height):
        column, row = place.column - at.column, place.row - at.row
        if 0 <= column < at.width and 0 <= row < at.height:
            figure = _figure(state, panels(state)[number])
            if figure.reason:
                return partial(actions.select_pane, pane=number)
            plot = framed(figure, at.width, at.height, state.palette, legend=state.full)
            return partial(actions.put_in_pane, index=nearest_to(state, plot, column), pane=number)
    return None


def _places(state: State, width: int, height: int) -> list[tuple[int, str, Place]]:
    """The panels on screen: the number of each, what stands at its right end below, and where it is."""
    found = panels(state)
    chosen = state.pane % len(found)
    if state.full:
        return [(chosen, "", Place(0, 0, width, height))]
    columns, rows = grid(width, height, len(found))
    first = chosen // (columns * rows) * columns * rows
    last = min(first + columns * rows, len(found))
    counter = f"{first + 1}–{last} of {len(found)}, tab" if len(found) > columns * rows else ""
    places = []
    for place, number in enumerate(range(first, last)):
        top, bottom = height * (place // columns) // rows, height * (place // columns + 1) // rows
        left, right = width * (place % columns) // columns, width * (place % columns + 1) // columns
        label = counter if number == last - 1 else ""
        places.append((number, label, Place(left, top, right - left - 1, bottom - top)))
    return places


def _figure(state: State, panel: Panel | str) -> Figure:
    """The figure of a panel over the shown steps."""
    run, layer = state.timeline, state.layer
    return _over(panel, run, others(state), layer, state.step_axis, shown_axis(state), state.values_log)


@lru_cache(maxsize=64)
def _over(
    panel: Panel | str,
    run: Timeline,
    beside: tuple[Other, ...],
    layer: int,
    steps: Axis,
    shown: Axis,
    turned: bool,
) -> Figure:
    """The figure of a panel over the shown ones of all steps, the other runs' curves behind the front run's."""
    return replace(_whole(panel, run, beside, layer, steps, turned), x=shown)


def _whole(
    panel: Panel | str, run: Timeline, beside: tuple[Other, ...], layer: int, steps: Axis, turned: bool
) -> Figure:
    if isinstance(panel, str):
        figure = classes(run, steps)
        marks = [replace(one, high=min(one.high, 3 / len(one.values))) for one in figure.marks
                 if isinstance(one, Heatmap)]  # fmt: skip
        return replace(figure, marks=tuple(marks))
    if turned and panel.limits is None:
        panel = replace(panel, scale="linear" if panel.scale == "log" else "log")
    figure = over_time(panel, [run], steps)
    same = [(of_other(panel, run, layer, other), other.runs) for other in beside]
    compared = [over_time(one, runs, steps) for one, runs in same if one is not None]
    figure, *behind = on_common_axes([figure, *compared])
    more = [mark for one in behind for mark in one.marks if isinstance(mark, (Band, Curve, Points))]
    own = [mark for mark in figure.marks if isinstance(mark, (Curve, Points))]
    return replace(figure, marks=(*(mark for mark in figure.marks if mark not in own), *more, *own))


def _draw(state: State, number: int, width: int, height: int, label: str) -> Canvas:
    panel, palette = panels(state)[number], state.palette
    focused = number == state.pane % len(panels(state))
    figure = _figure(state, panel)
    if figure.reason:
        return empty(width, height, figure.title, figure.reason, palette, focused=focused)
    if isinstance(panel, str):
        words = [("", _most(state), palette.test)]
    else:
        words = [(line.name, value, palette.role(line.role)) for line, value in _values(state, panel, figure)]
    plot = _plotted(figure, width, height, palette, state.full and panel != CLASSES, label).again()
    for index, color, sign in ((state.mark, palette.mark, "╎"), (state.index, palette.cursor, "│")):
        if index is not None:
            vertical(plot, x_of(state, index), color, sign)
    _title(plot.canvas, figure.title, words, state, focused=focused)
    if not state.full:
        name_axis(plot)
    return plot.finished()


@lru_cache(maxsize=64)
def _plotted(figure: Figure, width: int, height: int, palette: Palette, legend: bool, label: str) -> Plot:
    """A figure in its frame, without what changes from step to step; a map no higher than it needs."""
    maps = [mark for mark in figure.marks if isinstance(mark, Heatmap)]
    if maps:
        height = max(min(height, max(len(mark.values) for mark in maps) + 3), min(height, 6))
    plot = framed(figure, width, height, palette, legend=legend, x_label=label or None)
    draw(plot, [mark for mark in figure.marks if mark not in maps])
    for mark in maps:
        heat(plot, mark, np.nanmax)
    return plot


def _values(state: State, panel: Panel, figure: Figure) -> list[tuple[Line, str]]:
    """Each line with its value at the cursor: the first, those of the other runs, the others."""
    own = [(line, (state.timeline,)) for line in panel.lines]
    beside = [(of_other(panel, state.timeline, state.layer, other), other.runs) for other in others(state)]
    theirs = [(one.lines[0], runs) for one, runs in beside if one is not None]
    at = float(state.step)
    shown = (*own[:1], *theirs, *own[1:])
    return [(line, spelled_at(line, runs, at, figure.y)) for line, runs in shown]


def _title(canvas: Canvas, title: str, words: list[tuple[str, str, str]], state: State, *, focused: bool) -> None:
    """The panel's name and its lines with their values; the first always, what has no room by an ellipsis."""
    palette = state.palette
    if focused:
        canvas.put(0, 0, "▌", palette.accent)
    room = canvas.width - 4 - max([cell_len(value) + 2 * (len(words) > 1) for _, value, _ in words[:1]], default=0)
    title = title if len(title) <= room else fit(title, room)
    canvas.put_fitted(0, 1, canvas.width - 1, title, palette.accent if focused else palette.text)
    column = len(title) + 3
    for place, (name, value, color) in enumerate(words):
        more = 2 * (place + 1 < len(words))
        if place == 0:
            name = fit(name, max(0, min(len(name), canvas.width - column - len(value) - 1 - more)))
        text = f"{name} {value}".strip()
        if place and column + cell_len(text) + more >= canvas.width:
            canvas.put(0, column - 1, "…", palette.muted)
            return
        canvas.put(0, column, text, color)
        column += cell_len(text) + 2


def _most(state: State) -> str:
    """The label that most test images are given at the cursor; nothing where none is known to be given."""
    assert state.timeline.predictions is not None
    shares = state.timeline.predictions[state.index]
    if np.isnan(shares).any():
        return ""
    largest = int(np.argmax(shares))
    return f"most: {largest} with {100 * shares[largest]:.0f} %"
