"""The traps view: the selected layer's traps, what made the chosen one, and where it lies in the input picture."""

from __future__ import annotations

from functools import partial

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from grokscope.app import actions
from grokscope.app.actions import Action
from grokscope.app.layer_names import in_title
from grokscope.app.layout import Place, fitting
from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.described import described
from grokscope.app.state import State
from grokscope.app.views.spectrum import most_bins, titled
from grokscope.app.views.table import traps_count
from grokscope.app.views.trap_pictures import pictures_beside
from grokscope.figures import randomised
from grokscope.figures.colors import Palette
from grokscope.numbers import UNKNOWN, count, counted, fixed, number, probability
from grokscope.spectra.layer import LayerSpectrum
from grokscope.spectra.traps import Trap

Paragraph = tuple[list[str], str]  # wrapped lines, their colour

_COLUMNS = (  # title, width, importance: low stays longest
    ("#", 4, 0),
    ("λ", 9, 2),
    ("λ/λ₊", 8, 1),
    ("z", 8, 4),
    ("p", 9, 5),
    ("cause", 14, 3),
    ("λ predicted", 13, 6),
    ("1/n Σu⁴", 9, 7),
    ("1/n Σv⁴", 9, 8),
)
FIRST_ROW = 2
"""Where the first trap stands, below the view's name and the titles of the columns."""

SMALLEST_PLOT = 10
"""Rows from which the randomised spectrum is drawn below the list."""

MEANINGS = {
    "mean": "the entries' mean is shifted, a rank-one part that every shuffle keeps",
    "entries": "a few large entries make it; clipping them removes it",
    "mean+entries": "the shifted mean and large entries make it together",
    "unexplained": "neither the mean nor large entries explain it",
}


def draw_traps(state: State, width: int, height: int) -> Text:
    """The list on the left, pictures on the right where the layer reads a square picture and there is room."""
    return _view(state, width, height).text()


def _view(state: State, width: int, height: int) -> Canvas:
    canvas, palette, spectrum = Canvas(width, height), state.palette, _measured(state)
    if spectrum is None:
        layer = state.selected
        if layer is not None:
            reason = layer.why_missing if layer.spectrum is None else layer.spectrum.reason
            name = in_title(layer.brief, width)
            canvas.put_fitted(0, 1, width - 1, f"traps {name}: {reason}", palette.muted)
        return canvas
    pictures = pictures_beside(state, spectrum, width, height)
    used = pictures.width + 2 if pictures.width else 0
    listed, rows = _list(state, spectrum, width - used, height)
    canvas.paste(listed, 0, 0)
    canvas.paste(pictures, 0, width - pictures.width)
    if height - rows - 1 >= SMALLEST_PLOT:
        figure = randomised(spectrum, scales=state.randomised_axes, most_bins=most_bins(width - used))
        if state.selected is not None:
            figure = titled(figure, state.selected, width - used)
        canvas.paste(described(figure, width - used, height - rows - 1, palette), rows + 1, 0)
    return canvas


def hit_traps(state: State, place: Place) -> Action | None:
    """The trap of the row of the list that was clicked at."""
    spectrum = _measured(state)
    if spectrum is None:
        return None
    pictures = pictures_beside(state, spectrum, place.width, place.height)
    width = place.width - (pictures.width + 2 if pictures.width else 0)
    paragraphs = _explanation(spectrum, _chosen(state, spectrum), width - 2, state.palette)
    first, last = _window(spectrum, _chosen(state, spectrum), _room(place.height, paragraphs))
    trap = first + place.row - FIRST_ROW
    return partial(actions.select_trap, trap=trap) if place.column < width and first <= trap < last else None


def _measured(state: State) -> LayerSpectrum | None:
    spectrum = None if state.selected is None else state.selected.spectrum
    return None if spectrum is None or spectrum.reason else spectrum


def _chosen(state: State, spectrum: LayerSpectrum) -> int:
    return min(state.trap, max(0, len(spectrum.traps) - 1))


def _room(height: int, paragraphs: list[Paragraph]) -> int:
    """Rows that the explanation leaves for traps."""
    return max(3, height - 4 - sum(len(lines) for lines, _ in paragraphs))


def _window(spectrum: LayerSpectrum, chosen: int, room: int) -> tuple[int, int]:
    """The first trap shown and one past the last: the chosen one is among them."""
    first = min(max(0, chosen - room + 1), max(0, len(spectrum.traps) - room))
    return first, min(first + room, len(spectrum.traps))


