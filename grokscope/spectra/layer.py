"""One layer of one checkpoint: a weight in, every number that grokscope shows about it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra import esd as spectrum
from grokscope.spectra import (
    farms,
    kolmogorov,
    marchenko_pastur,
    measures,
    power_law,
    randomised,
    traps,
    weightwatcher,
)
from grokscope.spectra.memory import reuse_freed_memory
from grokscope.spectra.null import ALPHA_DRAWS, DRAWS, Null, null_for
from grokscope.spectra.permutations import Permutations, seed_key
from grokscope.spectra.rounding import COARSEST, largest_zero, resolution
from grokscope.spectra.threads import in_threads
from grokscope.spectra.traps import Trap

Array = NDArray[np.float64]

ANALYSIS_VERSION = 6
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

    Eigenvalues are σ(W)², unnormalised. alpha … num_zero: the power-law tail of the layer itself
    (`power_law.fit`); alpha_p is the probability that noise of the shape has an alpha as low, and verdict_reason
    says why the verdict is what it is.

    sigma_mp … num_traps_shown: `permutations` (K) permutations of its entries against the Marchenko-Pastur law.
    sigma_robust is from the median of the eigenvalues within the edge, sigma_trace the entries' root mean square,
    sigma_mp their ratio, lambda_minus and lambda_plus the law's edges at sigma_robust, trap_edge the eigenvalue
    beyond which one is a trap; these and traps, randomized_esd, ks_distance_shown and num_traps_shown are those of
    the representative permutation, the one that pictures show. ks_distance is the mean over permutations of the
    distance of all eigenvalues, ks_distance_bulk of those that are no traps, both with sigma from their trace, to
    the law of entries with this `kurtosis`, up to 0, at this size (`marchenko_pastur.expected_cdf`);
    ks_p and ks_p_bulk are their calibrated p-values (at least 1/(null_draws + 1)), ks_p_naive the published one of
    ks_distance_shown. num_traps … num_traps_max: median, 5 and 95 % points, least and greatest over permutations,
    each with an edge of its own; randomised_reason says why all these are NaN, where they are.

    abs_entropy is in nats, kurtosis in excess of a Gaussian's. alpha_farms is `farms.alpha_farms`.
    alpha_weightwatcher … rand_distance are WeightWatcher's, by its names and conventions (see
    `weightwatcher.WeightWatcherMeasures`): a convolution's alpha is that of its kernel positions joined, its
    alpha_weightwatcher that of the positions pooled.
    """

    name: str
    shape: tuple[int, ...]
    reason: str = ""
    alpha: float = NAN
    alpha_sigma: float = NAN
    alpha_low: float = NAN
    alpha_high: float = NAN
    alpha_p: float = NAN
    xmin: float = NAN
    xmax: float = NAN
    power_law_distance: float = NAN
    num_tail: int = 0
    num_zero: int = 0
    verdict: str = "not measured"
    verdict_reason: str = ""
    sigma_mp: float = NAN
    sigma_trace: float = NAN
    sigma_robust: float = NAN
    lambda_minus: float = NAN
    lambda_plus: float = NAN
    trap_edge: float = NAN
    ks_distance: float = NAN
    ks_distance_shown: float = NAN
    ks_p_naive: float = NAN
    ks_p: float = NAN
    ks_distance_bulk: float = NAN
    ks_p_bulk: float = NAN
    null_draws: int = 0
    permutations: int = 0
    num_traps: float = NAN
    num_traps_low: float = NAN
    num_traps_high: float = NAN
    num_traps_min: float = NAN
    num_traps_max: float = NAN
    num_traps_shown: float = NAN
    num_traps_weightwatcher: float = NAN
    randomised_reason: str = ""
    traps: tuple[Trap, ...] = ()
    norm: float = NAN
    abs_entropy: float = NAN
    mean: float = NAN
    std: float = NAN
    kurtosis: float = NAN
    max_abs: float = NAN
    stable_rank: float = NAN
    alpha_farms: float = NAN
    alpha_weightwatcher: float = NAN
    num_pl_spikes: float = NAN
    alpha_weighted: float = NAN
    log_alpha_norm: float = NAN
    log_norm: float = NAN
    log_spectral_norm: float = NAN
    entropy: float = NAN
    rank_loss: float = NAN
    detX_num: float = NAN  # noqa: N815 (WeightWatcher's name)
    ERG_gap: float = NAN
    mp_softrank: float = NAN
    rand_distance: float = NAN
    esd: Array = field(default_factory=lambda: np.empty(0))
    randomized_esd: Array = field(default_factory=lambda: np.empty(0))

    @property
    def counted(self) -> Array:
        """The eigenvalues that are not zero within rounding, ascending."""
        return self.esd[self.num_zero :]

    @property
    def why_undecided(self) -> str:
        """Why its alpha decides nothing; "" where it does, or there is none."""
        return self.verdict_reason if self.verdict in power_law.UNDECIDED else ""

    @property
    def alpha_draws(self) -> int:
        """How many spectra of noise stand behind alpha_p."""
        return min(self.null_draws, ALPHA_DRAWS)

    @property
    def trap_eigenvalues(self) -> Array:
        """Every trap of the permutation that pictures show, ascending, float64 [num_traps_shown].

        `traps` describes the largest of them; where no trap is known there is none.
        """
        shown = int(np.nan_to_num(self.num_traps_shown))
        return self.randomized_esd[len(self.randomized_esd) - shown :]


