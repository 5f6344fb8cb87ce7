"""What the screen shows, as plain values: one checkpoint (Frame) and the whole run through time (Timeline).

Nothing here knows HDF5 or Textual: panes and plots are functions of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from grokscope.spectra import LayerSpectrum


@dataclass(frozen=True)
class Event:
    """Something that happens at a checkpoint: a phase begins, or a layer's first trap."""

    index: int
    step: int
    kind: str
    text: str


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer at one checkpoint; `spectrum` is None until it has been analysed."""

    name: str
    shape: tuple[int, ...]
    spectrum: LayerSpectrum | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """One checkpoint of one run: the single value that all panes are drawn from."""

    run: str
    index: int
    num_checkpoints: int
    step: int
    layers: tuple[Layer, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)
    observed: str = "unknown"
    inferred: str = "unknown"
    reasons: tuple[str, ...] = ()

    def metric(self, name: str) -> float:
        """A recorded metric, NaN where the run has none."""
        return self.metrics.get(name, float("nan"))


@dataclass(frozen=True, eq=False)
class Timeline:
    """A whole run through time; every array has one entry a committed checkpoint.

    steps int64 [n], ascending; metrics float64 [n] by name; measures float64 [n] by (field, layer), NaN where not
    analysed; predictions float64 [n, classes], the share of test images given each label, or None; weightwatcher
    float64 [n] by layer and WeightWatcher's own name of the column, without the layers that it has not measured.
    """

    run: str
    steps: NDArray[np.int64]
    last_step: int
    layers: tuple[str, ...] = ()
    metrics: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    measures: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)
    predictions: NDArray[np.float64] | None = None
    weightwatcher: Mapping[str, Mapping[str, NDArray[np.float64]]] = field(default_factory=dict)
    observed: Sequence[str] = ()
    inferred: Sequence[str] = ()
    events: Sequence[Event] = ()

    def metric(self, name: str) -> NDArray[np.float64]:
        """A recorded metric through time, all NaN where the run has none."""
        values = self.metrics.get(name)
        return np.full(len(self.steps), np.nan) if values is None else values

    def measure(self, name: str, layer: str) -> NDArray[np.float64]:
        """A measured field of a layer through time, all NaN where nothing has been analysed."""
        values = self.measures.get((name, layer))
        return np.full(len(self.steps), np.nan) if values is None else values

    def weightwatcher_at(self, index: int, layer: str) -> dict[str, float]:
        """WeightWatcher's own numbers of a layer at a checkpoint; empty where it has not been run on it."""
        columns = self.weightwatcher.get(layer, {})
        found = {name: float(values[index]) for name, values in columns.items() if index < len(values)}
        return {name: value for name, value in found.items() if value == value}

    def nearest(self, step: float) -> int:
        """The index of the last checkpoint at or before a step (the first one when there is none)."""
        return max(0, int(np.searchsorted(self.steps, step, side="right")) - 1)


def stretches(labels: Sequence[str]) -> list[tuple[int, int, str]]:
    """Runs of equal labels as (first index, one past the last, label)."""
    found: list[tuple[int, int, str]] = []
    for index, label in enumerate(labels):
        if found and found[-1][2] == label:
            found[-1] = (found[-1][0], index + 1, label)
        else:
            found.append((index, index + 1, label))
    return found
