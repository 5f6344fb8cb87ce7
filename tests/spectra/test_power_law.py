"""alpha: WeightWatcher's numbers, to the last digits that matter, and an honest interval beside them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from grokscope.spectra import power_law
from grokscope.spectra.esd import eigenvalues


def random_spectrum(rng: np.random.Generator) -> np.ndarray:
    """Eigenvalues as layers have them: noise, heavy tails, both, a few or many, at any scale."""
    size = int(rng.integers(8, 260))
    kind = rng.integers(4)
    if kind == 0:
        values = rng.pareto(rng.uniform(0.3, 6), size) + 1
    elif kind == 1:
        values = eigenvalues(rng.standard_normal((size, int(size * rng.uniform(1, 5)))))
    elif kind == 2:
        values = np.exp(rng.normal(0, rng.uniform(0.1, 3), size))
    else:
        values = eigenvalues(rng.standard_t(rng.uniform(1.2, 5), (size, int(size * rng.uniform(1, 3)))))
    return values * 10 ** rng.uniform(-3, 4)


def test_alpha_xmin_and_distance_equal_weightwatchers_on_500_random_spectra(weightwatcher_fit, rng):
    worst = 0.0
    for _ in range(500):
        esd = random_spectrum(rng)
        fit = power_law.fit(esd)
        theirs = weightwatcher_fit(esd)
        worst = max(worst, np.max(np.abs(np.array(theirs) / (fit.alpha, fit.xmin, fit.distance, fit.sigma) - 1)))
    assert worst < 1e-9


def test_alpha_equals_weightwatchers_at_every_checkpoint_of_the_reference_run(
    weightwatcher_fit, reference_dir, reference_weights
):
    steps = [int(path.stem.removeprefix("step-")) for path in reference_dir.glob("step-*.safetensors")]
    for step in steps:
        for weight in reference_weights(step).values():
            esd = eigenvalues(weight.astype(np.float64))
            fit = power_law.fit(esd)
            assert (fit.alpha, fit.xmin, fit.distance, fit.sigma) == pytest.approx(
                weightwatcher_fit(esd), rel=1e-9
            )


@pytest.mark.parametrize("size", [8, 9, 12, 19, 20, 21])
def test_the_small_sample_rule_changes_at_twenty_as_in_weightwatcher(size, weightwatcher_fit, rng):
    esd = rng.pareto(1.5, size) + 1
    fit = power_law.fit(esd)
    assert (fit.alpha, fit.xmin, fit.distance) == pytest.approx(weightwatcher_fit(esd)[:3], rel=1e-9)


@pytest.mark.parametrize("size", [2, 3, 7])
def test_fewer_than_eight_eigenvalues_use_all_of_them_as_in_weightwatcher(size, weightwatcher_fit, rng):
    esd = rng.pareto(1.5, size) + 1
    fit = power_law.fit(esd)
    assert (fit.alpha, fit.xmin, fit.distance) == pytest.approx(weightwatcher_fit(esd)[:3], rel=1e-9)


@pytest.mark.parametrize("alpha", [1.5, 2.0, 3.5])
@pytest.mark.parametrize(("tail", "bulk"), [(200, 0), (100, 100), (40, 160)])
def test_the_interval_holds_a_known_exponent_in_nine_of_ten_samples(alpha, tail, bulk, rng):
    covered = 0
    for _ in range(200):
        sample = (1 - rng.random(tail)) ** (-1 / (alpha - 1))
        fit = power_law.fit(np.append(sample, rng.uniform(0.1, 1, bulk)))
        covered += fit.low <= alpha <= fit.high
    assert covered / 200 >= 0.9


def test_the_distance_curve_has_its_minimum_at_the_fit(rng):
    esd = eigenvalues(rng.standard_t(2.5, (100, 300)))
    fit = power_law.fit(esd)
    xmins, distances, alphas = power_law.distance_curve(esd)
    best = np.nanargmin(distances)
    assert (xmins[best], distances[best], alphas[best]) == (fit.xmin, fit.distance, fit.alpha)
    assert len(xmins) == len(distances) == len(alphas) == 99
    assert (np.diff(xmins) >= 0).all()


def test_the_tail_density_integrates_to_one():
    total, _ = quad(lambda x: float(power_law.tail_density(x, 2.5, 3.0)), 3, np.inf)
    assert total == pytest.approx(1, abs=1e-6)
    assert power_law.tail_density([1.0, 2.9], 2.5, 3.0).tolist() == [0, 0]


@pytest.mark.parametrize(
    "esd",
    [[], [1.0], [0.0] * 50, [3.0] * 50, [3.0] * 10, [np.nan] * 30, [1.0, 1.0]],
    ids=["none", "one", "zeros", "equal", "few equal", "nan", "two equal"],
)
def test_a_spectrum_without_a_tail_has_no_alpha(esd):
    fit = power_law.fit(np.array(esd))
    assert np.isnan(fit.alpha)
    assert fit.num_tail == 0
    assert power_law.judge(fit, np.nan)[0] == "not measured"


@pytest.mark.parametrize(
    ("interval", "num_tail", "alpha_p", "verdict"),
    [
        ((1.3, 1.9), 50, 0.001, "over-trained"),
        ((2.1, 5.9), 50, 0.001, "well-trained"),
        ((6.1, 9.0), 50, 0.001, "under-trained"),
        ((60.0, 90.0), 50, 0.999, "under-trained"),  # a spectrum narrower than noise
        ((2.1, 5.9), 50, 0.3, "like noise"),
        ((2.1, 5.9), 50, 0.006, "like noise"),
        ((1.9, 2.1), 50, 0.001, "undecided"),
        ((2.2, 11.8), 50, 0.001, "undecided"),  # fc2 of a trained network
        ((1.3, 9.0), 50, 0.001, "undecided"),
        ((2.1, 5.9), 9, 0.001, "undecided"),
        ((2.1, 5.9), 50, np.nan, "undecided"),
    ],
)
def test_a_verdict_needs_a_tail_an_interval_within_one_band_and_an_alpha_that_noise_has_not(
    interval, num_tail, alpha_p, verdict
):
    found = power_law.PowerLawFit(alpha=np.mean(interval), low=interval[0], high=interval[1], num_tail=num_tail)
    given, why = power_law.judge(found, alpha_p)
    assert given == verdict
    assert why


@pytest.mark.parametrize("scale", [3e-4, 1e-20, 1e20])
def test_alpha_is_free_of_the_unit(scale, rng):
    """80 eigenvalues of which WeightWatcher's threshold takes 49 away at 3·10⁻⁴."""
    esd = eigenvalues(rng.standard_t(2.5, (80, 120)))
    here, there = power_law.fit(esd), power_law.fit(esd * scale)
    assert (there.alpha, there.low, there.high) == pytest.approx((here.alpha, here.low, here.high), rel=1e-9)
    assert (there.num_tail, there.num_zero) == (here.num_tail, here.num_zero) == (here.num_tail, 0)


def test_what_is_zero_within_rounding_is_left_out_and_counted(rng):
    esd = np.append(rng.pareto(1.5, 50) + 1, [0.0, 1e-30, -1e-20])
    fit = power_law.fit(esd)
    assert fit.num_zero == 3
    assert fit.alpha == power_law.fit(esd[:50]).alpha


def test_memory_stays_bounded_for_thousands_of_eigenvalues(rng):
    """4,096 candidates × 4,096 points at once would be 134 MB for each temporary."""
    import tracemalloc

    esd = rng.pareto(1.5, 4096) + 1
    tracemalloc.start()
    power_law.fit(esd)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
