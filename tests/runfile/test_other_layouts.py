"""A file is written only where its layout is exactly the one assumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import Result

from grokscope.errors import BadRunFile
from grokscope.runfile import Run, RunWriter, own_bytes
from grokscope.runfile.check import check
from grokscope.runfile.exact_layout import OtherLayout, exact_extents
from grokscope.runfile.layout import file_plan
from grokscope.runfile.opening import read_layout
from grokscope.runfile.own_bytes import HEAP, MOST_MAPPED, NotItsOwn, refuse_endless
from tests.runfile.conftest import STEPS, WEIGHT


def stored_anew(name: str, **options: Any) -> Callable[[Path], None]:
    """What `h5repack` and notebooks do: one dataset is stored in another way, with the same or other content."""

    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            data = options.pop("data", file[name][...])
            del file[name]
            file.create_dataset(name, data=data, **options)

    return change


def compressed(path: Path) -> None:
    """`h5repack -f layers/fc1/weight:GZIP=6`."""
    stored_anew(WEIGHT, compression="gzip", compression_opts=6)(path)


def in_chunks(path: Path) -> None:
    """Not compressed, but in pieces."""
    stored_anew(WEIGHT, chunks=(1, 6, 9))(path)


def shorter_plan(path: Path) -> None:
    """Fewer planned steps than steps."""
    stored_anew("planned_steps", data=STEPS[:-1])(path)


def double_bias(path: Path) -> None:
    """A bias of twice the bytes."""
    stored_anew("layers/fc1/bias", dtype="f8")(path)


def other_byte_order(path: Path) -> None:
    """Big-endian metrics."""
    stored_anew("metrics/train_accuracy", dtype=">f8")(path)


def other_slot(path: Path) -> None:
    """Two slots that hold different arrays."""
    stored_anew("resume/1/arrays/parameters", data=np.zeros(9))(path)


def shared_bytes(path: Path) -> None:
    """Two metrics that are one."""
    with h5py.File(path, "r+") as file:
        del file["metrics/test_accuracy"]
        file["metrics/test_accuracy"] = file["metrics/train_accuracy"]


def no_place(path: Path) -> None:
    """A dataset whose bytes HDF5 would choose when it first writes them."""
    with h5py.File(path, "r+") as file:
        del file["heartbeat"]
        file.create_dataset("heartbeat", (4,), "f8")


def outside(path: Path) -> None:
    """Steps whose bytes lie in another file."""
    other = path.with_suffix(".raw")
    other.write_bytes(bytes(8 * len(STEPS)))
    with h5py.File(path, "r+") as file:
        del file["steps"]
        file.create_dataset("steps", (len(STEPS),), "i8", external=[(other, 0, 8 * len(STEPS))])


def linked(path: Path) -> None:
    """A name that leads to a dataset of another name."""
    with h5py.File(path, "r+") as file:
        file.move("heartbeat", "beats")
        file["heartbeat"] = h5py.SoftLink("/beats")


def beyond_the_end(path: Path) -> None:
    """A description that has a dataset begin before the end of the file and end after it."""
    with h5py.File(path, "r") as file:
        beats = file["heartbeat"].id.get_offset()
    content = path.read_bytes()
    assert content.count(beats.to_bytes(8, "little")) == 1
    path.write_bytes(content.replace(beats.to_bytes(8, "little"), (len(content) - 8).to_bytes(8, "little")))


def a_dataset_more(path: Path) -> None:
    """Something that a rewriting would lose."""
    with h5py.File(path, "r+") as file:
        file["mine"] = np.arange(3)


def moved_onto_another(path: Path) -> None:
    """A description that has the second layer's weights begin in the middle of the first one's."""
    with h5py.File(path, "r") as file:
        first, second = (file[f"layers/{name}/weight"].id.get_offset() for name in ("fc1", "fc2"))
    content = path.read_bytes()
    assert content.count(second.to_bytes(8, "little")) == 1
    path.write_bytes(content.replace(second.to_bytes(8, "little"), (first + 8).to_bytes(8, "little")))


def moved_onto_a_description(path: Path) -> None:
    """A description that has a dataset begin where HDF5 describes another."""
    with h5py.File(path, "r") as file:
        beats = file["heartbeat"].id.get_offset()
        header = h5py.h5o.get_info(file["steps"].id).addr
    content = path.read_bytes()
    assert content.count(beats.to_bytes(8, "little")) == 1
    path.write_bytes(content.replace(beats.to_bytes(8, "little"), (header - 8).to_bytes(8, "little")))


OTHER = [
    (compressed, f"{WEIGHT} is compressed"),
    (in_chunks, f"{WEIGHT} does not lie in one piece"),
    (shorter_plan, r"steps has shape \(5,\) where \(4,\) is right|has shape .* is right"),
    (double_bias, "layers/fc1/bias is stored as float64 where float32 is right"),
    (other_byte_order, "metrics/train_accuracy is stored as >f8"),
    (other_slot, "resume/1/arrays/parameters has shape"),
    (shared_bytes, "lies where metrics/"),
    (no_place, "heartbeat has no place in the file yet"),
    (a_dataset_more, "mine is not known to this version"),
    (moved_onto_another, "layers/fc2/weight lies where layers/fc1/weight does"),
    (moved_onto_a_description, "lies where heartbeat does"),
]


@pytest.mark.parametrize(("change", "says"), OTHER)
def test_another_layout_is_never_written_and_no_byte_of_it_changes(
    path: Path, change: Callable[[Path], None], says: str
) -> None:
    change(path)
    before = path.read_bytes()
    with pytest.raises(BadRunFile, match=says):
        RunWriter.reopen(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (outside, "the data of steps lie in another file"),
        (linked, "heartbeat is a link that leads elsewhere"),
        (beyond_the_end, "heartbeat cannot be opened .*size"),
    ],
)
def test_a_layout_that_leads_out_of_the_file_is_another(
    path: Path, change: Callable[[Path], None], says: str
) -> None:
    declared = file_plan(read_layout(path)).datasets
    change(path)
    with h5py.File(path, "r", locking=False) as file, pytest.raises(OtherLayout, match=says):
        exact_extents(file, declared)


def test_a_group_in_the_place_of_numbers_is_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["heartbeat"]
        file.create_group("heartbeat")
    with pytest.raises(BadRunFile, match="heartbeat is a group where numbers are right"):
        Run(path)


@pytest.mark.parametrize("mapped", [0, MOST_MAPPED])
def test_texts_that_hdf5_would_read_for_ever_are_refused(
    path: Path, mapped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_bytes, "MOST_MAPPED", mapped)
    declared = file_plan(read_layout(path)).datasets
    with h5py.File(path, "r", locking=False) as file:
        arrays = [(extent.offset, extent.size) for extent in exact_extents(file, declared).values()]
        for known in (None, arrays):
            refuse_endless(file, known)
    content = bytearray(path.read_bytes())
    entry = content.index(HEAP) + 16
    content[entry : entry + 16] = bytes(16)
    path.write_bytes(content)
    with h5py.File(path, "r", locking=False) as file:
        for known in (None, arrays):
            with pytest.raises(NotItsOwn, match="texts of its attributes"):
                refuse_endless(file, known)


@pytest.mark.parametrize("change", [compressed, in_chunks, other_byte_order, double_bias, a_dataset_more])
def test_what_another_program_stored_anew_is_still_read_and_check_notes_it(
    path: Path, change: Callable[[Path], None]
) -> None:
    before = Run(path)
    change(path)
    run = Run(path)
    for index in range(3):
        assert np.array_equal(run.weight(index, "fc1"), before.weight(index, "fc1"))
    report = check(path)
    assert report.num_states == 2
    assert [note.split(":")[0] for note in report.notes] == [f"{path} can be read but not written"]
    if change in (compressed, in_chunks, a_dataset_more):
        assert report.problems == ()


def test_commands_and_recorder_refuse_a_compressed_file_in_one_sentence(
    path: Path, grokscope_here: Callable[..., Result]
) -> None:
    torch = pytest.importorskip("torch")
    from grokscope import Recorder

    model = torch.nn.Sequential(torch.nn.Linear(9, 6), torch.nn.Linear(6, 4))
    recorded = path.with_name("recorded.h5")
    with Recorder(recorded, model, steps=5) as recorder:
        recorder.step(0)
    compressed(path)
    stored_anew("layers/0/weight", compression="gzip")(recorded)
    before = path.read_bytes(), recorded.read_bytes()
    done = grokscope_here("compact", path)
    assert done.exit_code == 2
    assert f"can be read but not written: {WEIGHT} is compressed" in done.stderr
    assert done.stderr.count("\n") == 1
    with pytest.raises(BadRunFile, match="can be read but not written"):
        Recorder(recorded, model, steps=9, resume=True)
    assert (path.read_bytes(), recorded.read_bytes()) == before


@pytest.mark.parametrize("damage", [-1, 10**15, 0])
def test_one_damaged_step_costs_one_checkpoint_and_is_never_written_on(path: Path, damage: int) -> None:
    whole = Run(path)
    with h5py.File(path, "r+") as file:
        file["steps"][1] = damage
    run = Run(path)
    assert run.steps.tolist() == [0, 2]
    for index, row in enumerate([0, 2]):
        run.verify(index)
        assert run.crc32(index) == whole.crc32(row)
        assert np.array_equal(run.weight(index, "fc1"), whole.weight(row, "fc1"))
        assert run.metrics()["train_accuracy"][index] == whole.metrics()["train_accuracy"][row]
    assert any("checkpoint 1 " in problem for problem in check(path).problems)
    with pytest.raises(BadRunFile, match=r"steps of .* are damaged"):
        RunWriter.reopen(path)
