"""Run file format 1: which datasets there are, what they hold, and how they are created."""

from __future__ import annotations

import json
import uuid as uuid_module
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import h5py
import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.runfile.preallocated import preallocate
from grokscope.version import __version__

FORMAT = "grokscope-run"
FORMAT_VERSION = 1
NOT_COMMITTED = -1
RESUME_SLOTS = ("0", "1")
MAX_ATTRIBUTE_BYTES = 60_000  # HDF5 keeps an attribute in an object header of 64 KiB

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class LayerSpec:
    """One layer of the network: its name, the shape of its weight [out, in, ...] and what it is."""

    name: str
    shape: tuple[int, ...]
    kind: str = "linear"
    bias: bool = True


@dataclass(frozen=True)
class Layout:
    """All that has to be known to create a run file."""

    steps: NDArray[np.int64]
    layers: tuple[LayerSpec, ...]
    metrics: tuple[str, ...]
    config: Mapping[str, object]
    origin: str
    classes: int | None = None
    store_dtype: str = "float32"
    fixed: Arrays = field(default_factory=dict)
    resume: Mapping[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)
    uuid: str = field(default_factory=lambda: str(uuid_module.uuid4()))
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def __post_init__(self) -> None:
        """Refuse what the format cannot hold."""
        if len(self.steps) == 0 or np.any(np.diff(self.steps) <= 0) or self.steps[0] < 0:
            raise UsageError("the checkpoints' steps must be non-negative and ascending, and at least one")
        names = [layer.name for layer in self.layers]
        if len(set(names)) != len(names):
            raise UsageError("two layers have the same name; give each a name of its own")
        for name in [*names, *self.metrics, *self.fixed, *self.resume]:
            if not name or "/" in name or "\0" in name or name in (".", ".."):
                raise UsageError(f"{name!r} cannot name a layer or a metric in a run file; leave out '/' and NUL")
        if not names:
            raise UsageError("a run needs at least one layer")


def weight_path(layer: str) -> str:
    """Name of the dataset of a layer's weights over all checkpoints."""
    return f"layers/{layer}/weight"


def bias_path(layer: str) -> str:
    """Name of the dataset of a layer's biases over all checkpoints."""
    return f"layers/{layer}/bias"


def checkpoint_paths(layers: Iterable[LayerSpec], metrics: Iterable[str], predictions: bool) -> list[str]:
    """List the datasets that hold a checkpoint, in the order in which its CRC runs over them."""
    paths = []
    for layer in layers:
        paths.append(weight_path(layer.name))
        if layer.bias:
            paths.append(bias_path(layer.name))
    paths += [f"metrics/{name}" for name in metrics]
    return paths + (["test_predictions"] if predictions else [])


def create_datasets(file: h5py.File, layout: Layout) -> None:
    """Fill a new file with every dataset at its full size and no checkpoint committed."""
    length = len(layout.steps)
    _write_attributes(file, layout)
    preallocate(file, "steps", (length,), "<i8")[...] = NOT_COMMITTED
    preallocate(file, "planned_steps", (length,), "<i8")[...] = layout.steps
    preallocate(file, "crc32", (length,), "<u4")[...] = 0
    preallocate(file, "wall_time", (length,), "<f8")[...] = np.nan
    preallocate(file, "heartbeat", (4,), "<f8")[...] = 0
    for name in layout.metrics:
        preallocate(file, f"metrics/{name}", (length,), "<f8")[...] = np.nan
    if layout.classes:
        preallocate(file, "test_predictions", (length, layout.classes), "<i4")
    for order, layer in enumerate(layout.layers):
        _create_layer(file, layer, order, length, layout.store_dtype)
    for name, array in layout.fixed.items():
        little_endian = np.asarray(array).dtype.newbyteorder("<")
        preallocate(file, f"fixed/{name}", np.shape(array), little_endian)[...] = array
    if layout.resume:
        _create_resume_slots(file, layout.resume)


def _write_attributes(file: h5py.File, layout: Layout) -> None:
    config = json.dumps(dict(layout.config), sort_keys=True, default=str)
    if len(config) > MAX_ATTRIBUTE_BYTES:
        raise UsageError(
            f"the configuration has {len(config):,} characters; a run file holds {MAX_ATTRIBUTE_BYTES:,}"
        )
    file.attrs["format"] = FORMAT
    file.attrs["format_version"] = FORMAT_VERSION
    file.attrs["uuid"] = layout.uuid
    file.attrs["created"] = layout.created
    file.attrs["writer"] = f"grokscope {__version__}"
    file.attrs["origin"] = layout.origin
    file.attrs["config"] = config
    file.attrs["metrics"] = json.dumps(list(layout.metrics))


def _create_layer(file: h5py.File, layer: LayerSpec, order: int, length: int, store_dtype: str) -> None:
    dtype = np.dtype(store_dtype).newbyteorder("<")
    preallocate(file, weight_path(layer.name), (length, *layer.shape), dtype)
    if layer.bias:
        preallocate(file, bias_path(layer.name), (length, layer.shape[0]), dtype)
    group = file[f"layers/{layer.name}"]
    group.attrs["kind"] = layer.kind
    group.attrs["order"] = order


def _create_resume_slots(file: h5py.File, arrays: Mapping[str, tuple[tuple[int, ...], str]]) -> None:
    for slot in RESUME_SLOTS:
        preallocate(file, f"resume/{slot}/generation", (1,), "<i8")[...] = 0
        preallocate(file, f"resume/{slot}/crc32", (1,), "<u4")[...] = 0
        preallocate(file, f"resume/{slot}/step", (1,), "<i8")[...] = NOT_COMMITTED
        for name, (shape, dtype) in arrays.items():
            preallocate(file, f"resume/{slot}/arrays/{name}", shape, np.dtype(dtype).newbyteorder("<"))
