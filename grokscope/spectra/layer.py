"""One layer of one checkpoint: a weight in, every number that grokscope shows about it out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra import esd as spectrum
from grokscope.spectra import kolmogorov, marchenko_pastur, measures, power_law, randomised, traps
from grokscope.spectra.null import DRAWS, Null, null_for
from grokscope.spectra.permutations import Permutations, seed_key
from grokscope.spectra.traps import Trap

Array = NDArray[np.float64]

ANALYSIS_VERSION = 2
"""Grows with every change of a number; stored results of another version are measured again."""

SMALLEST_SIDE = 8
"""Layers with a shorter side below this are not measured: too few eigenvalues for any fit (WeightWatcher's
minimum)."""

LARGEST_MAGNITUDE = 1e100
SMALLEST_MAGNITUDE = 1e-100

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class LayerSpectrum:
    """What a layer's weight says. Floats are NaN where unknown; `reason` is "" where the layer was measured.

    Eigenvalues are σ(W)², unnormalised. alpha …: the power-law tail of the layer itself. sigma_mp …
    ks_p_bulk: the representative permutation of its entries against the Marchenko-Pastur law; sigma_robust is
    from the median of the eigenvalues within the edge, sigma_trace the entries' root mean square, sigma_mp
    their ratio, lambda_minus and lambda_plus the edges at sigma_robust. ks_distance uses all eigenvalues,
    ks_distance_bulk those that are no traps, both with sigma from their trace; ks_p_naive is the published
    p-value, ks_p the calibrated one (its least value is 1/(null_draws + 1)). num_traps is the median over
    permutations. abs_entropy is in nats.
    """

    name: str
    shape: tuple[int, ...]
    reason: str = ""
    alpha: float = NAN
    alpha_sigma: float = NAN
    alpha_low: float = NAN
    alpha_high: float = NAN
    xmin: float = NAN
    xmax: float = NAN
    power_law_distance: float = NAN
    num_tail: int = 0
    verdict: str = "not measured"
    sigma_mp: float = NAN
    sigma_trace: float = NAN
    sigma_robust: float = NAN
    lambda_minus: float = NAN
    lambda_plus: float = NAN
    ks_distance: float = NAN
    ks_p_naive: float = NAN
    ks_p: float = NAN
    ks_distance_bulk: float = NAN
    ks_p_bulk: float = NAN
    null_draws: int = 0
    num_traps: float = NAN
    num_traps_min: float = NAN
    num_traps_max: float = NAN
    num_traps_weightwatcher: float = NAN
    traps: tuple[Trap, ...] = ()
    norm: float = NAN
    abs_entropy: float = NAN
    mean: float = NAN
    std: float = NAN
    max_abs: float = NAN
    stable_rank: float = NAN
    esd: Array = field(default_factory=lambda: np.empty(0))
    randomized_esd: Array = field(default_factory=lambda: np.empty(0))


def analyze_layer(
    weight: NDArray[np.generic],
    name: str,
    *,
    step: int,
    seed: int = 0,
    permutations: int = 20,
    null_draws: int = DRAWS,
    kind: str = "linear",
    backend: spectrum.Backend = spectrum.LAPACK,
) -> LayerSpectrum:
    """Measure one weight [out, in, ...] of any real dtype; never raises on its numbers.

    The permutations depend on (seed, step, name) alone, the same on any machine and any number of workers. A
    layer that cannot be measured (see `why_not`) comes back with a reason and whatever is still defined.
    `backend` does the dense algebra; a GPU's differs from LAPACK's in the last digits.
    """
    array = np.asarray(weight)
    shape = tuple(int(side) for side in array.shape)
    reason = why_not(array, kind)
    if array.ndim == 0 or array.size == 0 or not _is_real(array) or not np.isfinite(array).all():
        return LayerSpectrum(name, shape, reason)
    matrix = spectrum.as_matrix(array)
    values: dict[str, object] = _plain_measures(matrix)
    if not reason:
        try:
            values |= _own_spectrum(matrix, backend)
            shuffled = Permutations(matrix, seed_key(seed, step, name))
            values |= _randomised_spectrum(shuffled, max(permutations, 1), null_draws, backend)
        except np.linalg.LinAlgError as error:
            reason = f"the eigenvalue solver did not converge ({error})"
    return LayerSpectrum(name, shape, reason, **values)  # type: ignore[arg-type]


def why_not(array: NDArray[np.generic], kind: str = "linear") -> str:
    """Why a weight is not measured, in a few words; "" if it is."""
    if kind == "embedding":
        return "an embedding: a look-up table, not a map between layers"
    if array.ndim < 2:
        return "one axis only: a bias or a scale has no spectrum"
    if array.size == 0:
        return "no entries"
    if not _is_real(array):
        return f"entries of type {array.dtype}, not real numbers"
    if not np.isfinite(array).all():
        return f"{np.count_nonzero(~np.isfinite(array)):,} of {array.size:,} entries are not finite"
    rows, columns = array.shape[0], array.size // array.shape[0]
    if min(rows, columns) < SMALLEST_SIDE:
        return f"{rows} × {columns}: fewer than {SMALLEST_SIDE} eigenvalues"
    return _why_not_by_values(array)


def _why_not_by_values(array: NDArray[np.generic]) -> str:
    low, high = float(array.min()), float(array.max())
    if low == high:
        return f"every entry is {low:g}: there is nothing to permute"
    if not SMALLEST_MAGNITUDE <= max(-low, high) <= LARGEST_MAGNITUDE:
        return f"the largest entry is {max(-low, high):g}: its fourth power leaves the range of float64"
    return ""


def _is_real(array: NDArray[np.generic]) -> bool:
    return array.dtype.kind in "fiub"


def _plain_measures(matrix: Array) -> dict[str, object]:
    plain = measures.measure(matrix)
    return {"norm": plain.norm, "abs_entropy": plain.abs_entropy, "mean": plain.mean, "std": plain.std,
            "max_abs": plain.max_abs}  # fmt: skip


def _own_spectrum(matrix: Array, backend: spectrum.Backend) -> dict[str, object]:
    """The layer's own eigenvalues and their power-law tail."""
    esd = spectrum.eigenvalues(matrix, backend=backend)
    fit = power_law.fit(esd)
    return {
        "esd": esd,
        "stable_rank": measures.stable_rank(esd),
        "alpha": fit.alpha,
        "alpha_sigma": fit.sigma,
        "alpha_low": fit.low,
        "alpha_high": fit.high,
        "xmin": fit.xmin,
        "xmax": fit.xmax,
        "power_law_distance": fit.distance,
        "num_tail": fit.num_tail,
        "verdict": fit.verdict,
    }


