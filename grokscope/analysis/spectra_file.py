"""The spectra file: measured once, read often, deleted at will.

It lies beside its run (or in the user's cache folder where that place cannot be written or named), and is keyed by
the run's uuid, the analysis version and its parameters; a row is keyed by the CRC of the checkpoint that it was
measured on. What is stale or torn counts as not measured, never as an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.gates import MEASURES, chain, read_gates, sources
from grokscope.analysis.row_reader import RowReader
from grokscope.analysis.rows import DERIVED, SCALARS, crcs_of_rows, from_row, row_datasets
from grokscope.analysis.spectra_layout import Found, Parameters, found_file, layer_position, open_file
from grokscope.spectra import LayerSpectrum
from grokscope.trajectory import Trajectory
from grokscope.turns import in_turns

LAYER_COLUMNS = (*SCALARS, *DERIVED, *MEASURES)
"""Every number of a layer at a checkpoint, by the name under which `Spectra.column` gives it."""


class Spectra:
    """The spectra of a run as far as they are measured; never fails for want of a file.

    Like a Trajectory, it keeps nothing open: `refresh` looks again.
    """

    def __init__(self, run: Trajectory) -> None:
        """Look for the run's spectra file."""
        self.run = run
        self.path: Path | None = None
        self._reader: RowReader | None = None
        self.parameters = Parameters()
        self.damaged: Mapping[int, str] = {}  # checkpoints that are left out, each with a sentence
        self._row_crcs = np.zeros((run.num_checkpoints, len(run.layers)), dtype=np.uint32)
        self._known_whole: dict[int, NDArray[np.uint32]] = {}  # by layer: the CRCs of rows that were found whole
        self.done = np.zeros((run.num_checkpoints, len(run.layers)), dtype=bool)
        self.refresh()

    def refresh(self) -> bool:
        """Look again at the run's committed checkpoints; return whether anything new is measured."""
        before = self.done
        self.done = np.zeros((self.run.num_checkpoints, len(self.run.layers)), dtype=bool)
        self._row_crcs = np.zeros(self.done.shape, dtype=np.uint32)
        found = found_file(self.run)
        self.path, self.parameters = (None, Parameters()) if found is None else (found.path, found.parameters)
        if found is not None:
            with contextlib.suppress(OSError, KeyError):  # deleted or replaced a moment ago
                self._read_done(found)
        self.done[[index for index in self.damaged if index < len(self.done)]] = False
        return before.shape != self.done.shape or bool((before != self.done).any())

    def leave_out(self, damaged: Mapping[int, str]) -> Spectra:
        """Count checkpoints as not measured that are damaged, each with a sentence; return the same spectra."""
        self.damaged = damaged
        self.done[list(damaged)] = False
        return self

    def _read_done(self, found: Found) -> None:
        rows = min(len(self.done), found.extents["planned_steps"].shape[0])
        self._reader = RowReader(found.path, {found.file: found.extents})
        stored = np.zeros(self.done.shape, dtype=np.uint32)
        for column, layer in enumerate(in_turns(self.run.layers, 10)):
            names = [f"layers/{layer.name}/{name}" for name in ("crc32", "source_crc32")]
            crcs, sources = self._reader.blocks(names, 0, rows).values()
            self._row_crcs[:rows, column], stored[:rows, column] = crcs, sources
        measured = self._row_crcs != 0
        source = self.run.crc32s(np.flatnonzero(measured.any(axis=1)).tolist())
        self.done = measured & (stored == source[: len(stored), None])

    def layer(self, index: int, name: str) -> LayerSpectrum | None:
        """Return one layer's spectrum at a checkpoint, or None where it is not measured or its row is torn."""
        column = layer_position(self.run, name)
        row = self._row(index, column)
        return None if row is None else from_row(name, self.run.layers[column].shape, row)

    def history(self, name: str) -> list[LayerSpectrum | None]:
        """Return one layer's spectrum at every checkpoint, None where it is not measured or its row is torn."""
        column = layer_position(self.run, name)
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
        return blocks, crcs_of_rows(blocks, last - first) == found[f"{group}/crc32"]

    def whole(self, name: str) -> NDArray[np.bool_]:
        """Tell at which checkpoints a layer is measured and its row matches its CRC, bool [n]."""
        column = layer_position(self.run, name)
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
            with contextlib.suppress(OSError, KeyError), open_file(self.path) as file:
                if f"gates/{name}" not in file:
                    return dict(zip(MEASURES, values.T, strict=True))
                keys = sources(self.run.crc32s()[: len(self.done)])
                stored, whole = read_gates(file, name, keys)
                values[: len(stored)][whole] = stored[whole]
        return dict(zip(MEASURES, values.T, strict=True))
