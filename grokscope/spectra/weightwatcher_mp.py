"""WeightWatcher's own Marchenko-Pastur fit of a spectrum, for its `mp_softrank`: equal to 0.7.7's `mp_fit`.

Eigenvalues are scaled to mean 1 and smoothed by triangles of half width 0.1. sigma is where the squared difference
of that density and the law's is least, on a grid and then by Nelder and Mead's search. A square matrix is fitted
by the quarter circle law of its singular values, with √(4 − x²) for √(4σ² − x²): a slip, kept, since it is the
number in print. Our own sigma is that of `marchenko_pastur`.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Misfit = Callable[[Array | np.float64], Array | np.float64]
"""The sum of squared differences between the law and the density, of sigma in any shape."""

BANDWIDTH = 0.1
POINTS = 1000
LEAST_DENSITY = 0.01
"""Where the smoothed density is not above this, the fit does not look."""

IMPOSSIBLE = 1e6
"""What each point costs where the law's edges and the density's peak contradict each other."""

TOLERANCE, MOST_STEPS = 1e-4, 100
"""The search ends where sigma and its misfit both move by less."""


def mp_softrank(esd: Array, long: int, short: int) -> float:
    """λ₊/λ_max of eigenvalues [n], ascending, of one or more long × short matrices; NaN for a zero matrix."""
    if not esd[-1] > 0:
        return float("nan")
    scaled = np.maximum(esd, 0.0) * (len(esd) / esd.sum())
    aspect = long / short
    return float(_edge(_sigma(scaled, aspect), aspect) / scaled[-1])


def _edge(sigma: float, aspect: float) -> float:
    return float((sigma * (1 + 1 / np.sqrt(aspect))) ** 2)


def _sigma(scaled: Array, aspect: float) -> float:
    """The sigma whose law is nearest to the density of eigenvalues of mean 1."""
    x, y = _density(np.sqrt(scaled) if aspect == 1 else scaled)
    misfit = _square_misfit(x, y) if aspect == 1 else _long_misfit(x, y, aspect)
    widest = np.sqrt(scaled[-1]) / (1 + 1 / np.sqrt(aspect))
    grid = np.mgrid[0.05 * widest : 2 * widest : 0.01 * widest]
    return _least(misfit, float(grid[np.argmin(misfit(grid))]))


def _density(values: Array) -> tuple[Array, Array]:
    """(x, y): the smoothed density of ascending values where it is above LEAST_DENSITY."""
    x = np.linspace(0, values[-1] + 0.5, POINTS)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    low, here, high = (np.searchsorted(values, x + shift) for shift in (-BANDWIDTH, 0.0, BANDWIDTH))
    below = (here - low) * (1 - x / BANDWIDTH) + (sums[here] - sums[low]) / BANDWIDTH
    above = (high - here) * (1 + x / BANDWIDTH) - (sums[high] - sums[here]) / BANDWIDTH
    y = (below + above) / (len(values) * BANDWIDTH)
    return x[y > LEAST_DENSITY], y[y > LEAST_DENSITY]


def _square_misfit(x: Array, y: Array) -> Misfit:
    """Σ(law − y)² of the quarter circle law, which is a shape over σ²: a polynomial of that."""
    shape = np.sqrt(np.maximum(4 - x**2, 0.0)) / np.pi
    square, product, constant = shape @ shape, shape @ y, y @ y
    return lambda sigma: constant - (2 * product - square / sigma**2) / sigma**2


def _long_misfit(x: Array, y: Array, aspect: float) -> Misfit:
    """Σ(law − y)², where the density's peak lies within the law's edges and the upper edge within the density."""
    peak, last = x[np.argmax(y)], x[-1]
    below, above = ((1 + sign / np.sqrt(aspect)) ** 2 for sign in (-1, 1))
    scale = np.divide(aspect, 2 * np.pi * x, out=np.zeros_like(x), where=x > 0)  # at 0 the law has no height

    def misfit(sigma: Array | np.float64) -> Array:
        square = np.asarray(sigma) ** 2
        possible = (square * above >= peak) & (square * above <= last) & (square * below <= peak)
        some = square[possible][:, None]
        height = np.sqrt(np.maximum((some * above - x) * (x - some * below), 0.0))
        result = np.full(square.shape, IMPOSSIBLE * len(y))
        result[possible] = ((height * scale / some - y) ** 2).sum(axis=-1)
        return result

    return misfit


def _least(misfit: Misfit, start: float) -> float:
    """Where Nelder and Mead's search along one axis ends, point by point as scipy's `fmin` in half the time."""

    def at(x: float) -> tuple[float, float]:
        return float(misfit(np.float64(x))), x

    best, other = sorted((at(start), at(1.05 * start)), key=itemgetter(0))
    for _ in range(MOST_STEPS):
        way = other[1] - best[1]
        if abs(way) <= TOLERANCE and other[0] - best[0] <= TOLERANCE:
            break
        tried = at(best[1] - way)
        if tried[0] < best[0]:
            tried = min(at(best[1] - 2 * way), tried, key=itemgetter(0))
        else:
            nearer = at(best[1] - way / 2) if tried[0] < other[0] else tried
            tried = nearer if nearer[0] <= tried[0] < other[0] else at(best[1] + way / 2)
        best, other = sorted((best, tried), key=itemgetter(0))
    return best[1]
