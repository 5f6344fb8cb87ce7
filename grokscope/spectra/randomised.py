"""The randomised layer: K seeded permutations of the entries, how many eigenvalues leave the noise, and which
permutation to show.

All permutations of a layer are judged by one edge, with the robust sigma of the representative: the
permutation whose number of traps is the median. The others need no spectrum, only a count (an inertia) each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra import esd as spectrum
from grokscope.spectra import marchenko_pastur
from grokscope.spectra.null import Null, edge_centre_and_scale
from grokscope.spectra.permutations import Permutations

Array = NDArray[np.float64]

SIGNIFICANCE = 1e-3
"""A trap is an eigenvalue that the largest one of pure noise exceeds with less than this probability."""

VANISHING = 1e-24
"""A bulk whose edge is below this share of the largest eigenvalue is a rounding error (ε², and a margin)."""

KEPT_BYTES = 1 << 26
"""Gram matrices are kept between rounds while all K fit in here; beyond that they are computed again."""


@dataclass(frozen=True, slots=True)
class Randomised:
    """Traps per permutation, `counts` [K]; of the representative `index`, `esd` [M], robust `sigma`, `num_traps`.

    `edge` is the eigenvalue beyond which one is a trap. sigma 0 means that most eigenvalues vanish (a very
    sparse layer): there is no bulk, and counts mean nothing.
    """

    counts: NDArray[np.int64]
    index: int
    esd: Array
    sigma: float
    edge: float
    num_traps: int


def randomise(
    shuffled: Permutations, count: int, null: Null, backend: spectrum.Backend = spectrum.LAPACK
) -> Randomised:
    """Count traps over the first `count` permutations of a finite matrix and find the representative one.

    Starts from a permutation with a middling largest eigenvalue; while its count is not the median one, a
    permutation whose count was takes its place, at most three times.
    """
    long, short = spectrum.sides(shuffled.matrix)
    keep = count * short * short * 8 <= KEPT_BYTES
    gram_of = _gram_matrices(shuffled, keep, backend)
    tried: list[int] = []
    index = _middling([_leading(gram_of(k)) for k in range(count)]) if keep else 0
    while True:
        tried.append(index)
        esd = _esd_of(gram_of(index), shuffled, index, backend)
        sigma, edge, num_traps = bulk_edge(esd, long, short, null)
        if sigma == 0:
            return Randomised(np.zeros(count, np.int64), index, esd, 0.0, float("nan"), 0)
        others = (num_traps if k == index else backend.count_above(gram_of(k), edge) for k in range(count))
        counts = np.fromiter(others, np.int64, count)
        off = np.abs(counts - np.median(counts))
        nearest = np.flatnonzero(off == off.min())
        if index in nearest or len(tried) > 3 or nearest[0] in tried:
            return Randomised(counts, index, esd, sigma, edge, num_traps)
        index = int(nearest[0])


def _leading(gram_matrix: Any) -> float:
    """The Rayleigh quotient after a power step from the even vector: follows the eigenvalue of a mean drift."""
    step = gram_matrix.sum(0)
    return float(step @ gram_matrix @ step / (step @ step))


def _middling(values: list[float]) -> int:
    """Where the value closest to the median stands; the first of several."""
    return int(np.argmin(np.abs(np.array(values) - np.median(values))))


def _gram_matrices(shuffled: Permutations, keep: bool, backend: spectrum.Backend) -> Callable[[int], Any]:
    """The Gram matrix of a permutation by its index, remembered if `keep`."""

    def gram_of(index: int) -> Any:
        return backend.gram(shuffled[index])

    return cache(gram_of) if keep else gram_of


def _esd_of(gram_matrix: Any, shuffled: Permutations, index: int, backend: spectrum.Backend) -> Array:
    """The spectrum of one permutation; from the matrix itself where the Gram matrix has lost too much."""
    values = backend.gram_eigenvalues(gram_matrix)
    if values[0] > spectrum.BULK * values[-1]:
        return values
    return spectrum.eigenvalues(shuffled[index], spectrum.BULK, backend)


def edge_of_noise(sigma: float, long: int, short: int, null: Null) -> float:
    """The eigenvalue that the largest one of long × short noise of spread `sigma` exceeds with SIGNIFICANCE."""
    centre, scale = edge_centre_and_scale(long, short)
    return sigma**2 * (centre + null.edge_z(SIGNIFICANCE) * scale)


def bulk_edge(esd: Array, long: int, short: int, null: Null) -> tuple[float, float, int]:
    """(robust sigma, edge, number of traps) of the ascending eigenvalues [M] of a randomised long × short matrix.

    sigma comes from the median of the eigenvalues within the edge; leaving traps out lowers it, and so the
    edge, which is repeated until no further eigenvalue leaves. At most half of the spectrum can be traps. sigma is
    0 where it then vanishes.
    """
    reach = edge_of_noise(1.0, long, short, null)
    num_traps = 0
    while True:
        sigma = marchenko_pastur.robust_sigma(esd, long, short, num_traps)
        edge = sigma**2 * reach
        if edge <= VANISHING * esd[-1]:
            return 0.0, float("nan"), 0
        outside = min(int(np.count_nonzero(esd > edge)), short // 2)
        if outside <= num_traps:
            return sigma, edge, num_traps
        num_traps = outside


def weightwatcher_count(esd: Array, long: int, short: int, sigma: float) -> int:
    """Traps by WeightWatcher 0.7.7's rule: λ > λ₊ + √(Q^-½ λ₊^⅔ M^-⅔), on eigenvalues rescaled to mean 1.

    `esd` may pool several permutations. With the robust sigma in place of its kernel-density fit; the square
    root, a slip, is kept: it is the rule in print.
    """
    scale = len(esd) / esd.sum()
    aspect = long / short
    upper = scale * sigma**2 * short * aspect * (1 + 1 / np.sqrt(aspect)) ** 2
    margin = np.sqrt(aspect**-0.5 * upper ** (2 / 3) * short ** (-2 / 3))
    return int(np.count_nonzero(scale * esd > upper + margin))
