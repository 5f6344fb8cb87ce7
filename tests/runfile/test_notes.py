"""Notes: sentences of a recorder's in a run file, added in place."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from grokscope.errors import DamagedCheckpoint
from grokscope.runfile import LayerSpec, Run, RunWriter
from grokscope.runfile.notes import NO_MORE, notes_in, with_note


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A run file with room for two checkpoints, and nothing in it."""
    layers = [LayerSpec("fc1", (2, 3))]
    RunWriter.create(tmp_path / "run.h5", steps=[0, 5], layers=layers, metrics=[], config={}, origin="t").close()
    return tmp_path / "run.h5"


def test_notes_are_kept_in_order_once_each_and_through_a_new_plan(path: Path) -> None:
    assert Run(path).notes == ()
    size = path.stat().st_size
    with RunWriter.reopen(path) as writer:
        assert writer.note("the first\nof two")
        assert writer.note("σ is a letter")
        assert not writer.note("the first of two")
        assert path.stat().st_size == size
        writer.extend([0, 5, 10])
    assert Run(path).notes == ("the first of two", "σ is a letter")


def test_too_many_notes_say_so(path: Path) -> None:
    with RunWriter.reopen(path) as writer:
        kept = [writer.note(f"note {number} " + "x" * 100) for number in range(200)]
    notes = Run(path).notes
    assert notes[-1] == NO_MORE
    assert notes[:-1] == tuple(f"note {number} " + "x" * 100 for number in range(len(notes) - 1))
    assert sum(kept) == len(notes)


def test_a_torn_note_is_read_as_far_as_it_goes() -> None:
    whole = with_note(np.zeros(200, np.uint8), "σσσ")
    assert whole is not None
    whole = whole.copy()
    whole[5:] = 0
    assert notes_in(whole)[0].startswith("σσ")


def test_a_file_of_before_has_no_notes(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["notes"]
    assert Run(path).notes == ()
    with RunWriter.reopen(path) as writer:
        assert not writer.note("nowhere to keep it")
        writer.extend([0, 5, 10])
        assert writer.note("now there is")
    assert Run(path).notes == ("now there is",)


def test_a_metric_that_comes_late_is_nan_before_and_damage_stays_damage(tmp_path: Path) -> None:
    path, layers = tmp_path / "run.h5", [LayerSpec("fc1", (2, 3), bias=False)]
    with RunWriter.create(path, steps=[0, 5, 9], layers=layers, metrics=["a"], config={}, origin="t") as writer:
        for index in range(2):
            writer.commit(index, {"fc1": np.full((2, 3), index)}, {}, {"a": index})
        writer._file.write_row("layers/fc1/weight", 1, np.full((2, 3), 7))
        writer.add_metrics(["b", "a", "c"])
        writer.commit(2, {"fc1": np.ones((2, 3))}, {}, {"c": 3})
    run = Run(path)
    assert run.metric_names == ("a", "b", "c")
    np.testing.assert_array_equal(run.metrics()["c"], [np.nan, np.nan, 3])
    np.testing.assert_array_equal(run.metrics()["a"], [0, 1, np.nan])
    run.verify(0)
    run.verify(2)
    with pytest.raises(DamagedCheckpoint):
        run.verify(1)
