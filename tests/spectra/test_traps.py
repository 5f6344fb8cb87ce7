"""Traps: as many as were planted, each with its cause, where WeightWatcher finds a quarter of them."""

from __future__ import annotations

import numpy as np
import pytest

from grokscope.spectra import analyze_layer, without_trap
from grokscope.spectra.esd import eigenvalues, gram
from grokscope.spectra.null import null_for
from grokscope.spectra.permutations import Permutations, seed_key
from grokscope.spectra.randomised import count_by_weightwatchers_rule, edge_of_noise
from grokscope.spectra.traps import gram_without, participation_ratio, spike_eigenvalue, spike_threshold


def strength(ratio: float, shape: tuple[int, int]) -> float:
    """The θ whose λ is ratio·λ₊: the larger root of (θ² + N)(θ² + M) = ratio·λ₊·θ²."""
    long, short = shape
    half = (ratio * (np.sqrt(long) + np.sqrt(short)) ** 2 - long - short) / 2
    return float(np.sqrt(half + np.sqrt(half**2 - long * short)))


def planted(shape, ratios, rng) -> np.ndarray:
    matrix = rng.standard_normal(shape)
    rows = rng.choice(shape[0], len(ratios), replace=False)
    columns = rng.choice(shape[1], len(ratios), replace=False)
    matrix[rows, columns] = [strength(ratio, shape) for ratio in ratios]
    return matrix


@pytest.mark.parametrize(
    ("shape", "ratios"),
    [
        ((784, 200), (1e4, 3, 3, 3)),
        ((200, 784), (1e4, 100, 100, 30, 30, 10, 10, 3, 3)),
        ((200, 200), (1e3, 3, 3, 3)),
        ((200, 10), (3,)),
        ((10, 200), (5,)),
    ],
)
def test_every_planted_trap_is_found_once(shape, ratios, rng):
    for draw in range(3):
        spectrum = analyze_layer(planted(shape, ratios, rng), "fc", step=draw)
        assert spectrum.num_traps == len(ratios)
        assert len(spectrum.traps) == len(ratios)


def test_noise_has_no_traps(rng):
    spectra = [analyze_layer(rng.standard_normal((60, 60)), "fc", step=step) for step in range(40)]
    assert sum(spectrum.num_traps > 0 for spectrum in spectra) <= 1
    assert all(spectrum.traps == () for spectrum in spectra if spectrum.num_traps == 0)


@pytest.mark.parametrize("shape", [(200, 784), (784, 200), (200, 200)])
@pytest.mark.parametrize("cause", ["mean", "entries", "mean+entries"])
def test_causes_at_one_and_a_half_times_the_threshold_are_named(shape, cause, rng):
    right, draws = 0, 12
    for draw in range(draws):
        matrix = rng.standard_normal(shape)
        theta = 1.5 * spike_threshold(*shape, 1.0)
        if "mean" in cause:
            matrix += theta / np.sqrt(matrix.size) - matrix.mean()
        row, column = rng.integers(shape[0]), rng.integers(shape[1])
        if "entries" in cause:
            matrix[row, column] = theta
        traps = analyze_layer(matrix, "fc", step=draw).traps
        named = {part for trap in traps for part in trap.cause.split("+")}
        right += named == set(cause.split("+"))
        if "entries" in cause and "entries" in named:
            assert (row, column, matrix[row, column]) in {entry for trap in traps for entry in trap.entries}
    assert right >= draws - 1


def test_the_predicted_eigenvalue_is_the_one_of_the_spiked_model(rng):
    shape = (784, 200)
    for theta in (30.0, 60.0, 300.0):
        matrix = 0.1 * rng.standard_normal(shape)
        matrix[7, 9] = 0.1 * theta
        (trap,) = analyze_layer(matrix, "fc", step=0).traps
        assert trap.eigenvalue == pytest.approx(trap.predicted, rel=0.06)
        assert trap.predicted == pytest.approx(spike_eigenvalue(0.1 * theta, *shape, 0.1), rel=0.02)
        assert trap.entries == ((7, 9, 0.1 * theta),)


def test_a_spike_below_the_threshold_has_no_eigenvalue_of_its_own():
    assert np.isnan(spike_eigenvalue(0.99 * spike_threshold(784, 200, 0.5), 784, 200, 0.5))
    assert spike_eigenvalue(spike_threshold(784, 200, 0.5) * (1 + 1e-9), 784, 200, 0.5) == pytest.approx(
        0.25 * (np.sqrt(784) + np.sqrt(200)) ** 2
    )


