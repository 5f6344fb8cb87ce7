"""WeightWatcher's own Marchenko-Pastur fit of a spectrum, for its `mp_softrank`: equal to 0.7.7's `mp_fit`.

Eigenvalues are scaled to mean 1 and smoothed by triangles of half width 0.1. sigma is where the squared difference
of that density and the law's is least, on a grid and then by Nelder and Mead's search. A square matrix is fitted
by the quarter circle law of its singular values, with √(4 − x²) for √(4σ² − x²): a slip, kept, since it is the
number in print. Our own sigma is that of `marchenko_pastur`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BANDWIDTH = 0.1
POINTS = 1000
LEAST_DENSITY = 0.01
"""Where the smoothed density is not above this, the fit does not look."""

IMPOSSIBLE = 1e6
"""What each point costs where the law's edges and the density's peak contradict each other."""


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
    from scipy.optimize import fmin

    x, y = _density(np.sqrt(scaled) if aspect == 1 else scaled)
    widest = np.sqrt(scaled[-1]) / (1 + 1 / np.sqrt(aspect))
    grid = np.mgrid[0.05 * widest : 2 * widest : 0.01 * widest]
    tried = grid[_possible(grid, x, y, aspect)]
    start = tried[np.argmin(_squares(tried[:, None], x, y, aspect))] if len(tried) else grid[0]
    return float(fmin(_misfit, start, args=(x, y, aspect), disp=0)[0])


def _density(values: Array) -> tuple[Array, Array]:
    """(x, y): the smoothed density of ascending values where it is above LEAST_DENSITY."""
    x = np.linspace(0, values[-1] + 0.5, POINTS)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    low, here, high = (np.searchsorted(values, x + shift) for shift in (-BANDWIDTH, 0.0, BANDWIDTH))
    below = (here - low) * (1 - x / BANDWIDTH) + (sums[here] - sums[low]) / BANDWIDTH
    above = (high - here) * (1 + x / BANDWIDTH) - (sums[high] - sums[here]) / BANDWIDTH
    y = (below + above) / (len(values) * BANDWIDTH)
    return x[y > LEAST_DENSITY], y[y > LEAST_DENSITY]


def _misfit(sigma: Array, x: Array, y: Array, aspect: float) -> float:
    """The sum of squared differences for one sigma [1]."""
    if not _possible(sigma, x, y, aspect)[0]:
        return IMPOSSIBLE * len(y)
    return float(_squares(sigma, x, y, aspect))


def _possible(sigma: Array, x: Array, y: Array, aspect: float) -> NDArray[np.bool_]:
    """Whether the density's peak lies within the law's edges, and the upper edge within the density."""
    if aspect == 1:
        return np.ones(sigma.shape, dtype=bool)
    lower, upper = ((sigma * (1 + sign / np.sqrt(aspect))) ** 2 for sign in (-1, 1))
    peak = x[np.argmax(y)]
    return np.asarray((upper >= peak) & (upper <= x[-1]) & (lower <= peak))


def _squares(sigma: Array, x: Array, y: Array, aspect: float) -> Array:
    """Σ(law − y)² for sigma [..., 1] or one."""
    square = sigma**2
    if aspect == 1:
        law = np.sqrt(np.maximum(4 - x**2, 0.0)) / (np.pi * square)
    else:
        lower, upper = (square * (1 + sign / np.sqrt(aspect)) ** 2 for sign in (-1, 1))
        height = np.sqrt(np.maximum((upper - x) * (x - lower), 0.0))
        law = height * aspect / (2 * np.pi * square * np.maximum(x, np.finfo(float).tiny))
    return np.asarray(((law - y) ** 2).sum(axis=-1))
