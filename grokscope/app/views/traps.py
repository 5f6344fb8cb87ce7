"""The traps view: the selected layer's traps, what made the chosen one, and where it lies in the input picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.text import Text

from grokscope.app import actions
from grokscope.app.actions import Action
from grokscope.app.layer_names import in_title
from grokscope.app.layout import Place
from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.described import described
from grokscope.app.plots.picture import image_side, picture
from grokscope.app.state import State
from grokscope.app.views.spectrum import most_bins
from grokscope.app.views.table import traps_count
from grokscope.figures import randomized
from grokscope.figures.colors import Palette
from grokscope.numbers import UNKNOWN, count, fixed, number, probability
from grokscope.spectra.layer import LayerSpectrum
from grokscope.spectra.traps import Trap

Array = NDArray[np.float64]
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
LIST_WIDTH, SMALLEST_LIST = 58, 46
"""Cells that the list keeps beside enlarged pictures, and beside pictures of a cell a pixel."""

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
    pictures = _pictures_beside(state, spectrum, width, height)
    used = pictures.width + 2 if pictures.width else 0
    listed, rows = _list(state, spectrum, width - used, height)
    canvas.paste(listed, 0, 0)
    canvas.paste(pictures, 0, width - pictures.width)
    if height - rows - 1 >= SMALLEST_PLOT:
        figure = randomized(spectrum, scales=state.randomized_axes, most_bins=most_bins(width - used))
        canvas.paste(described(figure, width - used, height - rows - 1, palette), rows + 1, 0)
    return canvas


def hit_traps(state: State, place: Place) -> Action | None:
    """The trap of the row of the list that was clicked at."""
    spectrum = _measured(state)
    if spectrum is None:
        return None
    pictures = _pictures_beside(state, spectrum, place.width, place.height)
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


def _pictures_beside(state: State, spectrum: LayerSpectrum, width: int, height: int) -> Canvas:
    side = picture_side(state)
    found = _pictures(state, spectrum, side) if side else []
    return _gallery(found, state, width, height)


def picture_side(state: State) -> int:
    """The side of the picture that the selected layer reads; 0 where it may read none."""
    layer = state.selected
    return 0 if state.layer or layer is None else image_side(math.prod(layer.shape[1:])) or 0


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
    columns = _fitting(canvas.width)
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
        values = _values(number_of, trap, spectrum)
        end = 0
        for title, width in columns:
            end += width
            color = palette.trap if title in {"#", "cause"} else palette.text
            canvas.put_right(row, end, values[title], color, bold=selected)
        row += 1
    rest = len(spectrum.traps) - last
    if rest > 0:
        canvas.put_right(row, canvas.width, f"{rest} more below", palette.muted)
    return row + (rest > 0)


def _fitting(width: int) -> list[tuple[str, int]]:
    chosen: set[int] = set()
    for k in sorted(range(len(_COLUMNS)), key=lambda k: _COLUMNS[k][2]):
        if sum(_COLUMNS[j][1] for j in chosen) + _COLUMNS[k][1] > width:
            break
        chosen.add(k)
    return [_COLUMNS[k][:2] for k in sorted(chosen)]


def _values(number_of: int, trap: Trap, spectrum: LayerSpectrum) -> dict[str, str]:
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


@dataclass(frozen=True)
class Picture:
    """Signed pixels float64 [side, side] with a line above and a line below that say what they are."""

    pixels: Array
    above: str
    below: str


def _pictures(state: State, spectrum: LayerSpectrum, side: int) -> list[Picture]:
    """The leading direction of W, and the entries of the chosen trap; the one in question last.

    A direction that is not computed yet has its place already.
    """
    found: list[Picture] = []
    direction = np.full(side * side, np.nan) if state.leading is None else state.leading
    if len(direction) == side * side:
        pixels = direction.reshape(side, side)
        found.append(Picture(pixels, "leading direction v₁ of W", "of W itself, not shuffled"))
    trap = spectrum.traps[min(state.trap, len(spectrum.traps) - 1)] if spectrum.traps else None
    if trap is not None and trap.entries:
        named = np.zeros(side * side)
        for _, column, value in trap.entries:
            if column < len(named) and abs(value) > abs(named[column]):
                named[column] = value
        found.append(Picture(named.reshape(side, side), "pixels of the trap's entries", "orange +, blue −"))
    return found


def _gallery(pictures: list[Picture], state: State, width: int, height: int) -> Canvas:
    """The pictures as large as they fit beside the list, in a row or a column; one where two do not fit."""
    if not pictures:
        return Canvas(0, 0)
    for zoom in (2, 1):  # larger ones would be sent for longer than they are looked at
        drawn = [_captioned(picture, state, zoom) for picture in pictures]
        room = width - (LIST_WIDTH if zoom > 1 else SMALLEST_LIST) - 2
        columns, rows = max(one.width for one in drawn), max(one.height for one in drawn)
        if rows <= height and len(drawn) * (columns + 2) - 2 <= room:
            return _joined(drawn, 0, columns + 2)
        if len(drawn) * rows <= height and columns <= room:
            return _joined(drawn, rows, 0)
    if len(pictures) > 1:
        return _gallery(pictures[1:] if state.pane == 1 else pictures[:1], state, width, height)
    return Canvas(0, 0)


def _joined(drawn: list[Canvas], down: int, across: int) -> Canvas:
    last = len(drawn) - 1
    columns, rows = max(one.width for one in drawn), max(one.height for one in drawn)
    canvas = Canvas(columns + last * across, rows + last * down)
    for place, one in enumerate(drawn):
        canvas.paste(one, place * down, place * across)
    return canvas


def _captioned(one: Picture, state: State, zoom: int) -> Canvas:
    palette = state.palette
    drawn = picture(one.pixels, palette, zoom=zoom)
    canvas = Canvas(max(drawn.width, len(one.above), len(one.below)), drawn.height + 2)
    canvas.put(0, 0, one.above, palette.text)
    canvas.paste(drawn, 1, 0)
    canvas.put(1 + drawn.height, 0, one.below, palette.muted)
    return canvas
