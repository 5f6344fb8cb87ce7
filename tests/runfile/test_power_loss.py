"""Whatever a loss of power or a kill leaves, every acknowledged checkpoint and training state is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grokscope.runfile import LayerSpec, Run, RunWriter
from grokscope.runfile.check import inspect
from tests.runfile.power_loss import Disk, states

STEPS = [0, 3, 7, 9]
WIDTH = 40  # a weight of more than a sector


def weight(index: int) -> np.ndarray:
    """The weight of a checkpoint: the same in every process."""
    return np.random.default_rng(index).normal(size=(WIDTH, 9)).astype(np.float32)


def state(step: int) -> dict[str, np.ndarray]:
    """The training state at a step."""
    return {"parameters": np.full(100, step + 0.5), "counter": np.array([step])}


def commit(writer: RunWriter, index: int) -> None:
    """Commit a checkpoint."""
    writer.commit(index, {"fc": weight(index)}, {}, {"loss": index / 3})


def record(path: Path, compact: bool) -> Disk:
    """Do all that a writer does, on a disk that is watched."""
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(path, patch)
        writer = RunWriter.create(
            path, steps=STEPS[:3], layers=[LayerSpec("fc", (WIDTH, 9), bias=False)], metrics=["loss"], config={},
            origin="a test", resume_arrays={"parameters": ((100,), "f8"), "counter": ((1,), "i8")},
        )  # fmt: skip
        with writer:
            disk.promise("created")
            for index in range(3):
                commit(writer, index)
                disk.promise(("checkpoint", index))
                writer.save_resume(STEPS[index], state(STEPS[index]))
                disk.promise(("state", STEPS[index]))
            if compact:
                writer.compact()
            writer.extend(STEPS)
            commit(writer, 3)
            disk.promise(("checkpoint", 3))
            writer.save_resume(9, state(9))
            disk.promise(("state", 9))
    return disk


def assert_kept(path: Path, promised: tuple[Any, ...]) -> None:
    """A reader sees all that was promised, nothing that is not whole, and a writer goes on."""
    run = Run(path)
    numbers = [what[1] for what in promised if what[0] == "checkpoint"]
    assert run.steps.tolist() == STEPS[: run.num_checkpoints]
    assert run.num_checkpoints >= len(numbers)
    assert inspect(run).problems == ()
    for index in range(run.num_checkpoints):
        assert np.array_equal(run.weight(index, "fc"), weight(index))
    with RunWriter.reopen(path) as writer:
        loaded = writer.load_resume()
        saved = [what[1] for what in promised if what[0] == "state"]
        assert loaded is not None or not saved
        if loaded is not None:
            step, arrays = loaded
            assert step >= max(saved, default=0)
            assert all(np.array_equal(arrays[name], array) for name, array in state(step).items())
        if run.num_checkpoints < len(writer.steps):
            commit(writer, run.num_checkpoints)
    Run(path).verify(len(Run(path).steps) - 1)


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("most", [4, pytest.param(4096, marks=pytest.mark.torture)])
def test_no_loss_of_power_costs_what_was_acknowledged(tmp_path: Path, most: int, compact: bool) -> None:
    disk = record(tmp_path / "run.h5", compact)
    assert disk.moments[-1].promised[-1] == ("state", 9)
    left, count = tmp_path / "left.h5", 0
    for content, promised in states(disk.moments, most):
        left.write_bytes(content)
        assert_kept(left, promised)
        count += 1
    assert count > 100


def test_a_created_file_stands_under_its_name_once_that_is_acknowledged(tmp_path: Path) -> None:
    moments = record(tmp_path / "run.h5", compact=False).moments
    first = next(moment for moment in moments if moment.promised)
    assert len(first.candidates) == 1
    assert first.candidates[0][0]