def analyze_layer(
    weight: NDArray[np.generic],
    name: str,
    *,
    step: int,
    seed: int = 0,
    permutations: int | None = None,
    null_draws: int = DRAWS,
    kind: str = "linear",
    backend: spectrum.Backend = spectrum.LAPACK,
    threads: int = 1,
) -> LayerSpectrum:
    """Measure one weight [out, in, ...] of any real dtype; never raises on its numbers.

    The permutations depend on (seed, step, name) alone, the same on any machine and any number of workers; None
    is as many as the size needs (`randomised.num_permutations`). A layer that cannot be measured (see `why_not`)
    comes back with a reason and whatever is still defined. `backend` does the dense algebra; a GPU's differs from
    LAPACK's in the last digits. `threads` share one matrix, and change no byte where BLAS is kept to one thread.
    """
    reuse_freed_memory()
    array = np.asarray(weight)
    shape = tuple(int(side) for side in array.shape)
    reason = why_not(array, kind)
    if array.ndim == 0 or array.size == 0 or not _is_real(array) or not np.isfinite(array).all():
        return LayerSpectrum(name, shape, reason, verdict_reason=reason, randomised_reason=reason)
    plain = _plain_measures(array)
    if not reason:
        matrix = spectrum.as_matrix(array)
        try:
            null = null_for(*spectrum.sides(matrix), null_draws)
            shuffled = Permutations(matrix, seed_key(seed, step, name))
            count = randomised.num_permutations(min(matrix.shape), permutations)
            esd, result = _spectra(shuffled, count, null, backend, threads)
            positions = weightwatcher.spectra_of(array, esd, backend)
            measured = _own_spectrum(array, matrix, esd, positions, null, backend)
            measured |= _randomised_spectrum(shuffled, result, float(np.fmin(plain["kurtosis"], 0.0)), null)
            measured["rand_distance"] = _rand_distance(array, positions, shuffled, result, backend)
            return LayerSpectrum(name, shape, **plain, **measured)  # type: ignore[arg-type]
        except np.linalg.LinAlgError as error:
            reason = f"the eigenvalue solver did not converge ({error})"
    reasons = {"verdict_reason": reason, "randomised_reason": reason}
    return LayerSpectrum(name, shape, reason, **reasons, **plain)  # type: ignore[arg-type]


def _spectra(
    shuffled: Permutations, count: int, null: Null, backend: spectrum.Backend, threads: int
) -> tuple[Array, randomised.Randomised]:
    """The layer's own eigenvalues on one thread, and those of `count` permutations on the others."""

    def own() -> Array:
        return spectrum.eigenvalues(shuffled.matrix, backend)

    def permuted() -> randomised.Randomised:
        return randomised.randomise(shuffled, count, null, backend, max(1, threads - 1))

    works: tuple[Callable[[], object], ...] = (own, permuted)
    esd, result = in_threads(lambda work: work(), works, threads)
    return cast(Array, esd), cast(randomised.Randomised, result)


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


def _plain_measures(array: NDArray[np.generic]) -> dict[str, float]:
    plain = measures.measure(array)
    return {"norm": plain.norm, "abs_entropy": plain.abs_entropy, "mean": plain.mean, "std": plain.std,
            "kurtosis": plain.kurtosis, "max_abs": plain.max_abs}  # fmt: skip


