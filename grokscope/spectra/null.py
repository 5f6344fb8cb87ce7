"""What pure noise does: the Monte-Carlo laws of the KS distance, of the largest eigenvalue and of alpha, for one
shape.

Eigenvalues of a Gaussian matrix repel one another, so they follow the Marchenko-Pastur law about six times more
closely than independent points would; and sigma was fitted. A power law fitted to them has an alpha of its own,
too. All is calibrated by drawing Gaussian matrices and measuring them the same way. No matrix is needed: a
bidiagonal one of χ variables has the same singular values (Dumitriu and Edelman, J. Math. Phys. 43, 2002). sigma
cancels, so the laws depend on the shape alone and are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from grokscope.files import cache_folder
from grokscope.spectra import kolmogorov, marchenko_pastur, power_law
from grokscope.spectra.null_store import SHIPPED, load, store

Array = NDArray[np.float64]

ESTIMATOR = "trace-median-alpha-3"
"""Which estimators the null was measured with (KS: sigma of the trace; edge: sigma of the median; alpha: the fit
of `power_law`), and their version."""

DRAWS = 8000
"""B at M = 200; smaller ones have more (`repeats`). The law of the mean over K permutations is then known to
√(K/B) of its own spread: 0.05 for K = 20, by which the share of noise that a 5 % test rejects is off by 0.5 % (one
standard deviation)."""

ALPHA_DRAWS = 1000
"""Of these spectra, the first so many are fitted by a power law: a share of 1 % is then known to ± 0.3 %."""

LARGEST_SIDE = 200
"""Beyond this M the law of a smaller matrix of the same N/M is used, its distances and alphas `rescaled`."""

DISTANCE_GROWTH = 0.41
"""M·D of noise grows by this times ln M: measured 0.38 to 0.43 from M = 25 to 1,600 and N/M = 1 to 20, where the
mean of D then comes out within 1 %.

Rigidity has √2/π = 0.45 to leading order (Claeys, Fahs, Lambert and Webb, Duke Math. J. 170, 2021, for β = 2;
√(2/β) times theirs for β = 1).
"""

ALPHA_GROWTH = 0.47
"""alpha − 1 of noise grows by this power of M: measured 0.44 (M = 100 to 400) to 0.5 (400 to 1,600).

Its 0.5, 50 and 99.5 % points then come out within 10 %. An edge that is no power law is fitted on ever shorter
ranges.
"""

LIGHT_TAILS = 0.04
"""Light tails add this times kurtosis²/M² to the distance of noise, beyond the law that allows for them.

