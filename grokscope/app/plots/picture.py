"""A small grey or signed picture in half-blocks: two pixels a character cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope.app.plots.canvas import Canvas
from grokscope.app.theme import Palette

Array = NDArray[np.float64]


def image_side(inputs: int) -> int | None:
    """The side of the square picture that a layer with so many inputs may read, or None."""
    side = round(inputs**0.5)
    return side if side >= 6 and side * side == inputs else None


def size_in_cells(side: int, zoom: int = 1) -> tuple[int, int]:
    """(columns, rows) that a picture of `side` × `side` pixels takes."""
    return side * zoom, -(-side * zoom // 2)


def picture(values: Array, palette: Palette, *, zoom: int = 1) -> Canvas:
    """Signed values float64 [side, side] as colours: the palette's positive and negative, its panel at zero.

    The scale is the largest magnitude; NaN is shown as the background.
    """
    pixels = np.kron(values, np.ones((zoom, zoom)))
    columns, rows = pixels.shape[1], -(-pixels.shape[0] // 2)
    if pixels.shape[0] % 2:
        pixels = np.vstack([pixels, np.full((1, columns), np.nan)])
    colors = _colors(pixels, palette)
    canvas = Canvas(columns, rows)
    for row in range(rows):
        for column in range(columns):
            canvas.put(row, column, "▀", colors[2 * row][column], colors[2 * row + 1][column])
    return canvas


def shades(values: Array, palette: Palette) -> Canvas:
    """The magnitudes as ` ░▒▓█`, a character a pixel, for a screen without colour."""
    largest = np.nanmax(np.abs(values), initial=0.0) or 1.0
    levels = np.nan_to_num(np.ceil(4 * np.abs(values) / largest - 0.1)).astype(int).clip(0, 4)
    canvas = Canvas(values.shape[1], values.shape[0])
    for row, line in enumerate(levels):
        canvas.put(row, 0, "".join(" ░▒▓█"[level] for level in line), palette.text)
    return canvas


def _colors(pixels: Array, palette: Palette) -> list[list[str]]:
    largest = np.nanmax(np.abs(pixels), initial=0.0) or 1.0
    scaled = np.nan_to_num(pixels / largest)
    ground, up, down = _rgb(palette.panel), _rgb(palette.positive), _rgb(palette.negative)
    target = np.where(scaled[..., None] >= 0, up, down)
    weight = np.abs(scaled)[..., None] ** 0.8
    mixed = np.round(ground + (target - ground) * weight).astype(int)
    mixed[np.isnan(pixels)] = np.round(_rgb(palette.background)).astype(int)
    return [[f"#{r:02x}{g:02x}{b:02x}" for r, g, b in row] for row in mixed]


def _rgb(color: str) -> Array:
    return np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)], dtype=np.float64)
