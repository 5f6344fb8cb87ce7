"""Run file format 1: which datasets there are, what they hold, and how they are created."""

from __future__ import annotations

import json
import uuid as uuid_module
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grokscope.errors import UsageError
from grokscope.floats import CODES
from grokscope.runfile.exact_layout import Declared
from grokscope.runfile.preallocated import Plan, raw_bytes
from grokscope.version import __version__

FORMAT = "grokscope-run"
FORMAT_VERSION = 2  # 1 where no layer holds codes of floats that NumPy does not know
NOT_COMMITTED = -1
RESUME_SLOTS = ("0", "1")
NOTES_BYTES = 8192  # what a recorder met, as lines of UTF-8; files of before have none
LEFT_OUT = "left_out"  # a fixed array of bytes: JSON pairs of a name and a reason
LONGEST_NOTE = 1000  # of a layer, characters
MAX_ATTRIBUTE_BYTES = 60_000  # HDF5 keeps an attribute in an object header of 64 KiB

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class LayerSpec:
    """One layer of the network: its name, the shape of its weight [out, in, ...] and what it is.

    `dtype` is how a run file stores the weight, "" for as all its others; of `bfloat16` it holds the codes. `note`
    is what to know of how it was read: "may be an embedding", "expert 1 of 4".
    """

    name: str
    shape: tuple[int, ...]
    kind: str = "linear"
    bias: bool = True
    dtype: str = field(default="", compare=False)
    note: str = field(default="", compare=False)


@dataclass(frozen=True)
class LeftOut:
    """A tensor of a checkpoint, or several of a kind, that is no layer, and why."""

    name: str
    reason: str


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
    fixed_crc32: Mapping[str, int] = field(default_factory=dict)  # of those of a file; of others it is computed
    resume: Mapping[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)
    slots: tuple[str, ...] = RESUME_SLOTS
    kept_states: int = 0  # how many training states have room beside those to resume from
    notes: bool = True
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
            if not name.isprintable() or "/" in name or name in ("", ".", ".."):
                raise UsageError(
                    f"{name!r} cannot name a layer or a metric in a run file; leave out '/' and control characters"
                )
        if not names:
            raise UsageError("a run needs at least one layer")
        for layer in self.layers:
            if not layer.shape or 0 in layer.shape:
                raise UsageError(f"layer {layer.name} of shape {layer.shape} has no entries; leave it out")


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


def file_plan(layout: Layout) -> Plan:
    """Declare every dataset of a run file at its full size, with no checkpoint committed."""
    length = len(layout.steps)
    datasets = {
        "steps": Declared((length,), "i8", NOT_COMMITTED),
        "planned_steps": Declared((length,), "i8", layout.steps),
        "crc32": Declared((length,), "u4", 0),
        "wall_time": Declared((length,), "f8", np.nan),
        "heartbeat": Declared((4,), "f8", 0),
    }
    if layout.notes:
        datasets["notes"] = Declared((NOTES_BYTES,), "u1", 0)
    datasets |= {f"metrics/{name}": Declared((length,), "f8", np.nan) for name in layout.metrics}
    if layout.classes:
        datasets["test_predictions"] = Declared((length, layout.classes), "i4")
    for layer in layout.layers:
        dtype = layer.dtype or layout.store_dtype
        datasets[weight_path(layer.name)] = Declared((length, *layer.shape), CODES.get(dtype, dtype))
        if layer.bias:
            dtype = "float32" if dtype in CODES else dtype
            datasets[bias_path(layer.name)] = Declared((length, layer.shape[0]), dtype)
    for name, array in layout.fixed.items():
        datasets[f"fixed/{name}"] = Declared(np.shape(array), np.asarray(array).dtype, array)
    if layout.resume:
        for slot in state_slots(layout):
            datasets |= _state_slot(slot, layout)
    return Plan(datasets, _attributes(layout))


def state_slots(layout: Layout) -> tuple[str, ...]:
    """Name the groups that hold a training state each: those to resume from, and those that are kept."""
    resume = tuple(f"resume/{slot}" for slot in layout.slots)
    return resume + tuple(f"kept/{number}" for number in range(layout.kept_states))


def _state_slot(slot: str, layout: Layout) -> dict[str, Declared]:
    return {
        f"{slot}/generation": Declared((1,), "i8", 0),
        f"{slot}/crc32": Declared((1,), "u4", 0),
        f"{slot}/step": Declared((1,), "i8", NOT_COMMITTED),
        **{f"{slot}/arrays/{name}": Declared(*array) for name, array in layout.resume.items()},
    }


def config_text(config: Mapping[str, object]) -> str:
    """Return a configuration as a run file keeps it; raises UsageError where it cannot."""
    try:
        text = json.dumps(dict(config), sort_keys=True, default=str)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the configuration cannot be written as JSON ({error}); give plain values") from None
    if len(text) > MAX_ATTRIBUTE_BYTES:
        raise UsageError(
            f"the configuration has {len(text):,} characters; a run file holds {MAX_ATTRIBUTE_BYTES:,}"
        )
    return text


def _attributes(layout: Layout) -> dict[str, dict[str, str | int]]:
    of_file: dict[str, str | int] = {
        "format": FORMAT,
        "format_version": format_version(layout),
        "uuid": layout.uuid,
        "created": layout.created,
        "writer": f"grokscope {__version__}",
        "origin": layout.origin,
        "config": config_text(layout.config),
        "metrics": json.dumps(list(layout.metrics)),
    }
    of_layers: dict[str, dict[str, str | int]] = {
        f"layers/{layer.name}": {"kind": layer.kind, "order": order} for order, layer in enumerate(layout.layers)
    }
    for layer in layout.layers:
        said = {"dtype": layer.dtype if layer.dtype in CODES else "", "note": layer.note[:LONGEST_NOTE]}
        of_layers[f"layers/{layer.name}"] |= {name: text for name, text in said.items() if text}
    of_fixed: dict[str, dict[str, str | int]] = {
        f"fixed/{name}": {"crc32": layout.fixed_crc32.get(name, array_crc32(array))}
        for name, array in layout.fixed.items()
    }
    return {"/": of_file, **of_layers, **of_fixed}


def format_version(layout: Layout) -> int:
    """Return the version that a file of this layout needs: older programs would take codes for numbers."""
    return FORMAT_VERSION if any(layer.dtype in CODES for layer in layout.layers) else 1


def array_crc32(array: ArrayLike) -> int:
    """Return the CRC of an array's bytes, in C order and little-endian."""
    values = np.asarray(array)
    return zlib.crc32(raw_bytes(values.astype(values.dtype.newbyteorder("<"))))
