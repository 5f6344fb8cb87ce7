"""Eigenvalues: as exact as promised by either route, and counted without being computed."""

from __future__ import annotations

import numpy as np
import pytest

from grokscope.spectra import esd


def with_singular_values(values: np.ndarray, columns: int, rng: np.random.Generator) -> np.ndarray:
    left, _ = np.linalg.qr(rng.standard_normal((len(values), len(values))))
    right, _ = np.linalg.qr(rng.standard_normal((columns, len(values))))
    return (left * values) @ right.T


@pytest.mark.parametrize("shape", [(200, 784), (784, 200), (200, 200), (10, 200), (1, 30), (30, 1)])
def test_eigenvalues_are_the_squared_singular_values(shape, rng):
    matrix = rng.standard_normal(shape)
    expected = np.sort(np.linalg.svd(matrix, compute_uv=False) ** 2)
    assert esd.eigenvalues(matrix) == pytest.approx(expected, rel=1e-9)


def test_singular_values_far_below_the_gram_routes_reach_are_kept(rng):
    """λ_min/λ_max = 10⁻²⁴: the Gram matrix has lost them, the full decomposition has not."""
    values = np.geomspace(1e-12, 1, 30)
    matrix = with_singular_values(values, 40, rng)
    assert np.sqrt(esd.eigenvalues(matrix))[5:] == pytest.approx(values[5:], rel=1e-2)
    assert abs(np.linalg.eigvalsh(esd.gram(matrix))[0]) > 1e-20


def test_the_gram_route_keeps_nine_digits_where_it_is_trusted(rng):
    values = np.geomspace(1.05e-3, 1, 100)
    matrix = with_singular_values(values, 150, rng)
    assert esd.eigenvalues(matrix) == pytest.approx(values**2, rel=1e-9)


def test_convolutions_are_flattened_to_out_by_the_rest(rng):
    weight = rng.standard_normal((16, 3, 5, 5)).astype(np.float32)
    assert esd.as_matrix(weight).shape == (16, 75)
    assert esd.as_matrix(weight).dtype == np.float64
    assert esd.as_matrix(weight)[4].tolist() == weight[4].ravel().tolist()


@pytest.mark.parametrize("size", [8, 10, 64, 200])
def test_counting_agrees_with_computing(size, rng):
    for _ in range(20):
        gram = esd.gram(rng.standard_normal((size, size + 30)))
        values = np.linalg.eigvalsh(gram)
        for threshold in rng.uniform(0, 1.1 * values[-1], 5):
            assert esd.count_above(gram, threshold) == np.count_nonzero(values > threshold)
    assert esd.count_above(gram, 0.0) == size


@pytest.mark.parametrize("shape", [(60, 20), (20, 60), (450, 420)])
@pytest.mark.parametrize("known", ["nothing", "its eigenvalues", "others"])
def test_the_top_singular_vectors_are_those_of_the_svd(shape, known, rng):
    """Also by Lanczos, from M = 400 on where eigenvalues are known; what it finds is held against them."""
    matrix = rng.standard_normal(shape) + 0.5
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    eigenvalues = {"nothing": None, "its eigenvalues": s[::-1] ** 2, "others": s[::-1]}[known]
    left, values, right = esd.top_singular_vectors(matrix, 3, esd=eigenvalues)
    assert values == pytest.approx(s[:3], rel=1e-10)
    assert (left * values) @ right.T == pytest.approx((u[:, :3] * s[:3]) @ vt[:3], abs=1e-9)


def test_two_equal_singular_values_are_both_found():
    """No product with the matrix tells them apart: Lanczos finds the second by rounding alone."""
    diagonal = np.append(np.linspace(0.1, 1, 418), [3.0, 3.0])
    left, values, _ = esd.top_singular_vectors(np.diag(diagonal), 2, esd=diagonal**2)
    assert values == pytest.approx([3, 3])
    assert np.abs(np.linalg.det(left[-2:])) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(30, 41), (41, 30), (20, 20)])
def test_a_large_weight_of_single_precision_has_its_gram_matrix_in_double(shape, rng, monkeypatch):
    """Summed from blocks and tiles that do not fit its sides; in single precision it would be off by 10⁻⁶."""
    weight = rng.standard_normal(shape).astype(np.float32)
    for name, value in (("LARGE", 100), ("BLOCK", 200), ("TILE", 7)):
        monkeypatch.setattr(esd, name, value)
    matrix = esd.as_matrix(weight)
    assert matrix.dtype == np.float32
    assert esd.as_matrix(weight.astype(np.float64)).dtype == np.float64
    singular = np.linalg.svd(weight.astype(np.float64), compute_uv=False)
    assert esd.eigenvalues(matrix)[::-1] == pytest.approx(singular**2, rel=1e-9)
    assert np.array_equal(esd.gram(matrix), esd.gram(matrix).T)
