"""Capacity: against sums over all paths, and what it must not depend on."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from grokscope.phases.capacity import capacity

Array = NDArray[np.float64]
ALL = np.ones(4, dtype=bool)


def chain(seed: int = 0) -> list[Array]:
    """Three layers, 4-5-3-2."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in ((5, 4), (3, 5), (2, 3))]


def test_it_is_the_norm_of_all_paths_from_the_inputs_that_count_times_the_layers_norms() -> None:
    first, second, third = chain()
    inputs = np.array([True, False, True, True])
    paths = product(range(2), range(3), range(5), np.flatnonzero(inputs))
    of_paths = np.sqrt(sum((third[o, k] * second[k, j] * first[j, i]) ** 2 for o, k, j, i in paths))
    of_layers = np.prod([np.sqrt((weight**2).sum()) for weight in (first[:, inputs], second, third)])
    assert capacity(chain(), inputs) == pytest.approx(of_paths * of_layers, rel=1e-12)


def test_of_one_layer_both_norms_are_frobenius() -> None:
    weight = chain()[0]
    assert capacity([weight], ALL) == pytest.approx(np.linalg.norm(weight) ** 2, rel=1e-12)


def test_a_factor_that_moves_from_a_layer_to_the_next_changes_nothing() -> None:
    first, second, third = chain()
    assert capacity([first * 7, second / 70, third * 10], ALL) == pytest.approx(capacity(chain(), ALL), rel=1e-12)


def test_weights_of_any_size_have_one() -> None:
    layers = chain()
    for factor in (1e-100, 1e100):
        scaled = [factor * layers[0], layers[1] / factor, layers[2]]
        assert capacity(scaled, ALL) == pytest.approx(capacity(layers, ALL), rel=1e-12)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_layer_without_a_path_and_weights_that_are_no_numbers_have_none(value: float) -> None:
    first, second, third = chain()
    assert np.isnan(capacity([first, np.full_like(second, value), third], ALL))
    assert np.isnan(capacity(chain(), ~ALL))
