"""HDF5 files whose datasets are fixed ranges of bytes.

Every dataset is created full size, contiguous and uncompressed. After that no HDF5 metadata ever changes, so
writing is plain `pwrite` into known bytes: no HDF5 library state can be lost by a kill, and no HDF5 lock can
stand in a reader's way.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from grokscope.errors import StorageError
from grokscope.files import kind_of, resolved
from grokscope.runfile.exact_layout import Declared, exact_extents

LIBVER = "earliest", "v110"
"""Readable by old libraries; an early superblock has no "open for writing" mark to be left."""

PIECE_BYTES = 1 << 24


class PreallocatedFile:
    """The datasets of an existing file, open for reading and writing in place.

    Raises OtherLayout where they are not exactly the declared ones, StorageError where the disk refuses.
    """

    def __init__(self, path: Path, datasets: Mapping[str, Declared], *, writable: bool = True) -> None:
        """Learn where the bytes of each dataset are, and open the file for writing them, or only for reading."""
        self.path = path
        with h5py.File(path, "r", locking=False) as file:
            self.extents = exact_extents(file, datasets)
        with storage_errors(path):
            self._descriptor = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)

    def read(self, name: str) -> NDArray[Any]:
        """Return a whole dataset."""
        extent = self.extents[name]
        return self._pread(extent.offset, extent.shape, extent.dtype)

    def write(self, name: str, array: ArrayLike) -> None:
        """Fill a whole dataset."""
        extent = self.extents[name]
        self._pwrite(np.asarray(array, dtype=extent.dtype).reshape(extent.shape), extent.offset)

    def write_row(self, name: str, index: int, row: ArrayLike) -> None:
        """Fill entry `index` along the first axis of a dataset."""
        extent = self.extents[name]
        array = np.asarray(row, dtype=extent.dtype).reshape(extent.shape[1:])
        self._pwrite(array, extent.offset + index * extent.row_bytes)

    def copy_rows(self, name: str, rows: int | None, target: PreallocatedFile) -> None:
        """Copy the first `rows` entries of a dataset, or all of it, to the same dataset of another file."""
        extent = self.extents[name]
        size = int(np.prod(extent.shape, dtype=np.int64)) * extent.dtype.itemsize
        total = size if rows is None else rows * extent.row_bytes
        for start in range(0, total, PIECE_BYTES):
            length = min(PIECE_BYTES, total - start)
            piece = self._pread(extent.offset + start, (length,), np.dtype("u1"))
            target._pwrite(piece, target.extents[name].offset + start)

    def sync(self) -> None:
        """Return when everything written is on the disk."""
        with storage_errors(self.path):
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _pread(self, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        array = np.empty(shape, dtype)
        view, done = raw_bytes(array), 0
        while done < len(view):
            read = os.preadv(self._descriptor, [view[done:]], offset + done)
            if read == 0:
                raise StorageError(f"{self.path} ends before its data; restore it from a copy")
            done += read
        return array

    def _pwrite(self, array: NDArray[Any], offset: int) -> None:
        view = raw_bytes(array)
        with storage_errors(self.path):
            while view:
                written = os.pwrite(self._descriptor, view, offset)
                view, offset = view[written:], offset + written


@dataclass(frozen=True)
class Plan:
    """A file to be created: its datasets by name, and the attributes of datasets and groups ("/" is the file)."""

    datasets: Mapping[str, Declared]
    attributes: Mapping[str, Mapping[str, str | int]]

    @property
    def size(self) -> int:
        """Size in bytes that the file needs at least."""
        return sum(declared.size for declared in self.datasets.values())


def create_file(path: Path, plan: Plan, fill: Callable[[PreallocatedFile], None] = lambda file: None) -> None:
    """Create a file under a temporary name and move it into place when it is whole.

    Its disk space is taken first, so that a full disk is met now; then the datasets are created and filled, and
    `fill` may write more. A file that was at `path` is replaced at once, and lives on for those who have it open;
    a symbolic link stays and leads to the new one. Raises StorageError where something else is there: moving a
    file into the place of a device would take it from the whole system.
    """
    real = resolved(path)
    if (kind := kind_of(real)) not in ("a file", "nothing"):
        raise StorageError(f"{path} is {kind}; remove it, or name another file")
    with storage_errors(path):
        handle, name = tempfile.mkstemp(prefix=f".{real.name}.", suffix=".tmp", dir=real.parent)
    temporary = Path(name)
    try:
        with storage_errors(path), in_the_name_of(path):
            _reserve(handle, plan.size)
            _create_datasets(temporary, plan)
            _reserve(handle, os.fstat(handle).st_size)
            _fill(temporary, plan, fill)
            os.fchmod(handle, 0o666 & ~_umask())
            os.fsync(handle)
            temporary.replace(real)
            sync_folder(real.parent)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)


def _create_datasets(path: Path, plan: Plan) -> None:
    with h5py.File(path, "w", libver=LIBVER, locking=False) as file:
        for name, declared in plan.datasets.items():
            _create_dataset(file, name, declared)
        for group, attributes in plan.attributes.items():
            file[group].attrs.update(attributes)


def _create_dataset(file: h5py.File, name: str, declared: Declared) -> None:
    """Create a contiguous dataset whose bytes have their place in the file from now on."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.CONTIGUOUS)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    creation.set_obj_track_times(False)
    group, _, leaf = name.rpartition("/")
    parent = file.require_group(group) if group else file
    space = h5py.h5s.create_simple(declared.shape)
    little_endian = np.dtype(declared.dtype).newbyteorder("<")
    h5py.h5d.create(parent.id, leaf.encode(), h5py.h5t.py_create(little_endian), space, creation)


def raw_bytes(array: NDArray[Any] | np.generic) -> memoryview:
    """Return the bytes of an array in C order, without a copy where it is already contiguous."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the disk's refusals into a StorageError of one sentence."""
    try:
        yield
    except OSError as error:
        raise _refusal(path, error) from error


@contextlib.contextmanager
def in_the_name_of(path: Path) -> Iterator[None]:
    """Say of the file that was asked for what the disk refuses to a working file, which nobody has named."""
    try:
        yield
    except StorageError as error:
        if isinstance(error.__cause__, OSError):
            raise _refusal(path, error.__cause__) from error.__cause__
        raise


def _refusal(path: Path, error: OSError) -> StorageError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageError(f"no room for {path} ({reason}); free space and go on: what was acknowledged is safe")
    way_out = "a shorter name" if error.errno == errno.ENAMETOOLONG else "another folder"
    return StorageError(f"cannot write {path} ({reason}); choose {way_out}")


def _reserve(descriptor: int, size: int) -> None:
    """Take disk space now; file systems that cannot do so meet a full disk later."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV):
            raise


def _fill(path: Path, plan: Plan, fill: Callable[[PreallocatedFile], None]) -> None:
    file = PreallocatedFile(path, plan.datasets)
    try:
        for name, declared in plan.datasets.items():
            if declared.initial is not None:
                file.write(name, np.broadcast_to(np.asarray(declared.initial), declared.shape))
        fill(file)
    finally:
        file.close()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
