"""Permutations: uniform, the same everywhere, and known by their positions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from grokscope.spectra import permutations
from grokscope.spectra.permutations import Permutations, seed_key


@pytest.fixture(params=[True, False], ids=["scrambles kept", "shuffled afresh"])
def _both_routes(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(permutations, "LARGEST_KEPT", 0)


@pytest.mark.usefixtures("_both_routes")
def test_a_permutation_keeps_the_entries_and_moves_them(rng):
    matrix = rng.standard_normal((20, 30))
    shuffled = Permutations(matrix, seed_key(0, 5, "fc1"))
    for index in (0, 1, 7):
        assert np.sort(shuffled[index], axis=None).tolist() == np.sort(matrix, axis=None).tolist()
        assert shuffled[index].ravel().tolist() == matrix.ravel()[shuffled.order(index)].tolist()
        assert np.mean(shuffled[index] == matrix) < 0.02
    assert np.mean(shuffled[0] == shuffled[1]) < 0.02


@pytest.mark.usefixtures("_both_routes")
@pytest.mark.parametrize("index", [0, 2])
def test_every_order_of_the_entries_is_equally_likely(index):
    """Over 3,600 steps each of the six orders of a 3-entry layer comes up about 600 times."""
    entries = np.arange(3.0).reshape(1, 3)
    orders = [tuple(Permutations(entries, seed_key(0, step, "fc1"))[index].ravel()) for step in range(3600)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


def test_the_permutations_of_a_layer_give_spectra_that_vary_as_those_of_fresh_ones_do(rng):
    """Correlated permutations would agree more than this: λ_max of a heavy-tailed layer, 200 of each kind."""
    matrix = rng.standard_t(3, (20, 30))
    shuffled = Permutations(matrix, seed_key(0, 1, "fc1"))
    ours = [np.linalg.norm(shuffled[index], 2) for index in range(200)]
    fresh = [np.linalg.norm(rng.permutation(matrix.ravel()).reshape(20, 30), 2) for _ in range(200)]
    assert stats.ks_2samp(ours, fresh).pvalue > 1e-3
    assert np.std(ours) == pytest.approx(np.std(fresh), rel=0.3)


def test_seed_step_and_name_each_make_a_difference(rng):
    matrix = rng.standard_normal((20, 30))
    base = Permutations(matrix, seed_key(0, 5, "fc1"))[0]
    for other in ((1, 5, "fc1"), (0, 6, "fc1"), (0, 5, "fc2")):
        assert np.mean(Permutations(matrix, seed_key(*other))[0] == base) < 0.02


def test_the_same_permutation_in_another_process_with_another_hash_seed():
    code = (
        "from grokscope.spectra.permutations import Permutations, seed_key; import numpy as np;"
        "print(Permutations(np.arange(50.).reshape(5, 10), seed_key(3, 400, 'fc2')).order(4).tolist())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    here = Permutations(np.arange(50.0).reshape(5, 10), seed_key(3, 400, "fc2")).order(4).tolist()
    assert outputs == {f"{here}\n"}
