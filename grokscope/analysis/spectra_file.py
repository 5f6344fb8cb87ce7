"""The spectra file: measured once, read often, deleted at will.

It lies beside its run (or in the user's cache folder where that place cannot be written or named), and is keyed by
the run's uuid, the analysis version and its parameters; a row is keyed by the CRC of the checkpoint that it was
measured on. What is stale or torn counts as not measured, never as an error.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.gates import (
    MEASURES,
    chain,
    gates_datasets,
    measured_gates,
    read_gates,
    row_crc,
    sources,
)
from grokscope.analysis.row_reader import File, RowReader, file_of
from grokscope.analysis.rows import DERIVED, SCALARS, from_row, num_eigenvalues, row_datasets, to_row
from grokscope.analysis.weightwatcher_names import COLUMNS
from grokscope.errors import DamagedCheckpoint, StorageError
from grokscope.runfile import LayerSpec
from grokscope.runfile.exact_layout import Declared, Extent, exact_extents
from grokscope.runfile.lock import WriterLock
from grokscope.runfile.own_bytes import refuse_endless
from grokscope.runfile.preallocated import Plan, PreallocatedFile, create_file, raw_bytes, storage_errors
from grokscope.spectra import ANALYSIS_VERSION, LayerSpectrum
from grokscope.spectra.null import DRAWS
from grokscope.spectra.null_store import cache_folder
from grokscope.trajectory import Trajectory
from grokscope.trajectory.whose import is_of_hub

LAYER_COLUMNS = (*SCALARS, *DERIVED, *MEASURES)
"""Every number of a layer at a checkpoint, by the name under which `Spectra.column` gives it."""

LONGEST_NAME = 240  # of the 255 bytes that file systems allow: temporary files have longer ones
FORMAT = "grokscope-spectra"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """What an analysis depends on beside the weights."""

    seed: int = 0
    permutations: int | None = None
    null_draws: int = DRAWS


def beside(run: Path) -> Path:
    """Return where the spectra of a run lie: run.h5 → run.spectra.h5, others by their whole name."""
    path = run if run.name else run.resolve()  # "." has none
    return path.with_name(f"{path.stem if path.suffix == '.h5' else path.name}.spectra.h5")


def in_cache(uuid: str) -> Path:
    """Return where they lie when the run's folder cannot be written."""
    return cache_folder() / "spectra" / f"{uuid}.spectra.h5"


def places(run: Trajectory) -> tuple[Path, ...]:
    """Return where the spectra of a run can be, first the place to write: beside it, if its folder allows."""
    path, cached = beside(run.path), in_cache(run.uuid)
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        return (cached,)
    if is_of_hub(run.path):
        return cached, path
    writable = os.access(path if path.exists() else path.parent, os.W_OK) and os.access(path.parent, os.W_OK)
    return (path, cached) if writable else (cached, path)


