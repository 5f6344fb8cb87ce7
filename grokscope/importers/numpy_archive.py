"""NumPy's archives (`.npz`): a zip with one `.npy` an array."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.stored import Bytes, StoredTensor, StoredTensors, size_of
from grokscope.importers.torch_tree import CURVE, plain
from grokscope.importers.zip_archive import Archive

LONGEST_HEADER = 1 << 16
ENDING = ".npy"


def read_npz(path: Path) -> StoredTensors:
    """Open an archive that `numpy.savez` or `savez_compressed` wrote; arrays of objects are never unpickled.

    Raises UsageError where it is damaged, breaks off, or an entry is not as long as its array.
    """
    archive = Archive(Bytes(path))
    tensors: dict[str, StoredTensor] = {}
    extra: dict[str, object] = {}
    for entry in archive.entries:
        if not entry.endswith(ENDING):
            continue
        name, tensor = entry.removesuffix(ENDING), _tensor(archive, entry)
        is_value = not tensor.shape or (len(tensor.shape) == 1 and CURVE.search(name))
        if is_value and (value := plain(tensor)) is not None:
            extra[name] = value
        else:
            tensors[name] = tensor
    return StoredTensors(path, tensors, extra, files=(path,))


def _tensor(archive: Archive, entry: str) -> StoredTensor:
    head = io.BytesIO(archive.head(entry, LONGEST_HEADER))
    try:
        version = npy.read_magic(head)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read_header(head)
    except (ValueError, KeyError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError):
        raise UsageError(
            f"{archive.path} is damaged: {entry!r} has no header of an array; save it again"
        ) from None
    if dtype.hasobject:
        return StoredTensor(shape, "objects", partial(_refuse, archive, entry))
    if head.tell() + size_of(shape) * dtype.itemsize != archive.entries[entry].file_size:
        raise UsageError(
            f"{archive.path} is damaged: {entry!r} is not as long as its array; copy or save it again"
        )
    read = partial(_read, archive, entry, head.tell(), shape, fortran, dtype)
    return StoredTensor(shape, dtype.name, read, crc=archive.crc32(entry))


def _read(
    archive: Archive, entry: str, start: int, shape: tuple[int, ...], fortran: bool, dtype: np.dtype[Any]
) -> NDArray[Any]:
    flat = np.frombuffer(archive.content(entry)[start:], dtype=dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _refuse(archive: Archive, entry: str) -> NDArray[Any]:
    raise UsageError(f"{archive.path}: {entry!r} holds objects, which could run code; save arrays of numbers")
