"""Measured once, read often, and never an error: stale, torn and foreign files count as not measured."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from grokscope.analysis import Parameters, Spectra, analyze
from grokscope.analysis.spectra_layout import beside, found_file, in_cache
from grokscope.analysis.spectra_writer import SpectraWriter
from grokscope.errors import RunLocked, StorageError
from grokscope.runfile import Run, RunWriter

FAST = Parameters(permutations=3, null_draws=50)


def content(path: Path) -> dict[str, bytes]:
    """Every dataset's bytes."""
    found: dict[str, bytes] = {}

    def collect(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[...].tobytes()

    with h5py.File(path, "r") as file:
        file.visititems(collect)
    return found


def test_a_run_without_spectra_is_simply_not_measured(run: Run) -> None:
    spectra = Spectra(run)
    assert spectra.path is None
    assert not spectra.done.any()
    assert spectra.layer(0, "fc1") is None
    assert np.isnan(spectra.column("alpha", "fc1")).all()


def test_every_layer_of_every_checkpoint_is_measured_and_read_back(run: Run) -> None:
    spectra = analyze(run, parameters=FAST)
    assert spectra.done.all()
    assert spectra.path == beside(run.path)
    column = spectra.column("alpha", "fc1")
    for index in range(run.num_checkpoints):
        spectrum = spectra.layer(index, "fc1")
        assert spectrum is not None
        assert spectrum.alpha == column[index] or np.isnan(column[index])
        singular = np.linalg.svd(run.weight(index, "fc1").astype(float), compute_uv=False)
        np.testing.assert_allclose(spectrum.esd[::-1], singular**2, rtol=1e-9)
        assert spectrum.norm == pytest.approx(np.sqrt((singular**2).sum()))


def test_the_layout_of_a_file_is_looked_at_once_and_that_of_another_in_its_place_again(run: Run) -> None:
    analyze(run, parameters=FAST)
    first, again = found_file(run), found_file(Run(run.path))
    assert first is not None
    assert again is not None
    assert again.extents is first.extents
    with h5py.File(beside(run.path), "r+") as file:
        file["mine"] = np.arange(3)
    assert found_file(run) is None


def test_analysing_again_measures_nothing_and_changes_nothing(run: Run) -> None:
    analyze(run, parameters=FAST)
    before, totals = content(beside(run.path)), []
    analyze(run, on_done=lambda done, total: totals.append(total))
    assert totals == [0]
    assert content(beside(run.path)) == before


def test_only_what_is_asked_for_and_missing_is_measured(run: Run) -> None:
    analyze(run, parameters=FAST, indices=[1, 3])
    assert np.flatnonzero(Spectra(run).done.all(axis=1)).tolist() == [1, 3]
    totals: list[int] = []
    analyze(run, indices=[3, 4], on_done=lambda done, total: totals.append(total))
    assert totals[0] == len(run.layers)


def test_the_run_file_is_never_touched(run: Run) -> None:
    before = run.path.read_bytes()
    analyze(run, parameters=FAST)
    assert run.path.read_bytes() == before


def other_run(path: Path) -> None:
    """The spectra of another run under this run's name."""
    with h5py.File(path, "r+") as file:
        file.attrs["run_uuid"] = "somebody else's"


def other_version(path: Path) -> None:
    """The spectra of an older grokscope."""
    with h5py.File(path, "r+") as file:
        file.attrs["analysis_version"] = 0


def truncated(path: Path) -> None:
    """Half a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def text(path: Path) -> None:
    """No HDF5 at all."""
    path.write_text("hello")


@pytest.mark.parametrize("spoil", [other_run, other_version, truncated, text, Path.unlink])
def test_a_stale_or_torn_file_is_measured_anew(run: Run, spoil: object) -> None:
    analyze(run, parameters=FAST)
    before = content(beside(run.path))
    spoil(beside(run.path))  # type: ignore[operator]
    assert not Spectra(run).done.any()
    assert analyze(run, parameters=FAST).path == beside(run.path)
    assert content(beside(run.path)) == before


def test_a_torn_row_is_not_shown_and_other_rows_are(run: Run) -> None:
    analyze(run, parameters=FAST)
    with h5py.File(beside(run.path), "r+") as file:
        file["layers/fc1/alpha"][2] += 1
    spectra = Spectra(run)
    assert spectra.layer(2, "fc1") is None
    assert spectra.layer(1, "fc1") is not None


def test_other_parameters_measure_anew_and_none_keep_those_of_the_file(run: Run) -> None:
    analyze(run, parameters=FAST, indices=[0])
    assert analyze(run, indices=[1]).parameters == FAST
    other = Parameters(seed=1, permutations=3, null_draws=50)
    spectra = analyze(run, parameters=other, indices=[0])
    assert spectra.parameters == other
    assert spectra.done.all(axis=1).tolist() == [True] + [False] * (run.num_checkpoints - 1)


def test_rows_survive_a_run_that_grows(run: Run) -> None:
    analyze(run, parameters=FAST)
    before = Spectra(run).layer(2, "fc2")
    with RunWriter.reopen(run.path) as writer:
        writer.extend([*run.steps.tolist(), 400, 500])
        weights = {layer.name: run.weight(0, layer.name) for layer in run.layers}
        biases = {layer.name: run.bias(0, layer.name) for layer in run.layers}
        writer.commit(run.num_checkpoints, weights, biases, {})
    run.refresh()
    spectra = Spectra(run)
    assert spectra.done.all(axis=1).tolist() == [True] * (run.num_checkpoints - 1) + [False]
    spectra = analyze(run)
    assert spectra.done.all()
    after = spectra.layer(2, "fc2")
    assert before is not None
    assert after is not None
    assert np.array_equal(before.esd, after.esd)


def test_two_analyses_of_one_run_do_not_mix(run: Run) -> None:
    with SpectraWriter(run, FAST), pytest.raises(RunLocked):
        analyze(run, parameters=FAST)


def test_a_folder_that_cannot_be_written_sends_the_spectra_to_the_cache(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_writing(run.path.parent, monkeypatch)
    spectra = analyze(run, parameters=FAST, indices=[0])
    assert spectra.path == in_cache(run.uuid)
    assert not beside(run.path).exists()
    assert Spectra(run).done[0].all()


def forbid_writing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder read-only, with an empty cache; root may write anywhere, so say that it may not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    real = os.access
    monkeypatch.setattr("os.access", lambda path, mode: path != folder and real(path, mode))


def test_an_analysis_goes_on_in_the_cache_from_the_spectra_in_a_folder_that_cannot_be_written(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyze(run, parameters=FAST, indices=[0])
    before = beside(run.path).read_bytes()
    forbid_writing(run.path.parent, monkeypatch)
    totals: list[int] = []
    spectra = analyze(run, indices=[0, 1], on_done=lambda done, total: totals.append(total))
    assert totals[0] == len(run.layers)
    assert spectra.path == in_cache(run.uuid)
    assert spectra.done[:2].all()
    assert spectra.layer(0, "fc1") is not None
    assert beside(run.path).read_bytes() == before


def test_spectra_that_are_deleted_while_they_are_read_count_as_not_measured(run: Run) -> None:
    spectra = analyze(run, parameters=FAST, indices=[0])
    beside(run.path).unlink()
    assert spectra.layer(0, "fc1") is None
    assert np.isnan(spectra.column("alpha", "fc1")).all()
    assert spectra.refresh()
    assert spectra.path is None


def test_spectra_never_take_the_place_of_what_is_no_file(run: Run, tmp_path: Path) -> None:
    """A link to /dev/tty, followed by root, would cost the whole system its terminals."""
    device = tmp_path / "device"
    os.mkfifo(device)
    beside(run.path).symlink_to(device)
    with pytest.raises(StorageError, match="a pipe; remove it, or name another file"):
        analyze(run, parameters=FAST)
    assert device.is_fifo()
