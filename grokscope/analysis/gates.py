"""Gates and capacity of a run at every checkpoint: measured from its weights, kept in its spectra file.

They are defined where the layers form a chain, each one's outputs the next one's inputs. What a checkpoint's row
says depends on the checkpoint, the one before and the first one; the CRCs of these three are its key.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from itertools import pairwise
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from grokscope.phases.capacity import capacity
from grokscope.phases.gates import GATES, measure_gates, to_unit_range, turned
from grokscope.runfile import LayerSpec
from grokscope.runfile.exact_layout import Declared
from grokscope.trajectory import Trajectory

Array = NDArray[np.float64]
MEASURES = (*GATES, "capacity")
"""What is kept of a layer at a checkpoint; the capacity is the whole chain's, and kept of its last layer."""

NOT_MEASURED = 0
UNIT_RANGE = ("mnist", "fashion-mnist", "kmnist", "digits")  # datasets whose inputs `train` scales to [0, 1]


def chain(layers: Sequence[LayerSpec]) -> tuple[LayerSpec, ...]:
    """Return the layers where they are a chain of two linear maps or more, none where they are not."""
    linear = all(layer.kind == "linear" and len(layer.shape) == 2 for layer in layers)
    if len(layers) < 2 or not linear or any(a.shape[0] != b.shape[1] for a, b in pairwise(layers)):
        return ()
    return tuple(layers)


def input_range(config: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the darkest and the brightest value of a run's inputs, or None where its configuration is silent."""
    if config.get("dataset") in UNIT_RANGE:
        return 0.0, 1.0
    try:
        low, high = (float(value) for value in config["input_range"])
    except (KeyError, TypeError, ValueError):
        return None
    return (low, high) if np.isfinite([low, high]).all() and low < high else None


def gates_datasets(layers: Sequence[LayerSpec], length: int) -> dict[str, Declared]:
    """Declare the datasets that hold the gates of a chain over `length` checkpoints."""
    datasets = {}
    for layer in chain(layers):
        datasets[f"gates/{layer.name}/values"] = Declared((length, len(MEASURES)), "f8", np.nan)
        datasets[f"gates/{layer.name}/crc32"] = Declared((length,), "u4", NOT_MEASURED)
        datasets[f"gates/{layer.name}/source_crc32"] = Declared((length,), "u4", NOT_MEASURED)
    return datasets


def sources(checkpoint_crcs: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the key of each checkpoint's gates: a CRC over those of the first, the earlier and this one."""
    keys = np.empty_like(checkpoint_crcs)
    for index, crc in enumerate(checkpoint_crcs):
        key = zlib.crc32(np.array([checkpoint_crcs[0], checkpoint_crcs[max(index - 1, 0)], crc], "<u4").tobytes())
        keys[index] = key or 1
    return keys


def row_crc(values: Array) -> int:
    """Return the CRC of a row of gates, never 0, which means "not measured"."""
    return zlib.crc32(np.ascontiguousarray(values, dtype="<f8").tobytes()) or 1


def read_gates(file: h5py.File, layer: str, keys: NDArray[np.uint32]) -> tuple[Array, NDArray[np.bool_]]:
    """Return a layer's gates, float64 [n, len(MEASURES)], and which rows are those of their keys, and whole.

    Raises KeyError where the file has no gates of this layer.
    """
    group = file[f"gates/{layer}"]
    values, crcs, found = (np.asarray(group[name][: len(keys)]) for name in ("values", "crc32", "source_crc32"))
    whole = crcs == [row_crc(row) for row in values]
    return values, whole & (found == keys[: len(found)])


def measured_gates(run: Trajectory, layer: LayerSpec, indices: Iterable[int]) -> Iterator[tuple[int, Array]]:
    """Measure a layer's gates at the given checkpoints; yields the index and its row, float64 [len(MEASURES)].

    The first layer's inputs lie where the run says, and in [0, 1] where it is silent.
    """
    low, high = (layer == run.layers[0] and input_range(run.config)) or (0.0, 1.0)
    first, held = _weight(run, 0, layer), (-1, np.empty(0))
    for index in indices:
        earlier = held[1] if held[0] == index - 1 else _weight(run, max(index - 1, 0), layer)
        held = index, _weight(run, index, layer)
        bias = run.bias(index, layer.name).astype(np.float64) if layer.bias else np.zeros(layer.shape[0])
        before = (earlier, first) if index else (None, None)
        gates = measure_gates(*to_unit_range(held[1], bias, low, high), *before)
        whole = _capacity(run, index, held[1]) if index and layer == run.layers[-1] else np.nan
        yield index, np.array([*astuple(gates), whole])


def _capacity(run: Trajectory, index: int, last: Array) -> float:
    """Measure a chain for the inputs whose columns have turned since the first checkpoint."""
    weights = [*(_weight(run, index, layer) for layer in run.layers[:-1]), last]
    return capacity(weights, turned(weights[0].T, _weight(run, 0, run.layers[0]).T))


def _weight(run: Trajectory, index: int, layer: LayerSpec) -> Array:
    return run.weight(index, layer.name).astype(np.float64)
