"""A model without a history: its layers over depth, on which a click chooses one."""

from __future__ import annotations

from functools import partial

from rich.text import Text

from grokscope.app import actions
from grokscope.app.actions import Action
from grokscope.app.layout import Place
from grokscope.app.plots.axis import Axis
from grokscope.app.plots.canvas import fit
from grokscope.app.plots.density import empty
from grokscope.app.plots.figure import Curve, Figure
from grokscope.app.state import ORDERS, State
from grokscope.app.theme import Palette
from grokscope.figures import Curve as Interval
from grokscope.figures import Figure as Described
from grokscope.figures import Points, profile
from grokscope.numbers import fixed

PHASE_OF = {"anti-grokking": "A", "grokking": "G", "pre-grokking": "P", "undecided": "?", "unknown": "·"}
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
    described, palette = _described(state), state.palette
    if described.reason:
        return empty(width, height, described.title, described.reason, palette)
    figure = _framed(described, width, height, palette)
    for bound in (2.0, 6.0):
        figure.horizontal(bound, palette.faint)
    for mark in described.marks:
        if isinstance(mark, Interval):
            figure.curves([Curve(mark.x, mark.y, palette.faint)])
    _cursor(figure, state)
    for mark in described.of(Points):
        assert isinstance(mark, Points)
        for x, y in zip(mark.x, mark.y, strict=True):
            column, row = figure.column(float(x)), figure.row(float(y))
            if column is not None and row is not None:
                figure.canvas.put(row, column, "●", palette.phases[PHASE_OF[mark.role]])
    _title(figure, described, state, width)
    return figure.canvas.text()


def hit_profile(state: State, place: Place) -> Action | None:
    """The layer whose place is nearest to a column."""
    described = _described(state)
    if described.reason:
        return None
    figure = _framed(described, place.width, place.height, state.palette)
    position = (place.column - figure.left + 0.5) / figure.columns
    row = max(0, min(round(described.x.value(position)) - 1, len(state.rows) - 1))
    return partial(actions.select_layer, layer=state.rows[row])


def _described(state: State) -> Described:
    layers = () if state.frame is None else state.frame.layers
    order = ORDERS[state.order or ("worst" if state.worst_first else "depth")].removeprefix("that look ")
    return profile([layers[place].spectrum for place in state.rows] if layers else [], order, "α of each layer")


def _framed(described: Described, width: int, height: int, palette: Palette) -> Figure:
    x, y = (Axis(axis.low, axis.high, axis.log) for axis in (described.x, described.y))
    return Figure(width, height, x, y, palette, y_ticks=Y_TICKS, x_label=described.x.label)


def _cursor(figure: Figure, state: State) -> None:
    row = state.rows.index(state.layer) if state.layer in state.rows else 0
    figure.vertical(row + 1.0, state.palette.cursor, "┊")


def _title(figure: Figure, described: Described, state: State, width: int) -> None:
    """The counts of verdicts, and the selected layer with what is known of where it comes from."""
    palette, column = state.palette, 1
    figure.canvas.put(0, column, described.title, palette.text, bold=True)
    column += len(described.title) + 2
    for fact in described.facts:
        if column + len(fact.text) > width - 1:
            return
        figure.canvas.put(0, column, fact.text, palette.phases[PHASE_OF[fact.role]])
        column += len(fact.text) + 2
    if state.selected is None:
        return
    spectrum, name = state.selected.spectrum, state.selected.name
    words = name if spectrum is None else f"{name} α {fixed(spectrum.alpha, 2)}"
    words += f" ({state.selected.note})" if state.selected.note else ""
    room = width - column - 1
    if room > 8:
        figure.canvas.put_right(0, width - 1, fit(words, room).rstrip(), palette.cursor)
