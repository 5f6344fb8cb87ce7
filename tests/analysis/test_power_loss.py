"""Whatever a loss of power leaves of an import or of a spectra file, what is there was written whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grokscope.analysis import Parameters, Spectra, analyze
from grokscope.runfile import LayerSpec, Run, RunWriter
from grokscope.runfile.check import inspect
from grokscope.trajectory import Checkpoints
from grokscope.trajectory.importing import write_run
from tests.runfile.power_loss import Disk, kills, states

SHAPE = (12, 15)
MOST = [2, pytest.param(512, marks=pytest.mark.torture)]
SHOWN = {2: 30, 512: 1}  # of how many moments one is looked at


def weight(step: int) -> np.ndarray:
    """The weight of a checkpoint: the same in every process."""
    return np.random.default_rng(step).normal(size=SHAPE).astype(np.float32)


@pytest.mark.parametrize("most", MOST)
def test_an_import_is_whole_or_not_there(tmp_path: Path, most: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for step in (1, 5):
        np.savez(folder / f"step-{step}.npz", weight=weight(step))
    path = tmp_path / "run.h5"
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(path, patch)
        write_run(Checkpoints(folder), path)
        disk.promise("imported")
    assert disk.moments[-1].candidates
    count = 0
    for content, _ in states(disk.moments, most):
        left = tmp_path / "left.h5"
        left.write_bytes(content)
        run = Run(left)
        assert run.steps.tolist() == [1, 5]
        assert inspect(run).problems == ()
        count += 1
    assert count
    last = disk.moments[-1]
    assert len(last.candidates) == 1  # the name is on the disk when the import is acknowledged


@pytest.mark.parametrize("most", MOST)
def test_a_torn_row_of_spectra_is_no_measurement(tmp_path: Path, most: int) -> None:
    path = tmp_path / "run.h5"
    layers = [LayerSpec("layer", SHAPE, bias=False)]
    with RunWriter.create(path, steps=[0, 1], layers=layers, metrics=[], config={}, origin="a test") as writer:
        for index in range(2):
            writer.commit(index, {"layer": weight(index)}, {}, {})
    run, spectra = Run(path), tmp_path / "run.spectra.h5"
    parameters = Parameters(permutations=2, null_draws=100)
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(spectra, patch)
        analyze(run, indices=[0], parameters=parameters)
        disk.promise("measured")
        analyze(run, indices=[1], parameters=parameters)
    whole = Spectra(run)
    right = [whole.layer(index, "layer") for index in range(2)]
    assert None not in right
    for content in kills(disk.moments):
        spectra.write_bytes(content)
        whole.refresh()
        assert [whole.layer(index, "layer") is not None for index in range(2)] == whole.done[:, 0].tolist()
    columns = {field: whole.column(field, "layer") for field in ("alpha", "ks_p", "num_traps")}
    count = 0
    for content, promised in states(disk.moments[:: SHOWN[most]], most):
        spectra.write_bytes(content)
        found = Spectra(run)
        measured = [found.layer(index, "layer") for index in range(2)]
        assert measured[0] is not None or not promised
        for index, spectrum in enumerate(measured):
            assert spectrum is None or spectrum.alpha == right[index].alpha  # type: ignore[union-attr]
        for field, values in columns.items():
            shown = found.column(field, "layer")
            assert all(np.isnan(shown) | (shown == values))
        count += 1
    assert count > 10
    analyze(run)
    assert Spectra(run).done.all()
