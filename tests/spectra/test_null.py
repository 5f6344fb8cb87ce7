"""The Monte-Carlo null: drawn as dense matrices would be, cached, and of the right size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from grokscope.spectra import kolmogorov, null, null_store, power_law
from grokscope.spectra import marchenko_pastur as mp
from grokscope.spectra.esd import eigenvalues


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    null._null.cache_clear()
    yield tmp_path / "grokscope"
    null._null.cache_clear()


def test_the_bidiagonal_model_has_the_law_of_dense_gaussian_matrices(rng):
    drawn = null.laguerre_spectra(40, 15, 4000, rng)
    dense = np.array([eigenvalues(rng.standard_normal((40, 15))) for _ in range(4000)])
    for column in (0, 7, 14):
        assert stats.ks_2samp(drawn[:, column], dense[:, column]).pvalue > 1e-3
    assert stats.ks_2samp(drawn.sum(axis=1), dense.sum(axis=1)).pvalue > 1e-3


@pytest.mark.parametrize(
    ("shape", "median", "five_percent"), [((784, 200), 0.0123, 0.0153), ((200, 200), 0.0122, 0.0152)]
)
def test_the_distances_of_noise_are_the_known_ones(shape, median, five_percent):
    law = null.null_for(*shape)
    assert np.quantile(law.distances, [0.5, 0.95]) == pytest.approx([median, five_percent], abs=6e-4)


def test_the_published_distances_are_calibrated():
    """The paper's grokking and pre-grokking D of 200 eigenvalues, both with a naive p near 1."""
    law = null.null_for(784, 200)
    assert kolmogorov.naive_p(0.0212, 200) > 0.9999
    assert law.distance_p(0.0212) <= 0.004
    assert 0.5 < law.distance_p(0.0120) < 0.8


@pytest.mark.parametrize("shape", [(784, 200), (200, 200), (200, 10)])
def test_fresh_noise_is_rejected_at_the_nominal_rate(shape, rng):
    """1,000 fresh draws; the benchmark does 2,000 dense matrices of each shape."""
    law = null.null_for(*shape)
    spectra = null.laguerre_spectra(*shape, 1000, rng)
    p_values = np.array([law.distance_p(kolmogorov.distance(esd, *shape)) for esd in spectra])
    assert np.mean(p_values < 0.05) == pytest.approx(0.05, abs=0.02)
    centre, scale = null.edge_centre_and_scale(*shape)
    edge = law.edge_z(1e-3) * scale + centre
    false = np.mean([esd[-1] > edge * mp.robust_sigma(esd, *shape) ** 2 for esd in spectra])
    assert false <= 0.005


def test_the_gamma_edge_follows_the_draws_far_into_the_tail():
    law = null.null_for(200, 10)
    spectra = null.laguerre_spectra(200, 10, 60_000, np.random.default_rng(8))
    centre, scale = null.edge_centre_and_scale(200, 10)
    z = (spectra[:, -1] / (np.median(spectra, axis=1) / mp.median(200, 10)) - centre) / scale
    for p in (0.1, 0.01, 0.001):
        assert np.mean(z > law.edge_z(p)) == pytest.approx(p, rel=0.35)
        assert law.edge_p(law.edge_z(p)) == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize("shape", [(200, 10), pytest.param((784, 200), marks=pytest.mark.torture)])
def test_the_shipped_nulls_are_the_ones_that_would_be_drawn(shape):
    shipped, drawn = null.null_for(*shape), null.simulate(*shape, null.DRAWS)
    assert len(list(null_store.SHIPPED.glob(f"*-{shape[0]}x{shape[1]}-*.npz"))) == 1
    assert shipped.distances == pytest.approx(drawn.distances, rel=1e-9)
    assert shipped.edge_z(1e-3) == pytest.approx(drawn.edge_z(1e-3), rel=1e-9)


def test_the_smallest_p_value_is_one_of_the_draws_plus_one():
    law = null.null_for(200, 10)
    assert law.draws == null.MOST_REPEATS * null.DRAWS >= 2000
    assert law.distance_p(1.0) == 1 / (law.draws + 1)
    assert law.distance_p(0.0) == 1.0
    assert np.isnan(law.distance_p(float("nan")))


