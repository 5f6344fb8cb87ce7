"""A run through time as plain values: metrics, measures, phases and events, one entry a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.evidence import gated_layers, infer_all
from grokscope.analysis.spectra_file import Spectra
from grokscope.names import safe_name
from grokscope.phases import NO_PHASE, Inferred, observe
from grokscope.phases.inferred import STRAINED
from grokscope.phases.strain import times
from grokscope.trajectory import Trajectory, is_single
from grokscope.turns import in_turns

if TYPE_CHECKING:
    from grokscope.spectra import LayerSpectrum

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Event:
    """Something that happens at a checkpoint: a phase begins, or a layer's first trap."""

    index: int
    step: int
    kind: str
    text: str


@dataclass(frozen=True, eq=False)
class Timeline:
    """A whole run through time; every array has one entry a committed checkpoint.

    steps int64 [n], ascending; metrics float64 [n] by name; measures float64 [n] by (field, layer), NaN where not
    analysed; gated, the hidden layers whose gates are known to mean something; predictions float64 [n, classes],
    the share of test images given each label, or None; weightwatcher float64 [n] by layer and WeightWatcher's own
    name of the column, without the layers that it has not measured; spectra by layer, one a checkpoint or None;
    doublings, of the network's strain; by_strain, whether that is what tells its collapse.
    """

    run: str
    steps: NDArray[np.int64]
    last_step: int
    layers: tuple[str, ...] = ()
    metrics: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    measures: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)
    predictions: NDArray[np.float64] | None = None
    gated: tuple[str, ...] = ()
    weightwatcher: Mapping[str, Mapping[str, NDArray[np.float64]]] = field(default_factory=dict)
    spectra: Mapping[str, Sequence[LayerSpectrum | None]] = field(default_factory=dict)
    observed: Sequence[str] = ()
    inferred: Sequence[str] = ()
    doublings: Sequence[float] = ()
    by_strain: bool = False
    events: Sequence[Event] = ()
    single: bool = False

    def metric(self, name: str) -> NDArray[np.float64]:
        """A recorded metric through time, all NaN where the run has none."""
        values = self.metrics.get(name)
        return np.full(len(self.steps), np.nan) if values is None else values

    def measure(self, name: str, layer: str) -> NDArray[np.float64]:
        """A measured field of a layer through time, all NaN where nothing has been analysed."""
        values = self.measures.get((name, layer))
        return np.full(len(self.steps), np.nan) if values is None else values

    @property
    def strain(self) -> NDArray[np.float64]:
        """How strained the network is, float64 [n]; all NaN where that is not known."""
        return times(self.doublings) if len(self.doublings) else np.full(len(self.steps), np.nan)

    @property
    def strained(self) -> float:
        """From where on that tells a collapse; NaN where it does not tell one."""
        return float(times(STRAINED)) if self.by_strain else float("nan")

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


def read_timeline(run: Trajectory, spectra: Spectra, inferred: Sequence[Inferred] | None = None) -> Timeline:
    """Read a run through time; measures are read when they are first looked at.

    `inferred` is what `infer_all` says, for a caller that keeps it.
    """
    seen = glance(run, spectra)
    told = infer_all(spectra) if inferred is None else inferred
    labels, doublings = [one.label for one in told], [one.strain for one in told]
    events = find_events(seen.steps, seen.observed, labels, seen.measures, seen.layers)
    by_strain = any(one.by_strain for one in told[-1:])
    return replace(seen, inferred=labels, doublings=doublings, by_strain=by_strain, events=events)


def glance(run: Trajectory, spectra: Spectra | None = None) -> Timeline:
    """Read a run through time without what takes long: the weights' phases are unknown, the traps' events left
    out, and without spectra nothing is measured."""
    count = run.num_checkpoints if spectra is None else len(spectra.done)
    metrics = {name: values[:count] for name, values in run.metrics().items()}
    unknown = np.full(count, np.nan)
    train, test = (metrics.get(name, unknown) for name in ("train_accuracy", "test_accuracy"))
    single = is_single(run)
    observed = ("unknown",) * count if single else observe(train, test).labels
    steps, inferred = run.steps[:count], ["unknown"] * count
    names = tuple(layer.name for layer in run.layers)
    return Timeline(
        run=safe_name(run.name),
        steps=steps,
        last_step=int(steps[-1]) if count else int(run.planned_steps[-1]),
        layers=names,
        metrics=metrics,
        measures={} if spectra is None else _Columns(spectra, names),
        predictions=_shares(run.predictions(), count),
        gated=gated_layers(run),
        weightwatcher={} if spectra is None else _WeightWatcher(spectra, names),
        spectra={} if spectra is None else _Histories(spectra, names),
        observed=observed,
        inferred=inferred,
        events=find_events(steps, observed, inferred, {}, ()),
        single=single,
    )


