"""The only code that writes run files.

HDF5 creates the file; from then on the writer knows each dataset's bytes and fills them with `pwrite`. No HDF5
library state can be lost by a kill, no HDF5 lock can stand in a reader's way, and a checkpoint exists from
the moment when its step is written, after its bytes are on the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from grokscope.errors import StorageError, UsageError
from grokscope.runfile.layout import (
    NOT_COMMITTED,
    RESUME_SLOTS,
    Arrays,
    Extent,
    LayerSpec,
    Layout,
    bias_path,
    checkpoint_paths,
    create_datasets,
    extents,
    raw_bytes,
    weight_path,
)
from grokscope.runfile.liveness import STATE_CODES
from grokscope.runfile.lock import WriterLock
from grokscope.runfile.reader import Run, read_layout


class RunWriter:
    """Writes one run file, from its creation to its last checkpoint; use it as a context manager.

    Raises RunLocked where another process writes the file, StorageError where the disk refuses.
    """

    def __init__(self, path: Path, lock: WriterLock) -> None:
        """Attach to an existing run file under a lock that is already held; use `create` or `reopen`."""
        self.path = path
        self._lock = lock
        self._attach()

    def _attach(self) -> None:
        self._layout = read_layout(self.path)
        with h5py.File(self.path, "r", locking=False) as file:
            self._extents = extents(file)
        with _storage_errors(self.path):
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        steps: Sequence[int] | NDArray[np.int64],
        layers: Sequence[LayerSpec],
        metrics: Sequence[str],
        config: Mapping[str, object],
        origin: str,
        classes: int | None = None,
        store_dtype: str = "float32",
        fixed: Arrays | None = None,
        resume_arrays: Mapping[str, tuple[tuple[int, ...], str]] | None = None,
        overwrite: bool = False,
    ) -> RunWriter:
        """Create a run file with room for a checkpoint at every one of `steps`, and open it for writing.

        `fixed` arrays are written once; `resume_arrays` gives name → (shape, dtype) of the training state.
        The disk space is reserved here, so that a full disk is met now and not in the middle of the night.
        """
        layout = Layout(
            steps=np.asarray(steps, dtype=np.int64),
            layers=tuple(layers),
            metrics=tuple(metrics),
            config=config,
            origin=origin,
            classes=classes,
            store_dtype=store_dtype,
            fixed=fixed or {},
            resume=resume_arrays or {},
        )
        target = Path(path)
        _refuse_existing(target, overwrite)
        lock = WriterLock(target)
        try:
            _refuse_existing(target, overwrite)
            _replace_with_new(target, layout)
            return cls(target, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def reopen(cls, path: str | Path) -> RunWriter:
        """Open an existing run file to go on writing it; raises BadRunFile where it is none."""
        target = Run(path).path
        lock = WriterLock(target)
        try:
            return cls(target, lock)
        except BaseException:
            lock.release()
            raise

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The network's layers, in order."""
        return self._layout.layers

    @property
    def config(self) -> Mapping[str, object]:
        """The configuration with which the run was created."""
        return self._layout.config

    @property
    def uuid(self) -> str:
        """The run's identity, kept through every extension."""
        return self._layout.uuid

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that each checkpoint records."""
        return self._layout.metrics

    @property
    def steps(self) -> NDArray[np.int64]:
        """The steps at which a checkpoint is planned, int64 [T]."""
        return self._layout.steps

    @property
    def committed(self) -> NDArray[np.bool_]:
        """Which of the planned checkpoints are in the file, bool [T]."""
        return np.asarray(self._read("steps") != NOT_COMMITTED)

    def commit(
        self,
        index: int,
        weights: Arrays,
        biases: Arrays,
        metrics: Mapping[str, float],
        predictions: ArrayLike | None = None,
    ) -> None:
        """Write checkpoint `index` and return when it is on the disk: arrays first, its step last."""
        values: dict[str, ArrayLike] = {weight_path(name): array for name, array in weights.items()}
        values |= {bias_path(name): array for name, array in biases.items()}
        values |= {f"metrics/{name}": metrics.get(name, np.nan) for name in self.metrics}
        if predictions is not None:
            values["test_predictions"] = predictions
        step = self.steps[index]
        crc = zlib.crc32(raw_bytes(np.int64(step)))
        for name in checkpoint_paths(self.layers, self.metrics, "test_predictions" in self._extents):
            row = self._row(name, index, values)
            crc = zlib.crc32(raw_bytes(row), crc)
            self._write_row(name, index, row)
        self._write_row("crc32", index, np.uint32(crc))
        self._write_row("wall_time", index, np.float64(time.time()))
        self._sync()
        self._write_row("steps", index, np.int64(step))
        self._sync()

    def _row(self, name: str, index: int, values: Mapping[str, ArrayLike]) -> NDArray[np.generic]:
        extent = self._extents[name]
        if name == "test_predictions" and name not in values:
            return np.zeros(extent.shape[1:], extent.dtype)
        if name not in values:
            raise UsageError(f"checkpoint {index} of {self.path} lacks {name}; give every layer's arrays")
        row = np.asarray(values[name], dtype=extent.dtype, order="C")
        if row.shape != extent.shape[1:]:
            raise UsageError(f"{name} has shape {row.shape} where {self.path} holds {extent.shape[1:]}")
        return row

    def save_resume(self, step: int, arrays: Arrays) -> None:
        """Save the training state at `step` into the older of the two slots, and return when it is on the disk."""
        newest = self._newest_slot()
        slot = RESUME_SLOTS[1 - newest[0]] if newest else RESUME_SLOTS[0]
        generation = newest[1] + 1 if newest else 1
        self._write_row(f"resume/{slot}/generation", 0, np.int64(0))
        crc = zlib.crc32(raw_bytes(np.int64(step)))
        for name in sorted(self._layout.resume):
            path = f"resume/{slot}/arrays/{name}"
            extent = self._extents[path]
            array = np.ascontiguousarray(arrays[name], dtype=extent.dtype).reshape(extent.shape)
            crc = zlib.crc32(raw_bytes(array), crc)
            self._pwrite(array, extent.offset)
        self._write_row(f"resume/{slot}/step", 0, np.int64(step))
        self._write_row(f"resume/{slot}/crc32", 0, np.uint32(crc))
        self._sync()
        self._write_row(f"resume/{slot}/generation", 0, np.int64(generation))
        self._sync()

    def load_resume(self) -> tuple[int, dict[str, NDArray[np.generic]]] | None:
        """Return (step, arrays) of the newest whole training state, or None where none was saved."""
        newest = self._newest_slot()
        if newest is None:
            return None
        slot = RESUME_SLOTS[newest[0]]
        step = int(self._read(f"resume/{slot}/step")[0])
        return step, {name: self._read(f"resume/{slot}/arrays/{name}") for name in sorted(self._layout.resume)}

    def _newest_slot(self) -> tuple[int, int] | None:
        """Return (slot index, generation) of the newest slot whose CRC holds."""
        generations = [(int(self._read(f"resume/{slot}/generation")[0]), i) for i, slot in self._slots()]
        for generation, i in sorted(generations, reverse=True):
            if generation > 0 and self._slot_is_whole(RESUME_SLOTS[i]):
                return i, generation
        return None

    def _slots(self) -> Iterator[tuple[int, str]]:
        return iter(enumerate(RESUME_SLOTS if self._layout.resume else ()))

    def _slot_is_whole(self, slot: str) -> bool:
        crc = zlib.crc32(raw_bytes(self._read(f"resume/{slot}/step")))
        for name in sorted(self._layout.resume):
            crc = zlib.crc32(raw_bytes(self._read(f"resume/{slot}/arrays/{name}")), crc)
        return crc == int(self._read(f"resume/{slot}/crc32")[0])

    def heartbeat(self, step: int, steps_per_second: float, state: str = "running") -> None:
        """Tell readers how far training is; `state` is running, interrupted or finished. Costs microseconds."""
        beat = np.array([step, time.time(), steps_per_second, STATE_CODES[state]], dtype="<f8")
        self._pwrite(beat, self._extents["heartbeat"].offset)

    def extend(self, steps: Sequence[int] | NDArray[np.int64], config: Mapping[str, object] | None = None) -> None:
        """Give the run a new plan of steps: a larger file is written beside it and takes its place.

        Committed checkpoints stay; of `steps`, those after the last committed one are planned.
        """
        committed = self.steps[self.committed]
        last = committed[-1] if len(committed) else -1
        planned = np.asarray(steps, dtype=np.int64)
        plan = np.concatenate([committed, planned[planned > last]])
        larger = replace(self._layout, steps=plan, config=config or self._layout.config)
        _replace_with_new(self.path, larger, copy_from=self)
        os.close(self._descriptor)
        self._attach()

    def close(self) -> None:
        """Close the file and release its lock; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._lock.release()

    def __enter__(self) -> RunWriter:
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def _read(self, name: str) -> NDArray[np.generic]:
        extent = self._extents[name]
        return _pread(self._descriptor, extent.offset, extent.shape, extent.dtype)

    def _write_row(self, name: str, index: int, row: NDArray[np.generic] | np.generic) -> None:
        extent = self._extents[name]
        array = np.ascontiguousarray(row, dtype=extent.dtype)
        self._pwrite(array, extent.offset + index * extent.row_bytes)

    def _pwrite(self, array: NDArray[np.generic], offset: int) -> None:
        view = raw_bytes(array)
        with _storage_errors(self.path):
            while view:
                written = os.pwrite(self._descriptor, view, offset)
                view, offset = view[written:], offset + written

    def _sync(self) -> None:
        with _storage_errors(self.path):
            os.fdatasync(self._descriptor)


