"""A whole layer: measured, or not for a named reason; the same bytes for the same seed."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from grokscope.spectra import LayerSpectrum, analyze_layer, kolmogorov, power_law
from grokscope.spectra.null import null_for
from grokscope.spectra.permutations import Permutations, seed_key
from grokscope.spectra.randomised import bulk_edge

SAMPLE = Path(__file__).parents[2] / "sample_runs" / "mnist-wd0.h5"
FLOATS = [field.name for field in dataclasses.fields(LayerSpectrum) if field.type == "float"]


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def with_entry(value: float, shape: tuple[int, ...] = (30, 40)) -> np.ndarray:
    matrix = noise(shape)
    matrix[3, 4] = value
    return matrix


def sparse(share: float) -> np.ndarray:
    matrix = noise((40, 60))
    return np.where(np.random.default_rng(1).random(matrix.shape) < share, matrix, 0.0)


HOSTILE = {
    "zeros": (np.zeros((30, 40)), "every entry is 0"),
    "constant": (np.full((30, 40), 2.5), "every entry is 2.5"),
    "one NaN": (with_entry(np.nan), "1 of 1,200 entries are not finite"),
    "one Inf": (with_entry(-np.inf), "1 of 1,200 entries are not finite"),
    "1 × N": (noise((1, 500)), "1 × 500: fewer than 8 eigenvalues"),
    "N × 7": (noise((500, 7)), "500 × 7: fewer than 8 eigenvalues"),
    "one axis": (noise((500,)), "one axis only"),
    "a number": (np.array(3.0), "one axis only"),
    "empty": (np.empty((0, 10)), "no entries"),
    "complex": (noise((20, 20)) + 1j, "not real"),
    "beyond squares": (1e160 * noise((20, 20)), "leaves the range"),
    "below squares": (1e-160 * noise((20, 20)), "leaves the range"),
    "subnormal": (5e-324 * np.round(10 * noise((20, 20))), "leaves the range"),
    "single-precision subnormal": ((1e-40 * noise((20, 20))).astype(np.float32), ""),
    "rank one": (np.outer(noise((30,)), noise((40,), 1)), ""),
    "1e30": (1e30 * noise((30, 40)), ""),
    "1e-30": (1e-30 * noise((30, 40)), ""),
    "one entry of 1e30": (with_entry(1e30), ""),
    "one entry of 1e300": (with_entry(1e300), "leaves the range"),
    "half": (noise((30, 40)).astype(np.float16), ""),
    "integers": (np.random.default_rng(0).integers(-3, 4, (30, 40)), ""),
    "booleans": (noise((30, 40)) > 0, ""),
    "two values": (np.sign(noise((30, 40))), ""),
    "one nonzero": (np.eye(1, 1200).reshape(30, 40), ""),
    "one in a hundred": (sparse(0.01), ""),
    "one in ten": (sparse(0.1), ""),
    "10 × 10": (noise((10, 10)), ""),
    "equal rows": (np.tile(noise((1, 40)), (30, 1)), ""),
    "Cauchy": (np.random.default_rng(2).standard_cauchy((50, 60)), ""),
    "convolution": (noise((16, 3, 3, 3)), ""),
    "big endian": (noise((30, 40)).astype(">f8"), ""),
    "strided": (noise((60, 80))[::2, ::2], ""),
    "negative zero": (np.where(noise((30, 40)) > 0, -0.0, 1.0), ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_every_matrix_has_a_defined_answer_or_a_reason(name):
    weight, reason = HOSTILE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spectrum = analyze_layer(weight, "fc", step=1, permutations=5, null_draws=200)
    assert reason in spectrum.reason
    assert bool(reason) == bool(spectrum.reason)
    assert spectrum.shape == weight.shape
    for field in FLOATS:
        assert isinstance(getattr(spectrum, field), float), field
        assert not np.isinf(getattr(spectrum, field)), field
    assert spectrum.verdict_reason
    assert bool(spectrum.randomised_reason) == bool(np.isnan(spectrum.ks_p))
    if spectrum.reason:
        assert spectrum.verdict == "not measured"
        assert spectrum.esd.size == 0
    else:
        assert len(spectrum.esd) == len(spectrum.randomized_esd) == min(weight.shape[0], weight[0].size)
        assert (np.diff(spectrum.esd) >= 0).all()
        assert (spectrum.esd >= -1e-9 * spectrum.esd[-1]).all()
        assert np.isnan(spectrum.ks_p) or 0 < spectrum.ks_p <= 1


def test_a_layer_whose_eigenvalues_mostly_vanish_has_no_bulk_and_no_traps():
    rng = np.random.default_rng(3)
    pruned = np.zeros((40, 40))
    pruned[np.arange(40), np.arange(40)] = rng.normal(size=40)
    result = analyze_layer(pruned, "fc1", step=0, permutations=3, null_draws=200)
    assert np.linalg.matrix_rank(rng.permutation(pruned.ravel()).reshape(40, 40)) < 30
    assert result.traps == ()
    assert np.isnan([result.sigma_mp, result.lambda_plus, result.num_traps, result.ks_p]).all()
    assert result.norm == pytest.approx(np.linalg.norm(pruned))


def bfloat16(matrix: np.ndarray) -> np.ndarray:
    """Kept in bfloat16, and read as single precision."""
    return (matrix.astype(np.float32).view(np.uint32) + 0x8000 & 0xFFFF0000).view(np.float32)


FORMATS = {
    "double": lambda left, right: left @ right,
    "single": lambda left, right: left.astype(np.float32) @ right.astype(np.float32),
    "half": lambda left, right: (left @ right).astype(np.float16),
    "bfloat16": lambda left, right: bfloat16(left @ right),
}


@pytest.mark.parametrize("rank", [1, 4, 16])
@pytest.mark.parametrize("kept", FORMATS)
def test_what_rounding_adds_to_a_rank_is_no_tail(kept, rank):
    """Of single precision, those beyond a rank of 4 once had an alpha of 1.28 on a tail of 204."""
    weight = FORMATS[kept](noise((80, rank)), noise((rank, 60), 1))
    result = analyze_layer(weight, "fc1", step=0, permutations=1, null_draws=50)
    assert (result.num_zero, len(result.counted)) == (60 - rank, rank)
    assert result.num_tail <= rank
    assert result.verdict in ("undecided", "not measured", "like noise")
    assert np.isnan(result.alpha_farms)


def test_rows_and_columns_that_have_decayed_are_no_rounding():
    """Weight decay shrinks what a unit that nothing lights is connected by, far below the others' rounding."""
    decayed = noise((60, 80))
    decayed[:25] *= 1e-4
    decayed[:, :40] *= 1e-6
    result = analyze_layer(decayed.astype(np.float32), "fc1", step=0, permutations=1, null_draws=50)
    assert result.num_zero == 0
    assert result.esd[0] < 1e-16 * result.esd[-1]