def _randomised_spectrum(
    shuffled: Permutations, permutations: int, null_draws: int, backend: spectrum.Backend
) -> dict[str, object]:
    """Permutations of the entries: Marchenko-Pastur fit, KS and traps."""
    long, short = spectrum.sides(shuffled.matrix)
    null = null_for(long, short, null_draws)
    result = randomised.randomise(shuffled, permutations, null, backend)
    trace = marchenko_pastur.trace_sigma(result.esd, long, short)
    values: dict[str, object] = {"randomized_esd": result.esd, "sigma_trace": trace, "null_draws": null.draws}
    if result.sigma == 0:
        return values  # at least half of the eigenvalues vanish: no bulk to compare with
    lower, upper = marchenko_pastur.edges(long, short, result.sigma)
    return values | _ks(result.esd, long, short, result.num_traps, null) | {
        "sigma_mp": result.sigma / trace,
        "sigma_robust": result.sigma,
        "lambda_minus": lower,
        "lambda_plus": upper,
        "num_traps": float(np.median(result.counts)),
        "num_traps_min": float(result.counts.min()),
        "num_traps_max": float(result.counts.max()),
        "num_traps_weightwatcher": _weightwatcher_count(shuffled, result),
        "traps": traps.describe(shuffled, result, null),
    }  # fmt: skip


def _ks(esd: Array, long: int, short: int, num_traps: int, null: Null) -> dict[str, object]:
    """KS distance and p-values, on all eigenvalues and on those that are no traps."""
    distance = kolmogorov.distance(esd, long, short)
    bulk = kolmogorov.distance(esd, long, short, num_traps)
    return {
        "ks_distance": distance,
        "ks_p_naive": kolmogorov.naive_p(distance, short),
        "ks_p": null.distance_p(distance),
        "ks_distance_bulk": bulk,
        "ks_p_bulk": null.distance_p(bulk, num_traps),
    }


def _weightwatcher_count(shuffled: Permutations, result: randomised.Randomised) -> float:
    """WeightWatcher pools five permutations below 100 eigenvalues and does not divide; nor does this column."""
    long, short = spectrum.sides(shuffled.matrix)
    if short >= 100:
        return float(randomised.weightwatcher_count(result.esd, long, short, result.sigma))
    pool = np.concatenate([np.linalg.eigvalsh(spectrum.gram(shuffled[index])) for index in range(5)])
    sigma = marchenko_pastur.robust_sigma(pool, long, short)
    return float(randomised.weightwatcher_count(pool, long, short, sigma))