def _pread(
    descriptor: int, offset: int, shape: tuple[int, ...], dtype: np.dtype[np.generic]
) -> NDArray[np.generic]:
    array = np.empty(shape, dtype)
    view = raw_bytes(array)
    done = 0
    while done < len(view):
        read = os.preadv(descriptor, [view[done:]], offset + done)
        if read == 0:
            raise StorageError("the run file ends before its data; run `grokscope check` on it")
        done += read
    return array


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it, such as {path / 'run.h5'}")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; go on with it by --resume, or replace it by --overwrite")


def _replace_with_new(path: Path, layout: Layout, copy_from: RunWriter | None = None) -> None:
    """Build the file under a temporary name, with its disk space reserved, and move it into place."""
    with _storage_errors(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with _storage_errors(path):
            create_datasets(temporary, layout)
            _reserve(handle)
            if copy_from is not None:
                _copy_datasets(copy_from, temporary, handle)
            os.fchmod(handle, 0o666 & ~_umask())
            os.fsync(handle)
            temporary.replace(path)
            _sync_folder(path.parent)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)


def _reserve(descriptor: int) -> None:
    """Take the file's disk space now; file systems that cannot do so meet a full disk later."""
    try:
        os.posix_fallocate(descriptor, 0, os.fstat(descriptor).st_size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV):
            raise