def test_traps_of_nothing_but_heavy_tails_are_made_by_named_entries(rng):
    """Every one of them goes away when its named entries do, in the permutation that shows it."""
    matrix = rng.standard_t(2.2, (200, 200))
    spectrum = analyze_layer(matrix, "fc", step=0)
    assert spectrum.num_traps > 5
    assert {trap.cause for trap in spectrum.traps} <= {"entries", "unexplained"}
    for trap in spectrum.traps:
        for row, column, value in trap.entries:
            assert matrix[row, column] == value


def test_traps_by_neither_the_mean_nor_few_entries_are_unexplained():
    """One entry in fifty is 10: none is large for 200 × 200, but some rows have more of them than others."""
    rng = np.random.default_rng(3)
    matrix = np.where(
        rng.random((200, 200)) < 0.02, rng.choice([-10.0, 10.0], (200, 200)), rng.standard_normal((200, 200))
    )
    assert 0.5 * spike_threshold(200, 200, float(matrix.std())) > 10
    spectrum, centred = (analyze_layer(one, "fc", step=0) for one in (matrix, matrix - matrix.mean()))
    assert spectrum.num_traps_shown == centred.num_traps_shown > 0
    assert {trap.cause for trap in spectrum.traps} == {"unexplained"}
    assert all(np.isnan(trap.predicted) and trap.entries == () for trap in spectrum.traps)


def test_a_row_of_many_small_shifts_is_not_blamed_on_the_mean(rng):
    """A rank-one part that a permutation destroys is no trap at all: traps speak of entries, not of rows."""
    matrix = rng.standard_normal((200, 784))
    matrix[3] += 5
    spectrum = analyze_layer(matrix, "fc", step=0)
    assert all(trap.cause == "mean" for trap in spectrum.traps)
    assert eigenvalues(matrix)[-1] > 5 * spectrum.lambda_plus


@pytest.mark.parametrize("step", [251_189, 316_228, 398_107, 501_187])
def test_the_reference_runs_traps_before_its_peak_are_mean_drift(step, reference_weights):
    weights = reference_weights(step)
    for name in ("fc1", "fc2"):
        spectrum = analyze_layer(weights[name], name, step=step)
        assert spectrum.num_traps == 1
        (trap,) = spectrum.traps
        assert trap.cause == "mean"
        assert trap.predicted == pytest.approx(trap.eigenvalue, rel=0.05)


def test_the_reference_runs_collapse_shows_entry_traps_and_the_papers_sigma(reference_weights):
    fc1 = analyze_layer(reference_weights(6_309_573)["fc1"], "fc1", step=6_309_573)
    assert fc1.alpha == pytest.approx(1.92, abs=0.01)
    assert fc1.sigma_mp == pytest.approx(0.949, abs=0.02)
    assert sum("entries" in trap.cause for trap in fc1.traps) >= 5
    assert fc1.traps[0].cause == "mean"
    assert 5 <= fc1.num_traps_weightwatcher <= 10


@pytest.mark.parametrize("shape", [(60, 90), (90, 60), (70, 70)])
@pytest.mark.parametrize("size", [10.0, 1e6, 1e12])
def test_the_gram_matrix_without_mean_and_large_entries_is_that_of_the_clipped_matrix(shape, size, rng):
    matrix = rng.standard_normal(shape) + 0.3
    places = rng.choice(matrix.size, 20, replace=False)
    matrix.ravel()[places] += size
    clipped = matrix - 0.3
    clipped.ravel()[places] = 0
    expected = np.sort(np.linalg.svd(clipped, compute_uv=False) ** 2)
    found = gram_without(0.3, places, matrix, gram(matrix), 1e-7 * expected[-1])
    assert np.linalg.eigvalsh(found) == pytest.approx(expected, abs=1e-5 * expected[-1])


def test_participation_ratios_of_the_known_vectors(rng):
    even, single = np.full(1000, 1000**-0.5), np.eye(1000)[3]
    gaussian = rng.standard_normal(100_000)
    assert participation_ratio(even) == pytest.approx(1)
    assert participation_ratio(single) == pytest.approx(1 / 1000)
    assert participation_ratio(gaussian / np.linalg.norm(gaussian)) == pytest.approx(1 / 3, rel=0.05)


def test_weightwatchers_rule_is_stricter_by_six_widths_at_784_by_200():
    """λ₊ = 2.26 for eigenvalues of mean 1; its margin is the square root of the width that was meant."""
    base = np.ones(199)
    plus = (1 + np.sqrt(200 / 784)) ** 2
    margin = np.sqrt((784 / 200) ** -0.5 * plus ** (2 / 3) * 200 ** (-2 / 3))
    for excess, count in ((0.99, 0), (1.01, 1)):
        top = plus + excess * margin
        esd = np.append(base * (200 - top) / 199, top) * 784
        assert count_by_weightwatchers_rule(esd, 784, 200, 1.0) == count


