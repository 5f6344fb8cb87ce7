"""WeightWatcher's measures of a layer, by its own names and conventions, from eigenvalues that are known already.

Its conventions (0.7.7): a convolution is a matrix [out, in] for each kernel position, each scaled by √½, whose
eigenvalues are pooled; eigenvalues up to 10⁻⁵ are no part of the power law; logarithms are to base 10.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra import power_law
from grokscope.spectra.esd import Backend, Matrix, as_matrix, eigenvalues
from grokscope.spectra.weightwatcher_mp import mp_softrank

Array = NDArray[np.float64]

EPSILON = 1e-10
"""What WeightWatcher adds to probabilities and to the rank in its entropy."""

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class WeightWatcherMeasures:
    """alpha_weightwatcher is its alpha, num_pl_spikes the tail of that.

    entropy is in units of log rank; rank_loss counts singular values that are zero in double precision; detX_num
    is `determinant_is_one`, ERG_gap what that exceeds the power law's tail by, and mp_softrank λ₊/λ_max by
    WeightWatcher's own fit.
    """

    alpha_weightwatcher: float
    num_pl_spikes: float
    alpha_weighted: float
    log_alpha_norm: float
    log_norm: float
    log_spectral_norm: float
    entropy: float
    rank_loss: float
    detX_num: float  # noqa: N815 (WeightWatcher's name)
    ERG_gap: float
    mp_softrank: float


def positions(weight: NDArray[np.generic]) -> list[Matrix]:
    """The matrices that WeightWatcher takes a weight [out, in, …kernel] for: itself, or one a kernel position."""
    if weight.ndim == 2:
        return [as_matrix(weight)]
    flat = np.asarray(weight, dtype=np.float64).reshape(*weight.shape[:2], -1)
    return [np.ascontiguousarray(flat[:, :, position]) * np.sqrt(0.5) for position in range(flat.shape[2])]


def spectra_of(weight: NDArray[np.generic], esd: Array, backend: Backend) -> list[Array]:
    """The eigenvalues of each of its `positions`; `esd` are those of the weight as one matrix."""
    return [esd] if weight.ndim == 2 else [eigenvalues(matrix, backend) for matrix in positions(weight)]


def measure(spectra: list[Array], long: int, own_fit: power_law.PowerLawFit) -> WeightWatcherMeasures:
    """Measure a finite weight by the eigenvalues of its positions, matrices with this longer side.

    `own_fit` is the power law of the weight as one matrix.
    """
    pooled = _pooled(spectra)
    none_cut = len(spectra) == 1 and own_fit.num_zero == 0 and pooled[0] > power_law.WEIGHTWATCHER_THRESHOLD
    fit = own_fit if none_cut else power_law.fit(pooled, power_law.WEIGHTWATCHER_THRESHOLD)
    log_spectral_norm = float(np.log10(pooled[-1]))
    detx_num = determinant_is_one(pooled)
    return WeightWatcherMeasures(
        alpha_weightwatcher=fit.alpha,
        num_pl_spikes=float(fit.num_tail) if fit.num_tail else NAN,
        alpha_weighted=fit.alpha * log_spectral_norm,
        log_alpha_norm=_log_alpha_norm(pooled, fit.alpha),
        log_norm=float(np.log10(pooled.sum())),
        log_spectral_norm=log_spectral_norm,
        entropy=entropy(pooled, long),
        rank_loss=float(sum(len(values) - rank(values, long) for values in spectra)),
        detX_num=float(detx_num),
        ERG_gap=float(detx_num - fit.num_tail) if fit.num_tail else NAN,
        mp_softrank=mp_softrank(pooled, long, len(spectra[0])),
    )


def rand_distance(spectra: list[Array], shuffled: list[Array]) -> float:
    """The Jensen-Shannon distance of the pooled eigenvalues to those of shuffled entries, both taken for
    probabilities by rank. NaN where they vanish."""
    own, other = _pooled(spectra), _pooled(shuffled)
    middle = (own + other) / 2
    if not middle.sum() > 0:
        return NAN
    return float(np.sqrt(max((_divergence(own, middle) + _divergence(other, middle)) / 2, 0.0)))


def _divergence(one: Array, other: Array) -> float:
    """Σ p log(p/q) of two sequences scaled to sum 1."""
    p, q = one / one.sum(), other / other.sum()
    counted = p > 0
    return float(np.sum(p[counted] * np.log(p[counted] / q[counted])))


def _pooled(spectra: list[Array]) -> Array:
    return np.maximum(np.sort(np.concatenate(spectra)), 0.0)


def rank(esd: Array, long: int) -> int:
    """How many singular values are not zero in double precision, as numpy.linalg.matrix_rank tells."""
    singular = np.sqrt(np.maximum(esd, 0.0))
    return int(np.count_nonzero(singular > singular.max() * long * np.finfo(np.float64).eps))


def entropy(esd: Array, long: int) -> float:
    """−Σ p log p / log rank of p = λ/Σλ."""
    p = esd / esd.sum() + EPSILON
    known = rank(esd, long) + EPSILON
    return float(-np.sum(p * np.log(p)) / np.log(known)) if known > 1.5 else NAN


def determinant_is_one(esd: Array) -> int:
    """How many of the largest eigenvalues [M], ascending and here scaled to mean 1, have a product below 1."""
    logs = np.log(np.maximum(esd * (len(esd) / esd.sum()), np.finfo(np.float64).tiny))
    below = np.flatnonzero(np.cumsum(logs[:0:-1]) < 0)
    return int(below[0]) + 1 if len(below) else len(esd)


def _log_alpha_norm(esd: Array, alpha: float) -> float:
    """log₁₀ Σ λ^α, with the largest λ taken out, so that nothing overflows."""
    if not np.isfinite(alpha):
        return NAN
    return float(alpha * np.log10(esd[-1]) + np.log10(np.sum((esd / esd[-1]) ** alpha)))