def _own_spectrum(
    array: NDArray[np.generic],
    matrix: spectrum.Matrix,
    esd: Array,
    positions: list[Array],
    null: Null,
    backend: spectrum.Backend,
) -> dict[str, object]:
    """The layer's own eigenvalues, those of its kernel positions, and their power-law tail."""
    vanishing = largest_zero(matrix, esd, backend)
    fit = power_law.fit(esd, vanishing)
    values: dict[str, object] = {"esd": esd, "stable_rank": measures.stable_rank(esd), "num_zero": fit.num_zero}
    if why_flat := _why_flat(esd, matrix):
        return values | {"verdict_reason": why_flat}
    theirs = weightwatcher.measure(positions, max(array.shape[:2]), fit)
    values |= {"alpha_farms": farms.alpha_farms(matrix, esd, backend, vanishing)} | asdict(theirs)
    alpha_p = null.alpha_p(fit.alpha)
    verdict, why = power_law.judge(fit, alpha_p)
    return values | {
        "alpha": fit.alpha,
        "alpha_sigma": fit.sigma,
        "alpha_low": fit.low,
        "alpha_high": fit.high,
        "alpha_p": alpha_p,
        "xmin": fit.xmin,
        "xmax": fit.xmax,
        "power_law_distance": fit.distance,
        "num_tail": fit.num_tail,
        "verdict": verdict,
        "verdict_reason": why,
    }


def _why_flat(esd: Array, matrix: spectrum.Matrix) -> str:
    """Why a spectrum has no shape: its singular values are equal within rounding; "" if they are not."""
    spread = 1 - np.sqrt(max(esd[0], 0.0) / esd[-1])
    if spread > COARSEST or spread > resolution(matrix):
        return ""
    return f"all singular values are equal to within {spread:.1g}, which is rounding"


def _randomised_spectrum(
    shuffled: Permutations, result: randomised.Randomised, light: float, null: Null
) -> dict[str, object]:
    """Permutations of the entries: Marchenko-Pastur fit, KS and traps. `light`: their excess kurtosis up to 0."""
    long, short = spectrum.sides(shuffled.matrix)
    shown = result.representative
    trace = marchenko_pastur.trace_sigma(shown.esd, long, short)
    values: dict[str, object] = {"randomized_esd": shown.esd, "sigma_trace": trace, "null_draws": null.draws,
                                 "permutations": len(result.permutations)}  # fmt: skip
    if not result.has_bulk:
        return values | {"randomised_reason": "at least half of the shuffled eigenvalues vanish: no bulk to fit"}
    lower, upper = marchenko_pastur.edges(long, short, shown.sigma)
    return values | _ks(result, long, short, light, null) | _num_traps(result, shuffled) | {
        "sigma_mp": shown.sigma / trace,
        "sigma_robust": shown.sigma,
        "lambda_minus": lower,
        "lambda_plus": upper,
        "trap_edge": shown.edge,
        "traps": traps.describe(shuffled, result, null),
    }  # fmt: skip


def _rand_distance(
    array: NDArray[np.generic],
    positions: list[Array],
    shuffled: Permutations,
    result: randomised.Randomised,
    backend: spectrum.Backend,
) -> float:
    """WeightWatcher's, for the representative permutation."""
    weight = array if array.ndim == 2 else shuffled[result.index].reshape(array.shape)
    return weightwatcher.rand_distance(
        positions, weightwatcher.spectra_of(weight, result.representative.esd, backend)
    )


def _ks(result: randomised.Randomised, long: int, short: int, light: float, null: Null) -> dict[str, object]:
    """KS distances and p-values, on all eigenvalues and on those that are no traps.

    Tails lighter than a Gaussian's move the eigenvalues' mean law, which is allowed for; heavier ones are what the
    test is there to see.
    """
    permutations = len(result.permutations)
    whole = randomised.distances(result, long, short, light)
    distance = float(np.mean(whole))
    bulk = float(np.mean(randomised.bulk_distances(result, whole, long, short, light, null)))
    shown = kolmogorov.distance(result.representative.esd, long, short)
    return {
        "ks_distance": distance,
        "ks_p": null.distance_p(distance, permutations, light),
        "ks_distance_bulk": bulk,
        "ks_p_bulk": null.distance_p(bulk, permutations, light),
        "ks_distance_shown": shown,
        "ks_p_naive": kolmogorov.naive_p(shown, short),
    }


def _num_traps(result: randomised.Randomised, shuffled: Permutations) -> dict[str, object]:
    """How many traps the permutations have, and the one that is shown; beside it WeightWatcher's count."""
    least, low, median, high, most = np.quantile(result.counts, [0, 0.05, 0.5, 0.95, 1])
    return {
        "num_traps": float(median),
        "num_traps_low": float(low),
        "num_traps_high": float(high),
        "num_traps_min": float(least),
        "num_traps_max": float(most),
        "num_traps_shown": float(result.representative.num_traps),
        "num_traps_weightwatcher": float(randomised.weightwatcher_count(shuffled, result)),
    }
