"""Run file format 1: the datasets, where their bytes lie, and how a file is created.

Every dataset is created full size, contiguous and uncompressed. After that no HDF5 metadata ever changes,
so a dataset is a fixed range of bytes in the file, and the writer fills those ranges with plain `pwrite`.
"""

from __future__ import annotations

import json
import uuid as uuid_module
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from grokscope.errors import UsageError
from grokscope.version import __version__

FORMAT = "grokscope-run"
FORMAT_VERSION = 1
LIBVER = ("earliest", "v110")
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


@dataclass(frozen=True)
class Extent:
    """The bytes of one dataset: where they start in the file, and what they mean."""

    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    @property
    def row_bytes(self) -> int:
        """Size of one entry along the first axis."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize


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


def create_datasets(path: Path, layout: Layout) -> None:
    """Write a new file with every dataset at its full size and no checkpoint committed."""
    length = len(layout.steps)
    with h5py.File(path, "w", libver=LIBVER, locking=False) as file:
        _write_attributes(file, layout)
        _preallocate(file, "steps", (length,), "<i8")[...] = NOT_COMMITTED
        _preallocate(file, "planned_steps", (length,), "<i8")[...] = layout.steps
        _preallocate(file, "crc32", (length,), "<u4")[...] = 0
        _preallocate(file, "wall_time", (length,), "<f8")[...] = np.nan
        _preallocate(file, "heartbeat", (4,), "<f8")[...] = 0
        for name in layout.metrics:
            _preallocate(file, f"metrics/{name}", (length,), "<f8")[...] = np.nan
        if layout.classes:
            _preallocate(file, "test_predictions", (length, layout.classes), "<i4")
        for order, layer in enumerate(layout.layers):
            _create_layer(file, layer, order, length, layout.store_dtype)
        for name, array in layout.fixed.items():
            little_endian = np.asarray(array).dtype.newbyteorder("<")
            _preallocate(file, f"fixed/{name}", np.shape(array), little_endian)[...] = array
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
    _preallocate(file, weight_path(layer.name), (length, *layer.shape), dtype)
    if layer.bias:
        _preallocate(file, bias_path(layer.name), (length, layer.shape[0]), dtype)
    group = file[f"layers/{layer.name}"]
    group.attrs["kind"] = layer.kind
    group.attrs["order"] = order


def _create_resume_slots(file: h5py.File, arrays: Mapping[str, tuple[tuple[int, ...], str]]) -> None:
    for slot in RESUME_SLOTS:
        _preallocate(file, f"resume/{slot}/generation", (1,), "<i8")[...] = 0
        _preallocate(file, f"resume/{slot}/crc32", (1,), "<u4")[...] = 0
        _preallocate(file, f"resume/{slot}/step", (1,), "<i8")[...] = NOT_COMMITTED
        for name, (shape, dtype) in arrays.items():
            _preallocate(file, f"resume/{slot}/arrays/{name}", shape, np.dtype(dtype).newbyteorder("<"))


def _preallocate(file: h5py.File, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> h5py.Dataset:
    """Create a contiguous dataset whose bytes have their place in the file from now on."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.CONTIGUOUS)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    creation.set_obj_track_times(False)
    group, _, leaf = name.rpartition("/")
    parent = file.require_group(group) if group else file
    space = h5py.h5s.create_simple(shape)
    dataset = h5py.h5d.create(parent.id, leaf.encode(), h5py.h5t.py_create(np.dtype(dtype)), space, creation)
    return h5py.Dataset(dataset)


def raw_bytes(array: NDArray[np.generic] | np.generic) -> memoryview:
    """Return the bytes of an array in C order, without a copy where it is already contiguous."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def extents(file: h5py.File) -> dict[str, Extent]:
    """Map every contiguous dataset of an open run file to the bytes that it occupies."""
    found: dict[str, Extent] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and (offset := item.id.get_offset()) is not None:
            found[name] = Extent(offset, item.shape, item.dtype)

    file.visititems(visit)
    return found
