"""WeightWatcher's own columns are its own, and ours agree with them where they measure the same."""

from __future__ import annotations

import numpy as np
import pytest

from grokscope.analysis import Spectra, analyze
from grokscope.analysis.weightwatcher_columns import run_weightwatcher, weightwatcher_columns, weightwatcher_table
from grokscope.runfile import Run
from tests.analysis.test_spectra_file import FAST

pytest.importorskip("weightwatcher")


def test_alpha_xmin_and_d_of_every_layer_are_weightwatchers(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    spectra = analyze(run, parameters=FAST)
    run_weightwatcher(run)
    for layer in run.layers:
        theirs = weightwatcher_columns(spectra, layer.name)
        for column, field in (("alpha", "alpha"), ("xmin", "xmin"), ("D", "power_law_distance")):
            np.testing.assert_allclose(spectra.column(field, layer.name), theirs[column], rtol=1e-6)
    assert capfd.readouterr().out == ""


def test_global_randomness_is_left_as_it_was(run: Run) -> None:
    weights = {layer.name: run.weight(0, layer.name).astype(float) for layer in run.layers}
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    first = weightwatcher_table(weights, run.layers, seed=1)
    assert np.random.random() == expected  # noqa: NPY002
    assert weightwatcher_table(weights, run.layers, seed=1) == first


@pytest.mark.parametrize("entry", [np.nan, -np.inf, 1e200])
def test_a_layer_that_diverged_does_not_hide_the_others(run: Run, entry: float) -> None:
    weights = {layer.name: run.weight(0, layer.name).astype(float) for layer in run.layers}
    whole = weightwatcher_table(weights, run.layers, seed=1)
    weights["fc1"][0, 0] = entry
    table = weightwatcher_table(weights, run.layers, seed=1)
    assert set(table) == set(whole) - {"fc1"}
    assert table["fc2"]["alpha"] == whole["fc2"]["alpha"]
    weights = {name: np.full_like(weight, np.inf) for name, weight in weights.items()}
    assert weightwatcher_table(weights, run.layers, seed=1) == {}


def test_columns_are_empty_until_weightwatcher_has_run(run: Run) -> None:
    assert weightwatcher_columns(Spectra(run), "fc1") == {}
    assert weightwatcher_columns(analyze(run, parameters=FAST, indices=[0]), "fc1") == {}