def _copy_datasets(source: RunWriter, temporary: Path, handle: int) -> None:
    """Copy every dataset but the plan; along the first axis, the committed rows and no more."""
    with h5py.File(temporary, "r", locking=False) as file:
        target = extents(file)
    rows = int(source.committed.sum())
    for name, extent in source._extents.items():
        if name == "planned_steps":
            continue
        per_checkpoint = not name.startswith(("fixed/", "resume/")) and name != "heartbeat"
        shape = (rows, *extent.shape[1:]) if per_checkpoint else extent.shape
        _copy_bytes(source, extent, handle, target[name], shape)


def _copy_bytes(source: RunWriter, extent: Extent, handle: int, target: Extent, shape: tuple[int, ...]) -> None:
    """Copy in pieces of 16 MiB, so that a run of any size extends in bounded memory."""
    total = int(np.prod(shape, dtype=np.int64)) * extent.dtype.itemsize
    for start in range(0, total, 1 << 24):
        piece = _pread(source._descriptor, extent.offset + start, (min(1 << 24, total - start),), np.dtype("u1"))
        os.pwrite(handle, raw_bytes(piece), target.offset + start)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    """Turn the disk's refusals into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageError(
                f"no room for {path}: {error.strerror}; free space and go on (what was acknowledged is safe)"
            ) from error
        raise StorageError(f"cannot write {path}: {error.strerror or error}; choose another folder") from error
