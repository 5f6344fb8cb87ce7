"""Safetensors: a JSON header with every tensor's dtype, shape and place, then the numbers.

The format: eight bytes for the length of the header, the header, the data
(https://huggingface.co/docs/safetensors, "Format"). Read without the library, so that a layer is mapped alone.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.layer_names import depth_order
from grokscope.importers.shard_index import by_index
from grokscope.importers.stored import BREAKS_OFF, Bytes, StoredTensor, StoredTensors, size_of

DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "BOOL": "bool", "C64": "complex64",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8",
}  # fmt: skip
ITEM_SIZES = {name: int(name.split("_")[0].lstrip("FCIUB") or 8) // 8 for name in DTYPES if name != "BOOL"}
ITEM_SIZES["BOOL"] = 1
LONGEST_HEADER = 32 << 20


def read_safetensors(path: Path) -> StoredTensors:
    """Open a safetensors file, or one that is split into shards by its index (`*.safetensors.index.json`).

    Raises UsageError where it is damaged, breaks off or lacks a shard.
    """
    if path.suffix == ".json":
        held, files = by_index(path, lambda shard: _tensors_of(shard)[0])
        return StoredTensors(path, _in_order(held), files=files)
    tensors, metadata = _tensors_of(path)
    return StoredTensors(path, _in_order(tensors), extra=metadata, files=(path,))


def _in_order(tensors: dict[str, StoredTensor]) -> dict[str, StoredTensor]:
    """The file's own order is that of dtypes and of the alphabet."""
    return {name: tensors[name] for name in depth_order(tensors)}


def _tensors_of(path: Path) -> tuple[dict[str, StoredTensor], dict[str, object]]:
    """Tensors by name, and the file's own words, among which `save_model` names those that are tied."""
    file = Bytes(path)
    length = int.from_bytes(bytes(file[:8]), "little")
    if file.size < 8 or 8 + length > file.size:
        raise UsageError(f"{path} {BREAKS_OFF}")
    if length > LONGEST_HEADER:
        raise UsageError(f"{path} has a header of {length:,} bytes, as no checkpoint has; save it again")
    try:
        header = json.loads(bytes(file[8 : 8 + length]))
        metadata = header.pop("__metadata__", None) or {}
        tensors = {str(name): _tensor(file, 8 + length, entry) for name, entry in header.items()}
        _refuse_gaps(header, file.size - 8 - length)
        also = {name: tensors[kept] for name, kept in metadata.items() if kept in tensors}
        tensors = also | tensors
        return tensors, {f"metadata.{name}": value for name, value in metadata.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} is a damaged safetensors file ({error}); copy or save it again") from None


def _refuse_gaps(header: dict[str, Any], size: int) -> None:
    """Refuse data that the header does not cover without gap or overlap, as the format wants it."""
    end = 0
    for first, last in sorted(tuple(map(int, entry["data_offsets"])) for entry in header.values()):
        if first != end:
            raise ValueError("its tensors do not lie one behind the other")
        end = last
    if end != size:
        raise ValueError(f"{size:,} bytes where its header says {end:,}")


def _tensor(file: Bytes, start: int, entry: dict[str, Any]) -> StoredTensor:
    kind, shape = str(entry["dtype"]), tuple(map(int, entry["shape"]))
    first, last = map(int, entry["data_offsets"])
    if start + last > file.size:
        raise UsageError(f"{file.path} {BREAKS_OFF}")
    if kind not in DTYPES:  # kinds of numbers to come, four-bit floats: left out by their name
        return StoredTensor(shape, kind, partial(_unknown, file.path, kind))
    fits = 0 <= first <= last and min(shape, default=0) >= 0
    if not fits or size_of(shape) * ITEM_SIZES[kind] != last - first:
        raise ValueError("a tensor's place does not fit its shape")
    read = partial(_read, file, DTYPES[kind], start + first, shape)
    identity = (file.path.name, first, last) if last > first else None
    return StoredTensor(shape, DTYPES[kind], read, identity)


def _read(file: Bytes, dtype: str, offset: int, shape: tuple[int, ...]) -> NDArray[Any]:
    return file.array(dtype, offset, size_of(shape)).reshape(shape)


def _unknown(path: Path, kind: str) -> NDArray[Any]:
    raise UsageError(f"{path}: numbers stored as {kind} cannot be read; save them as float32")
