"""Points and lines as braille dots, 2 × 4 a character cell: the one place that turns curves into characters.

It draws as plotext 5.3 does (a test holds a curve against it), with two differences that the app needs: where
curves cross in a cell the dots of both stay, while plotext keeps the last curve's only; and a full screen of small
plots takes milliseconds, where plotext's time grows with the number of cells (35 ms for three curves on 200 × 36).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)


@dataclass(frozen=True)
class Series:
    """One curve in the unit square: x and y float64 [n], 0 to 1; what is outside or NaN is not drawn."""

    x: Array
    y: Array
    line: bool = True


def raster(series: Sequence[Series], width: int, height: int) -> list[tuple[int, int, str, int]]:
    """The cells that the series touch: (row from the top, column, braille character, number of the series).

    A cell shows the dots of every series in it and belongs to the last one.
    """
    dots = np.zeros((max(0, height), max(0, width)), dtype=np.uint8)
    owners = np.zeros(dots.shape, dtype=np.intp)
    if dots.size:
        for number, curve in enumerate(series):
            x, y = _pixels(curve, 2 * width, 4 * height)
            np.bitwise_or.at(dots, (y // 4, x // 2), _DOTS[y % 4, x % 2])
            owners[y // 4, x // 2] = number
    rows, columns = np.nonzero(dots)
    characters = (chr(0x2800 + int(bits)) for bits in dots[rows, columns])
    return list(zip(rows.tolist(), columns.tolist(), characters, owners[rows, columns].tolist(), strict=True))


def column_of(position: float, width: int) -> int:
    """The cell column in which a point at `position` (0 to 1) is drawn."""
    return min(width - 1, max(0, round(position * (2 * width - 1)) // 2))


def _pixels(curve: Series, across: int, down: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The dots that a curve sets, as columns and rows of the grid of dots, row 0 on top."""
    with np.errstate(invalid="ignore"):
        inside = (curve.x >= 0) & (curve.x <= 1) & (curve.y >= 0) & (curve.y <= 1)
    x = np.where(inside, curve.x, 0.0) * (across - 1)
    y = np.where(inside, curve.y, 0.0) * (down - 1)  # from the bottom, as plotext rounds
    columns, rows = [x[inside]], [y[inside]]
    if curve.line and len(x) > 1:
        joined = np.flatnonzero(inside[:-1] & inside[1:])
        filled = _between(x[joined], y[joined], x[joined + 1], y[joined + 1])
        columns.append(filled[0])
        rows.append(filled[1])
    across_dots, up_dots = (np.rint(np.concatenate(dots)).astype(np.intp) for dots in (columns, rows))
    return across_dots, down - 1 - up_dots


def _between(x0: Array, y0: Array, x1: Array, y1: Array) -> tuple[Array, Array]:
    """Points no more than a dot apart along the segments from (x0, y0) to (x1, y1), float64 [n] each."""
    counts = np.ceil(np.maximum(np.abs(x1 - x0), np.abs(y1 - y0))).astype(np.intp) + 1
    segment = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(segment)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = place / np.maximum(counts[segment] - 1, 1)
    return x0[segment] + share * (x1 - x0)[segment], y0[segment] + share * (y1 - y0)[segment]
