"""The Marchenko-Pastur law against quadrature, random matrices and WeightWatcher's mistake at Q = 1."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from grokscope.spectra import marchenko_pastur as mp
from grokscope.spectra.esd import eigenvalues

SHAPES = [(784, 200), (200, 200), (200, 10), (11008, 4096), (10_000, 10), (10, 10)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_density_integrates_to_the_cdf(shape):
    lower, upper = mp.edges(*shape, sigma=0.3)
    for share in (0.1, 0.5, 0.9, 1.0):
        end = lower + share * (upper - lower)
        # λ = lower + u² takes the square-root singularities away
        area, _ = quad(lambda u: 2 * u * float(mp.density(lower + u * u, *shape, 0.3)), 0, np.sqrt(end - lower))
        assert area == pytest.approx(float(mp.cdf(end, *shape, 0.3)), abs=1e-7)
    assert mp.cdf([lower * 0.9, upper * 1.1], *shape, 0.3) == pytest.approx([0, 1], abs=1e-9)


def test_the_square_case_is_the_quarter_circle_of_the_singular_values():
    """Density √(4σ² − x²)/(πσ²) of x = √(λ/N); WeightWatcher has 4 in place of 4σ²."""
    sigma, size = 0.7, 200
    x = np.linspace(0.05, 1.35, 20)
    expected = np.sqrt(4 * sigma**2 - x**2) / (np.pi * sigma**2)
    assert mp.density(size * x**2, size, size, sigma) * 2 * size * x == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_median_splits_the_law_in_half(shape):
    assert float(mp.cdf(mp.median(*shape), *shape)) == pytest.approx(0.5, abs=1e-9)


def test_the_orientation_of_the_matrix_does_not_matter():
    assert mp.edges(200, 784, 2.0) == mp.edges(784, 200, 2.0)
    assert mp.density(500.0, 200, 784) == mp.density(500.0, 784, 200)
    assert mp.cdf(500.0, 200, 784) == mp.cdf(500.0, 784, 200)


@pytest.mark.parametrize("shape", [(784, 200), (200, 200)])
def test_sigma_of_noise_is_found_and_survives_a_dominant_spike(shape, rng):
    matrix = 0.25 * rng.standard_normal(shape)
    assert mp.robust_sigma(eigenvalues(matrix), *shape) == pytest.approx(0.25, rel=0.02)
    matrix[3, 5] = 1e4
    assert mp.robust_sigma(eigenvalues(matrix), *shape) == pytest.approx(0.25, rel=0.02)
    assert mp.robust_sigma(eigenvalues(matrix), *shape, spikes=1) == pytest.approx(0.25, rel=0.02)


def test_the_trace_sigma_is_the_root_mean_square_of_the_entries(rng):
    matrix = rng.standard_normal((50, 90)) + 0.3
    assert mp.trace_sigma(eigenvalues(matrix), 90, 50) == pytest.approx(np.sqrt(np.mean(matrix**2)), rel=1e-12)


def test_the_density_is_finite_everywhere():
    x = np.array([-1.0, 0.0, 1e-300, 1.0, 1e300, np.inf])
    assert np.isfinite(mp.density(x, 200, 200)).all()
    assert np.isfinite(mp.density(x, 784, 200)).all()


@pytest.mark.parametrize("shape", [(64, 16), (32, 32)])
@pytest.mark.parametrize("entries", ["signs", "uniform", "sparse"])
def test_the_entries_kurtosis_moves_the_mean_law_by_the_closed_form(shape, entries, rng):
    """Counts of eigenvalues up to x of 6,000 matrices beside as many Gaussian ones: the difference, its error."""
    draws = {
        "normal": (rng.standard_normal, 0.0),
        "signs": (lambda size: rng.choice([-1.0, 1.0], size), -2.0),
        "uniform": (lambda size: np.sqrt(12) * (rng.random(size) - 0.5), -1.2),
        "sparse": (lambda size: np.sqrt(1.5) * rng.choice([-1.0, 0.0, 1.0], size), -1.5),
    }
    x = np.quantile(np.linspace(*mp.edges(*shape), 101), [0.1, 0.25, 0.5, 0.75, 0.9])
    counts = {}
    for name in ("normal", entries):
        matrices = draws[name][0]((6000, *shape))
        esd = np.linalg.eigvalsh(np.swapaxes(matrices, 1, 2) @ matrices)
        counts[name] = (esd[:, :, None] <= x).sum(axis=1)
    added = shape[1] * (mp.expected_cdf(x, *shape, 1.0, draws[entries][1]) - mp.cdf(x, *shape))
    assert np.abs(added).max() > 0.1
    measured = counts[entries].mean(axis=0) - counts["normal"].mean(axis=0)
    error = np.sqrt((counts[entries].var(axis=0) + counts["normal"].var(axis=0)) / 6000)
    assert (np.abs(measured - added) < 4 * error + 0.03).all()


def test_the_robust_sigma_beside_spikes_is_that_of_the_smaller_law_that_remains(rng):
    """A third of the spectrum are spikes: the median of all would lie far up in the bulk."""
    esd = eigenvalues(rng.standard_normal((360, 240)))
    spiked = np.concatenate([esd, np.geomspace(1e4, 1e6, 120)])
    assert mp.robust_sigma(spiked, 480, 360, 120) == pytest.approx(1, abs=0.02)
    assert mp.robust_sigma(spiked, 480, 360) > 1.1