class _WeightWatcher(Mapping[str, Mapping[str, Array]]):
    """WeightWatcher's columns by the layer's name, each read once, when first asked for."""

    def __init__(self, spectra: Spectra, layers: Sequence[str]) -> None:
        self._spectra, self._layers = spectra, layers
        self._known: dict[str, Mapping[str, Array]] = {}

    def __getitem__(self, layer: str) -> Mapping[str, Array]:
        if layer not in self._known:
            self._known[layer] = self._read(layer)
        return self._known[layer]

    def _read(self, layer: str) -> Mapping[str, Array]:
        from grokscope.analysis.weightwatcher_columns import weightwatcher_columns

        try:
            return weightwatcher_columns(self._spectra, layer)
        except (OSError, KeyError):  # deleted just now, or made without them
            return {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


class _Histories(Mapping[str, "Sequence[LayerSpectrum | None]"]):
    """A layer's spectra at every checkpoint by its name, read when first asked for; those of the last one kept."""

    def __init__(self, spectra: Spectra, layers: Sequence[str]) -> None:
        self._spectra, self._layers = spectra, layers
        self._known: tuple[str, Sequence[LayerSpectrum | None]] = ("", ())

    def __getitem__(self, layer: str) -> Sequence[LayerSpectrum | None]:
        if self._known[0] != layer:
            self._known = layer, self._spectra.history(layer)
        return self._known[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


class _Columns(Mapping[tuple[str, str], Array]):
    """Measures by (field, layer), each read from the spectra file once, when first asked for."""

    def __init__(self, spectra: Spectra, layers: Sequence[str]) -> None:
        self._spectra, self._layers = spectra, layers
        self._known: dict[tuple[str, str], Array] = {}

    def __getitem__(self, key: tuple[str, str]) -> Array:
        if key not in self._known:
            self._known[key] = self._spectra.column(*key)
        return self._known[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _shares(predictions: NDArray[np.int32] | None, count: int) -> Array | None:
    """Counts of predicted labels [n, classes] as shares of all test images, NaN where none has any."""
    if predictions is None:
        return None
    counts = predictions[:count].astype(np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.where(totals > 0, totals, np.nan))


def find_events(
    steps: NDArray[np.int64],
    observed: Sequence[str],
    inferred: Sequence[str],
    measures: Mapping[tuple[str, str], Array],
    layers: Sequence[str],
) -> tuple[Event, ...]:
    """What happens at which checkpoint: a phase begins, or a layer has its first trap, or its first by entries.

    Phases are the observed ones; where accuracies are unknown, those inferred from the weights.
    """
    unobserved = all(label == "unknown" for label in observed)
    labels = inferred if unobserved else observed
    known = [index for index, label in enumerate(labels) if label != "unknown"]
    begins = [now for before, now in pairwise(known) if labels[now] != labels[before]]
    begins = ([known[0]] if known and known[0] > 0 else []) + begins
    said = {label: f"{label} begins" for label in labels} | ({} if unobserved else {"undecided": NO_PHASE})
    events = [Event(index, int(steps[index]), "phase", said[labels[index]]) for index in begins]
    for layer in in_turns(layers, 10):
        for name, words in (("num_traps", "first trap"), ("num_entry_traps", "first trap by large entries")):
            found = np.flatnonzero(measures[name, layer] > 0)
            if len(found):
                index = int(found[0])
                events.append(Event(index, int(steps[index]), "trap", f"{safe_name(layer)}: {words}"))
    return tuple(sorted(events, key=lambda event: event.index))
