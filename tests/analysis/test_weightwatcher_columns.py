"""WeightWatcher's own columns are its own, and ours agree with them where they measure the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from grokscope.analysis import Spectra, analyze
from grokscope.analysis.spectra_writer import SpectraWriter
from grokscope.analysis.weightwatcher_columns import run_weightwatcher, weightwatcher_columns, weightwatcher_table
from grokscope.runfile import Run
from grokscope.trajectory import Trajectory, open_trajectory
from tests.analysis.test_damage import flip_weight
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


def test_what_was_said_of_other_weights_under_the_same_step_does_not_count(tmp_path: Path) -> None:
    def saved(seed: int) -> Trajectory:
        weight = np.random.default_rng(seed).normal(size=(20, 30))
        save_file({"w.weight": weight}, tmp_path / "step10.safetensors")
        return open_trajectory(tmp_path)

    first = saved(1)
    spectra = analyze(first, parameters=FAST)
    with SpectraWriter(first) as writer:
        writer.write_weightwatcher(0, "w", {"alpha": 1.25})
    assert weightwatcher_columns(spectra, "w")["alpha"].tolist() == [1.25]
    other = saved(2)
    assert weightwatcher_columns(Spectra(other), "w") == {}
    assert weightwatcher_columns(analyze(other, parameters=FAST), "w") == {}


def test_a_damaged_checkpoint_is_left_out_and_the_next_one_is_measured(run: Run) -> None:
    analyze(run, parameters=FAST, indices=[1, 2])
    flip_weight(run.path, 1)
    totals: list[int] = []
    run_weightwatcher(Run(run.path), on_done=lambda done, total: totals.append(total))
    assert totals == [1, 1]
    assert np.flatnonzero(np.isfinite(weightwatcher_columns(Spectra(run), "fc1")["alpha"])).tolist() == [2]
