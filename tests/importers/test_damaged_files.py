"""A file that is cut, changed or no checkpoint is called what it is, whatever its name."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import h5py
import pytest
import safetensors.torch as safetensors
import torch

from grokscope.errors import UsageError
from grokscope.importers import layers_of, read_tensors, sniff


def saved(kind: str) -> bytes:
    """A whole checkpoint."""
    file = io.BytesIO()
    state = {"fc.weight": torch.randn(30, 20)}
    if kind == "safetensors":
        return bytes(safetensors.save(state))
    torch.save(state, file, _use_new_zipfile_serialization=kind == "zip")
    return file.getvalue()


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path, kind: str) -> None:
    content, path = saved(kind), tmp_path / "model"
    for length in (1, 5, 12, 60, len(content) // 2, len(content) - 10, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(UsageError) as raised:
            read_tensors(path).read("fc.weight")
        assert "breaks off" in str(raised.value) or length < 9


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_file_that_is_written_while_it_is_open_is_not_read_on(tmp_path: Path, kind: str) -> None:
    content, path = saved(kind), tmp_path / "model"
    path.write_bytes(content)
    tensors = read_tensors(path)
    weight = tensors.read("fc.weight")
    before = weight.copy()
    with path.open("r+b") as file:
        file.write(bytes(len(content)))
    assert (weight == before).all()
    os.utime(path, (0, 0))  # another time than before, however coarse the clock
    for again in (
        lambda: None,
        lambda: path.write_bytes(b""),
    ):  # as a save begins; a mapping would end the process
        again()
        with pytest.raises(UsageError, match="written a moment ago; try again"):
            tensors.read("fc.weight")


def test_one_flipped_bit_is_seen_by_the_crc(tmp_path: Path) -> None:
    content = bytearray(saved("zip"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entry = next(entry for entry in archive.infolist() if entry.filename.endswith("data/0"))
    content[entry.header_offset + 200] ^= 1
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(UsageError, match="CRC"):
        read_tensors(tmp_path / "model.pt").read("fc.weight")


def test_a_file_without_crcs_is_read(tmp_path: Path) -> None:
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        (tmp_path / "model.pt").write_bytes(saved("zip"))
    finally:
        torch.serialization.set_crc32_options(before)
    assert read_tensors(tmp_path / "model.pt").read("fc.weight").shape == (30, 20)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello", "begins with b'hello'"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"\x80\x02}q\x00.", "holds no tensors"),
        (b"\x81", "begins with"),  # the head of a dict in MessagePack, and nothing after it
        (b"\xde\x00\x01", "begins with"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_called_what_it_is(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "step-1.pt").write_bytes(content)
    with pytest.raises(UsageError, match=says):
        read_tensors(tmp_path / "step-1.pt")


def test_what_is_out_of_reach_is_no_checkpoint(tmp_path: Path) -> None:
    for name in ("model.safetensors", ".metadata", "manifest.ocdbt"):
        (tmp_path / name).symlink_to("x" * 300)  # to look there fails, as behind a folder that may not be entered
    assert sniff(tmp_path) is sniff(tmp_path / ".metadata") is None
    with pytest.raises(UsageError, match="is a name that is too long"):
        read_tensors(tmp_path / "model.safetensors")


@pytest.mark.parametrize(("shape", "says"), [((9000, 9000), "would unpack"), (None, "no arrays")])
def test_an_hdf5_file_that_is_refused_is_let_go(tmp_path: Path, shape: tuple[int, int] | None, says: str) -> None:
    with h5py.File(tmp_path / "model.h5", "w") as file:
        if shape:
            file.create_dataset("w", shape, "f4", chunks=True)
    with pytest.raises(UsageError, match=says) as raised:
        read_tensors(tmp_path / "model.h5")
    open_files = h5py.h5f.get_obj_ids(types=h5py.h5f.OBJ_FILE)
    assert not [file for file in open_files if b"model.h5" in h5py.h5f.get_name(file)], raised.value


def test_names_that_cannot_be_printed_are_kept_as_escapes(tmp_path: Path) -> None:
    torch.save({"a\ud800.weight": torch.ones(3, 2), "a\x1b]0;b.weight": torch.ones(3, 2)}, tmp_path / "m.pt")
    layers, _ = layers_of(read_tensors(tmp_path / "m.pt"))
    assert [layer.name for layer in layers] == [r"a\ud800", r"a\x1b]0;b"]


def test_tensors_that_pickle_wrote_are_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"fc.weight": torch.zeros(2, 3)}))
    with pytest.raises(UsageError, match=r"was written by `pickle\.dump`"):
        read_tensors(tmp_path / "model.pkl")


def test_names_do_not_tell_the_format(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(saved("safetensors"))
    (tmp_path / "model.safetensors").write_bytes(saved("zip"))
    assert (sniff(tmp_path / "model.pt"), sniff(tmp_path / "model.safetensors")) == ("safetensors", "pytorch")
    shutil.rmtree(tmp_path)
    assert sniff(tmp_path) is None
