"""What pure noise does: the Monte-Carlo law of the KS distance and of the largest eigenvalue, for one shape.

Eigenvalues of a Gaussian matrix repel one another, so they follow the Marchenko-Pastur law about six times
more closely than independent points would; and sigma was fitted. Both are calibrated by drawing Gaussian
matrices and measuring them the same way. No matrix is needed: a bidiagonal one of χ variables has the same
singular values (Dumitriu and Edelman, J. Math. Phys. 43, 2002). sigma cancels, so the law depends on the
shape alone and is kept.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra import kolmogorov, marchenko_pastur

Array = NDArray[np.float64]

ESTIMATOR = "trace-median-1"
"""Which estimators the null was measured with (KS: sigma of the trace; edge: sigma of the median), and their
version."""

DRAWS = 4000
"""B: at 5 % the calibrated test then rejects noise in 5 ± 0.35 % (one standard deviation), with 2,000 in 5 ±
0.5."""

LARGEST_SIDE = 400
"""Beyond this M the law of a smaller matrix of the same N/M is used, its distances `rescaled`."""

SMALL_SIDE = 20
"""Up to this M the edge is drawn ten times as often: sigma is noisy there, and draws are cheap."""

SEED = 20_021_101

SHIPPED = Path(__file__).parent / "nulls"
"""The nulls of the paper's three layers, as `simulate` draws them, so that a first analysis need not wait."""


@dataclass(frozen=True, slots=True)
class Null:
    """The law of noise for N × M: sorted KS distances [B], and a gamma fit to the standardised largest
    eigenvalue; `size` is M."""

    size: int
    distances: Array
    edge_shape: float
    edge_location: float
    edge_scale: float

    @property
    def draws(self) -> int:
        """B; no p-value of `distance_p` is below 1/(B + 1)."""
        return len(self.distances)

    def distance_p(self, ks_distance: float, spikes: int = 0) -> float:
        """(1 + #{D₀ ≥ D})/(B + 1), for the distance of all eigenvalues but `spikes`; NaN for NaN."""
        if not np.isfinite(ks_distance):
            return float("nan")
        distances = rescaled(self.distances, self.size, self.size - spikes)
        below = int(np.searchsorted(distances, ks_distance, side="left"))
        return (1 + self.draws - below) / (self.draws + 1)

    def edge_p(self, z: float) -> float:
        """P(the largest standardised eigenvalue of noise ≥ z); the gamma law goes on beyond the draws."""
        from scipy.special import gammaincc

        return float(gammaincc(self.edge_shape, max((z - self.edge_location) / self.edge_scale, 0.0)))

    def edge_z(self, p: float) -> float:
        """The z that noise exceeds with probability `p`."""
        from scipy.special import gammainccinv

        return float(self.edge_location + self.edge_scale * gammainccinv(self.edge_shape, p))


def rescaled(distances: Array, size: int, other: int) -> Array:
    """KS distances of `size` noise eigenvalues as they would be for `other`: M·D grows by (√2/π)·ln(other/size).

    The greatest deviation of a log-correlated counting function (rigidity; Claeys, Fahs, Lambert and Webb, Duke
    Math. J. 170, 2021, for β = 2; √(2/β) times theirs for β = 1). Within 4 % of the draws at M from 50 to 1,000.
    """
    if size == other:
        return distances
    growth = np.sqrt(2) / np.pi * np.log(other / size)
    return np.asarray((size * distances + growth) / other)


def edge_centre_and_scale(num_rows: int, num_columns: int) -> tuple[float, float]:
    """Johnstone's μ and s (Ann. Statist. 29, 2001): (λ_max/σ² − μ)/s tends to the Tracy-Widom law of order 1."""
    n, p = np.sqrt(max(num_rows, num_columns) - 1), np.sqrt(min(num_rows, num_columns))
    return float((n + p) ** 2), float((n + p) * (1 / n + 1 / p) ** (1 / 3))