def _list(state: State, spectrum: LayerSpectrum, width: int, height: int) -> tuple[Canvas, int]:
    """The table of traps and what made the chosen one; with the number of rows that they take."""
    canvas, palette = Canvas(width, height), state.palette
    chosen = _chosen(state, spectrum)
    focused = state.pane == 1
    canvas.put(0, 0, "▌" if focused else " ", palette.accent)
    name = in_title(spectrum.name if state.selected is None else state.selected.brief, width)
    canvas.put(0, 1, f"traps {name}", palette.accent if focused else palette.text, bold=True)
    start = 9 + cell_len(name)
    words = f"{traps_count(spectrum)} over shuffles"
    rule = f" · WeightWatcher's rule: {count(spectrum.num_traps_weightwatcher)}"
    canvas.put_fitted(
        0, start, width - start, words + (rule if len(words + rule) <= width - start else ""), palette.muted
    )
    paragraphs = _explanation(spectrum, chosen, width - 2, palette)
    room = _room(height, paragraphs)
    row = FIRST_ROW if not spectrum.traps else _rows(canvas, spectrum, chosen, room, palette) + 1
    for lines, color in paragraphs:
        for line in lines:
            canvas.put(row, 1, line, color)
            row += 1
    return canvas, row


def _rows(canvas: Canvas, spectrum: LayerSpectrum, chosen: int, room: int, palette: Palette) -> int:
    """The table of traps, as many as there is room for around the chosen one; returns the next free row."""
    _, widths, ranks = zip(*_COLUMNS, strict=True)
    columns = [_COLUMNS[place][:2] for place in fitting(widths, ranks, canvas.width)]
    canvas.background(1, 0, canvas.width, palette.panel)
    end = 0
    for title, width in columns:
        end += width
        canvas.put_right(1, end, title, palette.muted)
    first, last = _window(spectrum, chosen, room)
    row = FIRST_ROW
    for number_of, trap in list(enumerate(spectrum.traps))[first:last]:
        selected = number_of == chosen
        if selected:
            canvas.background(row, 0, canvas.width, palette.selected)
        values = _values(number_of, trap)
        end = 0
        for title, width in columns:
            end += width
            color = palette.trap if title in {"#", "cause"} else palette.text
            canvas.put_right(row, end, values[title], color, bold=selected)
        row += 1
    rest, unkept = len(spectrum.traps) - last, int(spectrum.num_traps_shown) - len(spectrum.traps)
    if rest <= 0 and unkept <= 0:
        return row
    words = f"{rest} more below" if rest > 0 else f"{counted(unkept, 'weaker trap')} not kept"
    canvas.put_right(row, canvas.width, words, palette.muted)
    return row + 1


def _values(number_of: int, trap: Trap) -> dict[str, str]:
    return {
        "#": f"{number_of + 1}",
        "λ": number(trap.eigenvalue, 4),
        "λ/λ₊": fixed(trap.ratio, 2),
        "z": fixed(trap.z, 1),
        "p": probability(trap.p, 0),
        "cause": trap.cause,
        "λ predicted": number(trap.predicted, 4),
        "1/n Σu⁴": fixed(trap.participation_left, 3),
        "1/n Σv⁴": fixed(trap.participation_right, 3),
    }


def _explanation(spectrum: LayerSpectrum, chosen: int, width: int, palette: Palette) -> list[Paragraph]:
    """What made the chosen trap and how the mean stands, as wrapped lines with their colours."""
    found: list[Paragraph] = []
    if spectrum.traps:
        trap = spectrum.traps[chosen]
        found.append((_wrap(f"{trap.cause}: {MEANINGS[trap.cause]}", width), palette.trap))
        if not np.isnan(trap.predicted):
            found.append(
                ([f"λ {number(trap.eigenvalue, 4)}; predicted {number(trap.predicted, 4)}"], palette.text)
            )
        if trap.entries:
            named = [f"W[{i},{j}]={value:+.3g}" for i, j, value in trap.entries]
            found.append((_wrap("  ".join(named), width), palette.text))
    else:
        found.append(
            (_wrap("No eigenvalue of the shuffled entries lies beyond the edge of noise.", width), palette.muted)
        )
    rows, columns = spectrum.shape[0], int(np.prod(spectrum.shape[1:]))
    strength = abs(spectrum.mean) * (rows * columns) ** 0.5
    edge = spectrum.sigma_robust * (rows * columns) ** 0.25
    if not np.isnan(edge):
        words = (
            f"mean {number(spectrum.mean)}: strength |mean|·√(NM) {number(strength)}, noise ends at "
            f"σ(NM)^¼ {number(edge)}; largest entry {number(spectrum.max_abs)}"
        )
        found.append((_wrap(words, width), palette.muted))
    return found


def _wrap(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, max(10, width)) or [UNKNOWN]
