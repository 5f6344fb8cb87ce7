"""Writes a spectra file, under a lock of its own: rows that count once their CRC is written, last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Event

import numpy as np

from grokscope.analysis.gates import chain, measured_gates, read_gates, row_crc, sources
from grokscope.analysis.rows import crc_of_row, num_eigenvalues, to_row
from grokscope.analysis.spectra_layout import (
    FORMAT,
    Parameters,
    beside,
    datasets_of,
    file_plan,
    found_file,
    in_cache,
    layer_position,
    open_file,
    places,
    room,
)
from grokscope.analysis.weightwatcher_names import COLUMNS
from grokscope.errors import DamagedCheckpoint, StorageError
from grokscope.runfile import Run
from grokscope.runfile.lock import WriterLock
from grokscope.runfile.own_bytes import refuse_endless
from grokscope.runfile.preallocated import PreallocatedFile, create_file, storage_errors
from grokscope.spectra import LayerSpectrum
from grokscope.trajectory import Trajectory


class SpectraWriter:
    """Writes rows into a run's spectra file, under a lock of its own; use it as a context manager."""

    def __init__(self, run: Trajectory, parameters: Parameters | None = None, patience: float = 0.0) -> None:
        """Open the run's spectra file, or make a new one where it is missing or stale.

        `parameters` None means those of the file, where there is one. Raises RunLocked where another process
        is analysing this run and goes on for `patience` seconds, StorageError where neither the run's folder nor
        the cache can be written.
        """
        self.run = run
        self.path = _writable_path(run)
        self._lock = WriterLock(self.path, patience)
        try:
            old = found_file(run)
            self.parameters = parameters or (Parameters() if old is None else old.parameters)
            kept = old.path if old is not None and old.parameters == self.parameters else None
            if kept != self.path or room(self.path) < len(run.planned_steps):
                _create(self.path, run, self.parameters, kept)
            self._file = _open_rows(self.path, run)
        except BaseException:
            self._lock.release()
            raise

    def write(self, index: int, spectrum: LayerSpectrum) -> None:
        """Write one layer's spectrum at a checkpoint; it counts once its CRC is written, last.

        What WeightWatcher said of the weights that the checkpoint had before goes first.
        """
        layer = self.run.layers[layer_position(self.run, spectrum.name)]
        group = f"layers/{layer.name}"
        row = to_row(spectrum, max(num_eigenvalues(layer), 1))
        source = self.run.crc32(index)
        if self._file.read(f"{group}/source_crc32")[index] != source:
            self.write_weightwatcher(index, layer.name, dict.fromkeys(COLUMNS, np.nan))
        stored = {}
        for key, value in row.items():
            stored[key] = np.asarray(value, dtype=self._file.extents[f"{group}/{key}"].dtype)
            self._file.write_row(f"{group}/{key}", index, stored[key])
        self._file.write_row(f"{group}/source_crc32", index, source)
        self._file.write_row(f"{group}/crc32", index, crc_of_row(stored))

    def measure_gates(self, until: int, stop: Event | None = None) -> None:
        """Measure the gates of a chain's layers at the checkpoints up to index `until` that lack them.

        A checkpoint's gates are compared with those before it and with the first: all three have to be whole.
        """
        damaged: dict[int, bool] = {}
        gated = chain(self.run.layers)
        keys = sources(self.run.crc32s(range(until + 1))[: until + 1] if gated else np.empty(0, np.uint32))
        for layer in gated:
            group = f"gates/{layer.name}"
            with open_file(self.path) as file:
                _, whole = read_gates(file, layer.name, keys)
            missing = np.flatnonzero(~whole).tolist()
            needed = {index: (0, max(index - 1, 0), index) for index in missing}
            unknown = {one for indices in needed.values() for one in indices} - damaged.keys()
            damaged |= {index: _is_damaged(self.run, index) for index in sorted(unknown)}
            sound = [index for index in missing if not any(damaged[one] for one in needed[index])]
            for index, row in measured_gates(self.run, layer, sound):
                self._file.write_row(f"{group}/values", index, row)
                self._file.write_row(f"{group}/source_crc32", index, keys[index])
                self._file.write_row(f"{group}/crc32", index, row_crc(row))
                if stop is not None and stop.is_set():
                    return

    def write_weightwatcher(self, index: int, name: str, columns: Mapping[str, float]) -> None:
        """Write WeightWatcher's own columns for a layer at a checkpoint."""
        for column, value in columns.items():
            self._file.write_row(f"weightwatcher/{name}/{column}", index, value)

    def close(self) -> None:
        """Close the file and release its lock."""
        try:
            self._file.sync()
        finally:
            self._file.close()
            self._lock.release()

    def __enter__(self) -> SpectraWriter:
        """Return the writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()


def _is_damaged(run: Trajectory, index: int) -> bool:
    try:
        run.verify(index)
    except DamagedCheckpoint:
        return True
    return False


def _open_rows(path: Path, run: Trajectory, *, writable: bool = True) -> PreallocatedFile:
    return PreallocatedFile(path, datasets_of(run, room(path)), writable=writable)


def _writable_path(run: Trajectory) -> Path:
    path = places(run)[0]
    owner = _owner(path) if path.is_file() else None
    if path.is_symlink() and path.is_file() and owner is None:
        raise StorageError(f"{path} is a link to a file that holds no spectra; remove the link")
    if owner not in (None, run.uuid) and not _is_replaced(run):
        path = in_cache(run.uuid)
    if path != beside(run.path):
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _owner(path: Path) -> str | None:
    """Return the uuid of the run whose spectra a file holds; None where it holds none."""
    try:
        with open_file(path) as file:
            refuse_endless(file)
            return str(file.attrs["run_uuid"]) if str(file.attrs.get("format", "")) == FORMAT else None
    except (KeyError, OSError, RuntimeError, ValueError):
        return None


def _is_replaced(run: Trajectory) -> bool:
    """Tell whether other spectra in a run's place are those of a run that it has replaced, of use to nobody.

    A folder read in another way has another uuid, and a run file shares its place with a folder of its name.
    """
    return isinstance(run, Run) and not run.path.with_suffix("").exists()


def _create(path: Path, run: Trajectory, parameters: Parameters, kept: Path | None) -> None:
    """Make an empty spectra file for a run, with the rows of the file `kept` where there is one."""
    old = _open_rows(kept, run, writable=False) if kept else None

    def fill(new: PreallocatedFile) -> None:
        if old is not None:
            for name, extent in old.extents.items():
                old.copy_rows(name, min(extent.shape[0], new.extents[name].shape[0]), new)

    try:
        create_file(path, file_plan(run, parameters), fill)
    finally:
        if old is not None:
            old.close()
