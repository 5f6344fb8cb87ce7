"""Densities of eigenvalues: histograms on an axis, the axes that cover them, their outlines and titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from grokscope.app.plots.axis import Axis
from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.figure import Curve
from grokscope.app.theme import Palette

Array = NDArray[np.float64]

SMALLEST = 1e-12  # of the largest eigenvalue: what lies below is rounding


@dataclass(frozen=True)
class Axes:
    """Which axes of a plot are logarithmic."""

    x_log: bool
    y_log: bool

    def flipped(self, which: str) -> Axes:
        """The same with the `x` or the `y` axis the other way."""
        return Axes(self.x_log ^ (which == "x"), self.y_log ^ (which == "y"))


LOG_LOG, LOG_X = Axes(True, True), Axes(True, False)


@dataclass(frozen=True)
class Histogram:
    """edges float64 [n + 1] in units of λ; density float64 [n] per unit of λ, or of ln λ on a logarithmic axis."""

    edges: Array
    density: Array


def histogram(eigenvalues: Array, axis: Axis, bins: int) -> Histogram:
    """The eigenvalues' density in bins of equal width on the axis, integrating to 1."""
    positions = np.linspace(0, 1, bins + 1)
    edges = np.array([axis.value(float(p)) for p in positions])
    counts, _ = np.histogram(eigenvalues, bins=edges)
    width = np.log(edges[1] / edges[0]) if axis.log else edges[1] - edges[0]
    return Histogram(edges, counts / (max(1, len(eigenvalues)) * width))


def empty(width: int, height: int, title: str, reason: str, palette: Palette) -> Text:
    """A plot that has nothing to show, and says why."""
    return empty_canvas(width, height, title, reason, palette).text()


def empty_canvas(width: int, height: int, title: str, reason: str, palette: Palette) -> Canvas:
    canvas = Canvas(width, height)
    canvas.put_fitted(0, 1, width - 1, title, palette.text)
    canvas.put_fitted(height // 2, max(1, (width - len(reason)) // 2), width - 2, reason, palette.muted)
    return canvas


def positive(eigenvalues: Array) -> Array:
    finite = eigenvalues[np.isfinite(eigenvalues)]
    return finite[finite > SMALLEST * finite.max()] if len(finite) and finite.max() > 0 else finite[:0]


def num_bins(width: int, count: int) -> int:
    return int(min(max(10, width - 8), max(8, round(2.5 * count**0.5))))


def down_to(depth: float, values: Array, log: bool) -> Array:
    return values[~(values < depth)] if log else values


def density_axis(densities: Sequence[Array], log: bool) -> Axis:
    """The axis that covers every one of the densities, each NaN or 0 where there is nothing to show."""
    heights = np.concatenate(densities)
    heights = heights[heights > 0]
    if not len(heights):
        return Axis(0.1, 1.0, log)
    if log:
        return Axis(float(heights.min()) * 0.4, float(heights.max()) * 2, True)
    return Axis(0.0, float(heights.max()) * 1.12)


def in_steps(bars: Histogram, color: str) -> Curve:
    """A histogram's outline, broken where a bin is empty."""
    heights = np.where(bars.density > 0, bars.density, np.nan)
    return Curve(np.repeat(bars.edges, 2)[1:-1], np.repeat(heights, 2), color)


def put_words(canvas: Canvas, words: list[tuple[str, str]], *, start: int = 1) -> None:
    """Write (text, colour) pieces two cells apart on the first row, leaving out those that do not fit."""
    column = start
    for text, color in words:
        if text and column + len(text) <= canvas.width:
            canvas.put(0, column, text, color, bold=column == start)
            column += len(text) + 2
