"""What a file or folder is, told by its contents, and the reader for it."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path

from grokscope.errors import UsageError
from grokscope.files import kind_of
from grokscope.importers.shard_index import shards_beside
from grokscope.importers.stored import BREAKS_OFF, Bytes, StoredTensors
from grokscope.importers.zip_archive import SIGNATURE, WITHIN_KERAS, Archive

READERS = {
    "safetensors": ("safetensors_file", "read_safetensors"),
    "pytorch": ("pytorch", "read_pytorch"),
    "pytorch shards": ("shards", "read_pytorch_shards"),
    "torch distributed": ("torch_distributed", "read_distributed"),
    "huggingface": ("shards", "read_model_folder"),
    "npz": ("numpy_archive", "read_npz"),
    "hdf5": ("hdf5_file", "read_hdf5"),
    "msgpack": ("messagepack", "read_messagepack"),
    "onnx": ("onnx_file", "read_onnx"),
    "gguf": ("gguf_file", "read_gguf"),
    "orbax": ("orbax_folder", "read_orbax"),
}
"""The module and function that read each format; a module is imported when it is needed."""

HDF5, PICKLE, GGUF = b"\x89HDF\r\n\x1a\n", b"\x80", b"GGUF"
LFS = b"version https://git-lfs"
SHOWN_BYTES = 16


def sniff(path: Path) -> str | None:
    """Return the format of a file, or of a folder that is one checkpoint; None where it is none that is known.

    Formats are the keys of READERS.
    """
    kind = kind_of(path)
    if kind != "a file":
        return _sniff_folder(path) if kind == "a folder" else None
    if path.name.endswith(".index.json"):
        return "safetensors" if ".safetensors" in path.name else "pytorch shards"
    file = Bytes(path)
    head = bytes(file[:16])
    if head.startswith(SIGNATURE):
        return _sniff_zip(file)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 40:
        return "safetensors"
    known = {HDF5: "hdf5", PICKLE: "pytorch", GGUF: "gguf"}
    for beginning, name in known.items():
        if head.startswith(beginning) and not _is_packed_dict(path, head):
            return name
    if head[:1] == b"\x08" and path.suffix == ".onnx":
        return "onnx"
    return "msgpack" if _is_packed_dict(path, head) else None


def _is_packed_dict(path: Path, head: bytes) -> bool:
    """Tell Flax's MessagePack: a dict whose first key is a text."""
    if path.suffix == ".msgpack":
        return True
    at = {0xDE: 3, 0xDF: 5}.get(head[0], 1 if 0x80 < head[0] < 0x90 else 0) if head else 0
    return bool(at) and b"\xa0" < head[at : at + 1] < b"\xc0" and head[at + 1 : at + 2].isalpha()


def _sniff_zip(file: Bytes) -> str:
    try:
        entries = list(Archive(file).entries)
    except UsageError:
        return "pytorch"  # whose reader says what is wrong with it
    if any(name.rpartition("/")[2] == "data.pkl" for name in entries):
        return "pytorch"
    if WITHIN_KERAS in entries:
        return "hdf5"
    return "npz" if entries and any(name.endswith(".npy") for name in entries) else "pytorch"


MODEL_FILES = (
    "model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin",
    "adapter_model.safetensors", "adapter_model.bin",
    "diffusion_pytorch_model.safetensors.index.json", "diffusion_pytorch_model.safetensors",
    "flax_model.msgpack",
)  # fmt: skip
"""What a folder of `save_pretrained` holds, the first that is there counts."""
ORBAX = ("_CHECKPOINT_METADATA", "manifest.ocdbt", "_METADATA", "_sharding")


def _sniff_folder(folder: Path) -> str | None:
    if kind_of(folder / ".metadata") == "a file":
        return "torch distributed"
    if any(kind_of(folder / name) == "a file" for name in MODEL_FILES):
        return "huggingface"
    return "orbax" if any(kind_of(folder / name) in ("a file", "a folder") for name in ORBAX) else None


def read_tensors(path: Path, *, alone: bool = False) -> StoredTensors:
    """Open one checkpoint, a file or a folder that is one, told by its contents.

    A shard is opened with all of its set, unless `alone`. Raises UsageError where it is none that can be read,
    MissingPackage where its format needs a package that is not installed.
    """
    kind = sniff(path)
    if kind is None:
        raise UsageError(f"{path} {why_not(path)}")
    if not alone and (parts := shards_beside(path)):
        from grokscope.importers.shards import read_shards

        return read_shards(path, parts)
    module, function = READERS[kind]
    tensors: StoredTensors = getattr(importlib.import_module(f"grokscope.importers.{module}"), function)(path)
    return tensors


def read_many(path: Path) -> list[StoredTensors] | None:
    """Open each of the checkpoints of one file that holds several of a network; None where it does not."""
    if sniff(path) != "pytorch":
        return None
    status = path.stat()
    return _read_many(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=1)
def _read_many(path: Path, modified: int, size: int) -> list[StoredTensors] | None:
    """The last file stays known, since each of its checkpoints is opened in turn."""
    from grokscope.importers.torch_many import read_many_pytorch

    return read_many_pytorch(path)


def why_not(path: Path) -> str:
    """Say what a file or folder is that is no checkpoint: its first bytes tell more than its name."""
    kind = kind_of(path)
    if kind == "a folder":
        return "is a folder that holds no checkpoint of a known format"
    if kind == "nothing":
        return "does not exist; give a checkpoint file or a folder of them"
    if kind != "a file":
        return f"is {kind}; give a checkpoint file or a folder of them"
    head = bytes(Bytes(path)[:64])
    if not head:
        return "is empty; copy or save it again"
    if head.startswith(LFS):
        return "is a pointer of Git LFS, not the file itself; fetch that by `git lfs pull`"
    if path.suffix == ".safetensors":
        return BREAKS_OFF if len(head) < 9 else f"is no safetensors file: it begins with {head[:SHOWN_BYTES]!r}"
    formats = "PyTorch, safetensors, .npz, Keras, Flax, ONNX, GGUF or Orbax"
    return f"is no checkpoint of {formats}: it begins with {head[:SHOWN_BYTES]!r}"
