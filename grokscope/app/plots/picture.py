"""A small grey or signed picture in half-blocks: two pixels a character cell."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from grokscope.app.plots.canvas import Canvas
from grokscope.app.theme import Palette

Array = NDArray[np.float64]

LEVELS = 8
"""Shades on either side of zero."""


def image_side(inputs: int) -> int | None:
    """The side of the square picture that a layer with so many inputs may read, or None."""
    side = round(inputs**0.5)
    return side if side >= 6 and side * side == inputs else None


def picture(values: Array, palette: Palette, *, zoom: int = 1) -> Canvas:
    """Signed values float64 [side, side] as colours: the palette's positive and negative, its panel at zero.

    The scale is the largest magnitude; NaN is shown as the background.
    """
    colors = np.kron(_levels(values), np.ones((zoom, zoom), dtype=np.intp))
    if len(colors) % 2:
        colors = np.vstack([colors, np.full((1, colors.shape[1]), 2 * LEVELS + 1)])
    table = _colors(palette)
    canvas = Canvas(colors.shape[1], len(colors) // 2)
    for row in range(canvas.height):
        above, below = colors[2 * row].tolist(), colors[2 * row + 1].tolist()
        pairs = list(zip(above, below, strict=True))
        canvas.characters[row] = [" " if a == b else "▀" for a, b in pairs]  # one colour is half of the bytes
        canvas.looks[row] = [(None if a == b else table[a], table[b], False) for a, b in pairs]
    return canvas


def _levels(values: Array) -> NDArray[np.intp]:
    """0 for the most negative to 2·LEVELS for the most positive, LEVELS for zero, one more for unknown."""
    largest = np.nanmax(np.abs(values), initial=0.0) or 1.0
    scaled = np.nan_to_num(values / largest)
    levels = np.rint(LEVELS * np.sign(scaled) * np.abs(scaled) ** 0.8).astype(np.intp) + LEVELS
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
