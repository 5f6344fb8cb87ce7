"""A small grey or signed picture in half-blocks: two pixels a character cell."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from grokscope.app.plots.canvas import Canvas, Look
from grokscope.figures.colors import Palette

Array = NDArray[np.float64]

_Pair = tuple[int, int]  # colours of the upper and the lower half of a cell

LEVELS = 2
"""Shades on either side of zero: few, so that neighbours are often alike."""


def image_side(inputs: int) -> int | None:
    """The side of the square picture that a layer with so many inputs may read, or None."""
    side = round(inputs**0.5)
    return side if side >= 6 and side * side == inputs else None


def picture(values: Array, palette: Palette, *, zoom: int = 1) -> Canvas:
    """Signed values float64 [side, side] as colours: the palette's positive and negative, its panel at zero.

    The scale is the largest magnitude, in few shades; NaN is shown as the background. Neighbours that have two
    colours in all are drawn in one style, whichever of them is above: every change of style is sent, and noise
    would have one in every cell.
    """
    colors = np.kron(_levels(values), np.ones((zoom, zoom), dtype=np.intp))
    if len(colors) % 2:
        colors = np.vstack([colors, np.full((1, colors.shape[1]), 2 * LEVELS + 1)])
    table = _colors(palette)
    canvas = Canvas(colors.shape[1], len(colors) // 2)
    if np.isnan(values).all():
        return canvas
    for row in range(canvas.height):
        pairs = list(zip(colors[2 * row].tolist(), colors[2 * row + 1].tolist(), strict=True))
        cells = [cell for stretch in _stretches(pairs) for cell in _in_one_style(stretch, table)]
        canvas.characters[row] = [sign for sign, _ in cells]
        canvas.looks[row] = [look for _, look in cells]
    return canvas


def _stretches(pairs: list[_Pair]) -> Iterator[list[_Pair]]:
    """Cells from left to right in stretches that have two colours at most."""
    stretch: list[_Pair] = []
    colors: set[int] = set()
    for pair in pairs:
        if len(colors.union(pair)) > 2:
            yield stretch
            stretch, colors = [], set()
        stretch.append(pair)
        colors.update(pair)
    yield stretch


def _in_one_style(stretch: list[_Pair], table: tuple[str, ...]) -> Iterator[tuple[str, Look]]:
    """The characters of a stretch, all with the same look.

    The ground is what more cells are filled with: a blank is a third of a block's bytes.
    """
    colors = {color for pair in stretch for color in pair}
    filled = sorted(colors, key=lambda color: (stretch.count((color, color)), color))
    front, ground = filled[0], filled[-1]
    signs = {(front, ground): "▀", (ground, front): "▄", (front, front): "█", (ground, ground): " "}
    look = (None if front == ground else table[front], table[ground], False)
    for pair in stretch:
        yield signs[pair], look


def _levels(values: Array) -> NDArray[np.intp]:
    """0 for the most negative to 2·LEVELS for the most positive, LEVELS for zero, one more for unknown."""
    largest = np.nanmax(np.abs(values), initial=0.0) or 1.0
    scaled = np.nan_to_num(values / largest)
    levels = np.rint(LEVELS * scaled).astype(np.intp) + LEVELS
    return np.where(np.isfinite(values), levels, 2 * LEVELS + 1)


@lru_cache(maxsize=8)
def _colors_of(ground: str, up: str, down: str, unknown: str) -> tuple[str, ...]:
    colors = []
    for level in range(-LEVELS, LEVELS + 1):
        target = _rgb(up if level >= 0 else down)
        mixed = np.rint(_rgb(ground) + (target - _rgb(ground)) * abs(level) / LEVELS).astype(int)
        colors.append("#" + "".join(f"{part:02x}" for part in mixed))
    return (*colors, unknown)


def _colors(palette: Palette) -> tuple[str, ...]:
    return _colors_of(palette.panel, palette.positive, palette.negative, palette.background)


def _rgb(color: str) -> Array:
    return np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)], dtype=np.float64)