class Spectra:
    """The spectra of a run as far as they are measured; never fails for want of a file.

    Like a Trajectory, it keeps nothing open: `refresh` looks again.
    """

    def __init__(self, run: Trajectory) -> None:
        """Look for the run's spectra file."""
        self.run = run
        self.path: Path | None = None
        self._reader: RowReader | None = None
        self._exact: Exact = {}
        self.parameters = Parameters()
        self.damaged: Mapping[int, str] = {}  # checkpoints that are left out, each with a sentence
        self._row_crcs = np.zeros((run.num_checkpoints, len(run.layers)), dtype=np.uint32)
        self._known_whole: dict[int, NDArray[np.uint32]] = {}  # by layer: the CRCs of rows that were found whole
        self.done = np.zeros((run.num_checkpoints, len(run.layers)), dtype=bool)
        self.refresh()

    @classmethod
    def open(cls, run: Trajectory) -> Spectra:
        """Return the spectra of a run, measured or not."""
        return cls(run)

    def refresh(self) -> bool:
        """Look again at the run's committed checkpoints; return whether anything new is measured."""
        before = self.done
        self.done = np.zeros((self.run.num_checkpoints, len(self.run.layers)), dtype=bool)
        self._row_crcs = np.zeros(self.done.shape, dtype=np.uint32)
        self.path, self.parameters = _found(self.run, self._exact)
        if self.path is not None:
            with contextlib.suppress(OSError, KeyError):  # deleted or replaced a moment ago
                self._read_done(self.path)
        self.done[[index for index in self.damaged if index < len(self.done)]] = False
        return before.shape != self.done.shape or bool((before != self.done).any())

    def leave_out(self, damaged: Mapping[int, str]) -> Spectra:
        """Count checkpoints as not measured that are damaged, each with a sentence; return the same spectra."""
        self.damaged = damaged
        self.done[list(damaged)] = False
        return self

    def _read_done(self, path: Path) -> None:
        rows = min(len(self.done), _capacity(path))
        if self._reader is None or self._reader.path != path:
            self._reader = RowReader(path, self._exact)
        stored = np.zeros(self.done.shape, dtype=np.uint32)
        for column, layer in enumerate(self.run.layers):
            names = [f"layers/{layer.name}/{name}" for name in ("crc32", "source_crc32")]
            crcs, sources = self._reader.blocks(names, 0, rows).values()
            self._row_crcs[:rows, column], stored[:rows, column] = crcs, sources
        measured = self._row_crcs != 0
        source = self.run.crc32s(np.flatnonzero(measured.any(axis=1)).tolist())
        self.done = measured & (stored == source[: len(stored), None])

    def layer(self, index: int, name: str) -> LayerSpectrum | None:
        """Return one layer's spectrum at a checkpoint, or None where it is not measured or its row is torn."""
        column = _position(self.run, name)
        row = self._row(index, column)
        return None if row is None else from_row(name, self.run.layers[column].shape, row)

    def history(self, name: str) -> list[LayerSpectrum | None]:
        """Return one layer's spectrum at every checkpoint, None where it is not measured or its row is torn."""
        column = _position(self.run, name)
        done, shape = self.done[:, column], self.run.layers[column].shape
        found: list[LayerSpectrum | None] = [None] * len(done)
        if not done.any():
            return found
        first, last = int(np.argmax(done)), int(np.flatnonzero(done)[-1]) + 1
        blocks, whole = self._rows(column, first, last)
        for k in np.flatnonzero(whole & done[first:last]).tolist():
            found[first + k] = from_row(name, shape, {key: block[k] for key, block in blocks.items()})
        return found

    def _row(self, index: int, column: int) -> dict[str, NDArray[Any]] | None:
        if not 0 <= index < len(self.done) or not self.done[index, column]:
            return None
        blocks, whole = self._rows(column, index, index + 1)
        return {key: block[0] for key, block in blocks.items()} if whole.all() else None

    def _rows(self, column: int, first: int, last: int) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
        """Read a layer's rows from `first` to before `last`, and tell which of them match their CRCs."""
        layer = self.run.layers[column]
        group, keys = f"layers/{layer.name}", sorted(row_datasets(layer, 1))
        try:
            assert self._reader is not None
            found = self._reader.blocks([f"{group}/{key}" for key in (*keys, "crc32")], first, last)
        except (OSError, KeyError):  # deleted or replaced since the last refresh
            return {}, np.zeros(last - first, dtype=bool)
        blocks = {key: found[f"{group}/{key}"] for key in keys}
        return blocks, _crcs(blocks, last - first) == found[f"{group}/crc32"]

    def whole(self, name: str) -> NDArray[np.bool_]:
        """Tell at which checkpoints a layer is measured and its row matches its CRC, bool [n]."""
        column = _position(self.run, name)
        now = np.where(self.done[:, column], self._row_crcs[:, column], 0)
        known = np.zeros_like(now)
        before = self._known_whole.get(column, now[:0])[: len(now)]
        known[: len(before)] = before
        fresh = np.flatnonzero((now != 0) & (now != known))
        if len(fresh):
            first, last = int(fresh[0]), int(fresh[-1]) + 1
            known[first:last] = np.where(self._rows(column, first, last)[1], now[first:last], 0)
            self._known_whole[column] = known
        return np.asarray((now != 0) & (now == known))

    def column(self, field: str, name: str) -> NDArray[np.float64]:
        """Return one number of a layer over all checkpoints, float64 [n], NaN where it is not measured or torn.

        `field` is one of LAYER_COLUMNS: a numeric field of LayerSpectrum, one of DERIVED, or one of MEASURES.
        """
        if field in MEASURES:
            return self.gates(name)[field]
        if field not in LAYER_COLUMNS:
            raise KeyError(f"{field} is no number of a layer's spectrum")
        done = self.whole(name)
        values = np.full(len(done), np.nan)
        if self._reader is not None and done.any():
            rows = int(np.flatnonzero(done)[-1]) + 1
            with contextlib.suppress(OSError, KeyError):
                [stored] = self._reader.blocks([f"layers/{name}/{field}"], 0, rows).values()
                values[:rows] = np.where(done[:rows], stored, np.nan)
        return values

    def gates(self, name: str) -> dict[str, NDArray[np.float64]]:
        """Return a layer's MEASURES over all checkpoints, float64 [n], NaN where they are not measured."""
        values = np.full((len(self.done), len(MEASURES)), np.nan)
        if self.path is not None and chain(self.run.layers):
            with contextlib.suppress(OSError, KeyError), _open(self.path) as file:
                if f"gates/{name}" not in file:
                    return dict(zip(MEASURES, values.T, strict=True))
                keys = sources(self.run.crc32s()[: len(self.done)])
                stored, whole = read_gates(file, name, keys)
                values[: len(stored)][whole] = stored[whole]
        return dict(zip(MEASURES, values.T, strict=True))


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
            old, found = _found(run)
            self.parameters = parameters or found
            kept = old if found == self.parameters else None
            if kept != self.path or _capacity(self.path) < len(run.planned_steps):
                _create(self.path, run, self.parameters, kept)
            self._file = _open_rows(self.path, run)
        except BaseException:
            self._lock.release()
            raise

    def write(self, index: int, spectrum: LayerSpectrum) -> None:
        """Write one layer's spectrum at a checkpoint; it counts once its CRC is written, last."""
        layer = self.run.layers[_position(self.run, spectrum.name)]
        group = f"layers/{layer.name}"
        row = to_row(spectrum, max(num_eigenvalues(layer), 1))
        stored = {}
        for key, value in row.items():
            stored[key] = np.asarray(value, dtype=self._file.extents[f"{group}/{key}"].dtype)
            self._file.write_row(f"{group}/{key}", index, stored[key])
        self._file.write_row(f"{group}/source_crc32", index, self.run.crc32(index))
        self._file.write_row(f"{group}/crc32", index, _row_crc(stored))

    def measure_gates(self, until: int, stop: Event | None = None) -> None:
        """Measure the gates of a chain's layers at the checkpoints up to index `until` that lack them.

        A checkpoint's gates are compared with those before it and with the first: all three have to be whole.
        """
        damaged: dict[int, bool] = {}
        gated = chain(self.run.layers)
        keys = sources(self.run.crc32s(range(until + 1))[: until + 1] if gated else np.empty(0, np.uint32))
        for layer in gated:
            group = f"gates/{layer.name}"
            with _open(self.path) as file:
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

    def read_weightwatcher(self, name: str, column: str) -> NDArray[np.float64]:
        """Return one of WeightWatcher's columns over all planned checkpoints, NaN where it has not been run."""
        return self._file.read(f"weightwatcher/{name}/{column}")

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


