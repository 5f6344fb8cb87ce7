"""Densities of eigenvalues: bins of equal width on an axis, one of them beginning at a chosen value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from grokscope.figures.axis import Axis, Scale
from grokscope.figures.data import Bars, Curve
from grokscope.spectra.power_law import VANISHING

Array = NDArray[np.float64]

DENSITY = "density per unit of λ"


def positive(eigenvalues: Array) -> Array:
    """The eigenvalues that LAPACK tells from zero."""
    finite = eigenvalues[np.isfinite(eigenvalues)]
    return finite[finite > VANISHING * float(finite.max(initial=0.0))]


def num_bins(count: int, most: int = 60) -> int:
    """How many bins show `count` eigenvalues: 2.5 √count, at least 8, at most `most` (which is at least 10)."""
    return int(min(max(10, most), max(8, round(2.5 * count**0.5))))


def edges_through(value: float, axis: Axis, bins: int) -> Array:
    """Edges of about `bins` bins of equal width on the axis, one of them `value` itself; float64 [n + 1].

    The outermost bins may reach beyond the axis.
    """
    width = 1 / bins
    offset = float(axis.position(value)) % width if np.isfinite(value) else 0.0
    first = offset - width if offset > 1e-9 * width else offset
    count = int(np.ceil((1 - first) / width - 1e-9))
    edges = np.array([axis.value(first + k * width) for k in range(count + 1)])
    away = np.abs(axis.position(edges) - axis.position(value))
    return np.where(away < 1e-9, value, edges)  # a logarithm's rounding would put the value into the bin before


def over_edges(axis: Axis, edges: Array) -> Axis:
    """The same axis, from the first of the edges to the last."""
    return replace(axis, low=float(edges[0]), high=float(edges[-1]))


def density(eigenvalues: Array, edges: Array) -> Array:
    """The share of all eigenvalues in each bin per unit of λ, float64 [n]; NaN where a bin is empty."""
    counts, _ = np.histogram(eigenvalues, bins=edges)
    return np.where(counts > 0, counts / (max(1, len(eigenvalues)) * np.diff(edges)), np.nan)


def part(bars: Bars, keep: NDArray[np.bool_], label: str, role: str) -> Bars:
    """The bars of which `keep`, bool [n], says so, under another label and role."""
    return Bars(bars.edges, np.where(keep, bars.heights, np.nan), label=label, role=role)


def outline(edges: Array, heights: Array) -> Curve:
    """The histogram of a spectrum to compare with, as an outline, broken where a bin is empty."""
    return Curve(np.repeat(edges, 2)[1:-1], np.repeat(heights, 2), label="compared with", role="mark")


def density_axis(densities: Sequence[Array], scale: Scale) -> Axis:
    """The axis that covers every one of the densities, each NaN or 0 where there is nothing to show."""
    heights = np.concatenate([np.ravel(one) for one in densities])
    heights = heights[heights > 0]
    if not len(heights):
        return Axis(DENSITY, scale, 0.1, 1.0)
    if scale == "log":
        return Axis(DENSITY, scale, float(heights.min()) * 0.4, float(heights.max()) * 2)
    return Axis(DENSITY, scale, 0.0, float(heights.max()) * 1.12)