def test_ablation_takes_the_trap_out_and_nothing_else(rng):
    matrix = planted((200, 784), (20, 8), rng).astype(np.float32)
    before = analyze_layer(matrix, "fc1", step=3)
    home = without_trap(matrix, "fc1", 2, step=3)
    assert np.sum((matrix - home) ** 2) == pytest.approx(before.traps[1].eigenvalue, rel=1e-9)
    row, column, value = before.traps[1].entries[0]
    assert abs(home[row, column]) < 0.4 * abs(value)
    after = analyze_layer(home, "fc1", step=3)
    assert after.num_traps == before.num_traps - 1 == 1
    assert after.randomized_esd[-1] == pytest.approx(before.traps[0].eigenvalue, rel=0.02)


def test_participation_ratios_are_those_of_the_trap_s_singular_vectors(rng):
    matrix = planted((60, 90), (20,), rng)
    (trap,) = analyze_layer(matrix, "fc1", step=3, permutations=1).traps
    left, values, right = np.linalg.svd(Permutations(matrix, seed_key(0, 3, "fc1"))[0])
    assert values[0] ** 2 == pytest.approx(trap.eigenvalue, rel=1e-9)
    assert participation_ratio(left[:, 0]) == pytest.approx(trap.participation_left, rel=1e-9)
    assert participation_ratio(right[0]) == pytest.approx(trap.participation_right, rel=1e-9)
    assert trap.participation_left < 0.05  # a single entry: 1/60, less the noise


def test_the_part_of_a_mean_trap_is_nearly_the_mean(rng):
    weight = rng.standard_normal((40, 5, 4, 4)) + 1.0
    part = weight - without_trap(weight, "conv", step=0)
    assert part.shape == weight.shape
    assert np.sqrt(np.mean((part - 1) ** 2)) < 0.3
    assert part.mean() == pytest.approx(1.0, abs=0.1)


def test_asking_for_a_trap_that_is_not_there_says_how_many_there_are(rng):
    from grokscope.errors import UsageError

    with pytest.raises(UsageError, match="Layer fc1 at step 7 has 0 traps, so there is no trap 1"):
        without_trap(rng.standard_normal((50, 50)), "fc1", step=7)


def test_the_permutation_of_the_entries_is_that_of_the_layers_key(rng):
    matrix = rng.standard_normal((30, 40))
    spectrum = analyze_layer(matrix, "fc1", step=9, seed=4, permutations=1)
    expected = eigenvalues(Permutations(matrix, seed_key(4, 9, "fc1"))[0])
    assert spectrum.randomized_esd == pytest.approx(expected)


@pytest.mark.parametrize("ratios", [(1e3,), (1e3, 30, 30, 10, 10, 10)])
def test_the_bulk_beside_giant_traps_is_still_noise(ratios, rng):
    """All eigenvalues together are far from any law; those that are no traps have p-values as noise has."""
    p_values = []
    for step in range(12):
        spectrum = analyze_layer(planted((90, 60), ratios, rng), "fc", step=step)
        assert spectrum.num_traps >= len(ratios) - 1
        assert spectrum.ks_p < 1e-3
        assert spectrum.ks_distance_bulk < 0.2 * spectrum.ks_distance
        p_values.append(spectrum.ks_p_bulk)
    assert 0.15 < np.median(p_values) < 0.85


def test_below_a_hundred_eigenvalues_weightwatcher_counts_a_trap_five_times(rng):
    """It pools five permutations and does not divide: benchmarks/spectra_power.py runs the library itself."""
    for permutations in (20, 2):
        weight = planted((200, 10), (5,), rng)
        spectrum = analyze_layer(weight, "fc", step=0, null_draws=200, permutations=permutations)
        assert (spectrum.num_traps, spectrum.num_traps_weightwatcher) == (1, 5)


def test_a_trap_lies_beyond_the_tracy_widom_laws_last_thousandth():
    """Johnstone's μ + 3.272 s, written out; the noise of sigma adds a sixth of s at this shape."""
    n, p = 784, 200
    centre = (np.sqrt(n - 1) + np.sqrt(p)) ** 2
    scale = (np.sqrt(n - 1) + np.sqrt(p)) * (1 / np.sqrt(n - 1) + 1 / np.sqrt(p)) ** (1 / 3)
    assert (edge_of_noise(n, p, null_for(n, p)) - centre) / scale == pytest.approx(3.272, abs=0.3)
