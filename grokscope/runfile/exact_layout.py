"""Does an HDF5 file have exactly the layout that its writer assumes? Verified before the first byte is written.

Writing goes past HDF5, into ranges of bytes that are learnt once. Should one of them be compressed, shared or of
another shape, plain writes would be lost or would overwrite something else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from grokscope.runfile.own_bytes import linked_names
from grokscope.turns import in_turns

MOST_KEPT = 1 << 20
A_MS = 8  # datasets are looked at in about a millisecond
_BYTE = np.dtype("u1")


class OtherLayout(ValueError):
    """A file whose datasets are not, byte for byte, where and what they were declared to be."""


@dataclass(frozen=True)
class Extent:
    """The bytes of one dataset: where they start in the file, and what they mean."""

    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def row_bytes(self) -> int:
        """Size of one entry along the first axis."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def size(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Declared:
    """A dataset to be created; `initial` fills it, and None leaves its bytes as the disk has them."""

    shape: tuple[int, ...]
    dtype: DTypeLike
    initial: ArrayLike | None = None

    @property
    def size(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def exact_extents(file: h5py.File, datasets: Mapping[str, Declared]) -> dict[str, Extent]:
    """Return where the bytes of each declared dataset are; raises OtherLayout where they are not as declared.

    Each has to be there, with its shape and dtype, uncompressed in one piece inside the file; no two share a byte
    among them or with a description of HDF5's own, and there is nothing else in the file. Each is opened once: a
    file of hundreds of layers has tens of thousands.
    """
    _keep_little(file)
    try:
        found, headers = _objects(file)
    except ValueError as error:
        raise OtherLayout(str(error)) from None
    for name in [*(datasets.keys() - found), *(found - datasets.keys())]:
        raise OtherLayout(f"{name} is {'missing' if name in datasets else 'not known to this version'}")
    extents = {
        name: _extent(name, _dataset(file, name), declared) for name, declared in in_turns(datasets.items(), A_MS)
    }
    _refuse_overlaps({**extents, **headers})
    return extents


def _keep_little(file: h5py.File) -> None:
    """Have HDF5 forget descriptions that it has read: by default it keeps as many as take 100 MB."""
    cache = file.id.get_mdc_config()
    cache.set_initial_size, cache.initial_size, cache.min_size, cache.max_size = True, *(MOST_KEPT,) * 3
    file.id.set_mdc_config(cache)


def _objects(file: h5py.File) -> tuple[set[str], dict[str, Extent]]:
    """Return the names of all datasets, and where HDF5 begins to describe each of them and each group."""
    found = {name.decode(): h5py.h5o.get_info(file.id, name) for name in in_turns(linked_names(file), 5 * A_MS)}
    headers = {f"what HDF5 says of {name}": Extent(info.addr, (1,), _BYTE) for name, info in found.items()}
    return {name for name, info in found.items() if info.type == h5py.h5o.TYPE_DATASET}, headers


def _dataset(file: h5py.File, name: str) -> h5py.h5d.DatasetID:
    try:
        return h5py.h5d.open(file.id, name.encode())  # a third of the time that file[name] takes
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        raise OtherLayout(f"{name} cannot be opened ({error})") from None


def _extent(name: str, dataset: h5py.h5d.DatasetID, declared: Declared) -> Extent:
    creation, dtype = dataset.get_create_plist(), np.dtype(declared.dtype).newbyteorder("<")
    if creation.get_nfilters():
        raise OtherLayout(f"{name} is compressed")
    if creation.get_layout() != h5py.h5d.CONTIGUOUS:
        raise OtherLayout(f"{name} does not lie in one piece")
    if creation.get_external_count():
        raise OtherLayout(f"the data of {name} lie in another file")
    shape = dataset.shape  # not before: that of a virtual dataset may be looked up in other files
    if shape != tuple(declared.shape):
        raise OtherLayout(f"{name} has shape {shape} where {tuple(declared.shape)} is right")
    if dataset.dtype != dtype:
        raise OtherLayout(f"{name} is stored as {dataset.dtype} where {dtype} is right")
    offset = dataset.get_offset()
    if declared.size and (offset is None or dataset.get_storage_size() != declared.size):
        raise OtherLayout(f"{name} has no place in the file yet")
    return Extent(offset or 0, shape, dtype)


def _refuse_overlaps(extents: Mapping[str, Extent]) -> None:
    some = {name: extent for name, extent in in_turns(extents.items(), 100 * A_MS) if extent.size}
    starts = np.array([extent.offset for extent in some.values()], dtype=np.int64)
    sizes = np.array([extent.size for extent in some.values()], dtype=np.int64)
    order = np.argsort(starts, kind="stable")
    shared = np.flatnonzero(starts[order][1:] < (starts + sizes)[order][:-1])
    if len(shared):
        names = list(some)
        raise OtherLayout(f"{names[order[shared[0] + 1]]} lies where {names[order[shared[0]]]} does")