def test_scale_changes_nothing_but_scales():
    small, large = (analyze_layer(scale * noise((30, 40)), "fc", step=1) for scale in (2.0**-6, 2.0**20))
    assert large.alpha == pytest.approx(small.alpha, rel=1e-9)
    assert (large.ks_distance, large.sigma_mp) == pytest.approx((small.ks_distance, small.sigma_mp), rel=1e-9)
    assert large.lambda_plus == pytest.approx(small.lambda_plus * 2.0**52, rel=1e-9)
    assert large.norm == pytest.approx(small.norm * 2.0**26, rel=1e-12)


def test_an_embedding_is_skipped_for_what_it_is():
    spectrum = analyze_layer(noise((100, 20)), "wte", step=0, kind="embedding")
    assert spectrum.reason.startswith("an embedding")
    assert spectrum.norm == pytest.approx(np.linalg.norm(noise((100, 20))))


def test_the_plain_measures_are_the_papers_at_initialisation():
    """PyTorch's uniform initialisation × 8: norm² and entropies known in expectation."""
    rng = np.random.default_rng(5)
    shapes = {"fc1": (200, 784), "fc2": (200, 200), "fc3": (10, 200)}
    layers = {}
    for name, shape in shapes.items():
        bound = 8 / np.sqrt(shape[1])
        layers[name] = analyze_layer(
            rng.uniform(-bound, bound, shape), name, step=0, permutations=1, null_draws=50
        )
    assert np.sqrt(sum(layer.norm**2 for layer in layers.values())) == pytest.approx(np.sqrt(8747), rel=0.005)
    entropies = [layers[name].abs_entropy for name in shapes]
    assert entropies == pytest.approx([39_300, 12_060, 608], rel=0.02)
    assert layers["fc1"].max_abs <= 8 / 28
    assert layers["fc1"].std == pytest.approx(8 / 28 / np.sqrt(3), rel=0.01)


