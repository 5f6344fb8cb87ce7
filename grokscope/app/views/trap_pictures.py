"""Beside the list of traps: the layer's leading direction and a trap's entries, as pictures of its input."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.picture import image_side, picture
from grokscope.app.state import State
from grokscope.spectra.layer import LayerSpectrum

LIST_WIDTH, SMALLEST_LIST = 58, 46
"""Cells that the list keeps beside enlarged pictures, and beside pictures of a cell a pixel."""


def pictures_beside(state: State, spectrum: LayerSpectrum, width: int, height: int) -> Canvas:
    side = picture_side(state)
    found = _pictures(state, spectrum, side) if side else []
    return _gallery(found, state, width, height)


def picture_side(state: State) -> int:
    """The side of the picture that the selected layer reads; 0 where it may read none."""
    layer = state.selected
    return 0 if state.layer or layer is None else image_side(math.prod(layer.shape[1:])) or 0


@dataclass(frozen=True)
class Picture:
    """Signed pixels float64 [side, side] with a line above and a line below that say what they are."""

    pixels: NDArray[np.float64]
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
