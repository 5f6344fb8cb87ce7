"""The run file of a recorded model: made at the first checkpoint, grown in pieces, cut at the end."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import StorageError, UsageError
from grokscope.importers.layers import layers_of
from grokscope.importers.stored import StoredTensors
from grokscope.importers.tensors import LayerSource, Tensors, widened
from grokscope.recorder.due import due_steps, first_room
from grokscope.recorder.troubles import Troubles
from grokscope.runfile import LayerSpec, LeftOut, RunWriter, log_steps
from grokscope.runfile.preallocated import raw_bytes

STANDARD_METRICS = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")
BEAT_SECONDS = 1.0
STALE_CHECKPOINTS = 3  # so many with the same weights are worth a word


@dataclass(frozen=True)
class Options:
    """What a recorder was asked for; `steps` is the length of the run, or None where it is unknown."""

    path: Path
    steps: int | None
    per_decade: int
    metrics: tuple[str, ...]
    config: Mapping[str, object] = field(default_factory=dict)
    store_dtype: str = "float32"
    overwrite: bool = False


class Recording:
    """A run file that takes a model's checkpoints as they come."""

    def __init__(self, options: Options, troubles: Troubles) -> None:
        """Prepare for a file that is made when the first checkpoint comes."""
        self.options, self._troubles = options, troubles
        self._writer: RunWriter | None = None
        self._file: tuple[int, int] | None = None
        self.last = -1
        self._beat, self._started = 0.0, (0, time.monotonic())
        self._weights_crc, self._times_same = 0, 0

    def continue_file(self, layers: Mapping[str, LayerSource]) -> None:
        """Open the file that is there; raises UsageError where it holds other layers than `layers`, if any."""
        writer = RunWriter.reopen(self.options.path)
        ours = [(layer.name, layer.shape) for layer in layers.values()]
        if ours and [(layer.name, layer.shape) for layer in writer.layers] != ours:
            writer.close()
            raise UsageError(f"{self.options.path} holds other layers than this model; record into a new file")
        self._attach(writer)
        self.last = max(map(int, writer.recorded_steps), default=-1)

    def _attach(self, writer: RunWriter) -> None:
        self._writer, self._file = writer, _identity(self.options.path)

    def add(self, step: int, tensors: StoredTensors, metrics: Mapping[str, float]) -> None:
        """Write a checkpoint of a model's tensors, or raise what stands in its way."""
        sources, left_out = layers_of(tensors)
        layers = {source.name: source for source in sources}
        writer = self._writer or self._create(layers, left_out, metrics)
        if _identity(self.options.path) != self._file:
            raise StorageError(
                f"{self.options.path} was taken away or replaced; what was recorded is gone with it"
            )
        index = len(writer.recorded_steps)
        if index >= len(writer.steps):
            writer.extend(due_steps(step - 1, max(index, 4), self.options.per_decade))
            self._attach(writer)
        if metrics.keys() - set(writer.metrics):
            writer.add_metrics(list(metrics))
            self._attach(writer)
        weights, biases = self._arrays(step, layers, writer.layers, tensors)
        with np.errstate(all="ignore"):  # what is too large for the file's dtype becomes an infinity
            writer.commit(index, weights, biases, metrics, step=step)
        self.last = step
        self._tell_of_stale(step, weights)
        self._troubles.write(writer.note)

    def _create(
        self, layers: Mapping[str, LayerSource], left_out: Sequence[LeftOut], metrics: Mapping[str, float]
    ) -> RunWriter:
        options = self.options
        specs = [LayerSpec(one.name, one.shape, one.kind, one.bias is not None) for one in layers.values()]
        writer = RunWriter.create(
            options.path,
            steps=self._first_plan(specs),
            layers=specs,
            metrics=list(dict.fromkeys([*STANDARD_METRICS, *options.metrics, *metrics])),
            config=options.config,
            origin="grokscope.Recorder",
            store_dtype=options.store_dtype,
            overwrite=options.overwrite,
        )
        self._attach(writer)
        for one in left_out:
            writer.note(f"no layer: {one.name}, {one.reason}")
        for source in layers.values():
            if source.note:
                writer.note(f"layer {source.name}: {source.note}")
        return writer

    def _first_plan(self, layers: Sequence[LayerSpec]) -> NDArray[np.int64]:
        if self.options.steps is not None:
            return log_steps(self.options.steps, self.options.per_decade)
        entries = sum(math.prod(layer.shape) + layer.shape[0] * layer.bias for layer in layers)
        room = first_room(entries * np.dtype(self.options.store_dtype).itemsize)
        return due_steps(-1, room, self.options.per_decade)

    def _arrays(
        self, step: int, found: Mapping[str, LayerSource], layers: Sequence[LayerSpec], tensors: Tensors
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        """Return the weights and biases of the file's layers, NaN where the model has none of that shape now."""
        weights, biases = {}, {}
        for layer in layers:
            source = found.get(layer.name)
            if source is None or source.shape != layer.shape:
                now = "is gone" if source is None else f"has shape {source.shape} instead of {layer.shape}"
                self._troubles.tell(
                    f"layer {layer.name}", f"layer {layer.name} {now} at step {step:,}; NaN is recorded for it"
                )
                source = None
            weights[layer.name] = _values(source and source.weight, source, layer.shape, tensors)
            if layer.bias:
                biases[layer.name] = _values(source and source.bias, source, layer.shape[:1], tensors)
        if new := found.keys() - {layer.name for layer in layers}:
            names = ", ".join(sorted(new))
            self._troubles.tell(
                f"new {names}", f"new layers at step {step:,}, which the file has no place for: {names}"
            )
        return weights, biases

    def _tell_of_stale(self, step: int, weights: Mapping[str, NDArray[Any]]) -> None:
        """Tell where checkpoint after checkpoint is the same: a model that nobody trains is being recorded."""
        crc = 0
        for weight in weights.values():
            crc = zlib.crc32(raw_bytes(weight), crc)
        self._times_same = self._times_same + 1 if crc == self._weights_crc else 1
        self._weights_crc = crc
        if self._times_same == STALE_CHECKPOINTS:
            self._troubles.tell(
                "stale", f"the weights at step {step:,} are those of {STALE_CHECKPOINTS - 1} checkpoints before; "
                "is it another model that is trained?"
            )  # fmt: skip

    def beat(self, step: int) -> None:
        """Tell the file's readers now and then how far training is."""
        now = time.monotonic()
        if self._writer is None or now - self._beat < BEAT_SECONDS:
            return
        first, since = self._started
        rate = (step - first) / (now - since) if self._beat else math.nan
        self._started, self._beat = (step, now), now
        self._writer.heartbeat(step, rate)

    def finish(self, state: str) -> None:
        """Cut the file to what was recorded, and say how the run ended."""
        writer = self._writer
        if writer is None or _identity(self.options.path) != self._file:
            return
        writer.heartbeat(self.last, math.nan, state)
        if len(writer.recorded_steps) < len(writer.steps):
            writer.extend([])

    def close(self) -> None:
        """Bring into the file what was told since the last checkpoint, and let go of it."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            self._troubles.write(writer.note)
        finally:
            writer.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another of the same name, None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _values(read: Any, source: LayerSource | None, shape: tuple[int, ...], tensors: Tensors) -> NDArray[Any]:
    if read is None or source is None:
        return np.full(shape, np.nan)
    array = np.asarray(read(tensors))
    return widened(array, source.dtype) if read is source.weight else array