@pytest.mark.parametrize("shape", [(784, 200), (200, 200), (200, 10)])
def test_noise_is_judged_to_be_noise(shape):
    """60 Gaussian matrices a shape: a tail alone gave 160 of 180 a verdict. Wanted: at most 2 of 180."""
    rng, null = np.random.default_rng(17), null_for(*shape)
    fits = [power_law.fit(np.linalg.svd(rng.standard_normal(shape), compute_uv=False) ** 2) for _ in range(60)]
    verdicts = [power_law.judge(fit, null.alpha_p(fit.alpha))[0] for fit in fits]
    assert sum(verdict not in {"undecided", "like noise"} for verdict in verdicts) <= 1
    p_values = [null.alpha_p(fit.alpha) for fit in fits]
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("dtype", [np.float64, np.float32, "bfloat16"])
@pytest.mark.parametrize("shape", [(200, 200), (60, 300)])
def test_the_alpha_of_an_orthogonal_matrix_is_rounding_and_not_measured(shape, dtype):
    single = dtype == np.float32
    square = noise((300, 300)).astype(np.float32 if single else np.float64)
    matrix = np.linalg.qr(square[: shape[1], : shape[0]])[0].T
    if dtype == "bfloat16":
        matrix = (matrix.astype(np.float32).view(np.uint32) + 0x8000 & 0xFFFF0000).view(np.float32)
    spectrum = analyze_layer(matrix, "fc", step=0, permutations=3)
    assert np.isnan(spectrum.alpha)
    assert spectrum.verdict == "not measured"
    assert "rounding" in spectrum.verdict_reason
    assert np.isfinite(spectrum.ks_p)
    assert len(spectrum.esd) == min(shape)


@pytest.mark.parametrize("entries", ["normal", "uniform", "signs"])
def test_the_mean_distance_of_noise_is_rejected_at_the_nominal_rate(entries):
    """400 matrices, 5 % within three standard deviations of 1.1 %; below M = 32 signs are rejected more often."""
    rng, shape = np.random.default_rng(3), (64, 32)
    draw = {
        "normal": rng.standard_normal,
        "uniform": lambda size: rng.random(size) - 0.5,
        "signs": lambda size: np.sign(rng.random(size) - 0.5),
    }[entries]
    p_values = [analyze_layer(draw(shape), "fc", step=step).ks_p for step in range(400)]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.034)


def test_orientation_does_not_change_a_layers_own_spectrum():
    upright, lying = noise((90, 40)), noise((90, 40)).T
    first, second = analyze_layer(upright, "fc", step=0), analyze_layer(lying, "fc", step=0)
    assert first.alpha == pytest.approx(second.alpha, rel=1e-9)
    assert first.lambda_plus == pytest.approx(second.lambda_plus, rel=0.1)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    matrix = noise((60, 80)) + 0.5
    first, again, other = (
        analyze_layer(matrix.astype(np.float32), "fc1", step=400, seed=seed, permutations=6) for seed in (1, 1, 2)
    )
    assert pickle.dumps(first) == pickle.dumps(again)
    assert first.randomized_esd.tobytes() != other.randomized_esd.tobytes()
    assert first.alpha == other.alpha


def test_another_process_computes_the_same_bytes():
    code = (
        "import numpy as np, hashlib, pickle; from grokscope.spectra import analyze_layer;"
        "w = np.random.default_rng(0).standard_normal((60, 80)) + 0.5;"
        "print(hashlib.sha256(pickle.dumps(analyze_layer(w, 'fc1', step=4, permutations=5))).hexdigest())"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in "ab"]
    assert runs[0].stdout == runs[1].stdout != ""


