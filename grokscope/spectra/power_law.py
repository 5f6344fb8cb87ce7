"""The power-law exponent alpha of a spectrum's tail, as WeightWatcher fits it, with its uncertainty beside it.

p(λ) ∝ λ^−α on λ ≥ xmin. For each candidate xmin (every eigenvalue but the largest) alpha is the
maximum-likelihood estimate 1 + n/Σ log(λ/xmin); the xmin whose fit has the least KS distance wins (Clauset,
Shalizi and Newman, SIAM Rev. 51, 2009). Only eigenvalues that are not zero within their rounding count, whatever
the scale of the layer. Below 20 of them WeightWatcher uses a bias-corrected estimate 1 + (n − 1)/Σ log(λ/xmin), on
tails of at least eight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

VANISHING = 1e-24
"""Eigenvalues up to this share of the largest count as zero: singular values of 10⁻¹² of the largest are rounding
errors of double precision."""

WEIGHTWATCHER_THRESHOLD = 1e-5
"""What WeightWatcher takes for zero, in absolute terms: the same layer in other units has another alpha."""

SMALL_SAMPLE = 20
SMALLEST_TAIL = 8
"""Below SMALL_SAMPLE eigenvalues: tails shorter than this are not tried."""

DECIDABLE_TAIL = 10
"""A verdict needs at least this many eigenvalues in the tail: alpha's error there is a third of (alpha − 1)."""

NEAR_BEST = 1.2
"""The interval of alpha runs over every xmin whose KS distance is within this factor of the best one's: on pure
power laws of 40 to 200 points, alone or above a bulk, it then holds the exponent in about 95 % of samples."""

TIE = 1e-9
"""KS distances that differ by less than this share are equal, and the longest of their tails is taken: which of
them is least in the last bits depends on the processor."""

OVER_TRAINED, UNDER_TRAINED = BOUNDS = 2.0, 6.0
"""A layer is over-trained below the first alpha, under-trained above the second, and well-trained between (Martin
and Mahoney, JMLR 22, 2021)."""

LIKE_NOISE = "like noise"
UNDECIDED = ("undecided", LIKE_NOISE)
NULL_REJECTED = 0.005
"""A verdict needs an alpha that noise of the shape has with less than this probability on either side: a test of
1 %."""

NAN = float("nan")
BLOCK = 32  # candidates at a time: bounds memory at BLOCK × M and skips most of the empty triangle


@dataclass(frozen=True, slots=True)
class PowerLawFit:
    """alpha with its tail; every float NaN and num_tail 0 where there is no fit. num_zero were left out."""

    alpha: float = NAN
    sigma: float = NAN
    low: float = NAN
    high: float = NAN
    xmin: float = NAN
    xmax: float = NAN
    distance: float = NAN
    num_tail: int = 0
    num_zero: int = 0


def fit(esd: ArrayLike, threshold: float | None = None) -> PowerLawFit:
    """Fit the tail of eigenvalues [M], in any order; equal to WeightWatcher's WWFit on the same numbers.

    Eigenvalues up to `threshold` (by default VANISHING times the largest) are left out, `num_zero` says how many.
    sigma is (alpha − 1)/√num_tail. low and high enclose alpha ± 1.96 sigma of every near-best xmin, because
    the choice of xmin is the larger part of alpha's uncertainty. A failed fit is NaN, never −1.
    """
    values = _counted(esd, threshold)
    num_zero = np.size(esd) - len(values)
    if len(values) < 2:
        return PowerLawFit(num_zero=num_zero)
    alphas, distances = _curve(values)
    best = int(np.argmax(distances <= distances.min() * (1 + TIE)))
    if not (np.isfinite(alphas[best]) and alphas[best] > 1):
        return PowerLawFit(num_zero=num_zero)
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
        num_tail=int(sizes[best]),
        num_zero=num_zero,
    )


def judge(found: PowerLawFit, alpha_p: float) -> tuple[str, str]:
    """(verdict, why) of an alpha, given the probability that noise of the shape has one as low.

    over-trained (the whole interval below 2), well-trained (2 to 6) or under-trained (above 6); "undecided" where
    the tail is too short or the interval lies in several bands; "like noise" where noise has such an alpha, too.
    "not measured" where there is no fit.
    """
    if not np.isfinite(found.alpha):
        return "not measured", "no power law fits: fewer than two different eigenvalues above zero"
    if found.num_tail < DECIDABLE_TAIL:
        return "undecided", f"a tail of {found.num_tail} eigenvalues, fewer than {DECIDABLE_TAIL}"
    bands = {_band(found.low), _band(found.high)}
    if len(bands) > 1:
        return "undecided", f"its interval, {found.low:.2f} to {found.high:.2f}, lies in several bands"
    if not np.isfinite(alpha_p):
        return "undecided", "not compared with noise of this shape"
    if NULL_REJECTED < alpha_p < 1 - NULL_REJECTED:
        return LIKE_NOISE, f"noise of this shape has an alpha as low with probability {alpha_p:.2g}"
    return bands.pop(), f"the whole interval, {found.low:.2f} to {found.high:.2f}, lies in this band"


def _band(alpha: float) -> str:
    if alpha < OVER_TRAINED:
        return "over-trained"
    return "well-trained" if alpha <= UNDER_TRAINED else "under-trained"


def distance_curve(esd: ArrayLike) -> tuple[Array, Array, Array]:
    """(xmins, distances, alphas), each [m − 1] and xmins ascending: the KS distance that each xmin would give.

    `esd` is eigenvalues [M] in any order, of which m are not zero; NaN where an xmin has no fit. Empty where
    m < 2.
    """
    values = _counted(esd)
    if len(values) < 2:
        empty = np.empty(0)
        return empty, empty.copy(), empty.copy()
    alphas, distances = _curve(values)
    failed = ~(alphas > 1) | ~np.isfinite(alphas)
    return values[:-1].copy(), np.where(failed, np.nan, distances), np.where(failed, np.nan, alphas)


def tail_density(x: ArrayLike, alpha: float, xmin: float) -> Array:
    """(α − 1)/xmin · (x/xmin)^−α from xmin on, 0 below: the fitted density of the tail, integrating to
    1 over [xmin, ∞). Multiply by num_tail/M to lay it over the density of the whole spectrum."""
    values = np.asarray(x, dtype=np.float64)
    inside = values >= xmin
    ratio = np.where(inside, values, xmin) / xmin
    return np.where(inside, (alpha - 1) / xmin * ratio**-alpha, 0.0)


def _counted(esd: ArrayLike, threshold: float | None = None) -> Array:
    """The finite eigenvalues above the threshold, ascending."""
    values = np.asarray(esd, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    if threshold is None:
        threshold = VANISHING * values.max(initial=0.0)
    return np.sort(values[values > threshold])


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
