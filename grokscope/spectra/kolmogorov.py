"""The Kolmogorov-Smirnov distance to a law, and the naive p-value that treats eigenvalues as independent draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra import marchenko_pastur

Array = NDArray[np.float64]


def distance_of_cdf(values: Array) -> Array:
    """sup |empirical − law| from the law's CDF at sorted points [..., n]; both sides of each step."""
    size = values.shape[-1]
    steps = np.arange(size) / size
    result: Array = np.maximum(values - steps, steps + 1 / size - values).max(axis=-1)
    return result


def distance(esd: Array, num_rows: int, num_columns: int) -> float:
    """KS distance of eigenvalues [M], ascending, to the Marchenko-Pastur law with the sigma of their trace.

    NaN where there is nothing to fit.
    """
    return float(distances(esd[None], num_rows, num_columns)[0])


def distances(spectra: Array, num_rows: int, num_columns: int, kurtosis: float = 0.0) -> Array:
    """`distance` [K] of each of several spectra [K, M], to the law of entries of this excess kurtosis.

    It is the one that such entries have at this size on average (`marchenko_pastur.expected_cdf`).
    """
    traces = spectra.sum(axis=1, keepdims=True)
    if not spectra.shape[1] or (traces <= 0).any():
        return np.array([np.nan if trace <= 0 else distances(esd[None], num_rows, num_columns, kurtosis)[0]
                         for esd, trace in zip(spectra, traces, strict=True)])  # fmt: skip
    scaled = spectra * (num_rows * num_columns / traces)
    return distance_of_cdf(marchenko_pastur.expected_cdf(scaled, num_rows, num_columns, 1.0, kurtosis))


def naive_p(ks_distance: float, size: int) -> float:
    """P(D ≥ d) of the one-sample, two-sided test: `size` independent points and a law that was not fitted.

    This is the p-value in the papers; eigenvalues break both assumptions (see `grokscope.spectra.null`).
    Exact: Marsaglia, Tsang and Wang (2003) for the body; twice the one-sided law beyond size·d² = 4, where
    the two sides coincide with probability below 10⁻¹³.
    """
    if not np.isfinite(ks_distance) or size < 1:
        return float("nan")
    if ks_distance <= 0.5 / size:
        return 1.0
    if ks_distance >= 1:
        return 0.0
    if size * ks_distance**2 >= 4:
        from scipy.special import smirnov

        return float(min(1.0, 2 * smirnov(size, ks_distance)))
    return float(1.0 - _marsaglia_cdf(ks_distance, size))


def _marsaglia_cdf(ks_distance: float, size: int) -> float:
    """P(D < d) by the matrix power of Marsaglia, Tsang and Wang, J. Stat. Softw. 8 (18), 2003."""
    order = int(size * ks_distance) + 1
    remainder = order - size * ks_distance
    width = 2 * order - 1
    step = np.tri(width, k=1)
    powers = remainder ** np.arange(1, width + 1)
    step[:, 0] -= powers
    step[-1, :] -= powers[::-1]
    step[-1, 0] += max(2 * remainder - 1, 0.0) ** width
    offsets = np.arange(width)[:, None] - np.arange(width)[None, :] + 1
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, width + 1)))])
    step = np.where(offsets > 0, step * np.exp(-log_factorial[np.maximum(offsets, 0)]), step)
    return _scaled_power(step, size, order - 1)


def _scaled_power(matrix: Array, size: int, corner: int) -> float:
    """(matrixⁿ)[corner, corner] · n!/nⁿ, with the exponent kept apart so that nothing overflows."""
    result, log_result = np.eye(len(matrix)), 0.0
    power, log_power, left = matrix, 0.0, size
    while left:
        if left & 1:
            result, log_result = result @ power, log_result + log_power
        power, log_power, left = power @ power, 2 * log_power, left >> 1
        scale = power.max()
        power, log_power = power / scale, log_power + np.log(scale)
        scale = result.max()
        result, log_result = result / scale, log_result + np.log(scale)
    log_ratio = float(np.sum(np.log(np.arange(1, size + 1) / size)))
    return float(result[corner, corner] * np.exp(log_result + log_ratio))
