"""What is written is read back, from a plain HDF5 file, and only what was committed."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from grokscope.errors import BadRunFile, DamagedCheckpoint, UsageError
from grokscope.runfile import LayerSpec, Run, RunWriter
from grokscope.trajectory import find_damaged
from tests.runfile.conftest import LAYERS, STEPS, WEIGHT, checkpoint_arrays, commit, create


def test_a_checkpoint_comes_back_as_it_was_written(run_with: Callable[[int], Path]) -> None:
    run = Run(run_with(3))
    weights, biases = checkpoint_arrays(2)
    assert run.steps.tolist() == [0, 1, 2]
    assert np.array_equal(run.weight(2, "fc1"), weights["fc1"])
    assert np.array_equal(run.weight(2, "fc2"), weights["fc2"])
    assert np.array_equal(run.bias(2, "fc1"), biases["fc1"])
    assert np.array_equal(run.metrics()["train_accuracy"], [0.0, 0.1, 0.2])
    assert np.isnan(run.metrics()["test_accuracy"]).all()
    predictions = run.predictions()
    assert predictions is not None
    assert predictions[2].tolist() == [2, 2, 2, 2]


def test_a_run_describes_itself(run_with: Callable[[int], Path]) -> None:
    run = Run(run_with(1))
    assert run.layers == LAYERS
    assert run.config == {"seed": 3}
    assert run.origin == "a test"
    assert run.planned_steps.tolist() == STEPS.tolist()
    assert not run.complete
    with pytest.raises(IndexError):
        run.weight(1, "fc1")


def test_every_dataset_is_contiguous_and_allocated(run_with: Callable[[int], Path]) -> None:
    path = run_with(0)
    with h5py.File(path, "r") as file:
        datasets: list[h5py.Dataset] = []
        file.visititems(lambda _, item: datasets.append(item) if isinstance(item, h5py.Dataset) else None)
        assert len(datasets) > 10
        for dataset in datasets:
            assert dataset.chunks is None
            assert dataset.id.get_offset() is not None
        assert file["steps"][...].tolist() == [-1] * len(STEPS)


def test_writing_never_changes_a_byte_of_hdf5_metadata(run_with: Callable[[int], Path]) -> None:
    path = run_with(0)
    before = path.read_bytes()
    with h5py.File(path, "r") as file:
        ours = np.zeros(len(before), dtype=bool)

        def mark(_: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                ours[item.id.get_offset() : item.id.get_offset() + item.nbytes] = True

        file.visititems(mark)
    with RunWriter.reopen(path) as writer:
        for index in range(len(STEPS)):
            commit(writer, index)
        writer.save_resume(3, {"parameters": np.ones(7), "counter": np.ones(1)})
        writer.heartbeat(3, 1.0)
    changed = np.frombuffer(before, np.uint8) != np.frombuffer(path.read_bytes(), np.uint8)
    assert changed.any()
    assert not (changed & ~ours).any()


def test_the_disk_space_is_taken_at_creation(tmp_path: Path) -> None:
    with create(tmp_path / "run.h5", layers=[LayerSpec("fc1", (1000, 500))]) as writer:
        status = writer.path.stat()
    assert status.st_size > len(STEPS) * 1000 * 500 * 4
    assert status.st_blocks * 512 >= status.st_size


def test_a_checkpoints_key_is_the_crc_of_its_step_and_its_content(run_with: Callable[[int], Path]) -> None:
    run = Run(run_with(2))
    weights, biases = checkpoint_arrays(1)
    content = [
        np.int64(1),
        weights["fc1"],
        biases["fc1"],
        weights["fc2"],
        np.array([0.1, np.nan]),
        np.full(4, 1, "i4"),
    ]
    assert run.crc32(1) == zlib.crc32(b"".join(value.tobytes() for value in content))
    assert run.crc32(0) != run.crc32(1)
    with pytest.raises(IndexError):
        run.crc32(2)


def test_float64_is_kept_where_asked_for(tmp_path: Path) -> None:
    with create(tmp_path / "run.h5", store_dtype="float64") as writer:
        weights = {layer.name: np.full(layer.shape, 1 / 3) for layer in LAYERS}
        writer.commit(0, weights, {"fc1": np.zeros(6)}, {})
    assert Run(tmp_path / "run.h5").weight(0, "fc1")[0, 0] == 1 / 3


def test_arrays_written_once_come_back(tmp_path: Path) -> None:
    indices = np.array([5, 3, 1])
    create(tmp_path / "run.h5", fixed={"train_indices": indices}).close()
    run = Run(tmp_path / "run.h5")
    stored = run.fixed("train_indices")
    assert stored is not None
    assert stored.tolist() == [5, 3, 1]
    assert run.fixed("nothing") is None


def test_one_flipped_bit_is_found(run_with: Callable[[int], Path]) -> None:
    path = run_with(3)
    with h5py.File(path, "r") as file:
        offset = file["layers/fc2/weight"].id.get_offset() + 4 * 6 * 4 + 11  # in checkpoint 1
    content = bytearray(path.read_bytes())
    content[offset] ^= 0b100
    path.write_bytes(content)
    run = Run(path)
    run.verify(0)
    run.verify(2)
    with pytest.raises(DamagedCheckpoint, match=r"checkpoint 1 \(step 1\)"):
        run.verify(1)


def test_wrong_shapes_and_missing_layers_are_refused(tmp_path: Path) -> None:
    weights, biases = checkpoint_arrays(0)
    with create(tmp_path / "run.h5") as writer:
        with pytest.raises(UsageError, match="lacks layers/fc2/weight"):
            writer.commit(0, {"fc1": weights["fc1"]}, biases, {})
        with pytest.raises(UsageError, match="has shape"):
            writer.commit(0, weights | {"fc1": np.zeros((2, 2))}, biases, {})
        assert not writer.committed.any()


@pytest.mark.parametrize(
    "options",
    [
        {"steps": []},
        {"steps": [3, 2]},
        {"steps": [-1, 2]},
        {"layers": []},
        {"layers": [LayerSpec("a", (2, 2)), LayerSpec("a", (2, 2))]},
        {"layers": [LayerSpec("a/b", (2, 2))]},
        {"layers": [LayerSpec("a\x1b[2J", (2, 2))]},
        {"layers": [LayerSpec("a", (0, 2))]},
        {"layers": [LayerSpec("a", ())]},
        {"config": {"x": "y" * 100_000}},
    ],
)
def test_what_the_format_cannot_hold_is_refused_and_leaves_nothing(
    tmp_path: Path, options: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        create(tmp_path / "run.h5", **options)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_replaced_only_on_demand(run_with: Callable[[int], Path]) -> None:
    path = run_with(2)
    with pytest.raises(UsageError, match="--resume"):
        create(path)
    assert Run(path).num_checkpoints == 2
    reader = Run(path)
    create(path, overwrite=True).close()
    assert reader.refresh()
    assert reader.num_checkpoints == 0


def test_damage_is_told_of_the_run_that_has_it_and_of_none_in_its_place(run_with: Callable[[int], Path]) -> None:
    path = run_with(2)
    with h5py.File(path, "r+") as file:
        file[WEIGHT][1] = 9
    run = Run(path)
    assert list(find_damaged(run)) == [1]
    with RunWriter.reopen(path) as writer:
        writer.extend([*STEPS, 99])
    assert run.refresh()
    assert np.isnan(run.metrics()["train_accuracy"]).tolist() == [False, True]
    path.unlink()
    run_with(2)
    assert run.refresh()
    assert run.metrics()["train_accuracy"].tolist() == [0, 0.1]


def test_a_reader_sees_new_checkpoints_after_a_refresh(tmp_path: Path) -> None:
    with create(tmp_path / "run.h5") as writer:
        run = Run(writer.path)
        assert not run.refresh()
        commit(writer, 0)
        assert run.num_checkpoints == 0
        assert run.refresh()
        assert run.num_checkpoints == 1


def test_a_run_grows_past_its_plan_and_keeps_everything(run_with: Callable[[int], Path]) -> None:
    path = run_with(4)
    reader = Run(path)
    with RunWriter.reopen(path) as writer:
        writer.save_resume(5, {"parameters": np.arange(7.0), "counter": np.array([9])})
        writer.extend([0, 1, 2, 5, 20, 50], {"seed": 4})
        assert writer.steps.tolist() == [0, 1, 2, 5, 20, 50]
        state = writer.load_resume()
        assert state is not None
        assert state[0] == 5
        commit(writer, 4)
    assert reader.refresh()
    assert reader.steps.tolist() == [0, 1, 2, 5, 20]
    assert reader.config == {"seed": 4}
    for index in range(5):
        reader.verify(index)
    assert np.array_equal(reader.weight(3, "fc1"), checkpoint_arrays(3)[0]["fc1"])


def test_a_reader_sees_another_plan_of_the_same_length(run_with: Callable[[int], Path]) -> None:
    path = run_with(2)
    run = Run(path)
    plan = run.planned_steps.tolist()
    with RunWriter.reopen(path) as writer:
        writer.extend([*plan[:-1], plan[-1] * 2])
    assert run.refresh()
    assert run.planned_steps[-1] == plan[-1] * 2
    assert not run.refresh()


@pytest.mark.parametrize(
    ("there", "index", "step", "words"),
    [
        (0, 1, None, "the next one is 0"),
        (2, 1, None, "the next one is 2"),
        (5, 5, 11, "holds all of its 5 checkpoints"),
        (3, 3, 2, "step 2 is not after 2"),
        (0, 0, -1, "ascend from 0"),
    ],
)
def test_a_checkpoint_out_of_turn_is_refused_and_writes_nothing(
    run_with: Callable[[int], Path], there: int, index: int, step: int | None, words: str
) -> None:
    path = run_with(there)
    before = path.read_bytes()
    weights, biases = checkpoint_arrays(index)
    with RunWriter.reopen(path) as writer, pytest.raises(UsageError, match=words):
        writer.commit(index, weights, biases, {}, step=step)
    assert path.read_bytes() == before


def test_a_reader_never_takes_another_runs_arrays_for_its_own(run_with: Callable[[int], Path]) -> None:
    path = run_with(2)
    run = Run(path)
    create(path, overwrite=True).close()
    for read in (lambda: run.weight(0, "fc1"), run.metrics, run.predictions):
        with pytest.raises(BadRunFile, match="replaced by another run"):
            read()
    assert run.refresh()
    assert run.num_checkpoints == 0


def test_a_run_can_be_pickled(run_with: Callable[[int], Path]) -> None:
    run = pickle.loads(pickle.dumps(Run(run_with(2))))
    assert np.array_equal(run.weight(1, "fc2"), checkpoint_arrays(1)[0]["fc2"])


def test_a_notebook_that_has_the_file_open_does_not_hinder_a_run(run_with: Callable[[int], Path]) -> None:
    path = run_with(2)
    with h5py.File(path, "r"):
        assert Run(path).num_checkpoints == 2
