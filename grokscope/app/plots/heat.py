"""A heat map in half blocks: two values a cell, no value left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from grokscope.app.plots.plot import Plot
from grokscope.figures import Axis, Heatmap
from grokscope.figures.colors import Palette
from grokscope.figures.median import median

LEVELS = 16

Array = NDArray[np.float64]
Parts = tuple[NDArray[np.intp], NDArray[np.intp]]


def heat(plot: Plot, mark: Heatmap, combine: Callable[..., Array] | None = None) -> int:
    """Fill the area of a plot; returns how many rows of the map share half a cell at most.

    Where several values share a place it has their median, or what they are combined to.
    """
    plot.mapped = True
    levels, shared = _levels(mark, plot.x, plot.y, plot.rows, plot.columns, combine or median)
    colors = shades(plot.palette)
    for row in range(plot.rows):
        cells = plot.canvas.characters[plot.top + row], plot.canvas.looks[plot.top + row]
        for column, (above, below) in enumerate(
            zip(levels[2 * row].tolist(), levels[2 * row + 1].tolist(), strict=True), start=plot.left
        ):
            unknown = above == below == -1
            cells[0][column] = " " if unknown else "█" if above == below else "▀"
            cells[1][column] = (colors[above], colors[below], False)
    return shared


@lru_cache(maxsize=8)
def _levels(
    mark: Heatmap, x: Axis, y: Axis, rows: int, columns: int, combine: Callable[..., Array]
) -> tuple[NDArray[np.intp], int]:
    """The level of each half cell, intp [2 rows, columns], and how many of the map's rows share one at most."""
    down, values = _sorted(1 - y.position(mark.y_edges), mark.values)
    across, turned = _sorted(x.position(mark.x_edges), values.T)
    shared = _parts(down, 2 * rows)
    shown = _joined(_joined(turned.T, *shared, combine).T, *_parts(across, columns), combine).T
    return replace(mark, values=shown).levels(LEVELS), int((shared[1] - shared[0]).max(initial=1))


def shades(palette: Palette) -> tuple[str, ...]:
    """A colour for each level, and the ground for what is unknown, last."""
    return _shades(palette.ramp, palette.background)


@lru_cache(maxsize=4)
def _shades(ramp: tuple[str, ...], ground: str) -> tuple[str, ...]:
    stops = np.array([[int(color[k : k + 2], 16) for k in (1, 3, 5)] for color in ramp], dtype=np.float64)
    places = np.linspace(0, len(ramp) - 1, LEVELS)
    mixed = np.array([np.interp(places, np.arange(len(ramp)), part) for part in stops.T]).T
    return (*("#" + "".join(f"{round(part):02x}" for part in color) for color in mixed.tolist()), ground)


def _sorted(edges: Array, values: Array) -> tuple[Array, Array]:
    """Edges that ascend, and the values [n, …] between them."""
    return (edges[::-1], values[::-1]) if edges[0] > edges[-1] else (edges, values)


def _parts(edges: Array, count: int) -> Parts:
    """Of each of `count` equal parts of 0 to 1 the first value and one past the last, intp [count] each.

    They are those whose middle lies in it, or the one that it lies in; none where nothing is.
    """
    ends = np.arange(count + 1) / max(1, count)
    middles = np.searchsorted((edges[1:] + edges[:-1]) / 2, ends)
    at = np.searchsorted(edges, (ends[1:] + ends[:-1]) / 2, side="right") - 1
    outside = (at < 0) | (at >= len(edges) - 1)
    several = middles[1:] > middles[:-1]
    first = np.where(several, middles[:-1], at)
    last = np.where(several, middles[1:], np.where(outside, at, at + 1))
    return first, last


def _joined(
    values: Array, first: NDArray[np.intp], last: NDArray[np.intp], combine: Callable[..., Array]
) -> Array:
    """values[first:last] combined, float64 [parts, …]; NaN where there are none."""
    shown = np.full((len(first), *values.shape[1:]), np.nan)
    alone = last == first + 1
    shown[alone] = values[first[alone]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of nothing but NaN
        for part in np.flatnonzero(last > first + 1).tolist():
            shown[part] = combine(values[first[part] : last[part]], axis=0)
    return shown
