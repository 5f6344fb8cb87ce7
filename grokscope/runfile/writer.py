"""The only code that writes run files.

A checkpoint exists from the moment when its step is written, after its bytes are on the disk. The training
state alternates between two slots, so that one whole state is there at every moment.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grokscope.errors import UsageError
from grokscope.runfile.layout import (
    NOT_COMMITTED,
    RESUME_SLOTS,
    Arrays,
    LayerSpec,
    Layout,
    bias_path,
    checkpoint_paths,
    file_plan,
    weight_path,
)
from grokscope.runfile.liveness import STATE_CODES
from grokscope.runfile.lock import WriterLock
from grokscope.runfile.preallocated import PreallocatedFile, create_file, raw_bytes
from grokscope.runfile.reader import Run, read_layout


class RunWriter:
    """Writes one run file, from its creation to its last checkpoint; use it as a context manager.

    Raises RunLocked where another process writes the file, StorageError where the disk refuses.
    """

    def __init__(self, path: Path, lock: WriterLock) -> None:
        """Attach to an existing run file under a lock that is already held; use `create` or `reopen`."""
        self.path = path
        self._lock = lock
        self._layout = read_layout(path)
        self._file = PreallocatedFile(path)

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
            create_file(target, file_plan(layout))
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
        return np.asarray(self._file.read("steps") != NOT_COMMITTED)

    @property
    def recorded_steps(self) -> NDArray[np.int64]:
        """The steps of the committed checkpoints, int64 [n]."""
        steps = self._file.read("steps")
        return np.asarray(steps[steps != NOT_COMMITTED], dtype=np.int64)

    def commit(
        self,
        index: int,
        weights: Arrays,
        biases: Arrays,
        metrics: Mapping[str, float],
        predictions: ArrayLike | None = None,
        *,
        step: int | None = None,
    ) -> None:
        """Write checkpoint `index`, the next one, and return when it is on the disk: arrays first, its step last.

        `step` is the planned one unless given: a recorder of somebody else's loop takes the steps that it sees.
        """
        if not self.committed[:index].all():
            raise UsageError(f"checkpoint {index} of {self.path} would leave a gap; commit those before it first")
        values: dict[str, ArrayLike] = {weight_path(name): array for name, array in weights.items()}
        values |= {bias_path(name): array for name, array in biases.items()}
        values |= {f"metrics/{name}": metrics.get(name, np.nan) for name in self.metrics}
        if predictions is not None:
            values["test_predictions"] = predictions
        step = int(self.steps[index]) if step is None else step
        crc = zlib.crc32(raw_bytes(np.int64(step)))
        for name in checkpoint_paths(self.layers, self.metrics, "test_predictions" in self._file.extents):
            row = self._row(name, index, values)
            crc = zlib.crc32(raw_bytes(row), crc)
            self._file.write_row(name, index, row)
        self._file.write_row("crc32", index, np.uint32(crc))
        self._file.write_row("wall_time", index, np.float64(time.time()))
        self._file.sync()
        self._file.write_row("steps", index, np.int64(step))
        self._file.sync()

    def _row(self, name: str, index: int, values: Mapping[str, ArrayLike]) -> NDArray[Any]:
        extent = self._file.extents[name]
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
        self._file.write(f"resume/{slot}/generation", 0)
        self._file.write(f"resume/{slot}/step", step)
        for name in self._layout.resume:
            self._file.write(f"resume/{slot}/arrays/{name}", arrays[name])
        self._file.write(f"resume/{slot}/crc32", self._slot_crc(slot))
        self._file.sync()
        self._file.write(f"resume/{slot}/generation", generation)
        self._file.sync()

    @property
    def resume_steps(self) -> tuple[int, ...]:
        """The steps of the whole training states in the file, newest state first: none, one or two."""
        return tuple(self._slot_step(RESUME_SLOTS[i]) for i, _ in self._whole_slots())

    def load_resume(self) -> tuple[int, dict[str, NDArray[Any]]] | None:
        """Return (step, arrays) of the newest whole training state, or None where none was saved."""
        newest = self._newest_slot()
        if newest is None:
            return None
        slot = RESUME_SLOTS[newest[0]]
        return self._slot_step(slot), {
            name: self._file.read(f"resume/{slot}/arrays/{name}") for name in sorted(self._layout.resume)
        }

    def go_back(self, step: int) -> None:
        """Forget a training state that is newer than the one at `step`, which has to be in the file.

        Runs that go on together have to start at one step, and one of them may have been saved once more.
        """
        if step not in self.resume_steps:
            raise UsageError(f"{self.path} holds no training state at step {step:,}; resume it by itself")
        while (newest := self._newest_slot()) and self._slot_step(slot := RESUME_SLOTS[newest[0]]) != step:
            self._file.write(f"resume/{slot}/generation", 0)
            self._file.sync()

    def _newest_slot(self) -> tuple[int, int] | None:
        """Return (slot index, generation) of the newest slot whose CRC holds."""
        return next(self._whole_slots(), None)

    def _whole_slots(self) -> Iterator[tuple[int, int]]:
        """Yield (slot index, generation) of the slots whose CRC holds, newest first."""
        if not self._layout.resume:
            return
        generations = [
            (int(self._file.read(f"resume/{slot}/generation")[0]), i) for i, slot in enumerate(RESUME_SLOTS)
        ]
        for generation, i in sorted(generations, reverse=True):
            if generation > 0 and self._slot_is_whole(RESUME_SLOTS[i]):
                yield i, generation

    def _slot_step(self, slot: str) -> int:
        return int(self._file.read(f"resume/{slot}/step")[0])

    def _slot_is_whole(self, slot: str) -> bool:
        return self._slot_crc(slot) == int(self._file.read(f"resume/{slot}/crc32")[0])

    def _slot_crc(self, slot: str) -> int:
        crc = zlib.crc32(raw_bytes(self._file.read(f"resume/{slot}/step")))
        for name in sorted(self._layout.resume):
            crc = zlib.crc32(raw_bytes(self._file.read(f"resume/{slot}/arrays/{name}")), crc)
        return crc

    def heartbeat(self, step: int, steps_per_second: float, state: str = "running") -> None:
        """Tell readers how far training is; `state` is running, interrupted or finished. Costs microseconds."""
        self._file.write("heartbeat", [step, time.time(), steps_per_second, STATE_CODES[state]])

    def extend(self, steps: Sequence[int] | NDArray[np.int64], config: Mapping[str, object] | None = None) -> None:
        """Give the run a new plan of steps: a larger file is written beside it and takes its place.

        Committed checkpoints stay; of `steps`, those after the last committed one are planned.
        """
        committed = self.recorded_steps
        last = committed[-1] if len(committed) else -1
        planned = np.asarray(steps, dtype=np.int64)
        plan = np.concatenate([committed, planned[planned > last]])
        larger = replace(self._layout, steps=plan, config=config or self._layout.config)
        _create_larger(self.path, larger, self._file, len(committed))
        self._file.close()
        self._layout, self._file = larger, PreallocatedFile(self.path)

    def close(self) -> None:
        """Close the file and release its lock; a second call does nothing."""
        self._file.close()
        self._lock.release()

    def __enter__(self) -> RunWriter:
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it, such as {path / 'run.h5'}")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; go on with it by --resume, or replace it by --overwrite")


def _create_larger(path: Path, layout: Layout, source: PreallocatedFile, rows: int) -> None:
    """Replace a run file by a larger one that holds the first `rows` checkpoints of the old one."""

    def fill(larger: PreallocatedFile) -> None:
        for name in source.extents:
            if name != "planned_steps":
                once = name.startswith(("fixed/", "resume/")) or name == "heartbeat"
                source.copy_rows(name, None if once else rows, larger)

    create_file(path, file_plan(layout), fill)
