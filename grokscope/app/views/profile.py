"""A model without a history: its layers over depth, on which a click chooses one."""

from __future__ import annotations

from functools import partial

from rich.text import Text

from grokscope.app import actions
from grokscope.app.actions import Action
from grokscope.app.layout import Place
from grokscope.app.plots.canvas import fit
from grokscope.app.plots.described import empty, name_axis, put_words
from grokscope.app.plots.marks import draw, vertical
from grokscope.app.plots.plot import Plot
from grokscope.app.state import ORDERS, State
from grokscope.figures import Figure, Points, profile
from grokscope.figures.colors import Palette
from grokscope.numbers import fixed

Y_TICKS = (
    (1.0, "1"),
    (2.0, "2"),
    (3.0, "3"),
    (4.0, "4"),
    (6.0, "6"),
    (10.0, "10"),
    (20.0, "20"),
    (50.0, "50"),
    (100.0, "100"),
)


def draw_profile(state: State, width: int, height: int) -> Text:
    """Alpha of every layer with its interval, in the order of the table below; the selected one is named."""
    figure, palette = _described(state), state.palette
    if figure.reason:
        return empty(width, height, figure.title, state.being_read or figure.reason, palette).text()
    plot = _framed(figure, width, height, palette)
    points = figure.of(Points)
    draw(plot, [mark for mark in figure.marks if mark not in points])
    row = state.rows.index(state.layer) if state.layer in state.rows else 0
    vertical(plot, row + 1.0, palette.cursor, "┊")
    for mark in points:
        assert isinstance(mark, Points)
        for x, y in zip(mark.x.tolist(), mark.y.tolist(), strict=True):
            column, level = plot.column(x), plot.row(y)
            if column is not None and level is not None:
                plot.canvas.put(level, column, "●", palette.role(mark.role))
    _title(plot, state)
    return plot.finished().text()


def hit_profile(state: State, place: Place) -> Action | None:
    """The layer whose place is nearest to a column."""
    figure = _described(state)
    if figure.reason:
        return None
    plot = _framed(figure, place.width, place.height, state.palette)
    row = max(0, min(round(plot.x_at(place.column)) - 1, len(state.rows) - 1))
    return partial(actions.select_layer, layer=state.rows[row])


def _described(state: State) -> Figure:
    layers = () if state.frame is None else state.frame.layers
    order = ORDERS[state.order or ("worst" if state.worst_first else "depth")].removeprefix("that look ")
    return profile([layers[place].spectrum for place in state.rows] if layers else [], order, "α of each layer")


def _framed(figure: Figure, width: int, height: int, palette: Palette) -> Plot:
    return Plot(figure, width, height, palette, y_ticks=Y_TICKS, x_label=figure.x.label)


def _title(plot: Plot, state: State) -> None:
    """The counts of verdicts, and the selected layer with what is known of where it comes from."""
    palette, figure = state.palette, plot.figure
    words = [(figure.title, palette.text), *((fact.text, palette.role(fact.role)) for fact in figure.facts)]
    column = put_words(plot.canvas, words)
    if state.selected is not None:
        spectrum, name = state.selected.spectrum, state.selected.name
        named = name if spectrum is None else f"{name} α {fixed(spectrum.alpha, 2)}"
        named += f" ({state.selected.note})" if state.selected.note else ""
        room = plot.title_end - column - 1
        if room > 8:
            plot.canvas.put_right(0, plot.title_end - 1, fit(named, room).rstrip(), palette.cursor)
    name_axis(plot)