def null_for(num_rows: int, num_columns: int, draws: int = DRAWS) -> Null:
    """The null of an N × M matrix: shipped, from memory, from the cache folder, or from `draws` fresh draws.

    The folder is $XDG_CACHE_HOME/grokscope, or ~/.cache/grokscope; where it cannot be written the result is
    only kept in memory. Deterministic: the draws are seeded by the shape. Needs M ≥ 2.
    """
    long, short = max(num_rows, num_columns), min(num_rows, num_columns)
    if short <= LARGEST_SIDE:
        return _null(long, short, draws)
    smaller = _null(round(long * LARGEST_SIDE / short), LARGEST_SIDE, draws)
    distances = rescaled(smaller.distances, LARGEST_SIDE, short)
    return Null(short, distances, smaller.edge_shape, smaller.edge_location, smaller.edge_scale)


@lru_cache(maxsize=64)
def _null(long: int, short: int, draws: int) -> Null:
    name = f"null-{ESTIMATOR}-{long}x{short}-{draws}.npz"
    for folder in (SHIPPED, cache_folder()):
        stored = _load(folder / name, short, draws)
        if stored is not None:
            return stored
    drawn = simulate(long, short, draws)
    store(cache_folder() / name, drawn)
    return drawn


def simulate(long: int, short: int, draws: int) -> Null:
    """Measure `draws` Gaussian matrices of long × short (ten times as many for the edge of a small one)."""
    rng = np.random.default_rng(np.random.SeedSequence([SEED, long, short]))
    repeats = 10 * draws if short <= SMALL_SIDE else draws
    spectra = laguerre_spectra(long, short, repeats, rng)
    sigma_squared = np.median(spectra, axis=1) / marchenko_pastur.median(long, short)
    centre, scale = edge_centre_and_scale(long, short)
    shape, location, width = _gamma_of((spectra[:, -1] / sigma_squared - centre) / scale)
    first = spectra[:draws]
    trace = first.sum(axis=1, keepdims=True) / (long * short)
    distances = kolmogorov.distance_of_cdf(marchenko_pastur.cdf(first / trace, long, short))
    return Null(short, np.sort(distances), shape, location, width)


def laguerre_spectra(long: int, short: int, draws: int, rng: np.random.Generator) -> Array:
    """Eigenvalues [draws, M], ascending, of WᵀW for Gaussian long × short matrices W with unit entries.

    From the bidiagonal model of the β = 1 Laguerre ensemble: dᵢ² ~ χ²(N − i), eᵢ² ~ χ²(M − 1 − i).
    """
    from scipy.linalg import lapack

    order = np.arange(short)
    result = np.empty((draws, short))
    for row in result:
        squares = rng.chisquare(long - order)
        below = rng.chisquare(short - 1 - order[:-1])
        diagonal = squares.copy()
        diagonal[1:] += below
        row[:], _ = lapack.dsterf(diagonal, np.sqrt(squares[:-1] * below))
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


def cache_folder() -> Path:
    """Where nulls are kept between runs."""
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "grokscope"
    try:
        return Path.home() / ".cache" / "grokscope"
    except RuntimeError:  # a user without a home, as in some containers
        return Path(tempfile.gettempdir()) / "grokscope"


def _load(path: Path, size: int, draws: int) -> Null | None:
    """A stored null, or None where there is none or it is not whole."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            distances, edge = stored["distances"], stored["edge"]
    except Exception:  # a torn archive raises a zoo of errors; all of them mean: draw it again
        return None
    if distances.shape != (draws,) or edge.shape != (3,) or not np.isfinite([*distances, *edge]).all():
        return None
    return Null(size, distances, *map(float, edge))


def store(path: Path, null: Null) -> None:
    """Write atomically; a folder that refuses is no error, the null is drawn again next time."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(suffix=".npz", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                edge = [null.edge_shape, null.edge_location, null.edge_scale]
                np.savez_compressed(stream, distances=null.distances, edge=np.array(edge))
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
