"""Reading a run file, also while it is being written: open, read, close, and hold nothing."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from grokscope.errors import BadRunFile, DamagedCheckpoint
from grokscope.floats import widened
from grokscope.runfile.committed import committed_rows, row_is_whole
from grokscope.runfile.layout import (
    LEFT_OUT,
    LayerSpec,
    LeftOut,
    array_crc32,
    bias_path,
    checkpoint_paths,
    format_version,
    weight_path,
)
from grokscope.runfile.liveness import Liveness, liveness
from grokscope.runfile.lock import is_locked
from grokscope.runfile.notes import notes_in
from grokscope.runfile.opening import layout_of, read_layout, reading


class Run:
    """A run file as its readers see it: the committed checkpoints, in order of their steps.

    Nothing is kept open between calls, so a Run can be pickled, shared with workers, and can never stand in
    a trainer's way. `refresh` looks for new checkpoints. Raises BadRunFile where the path is no run file.
    """

    def __init__(self, path: str | Path) -> None:
        """Read the file's description and its committed steps."""
        self.path = Path(path)
        self._layout = read_layout(self.path)
        self.steps = np.empty(0, dtype=np.int64)
        self._rows = np.empty(0, dtype=np.intp)
        self._crcs = np.empty(0, dtype=np.uint32)
        self._damaged: set[int] = set()  # the steps of checkpoints that `verify` has found damaged
        self.refresh()

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Return the run in the file at `path`."""
        return cls(path)

    @property
    def name(self) -> str:
        """The file's name, without its folder."""
        return self.path.name

    @property
    def uuid(self) -> str:
        """The run's identity."""
        return self._layout.uuid

    @property
    def origin(self) -> str:
        """Where the run came from: the command or the import that made it."""
        return self._layout.origin

    @property
    def created(self) -> str:
        """When the run was created, ISO 8601 in UTC."""
        return self._layout.created

    @property
    def config(self) -> dict[str, Any]:
        """The training configuration, as plain values."""
        return dict(self._layout.config)

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The network's layers, in order."""
        return self._layout.layers

    @property
    def format_version(self) -> int:
        """The version of the run file's format: 2 where it holds codes of floats that NumPy does not know."""
        return format_version(self._layout)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What the imported checkpoints held beside the layers, and why it is none; empty for a trained run."""
        if LEFT_OUT not in self._layout.fixed:
            return ()
        pairs = json.loads(self._layout.fixed[LEFT_OUT].tobytes())
        return tuple(LeftOut(str(name), str(reason)) for name, reason in pairs)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics that each checkpoint records."""
        return self._layout.metrics

    @property
    def classes(self) -> int | None:
        """How many labels the test predictions count, or None where they were not recorded."""
        return self._layout.classes

    @property
    def planned_steps(self) -> NDArray[np.int64]:
        """The steps at which a checkpoint is or will be, int64 [T]."""
        return self._layout.steps

    @property
    def num_checkpoints(self) -> int:
        """How many checkpoints had been committed at the last `refresh`."""
        return len(self.steps)

    @property
    def complete(self) -> bool:
        """Whether every planned checkpoint is there."""
        return self.num_checkpoints == len(self.planned_steps)

    def refresh(self) -> bool:
        """Look again; return whether the checkpoints, the plan or the run itself have changed."""
        with reading(self.path) as file:
            steps = file["steps"][...]
            plan_is_same = np.array_equal(file["planned_steps"][...], self.planned_steps)
            another = file.attrs["uuid"] != self.uuid
            replaced = another or not plan_is_same
            if replaced:
                self._layout = layout_of(file)
            if another:
                self._damaged = set()
            rows = committed_rows(file, steps, self._paths)
            crcs = file["crc32"][...][rows]
        changed = replaced or not (np.array_equal(steps[rows], self.steps) and np.array_equal(crcs, self._crcs))
        self.steps, self._rows, self._crcs = steps[rows], rows, crcs
        return changed

    def weight(self, index: int, layer: str) -> NDArray[np.floating[Any]]:
        """Return a layer's weight [out, in, ...] at a checkpoint, in the stored dtype; bfloat16 as float32."""
        return widened(self._row(weight_path(layer), index), self._dtypes.get(layer, ""))

    def bias(self, index: int, layer: str) -> NDArray[np.floating[Any]]:
        """Return a layer's bias [out] at a checkpoint, in the stored dtype."""
        return self._row(bias_path(layer), index)

    @property
    def _dtypes(self) -> dict[str, str]:
        return {layer.name: layer.dtype for layer in self.layers}

    def metrics(self) -> dict[str, NDArray[np.float64]]:
        """Return every metric over the committed checkpoints, float64 [n], NaN where it was not recorded.

        So it is at checkpoints that `verify` has found damaged.
        """
        with self._reading() as file:
            rows = {name: self._all_rows(file, f"metrics/{name}") for name in self.metric_names}
        return {name: np.where(self._is_damaged, np.nan, values) for name, values in rows.items()}

    def wall_time(self) -> NDArray[np.float64]:
        """Return when each checkpoint was committed, seconds since 1970, float64 [n]."""
        with self._reading() as file:
            return self._all_rows(file, "wall_time")

    def predictions(self) -> NDArray[np.int32] | None:
        """Return how many test images got each label, int32 [n, classes], or None where not recorded.

        None did at checkpoints that `verify` has found damaged.
        """
        if self.classes is None:
            return None
        with self._reading() as file:
            counts = self._all_rows(file, "test_predictions")
        return np.where(self._is_damaged[:, None], 0, counts)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the recorder met that a reader should know, one sentence each, in order."""
        with self._reading() as file:
            return notes_in(file["notes"][...]) if "notes" in file else ()

    @property
    def fixed_names(self) -> tuple[str, ...]:
        """Names of the arrays that were written once for the whole run."""
        return tuple(self._layout.fixed)

    def fixed(self, name: str) -> NDArray[np.generic] | None:
        """Return an array that was written once for the whole run, such as `train_indices`, or None.

        Raises DamagedCheckpoint where its bytes do not match their CRC.
        """
        with self._reading() as file:
            dataset = file.get(f"fixed/{name}")
            if dataset is None:
                return None
            array, crc = np.asarray(dataset[...]), dataset.attrs.get("crc32")
        if crc is not None and int(crc) != array_crc32(array):
            raise DamagedCheckpoint(
                f"{name} of {self.path} is damaged: its bytes do not match their CRC; restore the file from a copy"
            )
        return array

    def liveness(self, now: float | None = None) -> Liveness:
        """Tell how the run's training stands; `now` defaults to the clock."""
        with self._reading() as file:
            beat = tuple(float(value) for value in file["heartbeat"][...])
        return liveness(
            (beat[0], beat[1], beat[2], beat[3]),
            is_locked(self.path),
            int(self.planned_steps[-1]),
            time.time() if now is None else now,
        )

    def crc32(self, index: int) -> int:
        """Return the stored CRC of a checkpoint, over its step and all that it holds: the key of its content."""
        return int(self._crcs[self._known(index)])

    def crc32s(self, indices: Iterable[int] | None = None) -> NDArray[np.uint32]:
        """Return the stored CRCs of all committed checkpoints, uint32 [n], whichever were asked for."""
        return self._crcs

    def verify(self, index: int) -> None:
        """Raise DamagedCheckpoint where a checkpoint's bytes do not match its CRC."""
        with self._reading() as file:
            whole = row_is_whole(file, int(self._rows[self._known(index)]), self._paths)
        (self._damaged.discard if whole else self._damaged.add)(int(self.steps[index]))
        if not whole:
            raise DamagedCheckpoint(
                f"checkpoint {index} (step {self.steps[index]:,}) of {self.path} is damaged: "
                "its bytes do not match their CRC; restore the file from a copy"
            )

    @property
    def _is_damaged(self) -> NDArray[np.bool_]:
        return np.isin(self.steps, list(self._damaged))

    @property
    def _paths(self) -> list[str]:
        return checkpoint_paths(self.layers, self.metric_names, self.classes is not None)

    def _known(self, index: int) -> int:
        if not 0 <= index < self.num_checkpoints:
            raise IndexError(f"checkpoint {index} of {self.num_checkpoints} in {self.path}")
        return index

    def _row(self, name: str, index: int) -> NDArray[Any]:
        row = self._rows[self._known(index)]
        with self._reading() as file:
            return np.asarray(file[name][row])

    def _all_rows(self, file: h5py.File, name: str) -> NDArray[Any]:
        end = self._rows[-1] + 1 if len(self._rows) else 0
        return np.asarray(file[name][:end][self._rows])

    @contextlib.contextmanager
    def _reading(self) -> Iterator[h5py.File]:
        """Open the file for a while, if it still holds this run: another one's arrays would pass for ours."""
        with reading(self.path) as file:
            if file.attrs["uuid"] != self.uuid:
                raise BadRunFile(f"{self.path} was replaced by another run; open it again")
            yield file
