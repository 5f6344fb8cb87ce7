"""FARMS: the paper's formula, and no bias of the aspect ratio."""

from __future__ import annotations

import numpy as np
import pytest

from grokscope.spectra import farms, power_law


def test_a_square_layer_has_the_papers_formula_of_its_own_eigenvalues(rng):
    """PL_Alpha_Hill = 1 + k/Σᵢ ln(λ_(n−i+1)/λ_(n−k)), written out term by term with the paper's indices from 1."""
    matrix = rng.standard_t(3, (40, 40))
    esd = np.sort(np.linalg.svd(matrix, compute_uv=False) ** 2)
    n, k = 40, 20
    total = sum(np.log(esd[n - i + 1 - 1] / esd[n - k - 1]) for i in range(1, k + 1))
    assert farms.alpha_farms(matrix) == pytest.approx(1 + k / total, rel=1e-9)
    assert farms.alpha_farms(matrix, esd) == pytest.approx(1 + k / total, rel=1e-9)


def test_a_power_law_has_its_exponent(rng):
    esd = np.sort((1 - rng.random(20_000)) ** (-1 / 1.5))
    assert farms.hill(esd) == pytest.approx(2.5, abs=0.05)


def test_noise_has_one_alpha_whatever_its_shape(rng):
    """WeightWatcher's alpha of the same matrices differs two- to threefold between the shapes."""
    shapes = ((100, 100), (100, 400), (1000, 100), (300, 300))
    found = [np.mean([farms.alpha_farms(rng.standard_normal(shape)) for _ in range(10)]) for shape in shapes]
    assert max(found) / min(found) < 1.03
    biased = []
    for shape in shapes[:3]:
        spectra = [np.linalg.svd(rng.standard_normal(shape), compute_uv=False) ** 2 for _ in range(10)]
        biased.append(np.median([power_law.fit(esd).alpha for esd in spectra]))
    assert max(biased) / min(biased) > 1.3


def test_windows_are_square_cover_the_layer_and_are_few(rng):
    assert [window.shape for window in farms.windows(np.zeros((200, 784)))] == [(200, 200)] * 4
    assert [window.shape for window in farms.windows(np.zeros((200, 200)))] == [(200, 200)]
    assert len(farms.windows(np.zeros((3000, 5000)))) == 16
    marked = np.zeros((784, 200))
    marked[0, 0] = marked[-1, -1] = 1
    assert sum(window.sum() for window in farms.windows(marked)) == 2
