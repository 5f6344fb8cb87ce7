"""What a layer costs: products, permutations and memory, and that saving them changes no number."""

from __future__ import annotations

import dataclasses
import pickle
import platform
import subprocess
import sys

import numpy as np
import pytest

from grokscope.spectra import LayerSpectrum, analyze_layer, esd
from grokscope.spectra.randomised import num_permutations
from tests.spectra.test_layer import noise

FLOATS = [field.name for field in dataclasses.fields(LayerSpectrum) if field.type == "float"]


@pytest.mark.parametrize(("short", "count"), [(10, 20), (200, 20), (400, 7), (768, 3), (4096, 2)])
def test_large_layers_need_fewer_permutations_unless_they_are_asked_for(short, count):
    assert num_permutations(short, None) == count
    assert num_permutations(short, 30) == 30
    assert num_permutations(short, 0) == 1


@pytest.mark.parametrize("entries", ["heavy tails", "mean drift"])
def test_a_layer_costs_one_gram_product_a_permutation_and_one_of_its_own(entries, monkeypatch):
    """768 × 768 with many traps took 41 to 61 for 20 permutations."""
    rng = np.random.default_rng(6)
    shape = (256, 256)
    weight = rng.standard_t(3, shape) if entries == "heavy tails" else rng.standard_normal(shape) + 0.5
    products, gram = [], esd.gram
    monkeypatch.setattr(esd, "gram", lambda matrix: products.append(matrix.shape) or gram(matrix))
    spectrum = analyze_layer(weight, "fc", step=0, permutations=20, null_draws=50)
    assert spectrum.num_traps > 0
    assert products == [shape] * 21


@pytest.mark.parametrize("entries", ["normal", "mean drift", "large entries"])
def test_large_weights_in_single_precision_and_threads_change_nothing(entries, monkeypatch):
    """What is kept in float32 is measured as in float64, and by three threads to the same bytes as by one."""
    weight = (noise((80, 120)) + (0.5 if entries == "mean drift" else 0)).astype(np.float32)
    if entries == "large entries":
        weight[[3, 5], [2, 20]] = 60, -50
    plain = analyze_layer(weight, "fc", step=0, permutations=5)
    for name, value in (("LARGE", 100), ("BLOCK", 2000), ("TILE", 7)):
        monkeypatch.setattr(esd, name, value)
    one, several = (analyze_layer(weight, "fc", step=0, permutations=5, threads=n) for n in (1, 3))
    assert pickle.dumps(one) == pickle.dumps(several)
    for name in FLOATS:
        assert getattr(one, name) == pytest.approx(getattr(plain, name), rel=1e-6, abs=1e-9, nan_ok=True), name
    assert [trap.cause for trap in one.traps] == [trap.cause for trap in plain.traps]
    assert [trap.entries for trap in one.traps] == [trap.entries for trap in plain.traps]


def test_memory_stays_within_a_few_copies_of_a_large_layer():
    """1,500 × 2,000: 24 MB; the Gram matrices of all permutations together would be 360 MB."""
    import tracemalloc

    matrix = noise((1500, 2000)).astype(np.float32)
    analyze_layer(noise((400, 450)), "warm", step=0, permutations=1, null_draws=20)
    tracemalloc.start()
    spectrum = analyze_layer(matrix, "large", step=0, permutations=3, null_draws=20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert spectrum.reason == ""
    assert peak < 8 * matrix.size * 8


@pytest.mark.torture
def test_a_layer_of_4096_by_11008_is_measured_in_bounded_memory():
    code = (
        "import numpy as np, resource; from grokscope.spectra import analyze_layer;"
        "w = np.random.default_rng(0).standard_normal((4096, 11008), dtype=np.float32);"
        "s = analyze_layer(w, 'mlp.up', step=0, permutations=2, null_draws=200);"
        "print(s.reason, s.num_traps, round(s.sigma_mp, 3), s.ks_p > 0.001,"
        " resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1.5e6)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=1800)
    assert done.stdout.split() == ["0.0", "1.0", "True", "True"], done.stderr


@pytest.mark.torture
def test_twenty_permutations_cost_less_than_ten_singular_value_decompositions():
    """Measured 5 to 8 of a whole checkpoint's; WeightWatcher's one permutation costs some 300."""
    from time import perf_counter

    matrix = noise((200, 784)) + 0.1
    analyze_layer(matrix, "fc1", step=0)

    def best(work) -> float:
        times = []
        for number in range(7):
            start = perf_counter()
            work(number)
            times.append(perf_counter() - start)
        return min(times)

    svd = best(lambda _: np.linalg.svd(matrix, compute_uv=False))
    assert best(lambda number: analyze_layer(matrix, "fc1", step=number)) < 10 * svd


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's thresholds are known to follow")
def test_a_layer_uses_the_memory_of_the_last_one():
    code = (
        "import resource, numpy as np; from grokscope.spectra import analyze_layer\n"
        "rng, faults = np.random.default_rng(0), []\n"
        "weights = [rng.standard_normal((200, columns), dtype=np.float32) for columns in (784, 200)]\n"
        "for step in range(3):\n"
        "    [analyze_layer(weight, 'fc', step=step, permutations=3) for weight in weights]\n"
        "    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)\n"
        "print(faults[2] - faults[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100, "pages were cleared anew"
