"""Rows of a file of contiguous datasets by plain reads: a screen needs a hundred of them for every key.

HDF5 looks up each dataset by its name at every open, which takes longer than everything else between a key and the
screen. Where the bytes are is learnt once, and again when another file has taken the path's place.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from grokscope.runfile.exact_layout import Extent

File = tuple[int, int, int]
"""Device, inode and size: an inode alone may come back with another file."""

Known = Mapping[File, Mapping[str, Extent]]
"""Where the bytes of each dataset are, of files that have been looked at."""


def file_of(status: os.stat_result) -> File:
    """Return which file it is."""
    return status.st_dev, status.st_ino, status.st_size


class RowReader:
    """Reads rows of the datasets in one file; holds no file open between calls."""

    def __init__(self, path: Path, known: Known | None = None) -> None:
        """Remember the path, and what is known of files that may lie there; nothing is read yet."""
        self.path, self._known = path, {} if known is None else known
        self._extents: Mapping[str, Extent] = {}
        self._file: File = (-1, -1, -1)

    def rows(self, names: Iterable[str], index: int) -> dict[str, NDArray[Any]]:
        """Return the row at `index` of each dataset, in its stored dtype and the shape of one row.

        Raises OSError where the file is gone or shorter than it says, KeyError where it has no such dataset.
        """
        return {name: block[0] for name, block in self.blocks(names, index, index + 1).items()}

    def blocks(self, names: Iterable[str], first: int, last: int) -> dict[str, NDArray[Any]]:
        """Return the rows from `first` to before `last` of each dataset; raises as `rows` does."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            names = list(names)
            self._learn(os.fstat(descriptor), names)
            return {name: _block(descriptor, self._extents[name], first, last) for name in names}
        finally:
            os.close(descriptor)

    def _learn(self, status: os.stat_result, names: Iterable[str]) -> None:
        found = file_of(status)
        if found != self._file:
            self._file, self._extents = found, self._known.get(found, {})
        if missing := [name for name in names if name not in self._extents]:
            with h5py.File(self.path, "r", locking=False) as file:
                self._extents = {**self._extents, **{name: _extent(file, name) for name in missing}}


def _extent(file: h5py.File, name: str) -> Extent:
    dataset = h5py.h5d.open(file.id, name.encode())
    return Extent(dataset.get_offset(), dataset.shape, dataset.dtype)


def _block(descriptor: int, extent: Extent, first: int, last: int) -> NDArray[Any]:
    size = (last - first) * extent.row_bytes
    data = os.pread(descriptor, size, extent.offset + first * extent.row_bytes)
    if len(data) != size or not 0 <= first <= last <= extent.shape[0]:
        raise OSError(f"rows {first} to {last} lie beyond the end of the file")
    return np.frombuffer(data, extent.dtype).reshape(last - first, *extent.shape[1:])
