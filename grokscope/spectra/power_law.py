"""The power-law exponent alpha of a spectrum's tail, as WeightWatcher fits it, with its uncertainty beside it.

p(λ) ∝ λ^−α on λ ≥ xmin. For each candidate xmin (every eigenvalue but the largest) alpha is the
maximum-likelihood estimate 1 + n/Σ log(λ/xmin); the xmin whose fit has the least KS distance wins (Clauset,
Shalizi and Newman, SIAM Rev. 51, 2009). Only eigenvalues above 10⁻⁵ count. Below 20 of them WeightWatcher
uses a bias-corrected estimate 1 + (n − 1)/Σ log(λ/xmin), on tails of at least eight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

THRESHOLD = 1e-5
"""Eigenvalues up to this count as zero, in absolute terms, as in WeightWatcher."""

SMALL_SAMPLE = 20
SMALLEST_TAIL = 8
"""Below SMALL_SAMPLE eigenvalues: tails shorter than this are not tried."""

DECIDABLE_TAIL = 10
"""A verdict needs at least this many eigenvalues in the tail: alpha's error there is a third of (alpha − 1)."""

NEAR_BEST = 1.2
"""The interval of alpha runs over every xmin whose KS distance is within this factor of the best one's: on pure
power laws of 40 to 200 points, alone or above a bulk, it then holds the exponent in about 95 % of samples."""

NAN = float("nan")
BLOCK = 32  # candidates at a time: bounds memory at BLOCK × M and skips most of the empty triangle


@dataclass(frozen=True, slots=True)
class PowerLawFit:
    """alpha with its tail; every float NaN and num_tail 0 where there is no fit."""

    alpha: float = NAN
    sigma: float = NAN
    low: float = NAN
    high: float = NAN
    xmin: float = NAN
    xmax: float = NAN
    distance: float = NAN
    num_tail: int = 0

    @property
    def verdict(self) -> str:
        """over-trained (alpha < 2), well-trained (2 to 6), under-trained (> 6), or why there is none."""
        if not np.isfinite(self.alpha):
            return "not measured"
        if self.num_tail < DECIDABLE_TAIL:
            return "undecided"
        if self.alpha < 2:
            return "over-trained"
        return "well-trained" if self.alpha <= 6 else "under-trained"


def fit(esd: ArrayLike) -> PowerLawFit:
    """Fit the tail of eigenvalues [M], in any order; equal to WeightWatcher's WWFit on the same numbers.

    sigma is (alpha − 1)/√num_tail. low and high enclose alpha ± 1.96 sigma of every near-best xmin, because
    the choice of xmin is the larger part of alpha's uncertainty. A failed fit is NaN, never −1.
    """
    values = _positive(esd)
    if len(values) < 2:
        return PowerLawFit()
    alphas, distances = _curve(values)
    best = int(np.argmin(distances))
    if not (np.isfinite(alphas[best]) and alphas[best] > 1):
        return PowerLawFit()
    sizes = len(values) - np.arange(len(alphas))
    sigmas = (alphas - 1) / np.sqrt(sizes)
    near = (distances <= NEAR_BEST * distances[best]) & (distances < 1) & np.isfinite(alphas)
    return PowerLawFit(
        alpha=float(alphas[best]),
        sigma=float(sigmas[best]),
        low=float(max(1.0, np.min((alphas - 1.96 * sigmas)[near]))),
        high=float(np.max((alphas + 1.96 * sigmas)[near])),
        xmin=float(values[best]),
        xmax=float(values[-1]),
        distance=float(distances[best]),
        num_tail=int(np.count_nonzero(values >= values[best])),
    )


def distance_curve(esd: ArrayLike) -> tuple[Array, Array, Array]:
    """(xmins, distances, alphas), each [m − 1] and xmins ascending: the KS distance that each xmin would give.

    `esd` is eigenvalues [M] in any order, of which m exceed 10⁻⁵; NaN where an xmin has no fit. Empty where m < 2.
    """
    values = _positive(esd)
    if len(values) < 2:
        empty = np.empty(0)
        return empty, empty.copy(), empty.copy()
    alphas, distances = _curve(values)
    failed = ~(alphas > 1) | ~np.isfinite(alphas)
    return values[:-1].copy(), np.where(failed, np.nan, distances), np.where(failed, np.nan, alphas)


def tail_density(x: ArrayLike, alpha: float, xmin: float, xmax: float = float("inf")) -> Array:
    """(α − 1)/xmin · (x/xmin)^−α on [xmin, xmax], 0 elsewhere: the fitted density of the tail, integrating to
    1 over [xmin, ∞). Multiply by num_tail/M to lay it over the density of the whole spectrum."""
    values = np.asarray(x, dtype=np.float64)
    inside = (values >= xmin) & (values <= xmax)
    ratio = np.where(inside, values, xmin) / xmin
    return np.where(inside, (alpha - 1) / xmin * ratio**-alpha, 0.0)


def _positive(esd: ArrayLike) -> Array:
    values = np.asarray(esd, dtype=np.float64).ravel()
    return np.sort(values[(values > THRESHOLD) & np.isfinite(values)])


def _curve(values: Array) -> tuple[Array, Array]:
    """(alphas, KS distances) of each candidate xmin = values[:-1]; 0 and 1 where the candidate has no fit."""
    size = len(values)
    logs = np.log(values)
    counts = size - np.arange(size - 1)  # points in each candidate's tail
    steps = (counts - 1) * np.diff(logs)  # Σ log(λ/xmin) grows by this from one xmin to the next lower one
    sums = np.cumsum(steps[::-1])[::-1]
    small = size < SMALL_SAMPLE
    tried = sums > 1e-12 if small else sums > 0
    if small:
        enough = counts >= SMALLEST_TAIL
        tried &= enough if (tried & enough).any() else np.arange(size - 1) == 0
    alphas = np.zeros(size - 1)
    alphas[tried] = 1 + (counts[tried] - (1 if small else 0)) / sums[tried]
    return alphas, _ks_distances(logs, alphas, tried)


def _ks_distances(logs: Array, alphas: Array, tried: NDArray[np.bool_]) -> Array:
    """max over the tail of |fitted CDF − empirical CDF|, the latter counting points strictly below, as
    WeightWatcher."""
    size = len(logs)
    distances = np.ones(size - 1)
    for start in range(0, size - 1, BLOCK):
        rows = np.arange(start, min(start + BLOCK, size - 1))
        columns = np.arange(start, size)
        exponents = (1 - alphas[rows])[:, None] * (logs[columns] - logs[rows][:, None])
        rank = columns - rows[:, None]
        gaps = np.abs(1 - np.exp(np.minimum(exponents, 0.0)) - rank / (size - rows)[:, None])
        distances[rows] = np.where(rank >= 0, gaps, 0.0).max(axis=1)
    distances[~tried] = 1.0
    return distances
