"""A run file made of anyone's checkpoints: one file to keep, in the dtype in which they were stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.files import is_in_the_way, resolved
from grokscope.floats import CODES, NAN_CODES, widened
from grokscope.names import safe_name
from grokscope.runfile import LayerSpec, RunWriter
from grokscope.runfile.layout import LEFT_OUT
from grokscope.runfile.lock import WriterLock
from grokscope.runfile.preallocated import in_the_name_of, storage_errors, sync_folder
from grokscope.trajectory.checkpoints import Checkpoints
from grokscope.trajectory.damage import find_damaged

WHOLE_NUMBERS_AS = "float32"


def write_run(
    checkpoints: Checkpoints,
    output: Path,
    *,
    config: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    on_checkpoint: Callable[[int, int], None] = lambda done, total: None,
) -> dict[int, str]:
    """Write checkpoints into a new run file at `output`, a layer at a time.

    bfloat16 stays two bytes; a layer that some checkpoints do not have is NaN there. A damaged checkpoint is left
    out, and a sentence on each returned. `config` is what is known of
    their training, such as activation and input_range. `on_checkpoint(done, total)` is called after each. Raises
    UsageError where `output` is in the way, RunLocked where it is being written.
    """
    _refuse_existing(output, overwrite)
    if output.exists() and any(output.samefile(file) for file in checkpoints.files if file.exists()):
        raise UsageError(f"{output} is one of the checkpoints itself; name another file for the run")
    lock = WriterLock(output)
    real = resolved(output)
    unfinished = real.with_name(f".{real.name}.importing")
    try:
        _refuse_existing(output, overwrite)
        with storage_errors(output):
            unfinished.unlink(missing_ok=True)  # an import's that was killed, or a link that leads elsewhere
        with in_the_name_of(output):
            damaged = _write(checkpoints, unfinished, config or {}, on_checkpoint)
        with storage_errors(output):
            unfinished.replace(real)
            sync_folder(real.parent)
        return damaged
    finally:
        with suppress(OSError):
            unfinished.unlink()
        lock.release()


def _refuse_existing(output: Path, overwrite: bool) -> None:
    if is_in_the_way(output) and not overwrite:
        raise UsageError(f"{output} exists; replace it by --overwrite, or name another file")


def _write(
    checkpoints: Checkpoints,
    path: Path,
    config: Mapping[str, Any],
    on_checkpoint: Callable[[int, int], None],
) -> dict[int, str]:
    damaged = find_damaged(checkpoints)
    indices = [index for index in range(checkpoints.num_checkpoints) if index not in damaged]
    if not indices:
        raise UsageError(damaged[0])
    layers = [replace(layer, dtype=_dtype(checkpoints, layer)) for layer in checkpoints.layers]
    left_out = [(out.name, out.reason) for out in checkpoints.left_out]
    left_out += [(f"step {checkpoints.steps[index]}", sentence) for index, sentence in damaged.items()]
    with RunWriter.create(
        path,
        steps=checkpoints.steps[indices],
        layers=layers,
        metrics=checkpoints.metric_names,
        config={"files": len(indices), **config},
        origin=f"imported from {safe_name(checkpoints.name)}",
        fixed={LEFT_OUT: np.frombuffer(json.dumps(left_out).encode(), dtype=np.uint8)},
        overwrite=True,
    ) as writer:
        for note in checkpoints.notes:
            writer.note(note)
        metrics = checkpoints.metrics()
        for done, index in enumerate(indices):
            row = {name: float(values[index]) for name, values in metrics.items()}
            biases = {layer.name: checkpoints.bias(index, layer.name) for layer in layers if layer.bias}
            writer.commit(done, _Weights(checkpoints, index, layers), biases, row)
            on_checkpoint(done + 1, len(indices))
    return damaged


def _dtype(checkpoints: Checkpoints, layer: LayerSpec) -> str:
    """Return as what a layer is stored: as it is in all checkpoints, or the float that holds all of them."""
    there = [checkpoints.layer_at(index, layer.name) for index in range(checkpoints.num_checkpoints)]
    kinds = {found.dtype for found in there if found is not None}
    if len(kinds) == 1 and kinds <= CODES.keys():
        return kinds.pop()
    widest = np.result_type(*(widened(np.empty(0, CODES.get(kind, kind)), kind).dtype for kind in kinds))
    return widest.name if widest.kind == "f" else WHOLE_NUMBERS_AS


class _Weights(Mapping[str, NDArray[Any]]):
    """One checkpoint's weights by layer, each read when it is asked for, as the run file stores them."""

    def __init__(self, checkpoints: Checkpoints, index: int, layers: list[LayerSpec]) -> None:
        self._checkpoints, self._index = checkpoints, index
        self._layers = {layer.name: layer for layer in layers}

    def __getitem__(self, name: str) -> NDArray[Any]:
        layer, stored = self._layers[name], self._checkpoints.stored_weight(self._index, name)
        if stored is None:
            return np.broadcast_to(np.asarray(NAN_CODES.get(layer.dtype, np.nan)), layer.shape)
        array, dtype = stored
        return array if dtype == layer.dtype else widened(array, dtype)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)