def _position(run: Trajectory, name: str) -> int:
    names = [layer.name for layer in run.layers]
    if name not in names:
        raise KeyError(f"{name} is no layer of {run.path}; its layers are {', '.join(names)}")
    return names.index(name)


def _open(path: Path) -> h5py.File:
    return h5py.File(path, "r", locking=False)


def _is_damaged(run: Trajectory, index: int) -> bool:
    try:
        run.verify(index)
    except DamagedCheckpoint:
        return True
    return False


def _row_crc(row: dict[str, NDArray[Any]]) -> int:
    crc = 0
    for key in sorted(row):
        crc = zlib.crc32(raw_bytes(row[key]), crc)
    return crc or 1  # 0 means "not written"


def _crcs(blocks: Mapping[str, NDArray[Any]], count: int) -> NDArray[np.uint32]:
    """Return the CRC of each of `count` rows, as `_row_crc` gives it."""
    crcs = [0] * count
    for _, block in sorted(blocks.items()):
        rows = memoryview(block.tobytes())
        size = len(rows) // max(count, 1)
        crcs = [zlib.crc32(rows[k * size : (k + 1) * size], crc) for k, crc in enumerate(crcs)]
    return np.array([crc or 1 for crc in crcs], dtype=np.uint32)


Exact = dict[File, Mapping[str, Extent]]
"""Where each dataset is, of files that were found to have the layout of a run."""


