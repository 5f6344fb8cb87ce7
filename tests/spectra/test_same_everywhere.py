"""The same numbers on every processor: whatever moves eigenvalues in their last bits, no column notices."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from grokscope.spectra import LayerSpectrum, analyze_layer, esd
from grokscope.spectra.randomised import middle
from tests.spectra.test_layer import noise


class Nudged(esd.Lapack):
    """LAPACK on a processor that rounds otherwise: every eigenvalue is a few units in the last place off."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def gram_eigenvalues(self, gram_matrix: np.ndarray) -> np.ndarray:
        values = super().gram_eigenvalues(gram_matrix)
        return np.sort(values * (1 + 2.0**-52 * self._rng.integers(-4, 5, len(values))))


class BySingularValues(esd.Lapack):
    """Another route to the same spectra: the singular values of the matrix, squared; no Gram matrix."""

    def gram(self, matrix: np.ndarray) -> tuple[np.ndarray]:
        return (matrix,)  # a kind of its own, which nothing else takes for a Gram matrix

    def gram_eigenvalues(self, gram_matrix: tuple[np.ndarray]) -> np.ndarray:
        return np.linalg.svd(*gram_matrix, compute_uv=False)[::-1] ** 2


def assert_same(one: LayerSpectrum, other: LayerSpectrum) -> None:
    """Every column to 1e-9 of itself, and everything that counts or names exactly."""
    for field in dataclasses.fields(LayerSpectrum):
        before, after = getattr(one, field.name), getattr(other, field.name)
        if field.name.startswith("num_") or isinstance(before, (str, int)):
            assert before == after or (before != before and after != after), field.name
        elif isinstance(before, float):
            assert after == pytest.approx(before, rel=1e-9, abs=1e-300, nan_ok=True), field.name
        elif isinstance(before, np.ndarray):
            assert after == pytest.approx(before, rel=1e-9, abs=1e-12 * before.max(initial=0.0)), field.name
    assert [trap.cause for trap in one.traps] == [trap.cause for trap in other.traps]


def matrices() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    spiked = noise((60, 90))
    spiked[3, 4] = 1e6
    return {
        "noise": noise((60, 90)),
        "square noise": noise((80, 80)),
        "mean drift": noise((64, 64)) + 0.5,
        "heavy tails": rng.standard_t(2.5, (60, 90)),
        "one giant entry": spiked,
        "small": noise((10, 200)),
        "two values": np.sign(noise((50, 70))),
    }


@pytest.mark.parametrize("name", matrices())
def test_a_few_units_in_the_last_place_change_no_column(name):
    matrix = matrices()[name]
    plain = analyze_layer(matrix, "fc", step=0, permutations=20)
    for seed in range(20):
        assert_same(plain, analyze_layer(matrix, "fc", step=0, permutations=20, backend=Nudged(seed)))


@pytest.mark.parametrize("name", matrices())
def test_another_route_to_the_same_spectra_changes_no_column(name):
    for step in range(5):
        routes = [
            analyze_layer(matrices()[name], "fc", step=step, permutations=20, backend=backend)
            for backend in (esd.LAPACK, BySingularValues())
        ]
        assert_same(*routes)


def test_the_reference_run_is_the_same_by_both_routes(reference_weights):
    for step in (0, 1000, 100_000, 501_187, 6_309_573):
        for name, weight in reference_weights(step).items():
            assert_same(
                analyze_layer(weight, name, step=step),
                analyze_layer(weight, name, step=step, backend=BySingularValues()),
            )


def test_the_middle_one_is_an_order_statistic_and_ties_rank_as_they_stand():
    assert middle([5.0, 1.0, 3.0]) == 2
    assert middle([4.0, 1.0, 3.0, 2.0]) == 3  # rank (4 − 1)//2 = 1
    assert middle([7.0, 7.0 * (1 + 1e-15), 7.0 * (1 - 1e-15)]) == 1
    assert middle([7.0 * (1 + 1e-15), 7.0 * (1 - 1e-15), 7.0]) == 1