def test_the_permutation_that_is_shown_has_the_middle_one_of_the_largest_eigenvalues():
    """Rank (K − 1)//2, found here by singular values, for an even K, too, where a nearest one would be a tie."""
    matrix = np.random.default_rng(4).standard_t(3, (60, 80))
    for permutations in (20, 21):
        spectrum = analyze_layer(matrix, "fc", step=0, permutations=permutations)
        shuffled = Permutations(matrix, seed_key(0, 0, "fc"))
        largest = sorted(np.linalg.norm(shuffled[index], 2) ** 2 for index in range(permutations))
        assert spectrum.randomized_esd[-1] == pytest.approx(largest[(permutations - 1) // 2], rel=1e-12)
        assert len(spectrum.traps) == spectrum.num_traps_shown
        assert spectrum.traps == tuple(sorted(spectrum.traps, key=lambda trap: -trap.eigenvalue))
        assert all(trap.p < 1e-3 and trap.ratio > 1 for trap in spectrum.traps)


def test_each_permutation_is_judged_by_a_sigma_of_its_own():
    """The counts over permutations, from dense singular values and each one's own bulk."""
    matrix = np.random.default_rng(5).standard_t(2.3, (60, 80))
    spectrum = analyze_layer(matrix, "fc", step=0, permutations=20)
    shuffled, null = Permutations(matrix, seed_key(0, 0, "fc")), null_for(80, 60)
    counts = []
    for index in range(20):
        esd = np.sort(np.linalg.svd(shuffled[index], compute_uv=False) ** 2)
        counts.append(bulk_edge(esd, 80, 60, null)[2])
    assert len(set(counts)) > 3
    assert (spectrum.num_traps_min, spectrum.num_traps_max) == (min(counts), max(counts))
    assert spectrum.num_traps == np.median(counts)
    assert spectrum.num_traps_low == np.quantile(counts, 0.05)
    assert spectrum.num_traps_high == np.quantile(counts, 0.95)
    assert sum("entries" in trap.cause for trap in spectrum.traps) <= spectrum.num_traps_shown


@pytest.mark.parametrize("permutations", [0, 1, 2])
def test_few_permutations_are_enough_to_answer(permutations):
    spectrum = analyze_layer(noise((30, 40)), "fc", step=0, permutations=permutations)
    assert spectrum.num_traps_min <= spectrum.num_traps <= spectrum.num_traps_max


@pytest.mark.parametrize("step", [794, 50_119])
def test_an_alpha_whose_interval_holds_every_band_is_no_verdict(step):
    """fc2 of the sample run: alpha 3.94 [2.2, 11.8] and 5.89 [2.5, 45.6] were told as well-trained."""
    from grokscope.runfile import Run

    run = Run(SAMPLE)
    index = run.steps.tolist().index(step)
    spectrum = analyze_layer(run.weight(index, "fc2"), "fc2", step=step, permutations=5)
    assert spectrum.alpha == pytest.approx({794: 3.94, 50_119: 5.89}[step], abs=0.01)
    assert 2 < spectrum.alpha_low < 6 < spectrum.alpha_high
    assert spectrum.verdict == "undecided"
    assert "several bands" in spectrum.verdict_reason
    assert 0.005 < spectrum.alpha_p < 0.995


@pytest.mark.parametrize(("entries", "kurtosis"), [("signs", -2.0), ("heavy tails", 0.0)])
def test_light_tails_are_allowed_for_and_heavy_ones_are_not(entries, kurtosis):
    matrix = np.random.default_rng(8).standard_t(5, (60, 40))
    matrix = matrix - np.median(matrix)
    matrix = np.sign(matrix) if entries == "signs" else matrix
    spectrum = analyze_layer(matrix, "fc", step=0, permutations=3, null_draws=50)
    shuffled = Permutations(matrix, seed_key(0, 0, "fc"))
    spectra = np.array([np.linalg.svd(shuffled[k], compute_uv=False)[::-1] ** 2 for k in range(3)])
    expected = kolmogorov.distances(spectra, 60, 40, kurtosis).mean()
    assert spectrum.ks_distance == pytest.approx(expected, rel=1e-9)
