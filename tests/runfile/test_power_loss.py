"""Whatever a loss of power or a kill leaves, every acknowledged checkpoint and training state is whole."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest

from grokscope.runfile import LayerSpec, Run, RunWriter
from grokscope.runfile.check import inspect
from grokscope.runfile.resume_slots import StateSlots
from tests.runfile.power_loss import Disk, states

STEPS = [0, 3, 7, 9]
WIDTH = 120  # a weight of nine sectors
LARGE = 300  # an array of the training state of five
GOES_ON = {128: 40, 1024: 20}  # one of so many states is gone on from


@cache
def weight(index: int) -> np.ndarray:
    """The weight of a checkpoint: the same in every process."""
    return np.random.default_rng(index).normal(size=(WIDTH, 9)).astype(np.float32)


def state(step: int) -> dict[str, np.ndarray]:
    """The training state at a step."""
    return {"parameters": np.full(LARGE, step + 0.5), "counter": np.array([step])}


def commit(writer: RunWriter, index: int) -> None:
    """Commit a checkpoint."""
    writer.commit(index, {"fc": weight(index)}, {}, {"loss": index / 3})


def record(path: Path, compact: bool) -> Disk:
    """Do all that a writer does, on a disk that is watched."""
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(path, patch)
        writer = RunWriter.create(
            path, steps=STEPS[:3], layers=[LayerSpec("fc", (WIDTH, 9), bias=False)], metrics=["loss"], config={},
            origin="a test", resume_arrays={"parameters": ((LARGE,), "f8"), "counter": ((1,), "i8")},
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


class Stored:
    """An open file's datasets."""

    def __init__(self, file: h5py.File) -> None:
        self.file = file

    def read(self, name: str) -> np.ndarray:
        """Return a whole dataset."""
        return self.file[name][...]


def seen(run: Run) -> tuple[int, int]:
    """What a reader at work sees: how many checkpoints, and the step of the newest training state, -1 for none.

    All of them are whole, and what was written.
    """
    run.refresh()
    assert run.steps.tolist() == STEPS[: run.num_checkpoints]
    for index in range(run.num_checkpoints):
        run.verify(index)
    with h5py.File(run.path, locking=False) as file:
        weights = file["layers/fc/weight"]
        assert all(np.array_equal(weights[index], weight(index)) for index in range(run.num_checkpoints))
        slots = StateSlots(Stored(file), "resume", sorted(file["resume"]), state(0))
        for slot in slots.whole[:1]:
            step = slots.step(slot)
            assert same(slots.load(slot), state(step))
            return run.num_checkpoints, step
    return run.num_checkpoints, -1


def same(arrays: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray]) -> bool:
    """Whether two training states are one."""
    return arrays.keys() == others.keys() and all(np.array_equal(arrays[name], others[name]) for name in arrays)


def assert_goes_on(path: Path, checkpoints: int, state_step: int) -> None:
    """Nothing is wrong with the file, and a writer finds the same in it and goes on."""
    assert inspect(Run(path)).problems == ()
    with RunWriter.reopen(path) as writer:
        assert (writer.load_resume() or (-1,))[0] == state_step
        if checkpoints < len(writer.steps):
            commit(writer, checkpoints)
    run = Run(path)
    run.verify(run.num_checkpoints - 1)
    assert run.num_checkpoints == min(checkpoints + 1, len(run.planned_steps))


@pytest.mark.parametrize(
    ("most", "compact"),
    [
        (128, True),
        pytest.param(1024, True, marks=pytest.mark.torture),
        pytest.param(1024, False, marks=pytest.mark.torture),
    ],
)
def test_no_loss_of_power_costs_what_was_acknowledged(tmp_path: Path, most: int, compact: bool) -> None:
    path = tmp_path / "run.h5"
    disk = record(path, compact)
    assert disk.moments[-1].promised[-1] == ("state", 9)
    run, left, found, count = Run(path), tmp_path / "left.h5", dict[bytes, tuple[int, int]](), 0
    for content, promised in states(disk.moments, most):
        count += 1
        if content not in found:
            path.write_bytes(content)
            found[content] = seen(run)
            if len(found) % GOES_ON[most] == 0:
                left.write_bytes(content)
                assert_goes_on(left, *found[content])
        checkpoints, state_step = found[content]
        assert checkpoints >= sum(what[0] == "checkpoint" for what in promised)
        assert state_step >= max((what[1] for what in promised if what[0] == "state"), default=-1)
    assert count > 2000


def test_a_created_file_stands_under_its_name_once_that_is_acknowledged(tmp_path: Path) -> None:
    moments = record(tmp_path / "run.h5", compact=False).moments
    first = next(moment for moment in moments if moment.promised)
    assert len(first.candidates) == 1
    assert first.candidates[0][0]
