"""One whole training state is in the file at every moment."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from grokscope.runfile import RunWriter
from tests.runfile.conftest import create


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
