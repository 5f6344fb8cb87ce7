"""Maps over time: a measure of every layer at every step, and the spectrum of a layer at every step."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from rich.text import Text

from grokscope.analysis.timeline import Timeline
from grokscope.app import actions
from grokscope.app.actions import Action
from grokscope.app.layer_names import in_title, telling
from grokscope.app.layout import Place
from grokscope.app.plots.canvas import Canvas, fit_end
from grokscope.app.plots.described import empty
from grokscope.app.plots.heat import LEVELS, heat, shades
from grokscope.app.plots.marks import draw
from grokscope.app.plots.plot import Plot
from grokscope.app.plots.timeline import LABEL_WIDTH
from grokscope.app.state import State
from grokscope.app.views.time import nearest_to, x_of, zoomed
from grokscope.figures import WORDS, Axis, Figure, Heatmap, form_of, heatmap, spectrogram
from grokscope.figures.over_time import draws_behind
from grokscope.numbers import number, whole

SCALE_CELLS = 12


def draw_heatmap(state: State, width: int, height: int) -> Text:
    """The measure of every layer at every step; the cell of the cursor is marked and named with its value."""
    figure = _layers_and_steps(state)
    if figure.reason:
        return empty(width, height, figure.title, state.being_read or figure.reason, state.palette).text()
    plot, cells = _framed(figure, state, width, height), _cells(figure)
    shared = heat(plot, cells)
    _mark_cursor(plot, state)
    row = plot.top + int((state.layer + 0.5) / len(cells.names) * plot.rows)
    _name_row(plot, row, cells.names[state.layer])
    column = plot.column(x_of(state))
    if column is not None:
        ground = plot.canvas.looks[row][column]
        bright = shades(state.palette).index(ground[0] or "") >= LEVELS // 2
        ink = state.palette.background if bright else state.palette.cursor
        plot.canvas.put(row, column, "◆", ink, ground[0], bold=True)
    run, layer = state.timeline, state.timeline.layers[state.layer]
    value = float(run.measure(state.measure, layer)[state.index])
    count = int(draws_behind(state.measure, layer, run)[state.index])
    spelled = Axis("", form=form_of(state.measure)).spell(value, count)
    words = [
        (f"{WORDS.get(state.measure, state.measure)} {spelled}", state.palette.cursor),
        (f"{cells.names[state.layer]} at step {whole(state.step)}", state.palette.text),
        (f"a row is the median of up to {shared} layers" if shared > 1 else "", state.palette.muted),
    ]
    return _titled(plot, words, cells).text()


def hit_heatmap(state: State, place: Place) -> Action | None:
    """The checkpoint and the layer of the cell that was clicked at."""
    figure = _layers_and_steps(state)
    if figure.reason:
        return None
    plot = _framed(figure, state, place.width, place.height)
    layer = min(int(plot.y_at(place.row)), len(state.timeline.layers) - 1)
    return partial(actions.put_cell, index=nearest_to(state, plot, place.column), layer=layer)


def draw_spectrogram(state: State, width: int, height: int) -> Text:
    """The selected layer's spectrum at every step, with xmin, λ₊ and the traps over it."""
    figure = _spectra_and_steps(state)
    if figure.reason:
        return empty(width, height, figure.title, state.being_read or figure.reason, state.palette).text()
    plot, palette = _framed(figure, state, width, height), state.palette
    draw(plot)
    _mark_cursor(plot, state)
    spectrum = None if state.selected is None else state.selected.spectrum
    brief = telling(state.timeline.layers)[state.layer]
    words = [(f"spectrogram {in_title(brief, width)}", palette.text)]
    if spectrum is not None:
        words.append((f"xmin {number(spectrum.xmin)}", palette.fit))
        words.append((f"λ₊ {number(spectrum.lambda_plus)}", palette.edge))
        words.append((f"traps {len(spectrum.trap_eigenvalues)}", palette.trap))
        words.append((f"largest λ {number(float(np.nanmax(spectrum.esd, initial=0.0)))}", palette.muted))
    words.append(("share of eigenvalues per e-fold of λ", palette.muted))
    return _titled(plot, words, _cells(figure)).text()


def hit_spectrogram(state: State, place: Place) -> Action | None:
    """The checkpoint nearest to a column."""
    figure = _spectra_and_steps(state)
    if figure.reason:
        return None
    plot = _framed(figure, state, place.width, place.height)
    return partial(actions.put_cursor, index=nearest_to(state, plot, place.column))


def _layers_and_steps(state: State) -> Figure:
    return zoomed(_heatmap(state.timeline, state.measure, state.step_axis), state)


def _spectra_and_steps(state: State) -> Figure:
    return zoomed(_spectrogram(state.timeline, state.layer, state.step_axis), state)


def _framed(figure: Figure, state: State, width: int, height: int) -> Plot:
    """The frame of a map, as wide on the left as that of the run through time above it."""
    return Plot(figure, width, height, state.palette, least_left=LABEL_WIDTH)


@lru_cache(maxsize=4)
def _heatmap(timeline: Timeline, field: str, steps: Axis) -> Figure:
    figure, short = heatmap(timeline, field, steps), telling(timeline.layers)
    return replace(figure, marks=tuple(replace(mark, names=short) for mark in figure.marks
                                       if isinstance(mark, Heatmap)))  # fmt: skip


@lru_cache(maxsize=4)
def _spectrogram(timeline: Timeline, layer: int, steps: Axis) -> Figure:
    if not timeline.layers:
        return Figure("spectrogram", Axis("step"), Axis("λ"), reason="no layers")
    name = timeline.layers[layer]
    return spectrogram(timeline, name, timeline.spectra.get(name, ()), steps)


def _cells(figure: Figure) -> Heatmap:
    return next(mark for mark in figure.marks if isinstance(mark, Heatmap))


def _mark_cursor(plot: Plot, state: State) -> None:
    """A sign below the columns of the cursor and of the mark: a line would hide what the map shows."""
    bottom = plot.top + plot.rows
    for index, sign, color in ((state.mark, "◆", state.palette.mark), (state.index, "▲", state.palette.cursor)):
        column = None if index is None else plot.column(x_of(state, index))
        if column is not None:
            plot.canvas.put(bottom, column, sign, color, bold=True)


def _name_row(plot: Plot, row: int, name: str) -> None:
    """The selected layer's name beside its row, over those of others."""
    room, palette = plot.left - 1, plot.palette
    words = name if len(name) <= room else fit_end(name, room)
    plot.canvas.put(row, 0, " " * room)
    plot.canvas.put_right(row, room, words, palette.accent, bold=True)


def _titled(plot: Plot, words: list[tuple[str, str]], cells: Heatmap) -> Canvas:
    """The map with words as far as there is room beside the scale of colours, which stands at the right end."""
    canvas, palette, end = plot.canvas, plot.palette, plot.title_end
    low, high = number(cells.low), number(cells.high)
    room = end - len(low) - len(high) - SCALE_CELLS - 4
    column = 1
    for text, color in words:
        if text and column + len(text) <= room:
            canvas.put(0, column, text, color, bold=column == 1)
            column += len(text) + 2
    colors = shades(palette)
    canvas.put(0, room + 2, low, palette.muted)
    for k in range(SCALE_CELLS):
        level = colors[k * (LEVELS - 1) // (SCALE_CELLS - 1)]
        canvas.put(0, room + 3 + len(low) + k, "█", level, level)
    canvas.put_right(0, end, high, palette.muted)
    return plot.finished()
