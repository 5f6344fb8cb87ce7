"""One whole training state is in the file at every moment."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from grokscope.runfile import Run, RunWriter
from tests.runfile.conftest import commit, create


def state(value: float) -> dict[str, np.ndarray]:
    """A training state that is recognisable by its value."""
    return {"parameters": np.full(7, value), "counter": np.array([int(value)])}


def test_the_newest_state_comes_back(tmp_path: Path) -> None:
    with create(tmp_path / "run.h5") as writer:
        assert writer.load_resume() is None
        for step in range(1, 6):
            writer.save_resume(step, state(step))
    with RunWriter.reopen(tmp_path / "run.h5") as writer:
        loaded = writer.load_resume()
    assert loaded is not None
    assert loaded[0] == 5
    assert loaded[1]["parameters"].tolist() == [5.0] * 7
    assert loaded[1]["counter"].tolist() == [5]


@pytest.mark.parametrize("torn", ["generation", "crc32", "step", "arrays/parameters"])
def test_a_torn_newest_slot_gives_the_one_before(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "run.h5"
    with create(path) as writer:
        writer.save_resume(1, state(1))
        writer.save_resume(2, state(2))
    with h5py.File(path, "r+") as file:
        newest = max(("0", "1"), key=lambda slot: int(file[f"resume/{slot}/generation"][0]))
        dataset = file[f"resume/{newest}/{torn}"]
        dataset[0] = 0 if torn == "generation" else dataset[0] + 1
    with RunWriter.reopen(path) as writer:
        loaded = writer.load_resume()
        assert loaded is not None
        assert loaded[0] == 1
        writer.save_resume(3, state(3))
        again = writer.load_resume()
    assert again is not None
    assert again[0] == 3


@pytest.mark.parametrize("saved", [0, 1, 2, 3])
def test_a_compact_file_keeps_every_checkpoint_and_the_newest_state(tmp_path: Path, saved: int) -> None:
    with create(tmp_path / "run.h5") as writer:
        commit(writer, 0)
        commit(writer, 1)
        for step in range(1, saved + 1):
            writer.save_resume(step, state(step))
        before = writer.path.stat().st_size
        writer.compact()
        assert writer.path.stat().st_size <= before - 7 * 8
        assert writer.resume_steps == ((saved,) if saved else ())
        commit(writer, 2)
    run = Run(tmp_path / "run.h5")
    assert run.planned_steps.tolist() == [0, 1, 2, 5, 10]
    for index in range(3):
        run.verify(index)
    with RunWriter.reopen(run.path) as writer:
        assert writer.resume_steps == ((saved,) if saved else ())
        writer.compact()
        for step in (saved + 1, saved + 2):  # both slots are there again, and no state was in danger meanwhile
            writer.save_resume(step, state(step))
            assert writer.resume_steps == ((step, step - 1) if step > 1 else (step,))
        loaded = writer.load_resume()
    assert run.path.stat().st_size == before
    assert loaded is not None
    assert loaded[1]["parameters"].tolist() == [saved + 2.0] * 7


def test_a_file_without_states_is_compact(tmp_path: Path) -> None:
    with create(tmp_path / "run.h5", resume_arrays=None) as writer:
        before = writer.path.read_bytes()
        writer.compact()
        assert writer.path.read_bytes() == before
