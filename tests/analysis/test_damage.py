"""Only what is whole is measured: damage is named and left out, and what replaces it is measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import Result

from grokscope.analysis import Parameters, Spectra, analyze
from grokscope.analysis.checkpoint import describe_checkpoint
from grokscope.analysis.spectra_layout import beside
from grokscope.errors import DamagedCheckpoint
from grokscope.runfile import Run

FAST = Parameters(permutations=3, null_draws=50)


def flip_weight(path: Path, index: int) -> None:
    """Flip the highest exponent bit of a weight."""
    with h5py.File(path, "r") as file:
        dataset = file["layers/fc1/weight"]
        offset = dataset.id.get_offset() + index * dataset[0].nbytes + 7
    content = bytearray(path.read_bytes())
    content[offset] ^= 0b0100_0000
    path.write_bytes(content)


def test_a_damaged_checkpoint_is_named_and_left_out_and_measured_once_it_is_restored(run: Run) -> None:
    good = run.path.read_bytes()
    flip_weight(run.path, 2)
    spectra = analyze(run, parameters=FAST)
    assert list(spectra.damaged) == [2]
    assert "checkpoint 2 (step" in spectra.damaged[2]
    assert np.flatnonzero(~spectra.done.all(axis=1)).tolist() == [2]
    assert np.isnan(spectra.column("alpha", "fc1")[2])
    with pytest.raises(DamagedCheckpoint):
        describe_checkpoint(run, 2)
    run.path.write_bytes(good)
    restored = analyze(Run(run.path), parameters=FAST)
    assert not restored.damaged
    assert restored.done.all()


def test_analyze_names_damage_and_exits_with_1(run: Run, grokscope_here: Callable[..., Result]) -> None:
    flip_weight(run.path, 1)
    done = grokscope_here("analyze", run.path, "-j", "1", "--permutations", "1", "--null-draws", "100")
    assert done.exit_code == 1
    assert "checkpoint 1 (step" in done.stderr
    assert Spectra(run).done.all(axis=1).tolist() == [index != 1 for index in range(run.num_checkpoints)]


def test_spectra_of_other_content_under_the_same_step_do_not_count(run: Run) -> None:
    analyze(run, parameters=FAST, indices=[0, 1])
    with h5py.File(run.path, "r+") as file:
        file["crc32"][1] += 1
    assert Spectra(Run(run.path)).done.all(axis=1)[:2].tolist() == [True, False]


def test_a_column_leaves_out_torn_rows_and_the_next_analysis_mends_them(run: Run) -> None:
    before = analyze(run, parameters=FAST, indices=[0, 1]).column("alpha", "fc2")
    with h5py.File(beside(run.path), "r+") as file:
        file["layers/fc2/alpha"][1] += 1
        file["layers/fc2/esd"][0, 0] += 1
    assert np.isnan(Spectra(run).column("alpha", "fc2")).all()
    assert [Spectra(run).layer(index, "fc2") for index in (0, 1)] == [None, None]
    assert np.array_equal(analyze(run, indices=[0, 1]).column("alpha", "fc2"), before, equal_nan=True)