Measured 0.03 to 0.06 for ±1 and 0.02 to 0.05 for uniform entries, M = 10 and 20, N/M = 1 to 5. For ±1 entries at
M = 20 it is a seventh of the spread of a mean of 20 distances.
"""

MOST_REPEATS = 4
"""Smaller matrices are drawn as many times more often as takes the time of M = LARGEST_SIDE, up to this."""

BLOCK = 1000
"""Spectra that are drawn at a time."""

SEED = 20_021_101


@dataclass(frozen=True, slots=True, eq=False)
class Null:
    """The law of noise for N × M: sorted KS distances [B], a gamma fit to the standardised largest eigenvalue,
    and sorted alphas [A], fewer than B; `size` is M."""

    size: int
    distances: Array
    edge_shape: float
    edge_location: float
    edge_scale: float
    alphas: Array

    @property
    def draws(self) -> int:
        """B; no p-value of a distance is below 1/(B + 1)."""
        return len(self.distances)

    def distance_p(self, ks_distance: float, permutations: int = 1, kurtosis: float = 0.0) -> float:
        """(1 + #{D₀ ≥ D})/(B + 1) for the mean KS distance of so many independent spectra; NaN for NaN.

        `kurtosis` is the one that the law allowed for, at most 0.
        """
        if not np.isfinite(ks_distance):
            return float("nan")
        distances = _mean_distances(self, permutations)
        as_gaussian = ks_distance - LIGHT_TAILS * (kurtosis / self.size) ** 2
        below = int(np.searchsorted(distances, as_gaussian, side="left"))
        return (1 + self.draws - below) / (self.draws + 1)

    def distances_as_if_whole(self, distances: Array, spikes: int) -> Array:
        """Distances of M − `spikes` eigenvalues as they would be for M, to be compared with this null."""
        return rescaled(distances, self.size - spikes, self.size)

    def alpha_p(self, alpha: float) -> float:
        """(1 + #{α₀ ≤ α})/(A + 1): how often noise has a tail at least as heavy; NaN for NaN."""
        if not np.isfinite(alpha) or not len(self.alphas):
            return float("nan")
        return (1 + int(np.searchsorted(self.alphas, alpha, side="right"))) / (len(self.alphas) + 1)

    def edge_p(self, z: float) -> float:
        """P(the largest standardised eigenvalue of noise ≥ z); the gamma law goes on beyond the draws."""
        from scipy.special import gammaincc

        return float(gammaincc(self.edge_shape, max((z - self.edge_location) / self.edge_scale, 0.0)))

    def edge_z(self, p: float) -> float:
        """The z that noise exceeds with probability `p`."""
        from scipy.special import gammainccinv

        return float(self.edge_location + self.edge_scale * gammainccinv(self.edge_shape, p))


@lru_cache(maxsize=64)
def _mean_distances(null: Null, permutations: int) -> Array:
    """Sorted means [B] of groups of distances drawn anew from the null's: permutations of one matrix are
    independent in this (`benchmarks/spectra_size.py` measures the size of the test)."""
    if permutations == 1:
        return null.distances
    rng = np.random.default_rng([SEED, permutations])
    total = np.zeros(null.draws)
    for _ in range(permutations):
        total += rng.choice(null.distances, null.draws)
    return np.sort(total / permutations)


def rescaled(distances: Array, size: int, other: int) -> Array:
    """KS distances of `size` noise eigenvalues as they would be for `other`, by DISTANCE_GROWTH."""
    if size == other:
        return distances
    return np.asarray((size * distances + DISTANCE_GROWTH * np.log(other / size)) / other)


def edge_centre_and_scale(num_rows: int, num_columns: int) -> tuple[float, float]:
    """Johnstone's μ and s (Ann. Statist. 29, 2001): (λ_max/σ² − μ)/s tends to the Tracy-Widom law of order 1."""
    n, p = np.sqrt(max(num_rows, num_columns) - 1), np.sqrt(min(num_rows, num_columns))
    return float((n + p) ** 2), float((n + p) * (1 / n + 1 / p) ** (1 / 3))


def null_for(num_rows: int, num_columns: int, draws: int = DRAWS) -> Null:
    """The null of an N × M matrix: shipped, from memory, from the cache folder, or from `draws` · `repeats` draws.

    Where the cache folder (`cache_folder`) cannot be written the result is only kept in memory. Deterministic: the
    draws are seeded by the shape. Needs M ≥ 2.
    """
    return _null(max(num_rows, num_columns), min(num_rows, num_columns), draws)


@lru_cache(maxsize=64)
def _null(long: int, short: int, draws: int) -> Null:
    if short > LARGEST_SIDE:
        smaller = _null(round(long * LARGEST_SIDE / short), LARGEST_SIDE, draws)
        distances = rescaled(smaller.distances, LARGEST_SIDE, short)
        alphas = 1 + (smaller.alphas - 1) * (short / LARGEST_SIDE) ** ALPHA_GROWTH
        return replace(smaller, size=short, distances=distances, alphas=alphas)
    name = f"null-{ESTIMATOR}-{long}x{short}-{draws}.npz"
    for folder in (SHIPPED, cache_folder()):
        if (stored := _from_arrays(short, repeats(short) * draws, load(folder / name))) is not None:
            return stored
    drawn = simulate(long, short, draws)
    store(cache_folder() / name, to_arrays(drawn))
    return drawn


def simulate(long: int, short: int, draws: int) -> Null:
    """Measure `draws` Gaussian matrices of long × short, times `repeats`."""
    rng = np.random.default_rng(np.random.SeedSequence([SEED, long, short]))
    spectra = laguerre_spectra(long, short, repeats(short) * draws, rng)
    sigma_squared = np.median(spectra, axis=1) / marchenko_pastur.median(long, short)
    centre, scale = edge_centre_and_scale(long, short)
    shape, location, width = _gamma_of((spectra[:, -1] / sigma_squared - centre) / scale)
    trace = spectra.sum(axis=1, keepdims=True) / (long * short)
    distances = kolmogorov.distance_of_cdf(marchenko_pastur.cdf(spectra / trace, long, short))
    alphas = np.array([power_law.fit(esd).alpha for esd in spectra[:ALPHA_DRAWS]])
    return Null(short, np.sort(distances), shape, location, width, np.sort(alphas[np.isfinite(alphas)]))


def repeats(short: int) -> int:
    """How many times more often a matrix of shorter side M = `short` is drawn than was asked for."""
    return max(1, min(LARGEST_SIDE // short, MOST_REPEATS))


def laguerre_spectra(long: int, short: int, draws: int, rng: np.random.Generator) -> Array:
    """Eigenvalues [draws, M], ascending, of WᵀW for Gaussian long × short matrices W with unit entries.

    From the bidiagonal model of the β = 1 Laguerre ensemble: dᵢ² ~ χ²(N − i), eᵢ² ~ χ²(M − 1 − i).
    """
    from scipy.linalg import lapack

    order = np.arange(short)
    freedom = np.concatenate([long - order, short - 1 - order[:-1]])
    result = np.empty((draws, short))
    for start in range(0, draws, BLOCK):
        rows = result[start : start + BLOCK]
        squares, below = np.split(rng.chisquare(freedom, (len(rows), len(freedom))), [short], axis=1)
        beside = np.sqrt(squares[:, :-1] * below)
        squares[:, 1:] += below
        for row, diagonal, off_diagonal in zip(rows, squares, beside, strict=True):
            row[:], _ = lapack.dsterf(diagonal, off_diagonal)
    return result


def _gamma_of(sample: Array) -> tuple[float, float, float]:
    """(shape, location, scale) of the shifted gamma law with the sample's mean, variance and skewness.

    The Tracy-Widom law of order 1 is a gamma of shape 46.4 to within 1.1·10⁻³ (Chiani, J. Multivar. Anal. 129,
    2014); the noise of sigma makes small matrices more skewed, hence three moments of the draws themselves.
    """
    mean, spread = float(sample.mean()), float(sample.std())
    skewness = max(float(np.mean(((sample - mean) / spread) ** 3)), 0.1)
    shape = 4 / skewness**2
    scale = spread * skewness / 2
    return shape, mean - shape * scale, scale


def to_arrays(null: Null) -> dict[str, Array]:
    """A null as the arrays of its archive."""
    edge = np.array([null.edge_shape, null.edge_location, null.edge_scale])
    return {"distances": null.distances, "edge": edge, "alphas": null.alphas}


def _from_arrays(size: int, draws: int, arrays: dict[str, Array]) -> Null | None:
    """The null of an archive's arrays; None where they are not those of a null with so many draws."""
    if set(arrays) != {"distances", "edge", "alphas"}:
        return None
    if arrays["distances"].shape != (draws,) or arrays["edge"].shape != (3,):
        return None
    shape, location, scale = map(float, arrays["edge"])
    return Null(size, arrays["distances"], shape, location, scale, arrays["alphas"])
