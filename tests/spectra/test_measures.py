"""The plain measures are numpy's and scipy's, for a matrix in one block and in many."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from grokscope.spectra import measures


@pytest.mark.parametrize("block", [measures.BLOCK, 37])
@pytest.mark.parametrize("scale", [1e-90, 1.0, 1e90])
def test_the_measures_are_those_of_numpy_and_scipy(block, scale, rng, monkeypatch):
    monkeypatch.setattr(measures, "BLOCK", block)
    matrix = rng.standard_t(5, (30, 40)) + 0.3
    found = measures.measure(scale * matrix)
    assert found.norm == pytest.approx(scale * np.linalg.norm(matrix), rel=1e-12)
    assert found.mean == pytest.approx(scale * matrix.mean(), rel=1e-12)
    assert found.std == pytest.approx(scale * matrix.std(), rel=1e-12)
    assert found.kurtosis == pytest.approx(stats.kurtosis(matrix, axis=None), rel=1e-10)
    assert found.max_abs == scale * np.abs(matrix).max()
    magnitudes = np.abs(scale * matrix)
    assert found.abs_entropy == pytest.approx(-np.sum(magnitudes * np.log(magnitudes)), rel=1e-12)


def test_the_kurtosis_of_the_known_laws(rng):
    assert measures.measure(rng.choice([-1.0, 1.0], (500, 400))).kurtosis == pytest.approx(-2, abs=1e-3)
    assert measures.measure(rng.random((500, 400))).kurtosis == pytest.approx(-1.2, abs=0.02)
    assert measures.measure(rng.standard_normal((500, 400))).kurtosis == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("value", [0.0, 0.1, -2.5e30])
def test_a_constant_has_no_kurtosis(value):
    found = measures.measure(np.full((30, 41), value))
    assert np.isnan(found.kurtosis)
    assert found.norm == pytest.approx(abs(value) * np.sqrt(30 * 41), rel=1e-12)