def test_a_large_shape_borrows_the_law_of_a_smaller_one_of_the_same_aspect(rng):
    law = null.null_for(1500, 1000, 200)
    spectra = null.laguerre_spectra(1500, 1000, 60, rng)
    distances = [kolmogorov.distance(esd, 1500, 1000) for esd in spectra]
    assert np.median(law.distances) == pytest.approx(np.median(distances), rel=0.1)
    alphas = [power_law.fit(esd).alpha for esd in spectra]
    assert np.median(law.alphas) == pytest.approx(np.median(alphas), rel=0.25)  # twice that of 300 × 200


@pytest.mark.parametrize(("shape", "low", "high"), [((784, 200), 4.38, 26.9), ((200, 200), 3.27, 18.9)])
def test_an_alpha_has_the_known_chance_under_noise(shape, low, high):
    """95 % of Gaussian matrices lie between: measured on dense ones."""
    law = null.null_for(*shape)
    assert law.alpha_p(low) == pytest.approx(0.025, abs=0.015)
    assert law.alpha_p(high) == pytest.approx(0.975, abs=0.015)
    assert law.alpha_p(1.5) == 1 / (len(law.alphas) + 1)


def test_the_same_null_comes_from_the_draws_and_from_the_folder(own_folder):
    drawn = null.null_for(40, 12, 100)
    assert len(list(own_folder.glob("*.npz"))) == 1
    null._null.cache_clear()
    stored = null.null_for(12, 40, 100)
    assert stored.distances.tobytes() == drawn.distances.tobytes()
    assert (stored.edge_shape, stored.edge_location) == (drawn.edge_shape, drawn.edge_location)
    assert stored is null.null_for(40, 12, 100)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 torn", b"\x00" * 500])
def test_a_torn_cache_is_drawn_again(own_folder, damage):
    drawn = null.null_for(40, 12, 100)
    path = next(own_folder.glob("*.npz"))
    path.write_bytes(damage)
    null._null.cache_clear()
    assert null.null_for(40, 12, 100).distances.tobytes() == drawn.distances.tobytes()
    assert path.stat().st_size > 500  # mended


def test_an_unwritable_folder_is_no_error(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    null._null.cache_clear()
    assert null.null_for(30, 11, 50).draws == 50 * null.MOST_REPEATS
    null._null.cache_clear()
    assert blocked.read_text() == "not a folder"


def test_no_temporary_file_is_left(own_folder):
    null.null_for(40, 12, 100)
    assert [path.suffix for path in own_folder.iterdir()] == [".npz"]


def test_the_distance_of_what_traps_leave_is_compared_as_one_of_all_eigenvalues(rng):
    """Of 120 × 100 noise with 60 eigenvalues out, the other 40 stray from their law twice as far as 100 do."""
    law = null.null_for(120, 100, 2000)
    left = null.laguerre_spectra(60, 40, 1000, rng)
    distances = np.array([kolmogorov.distance(esd, 60, 40) for esd in left])
    assert np.median(distances) > 2 * np.median(law.distances)
    whole = law.distances_as_if_whole(distances, 60)
    assert np.median(whole) == pytest.approx(np.median(law.distances), rel=0.08)


def test_light_tails_stray_as_gaussian_ones_once_both_orders_are_allowed_for():
    """The mean distance of ±1 entries, in units of the spread of a mean of twenty, from dense matrices."""
    rng, law = np.random.default_rng(11), null.null_for(50, 10)
    signs = np.sign(rng.random((40_000, 50, 10)) - 0.5)
    spectra = np.linalg.eigvalsh(signs.transpose(0, 2, 1) @ signs)
    mean = np.mean(kolmogorov.distances(spectra, 50, 10, -2.0))
    unit = np.std(law.distances) / np.sqrt(20)
    allowed = null.LIGHT_TAILS * (2 / 10) ** 2
    assert (mean - np.mean(law.distances)) / unit > 0.15
    assert abs(mean - allowed - np.mean(law.distances)) / unit < 0.15
    as_for_gaussian = law.distance_p(law.distances[6000])
    assert law.distance_p(law.distances[6000] + 0.999 * allowed, kurtosis=-2.0) >= as_for_gaussian
    assert law.distance_p(law.distances[6001] + 1.001 * allowed, kurtosis=-2.0) < as_for_gaussian
