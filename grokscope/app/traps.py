"""The traps view: the selected layer's traps, what made the chosen one, and where it lies in the input picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.picture import image_side, picture, shades, size_in_cells
from grokscope.app.state import State
from grokscope.app.table import traps_count
from grokscope.app.text import UNKNOWN, fit, fixed, number, probability
from grokscope.app.theme import Palette
from grokscope.spectra.layer import LayerSpectrum
from grokscope.spectra.traps import Trap

Array = NDArray[np.float64]

_COLUMNS = (("#", 4), ("λ", 10), ("λ/λ₊", 8), ("z", 9), ("p", 8), ("cause", 14), ("λ predicted", 13), ("1/n Σu⁴", 9), ("1/n Σv⁴", 9))
MEANINGS = {
    "mean": "the entries' mean is shifted: a rank-one part that every shuffle keeps; subtracting the mean removes it",
    "entries": "a few large entries make it; clipping them removes it",
    "mean+entries": "the shifted mean and large entries make it together",
    "unexplained": "neither the mean nor large entries explain it",
}


def trap_view(state: State, direction: Array | None, width: int, height: int) -> Canvas:
    """The list on the left, pictures on the right where the layer reads a square picture and there is room.

    `direction` is the layer's leading right singular vector [in], or None while it is not computed.
    """
    canvas, palette, layer = Canvas(width, height), state.palette, state.selected
    if layer is None or layer.spectrum is None or layer.spectrum.reason:
        reason = "not analysed yet" if layer is None or layer.spectrum is None else layer.spectrum.reason
        canvas.put_fitted(0, 1, width - 1, f"traps {layer.name if layer else ''}: {reason}", palette.muted)
        return canvas
    spectrum = layer.spectrum
    side = image_side(int(np.prod(layer.shape[1:]))) if state.layer == 0 else None
    pictures = _pictures(state, spectrum, direction, side, width, height) if side else []
    used = sum(one.width + 2 for one in pictures)
    canvas.paste(_list(state, spectrum, width - used, height), 0, 0)
    column = width - used + 2
    for one in pictures:
        canvas.paste(one, 0, column)
        column += one.width + 2
    return canvas


def _list(state: State, spectrum: LayerSpectrum, width: int, height: int) -> Canvas:
    canvas, palette = Canvas(width, height), state.palette
    chosen = min(state.trap, max(0, len(spectrum.traps) - 1))
    focused = state.pane == 1
    canvas.put(0, 0, "▌" if focused else " ", palette.accent)
    canvas.put(0, 1, f"traps {spectrum.name}", palette.accent if focused else palette.text, bold=True)
    words = f"{traps_count(spectrum)} over the shuffles · WeightWatcher's rule {spectrum.num_traps_weightwatcher:g}"
    canvas.put_fitted(0, 9 + len(spectrum.name), width - 10 - len(spectrum.name), words, palette.muted)
    if not spectrum.traps:
        lines = _wrap("no eigenvalue of the shuffled entries lies beyond the edge of noise", width - 2)
        _paragraph(canvas, 2, lines, palette.muted)
        row = 3 + len(lines)
    else:
        row = _rows(canvas, spectrum, chosen, max(3, height - 9), palette) + 1
        row = _cause(canvas, row, spectrum, spectrum.traps[chosen], palette)
    _mean(canvas, row, spectrum, palette)
    return canvas


def _rows(canvas: Canvas, spectrum: LayerSpectrum, chosen: int, room: int, palette: Palette) -> int:
    """The table of traps, as many as there is room for around the chosen one; returns the next free row."""
    columns = _fitting(canvas.width)
    canvas.background(1, 0, canvas.width, palette.panel)
    end = 0
    for title, width in columns:
        end += width
        canvas.put_right(1, end, title, palette.muted)
    first = min(max(0, chosen - room + 1), max(0, len(spectrum.traps) - room))
    row = 2
    for number_of, trap in list(enumerate(spectrum.traps))[first : first + room]:
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
    rest = len(spectrum.traps) - first - room
    if rest > 0:
        canvas.put_right(row, canvas.width, f"{rest} more below", palette.muted)
    return row + (rest > 0)


def _fitting(width: int) -> list[tuple[str, int]]:
    chosen: list[tuple[str, int]] = []
    for column in _COLUMNS:
        if sum(w for _, w in chosen) + column[1] <= width:
            chosen.append(column)
    return chosen


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


def _cause(canvas: Canvas, row: int, spectrum: LayerSpectrum, trap: Trap, palette: Palette) -> int:
    row = _paragraph(canvas, row, _wrap(f"{trap.cause}: {MEANINGS[trap.cause]}", canvas.width - 2), palette.trap)
    predicted = "" if np.isnan(trap.predicted) else f"; the cause alone predicts {number(trap.predicted, 4)}"
    row = _paragraph(canvas, row, _wrap(f"λ {number(trap.eigenvalue, 4)}{predicted}", canvas.width - 2), palette.text)
    if trap.entries:
        named = [f"W[{i}, {j}] = {value:+.3g}" for i, j, value in trap.entries]
        row = _paragraph(canvas, row, _wrap("  ".join(named), canvas.width - 2), palette.text)
    return row


def _mean(canvas: Canvas, row: int, spectrum: LayerSpectrum, palette: Palette) -> None:
    rows, columns = spectrum.shape[0], int(np.prod(spectrum.shape[1:]))
    strength = abs(spectrum.mean) * (rows * columns) ** 0.5
    edge = spectrum.sigma_robust * (rows * columns) ** 0.25
    words = (
        f"mean {number(spectrum.mean)}: strength |mean|·√(NM) = {number(strength)}, leaves the noise above "
        f"σ(NM)^¼ = {number(edge)}; largest entry {number(spectrum.max_abs)}"
    )
    if not np.isnan(edge):
        _paragraph(canvas, row, _wrap(words, canvas.width - 2), palette.muted)


def _wrap(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, max(10, width)) or [UNKNOWN]


def _paragraph(canvas: Canvas, row: int, lines: list[str], color: str) -> int:
    for line in lines:
        canvas.put(row, 1, line, color)
        row += 1
    return row


def _pictures(
    state: State, spectrum: LayerSpectrum, direction: Array | None, side: int, width: int, height: int
) -> list[Canvas]:
    """The pictures that fit beside a list of at least 40 cells: v₁ of W first, then the entries of the trap."""
    zoom = 2 if width >= 40 + 2 * (2 * side + 2) and height >= side + 4 else 1
    if side < 12:
        zoom = 3 if height >= side * 3 // 2 + 4 else 2
    columns = max(size_in_cells(side, zoom)[0], 28)
    room = max(0, (width - 40) // (columns + 2))
    made = []
    trap = spectrum.traps[min(state.trap, len(spectrum.traps) - 1)] if spectrum.traps else None
    if trap is not None and trap.entries:
        pixels = np.zeros(side * side)
        for _, column, value in trap.entries:
            if column < len(pixels) and abs(value) > abs(pixels[column]):
                pixels[column] = value
        caption = ("pixels of the named entries", "orange +, blue −")
        made.append(_captioned(state, pixels.reshape(side, side), columns, height, zoom, caption))
    if direction is not None and len(direction) == side * side:
        caption = ("v₁ of W, not of the shuffle:", "what this layer sees most")
        made.insert(0 if room > 1 else len(made), _captioned(state, direction.reshape(side, side), columns, height, zoom, caption))
    return made[:room]


def _captioned(
    state: State, values: Array, columns: int, height: int, zoom: int, caption: tuple[str, str]
) -> Canvas:
    drawn = shades(values, state.palette) if state.colorless else picture(values, state.palette, zoom=zoom)
    canvas = Canvas(columns, height)
    canvas.put(0, 0, fit(caption[0], columns), state.palette.text)
    canvas.paste(drawn, 1, 0)
    canvas.put(1 + drawn.height, 0, fit(caption[1], columns), state.palette.muted)
    return canvas
