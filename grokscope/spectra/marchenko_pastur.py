"""The Marchenko-Pastur law of the eigenvalues of a random N × M matrix with independent entries of spread sigma.

With c = M/N ≤ 1 and λ/(σ²N) = 1 + c − 2√c·cos t, t from 0 to π, the density becomes 2 sin²t / (π λ/(σ²N)), smooth
even at c = 1, and its integral is elementary. Everything here is unnormalised: λ is an eigenvalue of WᵀW. Source:
Marchenko and Pastur (1967); Bai and Silverstein, Spectral Analysis of Large Random Matrices, chapter 3.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def edges(num_rows: int, num_columns: int, sigma: float = 1.0) -> tuple[float, float]:
    """(λ₋, λ₊) = σ²(√N ∓ √M)² for an N × M matrix, whichever side is longer."""
    long, short = np.sqrt(max(num_rows, num_columns)), np.sqrt(min(num_rows, num_columns))
    return float(sigma**2 * (long - short) ** 2), float(sigma**2 * (long + short) ** 2)


def density(x: ArrayLike, num_rows: int, num_columns: int, sigma: float = 1.0) -> Array:
    """The density at eigenvalues `x` (any shape), integrating to 1 over [λ₋, λ₊]; 0 outside, ∞ never.

    For a square matrix it diverges at λ = 0, where 0 is returned. `sigma` must be positive.
    """
    values = np.asarray(x, dtype=np.float64)
    lower, upper = edges(num_rows, num_columns, sigma)
    inside = (values > lower) & (values < upper) & (values > 0)
    safe = np.where(inside, values, upper)
    root = np.sqrt((upper - safe) * (safe - lower))
    short = min(num_rows, num_columns)
    return np.where(inside, root / (2 * np.pi * sigma**2 * short * safe), 0.0)


def cdf(x: ArrayLike, num_rows: int, num_columns: int, sigma: float = 1.0) -> Array:
    """The share of eigenvalues at most `x` (any shape), in closed form; 0 below λ₋ and 1 above λ₊."""
    long, short = max(num_rows, num_columns), min(num_rows, num_columns)
    ratio = short / long
    scaled = np.asarray(x, dtype=np.float64) / (sigma**2 * long)
    return _cdf_of_halves(*_halves(scaled, ratio), ratio)


def expected_cdf(x: ArrayLike, num_rows: int, num_columns: int, sigma: float, kurtosis: float) -> Array:
    """`cdf` and what entries of this excess kurtosis add to its mean at finite size: kurtosis·sin(2t)/(2πM).

    The first correction in 1/M that depends on the entries' law, on the share of eigenvalues at most `x`; it keeps
    the mean eigenvalue. Source: Bai and Silverstein (Ann. Probab. 32, 2004) with a fourth cumulant; I₂ of Wang and
    Yao (Electron. J. Stat. 7, 2013) for the step function at x.
    """
    long, short = max(num_rows, num_columns), min(num_rows, num_columns)
    ratio = short / long
    sine, cosine = _halves(np.asarray(x, dtype=np.float64) / (sigma**2 * long), ratio)
    added: Array = kurtosis * 4 * sine * cosine * (cosine**2 - sine**2) / (2 * np.pi * short)
    return _cdf_of_halves(sine, cosine, ratio) + added


def _halves(scaled: Array, ratio: float) -> tuple[Array, Array]:
    """sin(t/2) and cos(t/2) of λ/(σ²N); the half angle keeps small eigenvalues of a square matrix exact."""
    root = np.sqrt(ratio)
    share = np.clip((scaled - (1 - root) ** 2) / (4 * root), 0.0, 1.0)
    return np.sqrt(share), np.sqrt(1 - share)


def _cdf_of_halves(sine: Array, cosine: Array, ratio: float) -> Array:
    """∫₀ᵗ 2 sin²s / (π(1 + c − 2√c cos s)) ds from sin(t/2) and cos(t/2)."""
    root = np.sqrt(ratio)
    angle, turn = 2 * np.arctan2(sine, cosine), np.arctan2((1 + root) * sine, (1 - root) * cosine)
    integral: Array = (1 + ratio) * angle + 4 * root * sine * cosine - 2 * (1 - ratio) * turn
    return integral / (2 * np.pi * ratio)


@lru_cache(maxsize=1024)
def median(num_rows: int, num_columns: int) -> float:
    """The median eigenvalue of an N × M matrix with sigma 1 (unnormalised), by bisection in the angle."""
    long, short = max(num_rows, num_columns), min(num_rows, num_columns)
    ratio = short / long
    low, high = 0.0, np.pi
    for _ in range(60):
        middle = 0.5 * (low + high)
        share = _cdf_of_halves(np.sin(middle / 2), np.cos(middle / 2), ratio)
        low, high = (middle, high) if share < 0.5 else (low, middle)
    return float(long * (1 + ratio - 2 * np.sqrt(ratio) * np.cos(low)))


def robust_sigma(esd: Array, num_rows: int, num_columns: int, spikes: int = 0) -> float:
    """sigma from the median eigenvalue, which a few dominant spikes cannot move.

    `esd` holds M eigenvalues, ascending; the `spikes` largest are left out, and the rest compared with the
    law of (N − spikes) × (M − spikes) entries, which is what remains beside that many spikes.
    """
    bulk = esd[: len(esd) - spikes]
    middle = 0.5 * float(bulk[(len(bulk) - 1) // 2] + bulk[len(bulk) // 2])
    return math.sqrt(max(middle, 0.0) / median(num_rows - spikes, num_columns - spikes))


def trace_sigma(esd: Array, num_rows: int, num_columns: int) -> float:
    """sigma from the sum of the eigenvalues: the root mean square of the entries, least noisy on pure noise."""
    return float(np.sqrt(esd.sum() / (num_rows * num_columns)))