def _parameters_of(path: Path, run: Trajectory, exact: Exact) -> Parameters | None:
    """Return the parameters of a spectra file of this run and this version; None for any other or none.

    The layout of a file in `exact` is not looked at again: that takes seconds where there are hundreds of layers.
    """
    if not path.is_file():
        return None
    try:
        with _open(path) as file:
            status = file_of(path.stat())
            if status not in exact:
                found = exact_extents(file, _datasets(run, len(file["planned_steps"])))
                refuse_endless(file, [(extent.offset, extent.size) for extent in found.values()])
                exact[status] = found
            attributes = dict(file.attrs)
            keyed = tuple(attributes[key] for key in ("format", "format_version", "run_uuid", "analysis_version"))
            if keyed != (FORMAT, FORMAT_VERSION, run.uuid, ANALYSIS_VERSION):
                return None
        return Parameters(**json.loads(attributes["parameters"]))
    except (OSError, KeyError, ValueError, TypeError, RuntimeError):
        return None  # torn or foreign: as good as absent


def _found(run: Trajectory, exact: Exact | None = None) -> tuple[Path | None, Parameters]:
    """Return the first spectra file of a run and its parameters, or None and the defaults."""
    known: Exact = {} if exact is None else exact
    for path in places(run):
        if (parameters := _parameters_of(path, run, known)) is not None:
            return path, parameters
    return None, Parameters()


def _capacity(path: Path) -> int:
    with _open(path) as file:
        return len(file["planned_steps"])


def _open_rows(path: Path, run: Trajectory, *, writable: bool = True) -> PreallocatedFile:
    return PreallocatedFile(path, _datasets(run, _capacity(path)), writable=writable)


def _writable_path(run: Trajectory) -> Path:
    path = places(run)[0]
    if path.is_symlink() and path.is_file() and not _holds_spectra(path):
        raise StorageError(f"{path} is a link to a file that holds no spectra; remove the link")
    if path != beside(run.path):
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _holds_spectra(path: Path) -> bool:
    try:
        with _open(path) as file:
            refuse_endless(file)
            return str(file.attrs.get("format", "")) == FORMAT
    except (KeyError, OSError, RuntimeError, ValueError):
        return False


def _create(path: Path, run: Trajectory, parameters: Parameters, kept: Path | None) -> None:
    """Make an empty spectra file for a run, with the rows of the file `kept` where there is one."""
    old = _open_rows(kept, run, writable=False) if kept else None

    def fill(new: PreallocatedFile) -> None:
        if old is not None:
            for name, extent in old.extents.items():
                old.copy_rows(name, min(extent.shape[0], new.extents[name].shape[0]), new)

    try:
        create_file(path, _file_plan(run, parameters), fill)
    finally:
        if old is not None:
            old.close()


def _file_plan(run: Trajectory, parameters: Parameters) -> Plan:
    length = len(run.planned_steps)
    datasets = _datasets(run, length) | {"planned_steps": Declared((length,), "i8", run.planned_steps)}
    attributes: dict[str, str | int] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "run_uuid": run.uuid,
        "analysis_version": ANALYSIS_VERSION,
        "parameters": json.dumps(asdict(parameters), sort_keys=True),
    }
    return Plan(datasets, {"/": attributes})


def _datasets(run: Trajectory, length: int) -> dict[str, Declared]:
    datasets = {"planned_steps": Declared((length,), "i8")} | gates_datasets(run.layers, length)
    for layer in run.layers:
        datasets |= {f"layers/{layer.name}/{key}": value for key, value in _layer_datasets(layer, length).items()}
        datasets |= {
            f"weightwatcher/{layer.name}/{column}": Declared((length,), "f8", np.nan) for column in COLUMNS
        }
    return datasets


def _layer_datasets(layer: LayerSpec, length: int) -> dict[str, Declared]:
    keys = {"crc32": Declared((length,), "u4", 0), "source_crc32": Declared((length,), "u4", 0)}
    return row_datasets(layer, length) | keys
