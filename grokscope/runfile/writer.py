"""The only code that writes run files.

A checkpoint exists from the moment when its step is written, after its bytes are on the disk. The training
state alternates between two slots, so that one whole state is there at every moment.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grokscope.errors import BadRunFile, UsageError
from grokscope.files import refuse_existing
from grokscope.names import pasted
from grokscope.runfile.committed import in_order
from grokscope.runfile.exact_layout import OtherLayout
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
from grokscope.runfile.notes import notes_in, with_note
from grokscope.runfile.opening import read_layout
from grokscope.runfile.preallocated import PreallocatedFile, create_file, raw_bytes
from grokscope.runfile.reader import Run
from grokscope.runfile.resume_slots import KeptSlots, WritableSlots

NOTHING = np.empty(0)


class RunWriter:
    """Writes one run file, from its creation to its last checkpoint; use it as a context manager.

    Raises RunLocked where another process writes the file, StorageError where the disk refuses.
    """

    def __init__(self, path: Path, lock: WriterLock) -> None:
        """Attach to an existing run file under a lock that is already held; use `create` or `reopen`."""
        self.path = path
        self._lock = lock
        self._open(read_layout(path))

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
        kept_states: int = 0,
        overwrite: bool = False,
    ) -> RunWriter:
        """Create a run file with room for a checkpoint at every one of `steps`, and open it for writing.

        `fixed` arrays are written once; `resume_arrays` gives name → (shape, dtype) of the training state,
        of which `kept_states` have room beside the two to resume from.
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
            kept_states=kept_states,
        )
        target = Path(path)
        refuse_existing(target, overwrite)
        lock = WriterLock(target)
        try:
            refuse_existing(target, overwrite)
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
        Each array is asked for once and let go of, so that mappings can read them as they are asked. Raises
        UsageError out of turn: checkpoints come one after the other, as many as are planned, at ascending steps.
        """
        step = self._in_turn(index, step)
        values: dict[str, Callable[[], ArrayLike]] = {}
        for path, arrays in ((weight_path, weights), (bias_path, biases)):
            values |= {path(name): partial(arrays.__getitem__, name) for name in arrays}
        values |= {f"metrics/{name}": partial(float, metrics.get(name, np.nan)) for name in self.metrics}
        if predictions is not None:
            values["test_predictions"] = lambda: predictions
        crc = zlib.crc32(raw_bytes(np.int64(step)))
        paths = checkpoint_paths(self.layers, self.metrics, "test_predictions" in self._file.extents)
        if lacking := [name for name in paths if name not in values and name != "test_predictions"]:
            raise UsageError(f"checkpoint {index} of {self.path} lacks {lacking[0]}; give every layer's arrays")
        for name in paths:
            row = self._row(name, values)
            crc = zlib.crc32(raw_bytes(row), crc)
            self._file.write_row(name, index, row)
        self._file.write_row("crc32", index, np.uint32(crc))
        self._file.write_row("wall_time", index, np.float64(time.time()))
        self._file.sync()
        self._file.write_row("steps", index, np.int64(step))
        self._file.sync()

    def _in_turn(self, index: int, step: int | None) -> int:
        """Return the step of the next checkpoint; UsageError where `index` is another or `step` not later."""
        recorded = self.recorded_steps.tolist()
        if index != len(recorded):
            raise UsageError(f"checkpoint {index} of {self.path} is out of turn; the next one is {len(recorded)}")
        if index == len(self.steps):
            raise UsageError(f"{self.path} holds all of its {index} checkpoints; extend its plan first")
        step = int(self.steps[index]) if step is None else step
        if step <= (last := max(recorded, default=NOT_COMMITTED)):
            raise UsageError(f"step {step:,} is not after {last:,}; the steps of {self.path} ascend from 0")
        return step

    def _row(self, name: str, values: Mapping[str, Callable[[], ArrayLike]]) -> NDArray[Any]:
        extent = self._file.extents[name]
        if name == "test_predictions" and name not in values:
            return np.zeros(extent.shape[1:], extent.dtype)
        given = np.asarray(values[name]())
        if extent.dtype.kind == "u" and given.dtype.kind == "f":
            raise UsageError(f"{self.path} holds {name} as codes; give these, not the numbers that they stand for")
        row = np.asarray(given, dtype=extent.dtype, order="C")
        if row.shape != extent.shape[1:]:
            raise UsageError(f"{name} has shape {row.shape} where {self.path} holds {extent.shape[1:]}")
        return row

    def save_resume(self, step: int, arrays: Arrays) -> None:
        """Save the training state at `step` into the older of the two slots, and return when it is on the disk.

        A compact file has one slot and gets its second one back first.
        """
        if len(self._layout.slots) < len(RESUME_SLOTS):
            self._rewrite(replace(self._layout, slots=RESUME_SLOTS))
        self._slots.save(step, arrays)

    def keep_state(self, step: int, arrays: Arrays) -> None:
        """Keep the training state at `step` for good, and return when it is on the disk.

        Raises UsageError where the file has no room for another.
        """
        self._kept.save(self._file, step, arrays)

    @property
    def resume_steps(self) -> tuple[int, ...]:
        """The steps of the whole training states in the file, newest state first: none, one or two."""
        return tuple(self._slots.step(slot) for slot in self._slots.whole)

    def load_resume(self) -> tuple[int, dict[str, NDArray[Any]]] | None:
        """Return (step, arrays) of the newest whole training state, or None where none was saved."""
        for slot in self._slots.whole:
            return self._slots.step(slot), self._slots.load(slot)
        return None

    def go_back(self, step: int) -> None:
        """Forget a training state that is newer than the one at `step`, which has to be in the file.

        Runs that go on together have to start at one step, and one of them may have been saved once more.
        """
        if step not in self.resume_steps:
            raise UsageError(f"{self.path} holds no training state at step {step:,}; resume it by itself")
        for slot in self._slots.whole:
            if self._slots.step(slot) == step:
                return
            self._slots.forget(slot)

    def heartbeat(self, step: int, steps_per_second: float, state: str = "running") -> None:
        """Tell readers how far training is; `state` is running, interrupted or finished. Costs microseconds."""
        self._file.write("heartbeat", [step, time.time(), steps_per_second, STATE_CODES[state]])

    def note(self, text: str) -> bool:
        """Keep a sentence in the file for its readers; return whether it was new and there was room for it."""
        if "notes" not in self._file.extents:
            return False
        notes = self._file.read("notes")
        changed = with_note(notes, text)
        if changed is None:
            return False
        self._file.write("notes", changed)
        return True

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentences that are kept in the file."""
        return notes_in(self._file.read("notes")) if "notes" in self._file.extents else ()

    def extend(
        self,
        steps: Sequence[int] | NDArray[np.int64],
        config: Mapping[str, object] | None = None,
        kept_states: int = 0,
    ) -> None:
        """Give the run a new plan of steps: a larger file is written beside it and takes its place.

        Committed checkpoints stay, and so do kept states, which get room for `kept_states` in all; of `steps`,
        those after the last committed one are planned.
        """
        committed = self.recorded_steps
        last = committed[-1] if len(committed) else -1
        planned = np.asarray(steps, dtype=np.int64)
        plan = np.concatenate([committed, planned[planned > last]])
        old = self._layout
        kept_states = max(kept_states, old.kept_states)
        config = config or old.config
        self._rewrite(replace(old, steps=plan, config=config, slots=RESUME_SLOTS, kept_states=kept_states))

    def add_metrics(self, names: Sequence[str]) -> None:
        """Let checkpoints to come record more metrics, NaN in those before; a new file takes the place of this.

        Metrics come last in what a CRC runs over, so each CRC goes on over the NaN, and damage stays damage.
        Raises UsageError for a run that records predictions, which come after them.
        """
        added = [name for name in dict.fromkeys(names) if name not in self.metrics]
        if self._layout.classes:
            raise UsageError(f"{self.path} records predictions; name its metrics when it is made")
        if added:
            self._rewrite(replace(self._layout, metrics=(*self.metrics, *added)), np.full(len(added), np.nan))

    def compact(self) -> None:
        """Keep the newest training state only: a smaller file is written beside this one and takes its place."""
        newest = self._slots.whole[:1] or RESUME_SLOTS[:1]
        if self._layout.slots != newest:
            self._rewrite(replace(self._layout, slots=newest))

    def _rewrite(self, layout: Layout, behind: NDArray[np.float64] = NOTHING) -> None:
        """Replace the file by one of another layout: same checkpoints, and the states that have a slot there.

        `behind` are the values that every checkpoint has more at its end, float64 [added].
        """
        layout = replace(layout, notes=True)
        rows, source = len(self.recorded_steps), self._file

        def fill(target: PreallocatedFile) -> None:
            for name in source.extents.keys() & target.extents.keys() - {"planned_steps"}:
                once = name.startswith(("fixed/", "resume/", "kept/")) or name in ("heartbeat", "notes")
                source.copy_rows(name, None if once else rows, target)
            for index, crc in enumerate(source.read("crc32")[:rows] if len(behind) else ()):
                target.write_row("crc32", index, np.uint32(zlib.crc32(raw_bytes(behind), int(crc))))

        create_file(self.path, file_plan(layout), fill)
        source.close()
        self._open(layout)

    def _open(self, layout: Layout) -> None:
        try:
            self._layout, self._file = layout, PreallocatedFile(self.path, file_plan(layout).datasets)
        except OtherLayout as error:
            raise BadRunFile(
                f"{self.path} can be read but not written: {error}; go on from a copy as grokscope wrote it"
            ) from None
        try:
            _refuse_damaged_steps(self.path, self._file.read("steps"))
        except BadRunFile:
            self._file.close()
            raise
        self._slots = WritableSlots(self._file, layout)
        self._kept = KeptSlots(self._file, layout)

    def close(self) -> None:
        """Close the file and release its lock; a second call does nothing."""
        try:
            self._file.close()
        finally:
            self._lock.release()

    def __enter__(self) -> RunWriter:
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()


def _refuse_damaged_steps(path: Path, steps: NDArray[np.int64]) -> None:
    if not in_order(steps):
        raise BadRunFile(f"the steps of {path} are damaged; `grokscope check {pasted(path)}` says more")
