"""The KS distance and its naive p-value are scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from grokscope.spectra import kolmogorov
from grokscope.spectra import marchenko_pastur as mp


@pytest.mark.parametrize("size", [1, 2, 8, 10, 50, 200, 784, 4096])
def test_the_naive_p_value_is_scipys(size):
    distances = np.linspace(0.003, 0.99, 41)
    ours = [kolmogorov.naive_p(d, size) for d in distances]
    assert ours == pytest.approx(stats.kstwo.sf(distances, size), abs=5e-6)  # scipy's own accuracy there


def test_the_published_critical_distance_at_two_hundred_eigenvalues():
    assert kolmogorov.naive_p(0.0952, 200) == pytest.approx(0.05, abs=1e-3)


def test_the_distance_is_scipys(rng):
    esd = np.sort(rng.chisquare(3, 150))
    sigma = mp.trace_sigma(esd, 300, 150)
    theirs = stats.kstest(esd, lambda x: mp.cdf(x, 300, 150, sigma))
    assert kolmogorov.distance(esd, 300, 150) == pytest.approx(theirs.statistic, rel=1e-12)
    assert kolmogorov.naive_p(theirs.statistic, 150) == pytest.approx(theirs.pvalue, abs=5e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_unknown_distance_has_an_unknown_p_value(value):
    assert np.isnan(kolmogorov.naive_p(value, 10))
    assert np.isnan(kolmogorov.naive_p(0.1, 0))


def test_nothing_to_compare_is_nan():
    assert np.isnan(kolmogorov.distance(np.zeros(5), 10, 5))
    assert np.isnan(kolmogorov.distance(np.empty(0), 5, 0))
