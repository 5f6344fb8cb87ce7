"""A run and its spectra as the app sees them: Frames and a Timeline, and no file open in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.evidence import layer_evidence
from grokscope.analysis.spectra_file import Spectra
from grokscope.app.frame import Event, Frame, Layer, Timeline
from grokscope.app.text import safe_name
from grokscope.phases import Inferred, infer, observe
from grokscope.runfile import Run
from grokscope.spectra.layer import LayerSpectrum

Array = NDArray[np.float64]


class Session:
    """One run, read a checkpoint at a time; only columns of numbers are kept in memory.

    Every call opens, reads and closes. `refresh` looks for new checkpoints and new spectra.
    """

    def __init__(self, run: Run) -> None:
        """Wrap an opened run."""
        self.run = run
        self.spectra = Spectra(run)
        self.name = safe_name(run.path.name)
        self._timeline: Timeline | None = None
        self._inferred: list[Inferred] = []

    @classmethod
    def open(cls, path: str | Path) -> Session:
        """Open the run at a path; raises BadRunFile where it is none."""
        return cls(Run.open(path))

    @property
    def num_checkpoints(self) -> int:
        """How many checkpoints there are to see."""
        return len(self.spectra.done)

    def refresh(self) -> bool:
        """Look again; return whether there is anything new."""
        checkpoints = self.run.refresh()
        spectra = self.spectra.refresh()
        if checkpoints or spectra:
            self._forget()
        return checkpoints or spectra

    def frame(self, index: int) -> Frame | None:
        """The checkpoint at an index, or None where the run has none."""
        count = self.num_checkpoints
        if not 0 <= index < count:
            return None
        timeline, inferred = self.timeline(), self.inferred(index)
        layers = tuple(
            Layer(safe_name(layer.name), layer.shape, self._spectrum(index, layer.name))
            for layer in self.run.layers
        )
        metrics = {name: float(values[index]) for name, values in timeline.metrics.items()}
        return Frame(
            self.name, index, count, int(timeline.steps[index]), layers, metrics,
            timeline.observed[index], inferred.label, inferred.reasons,
        )  # fmt: skip

    def _spectrum(self, index: int, layer: str) -> LayerSpectrum | None:
        """A layer's spectrum; None as well where the spectra file, which may be deleted at any time, just was."""
        try:
            return self.spectra.layer(index, layer)
        except (OSError, KeyError):
            return None

    def timeline(self) -> Timeline:
        """The whole run through time; measures are read when they are first looked at."""
        if self._timeline is None:
            self._timeline = self._read_timeline()
        return self._timeline

    def inferred(self, index: int) -> Inferred:
        """The phase that the weights tell at an index, from the checkpoints up to it."""
        if not self._inferred:
            evidence = layer_evidence(self.spectra)
            self._inferred = [infer([e.until(k) for e in evidence]) for k in range(self.num_checkpoints)]
        return self._inferred[index]

    def _forget(self) -> None:
        self._timeline = None
        self._inferred = []

    def _read_timeline(self) -> Timeline:
        count = self.num_checkpoints
        metrics = {name: values[:count] for name, values in self.run.metrics().items()}
        unknown = np.full(count, np.nan)
        train, test = (metrics.get(name, unknown) for name in ("train_accuracy", "test_accuracy"))
        observed = observe(train, test).labels
        inferred = [self.inferred(index).label for index in range(count)]
        steps = self.run.steps[:count]
        names = tuple(layer.name for layer in self.run.layers)
        measures = _Columns(self.spectra, names)
        return Timeline(
            run=self.name,
            steps=steps,
            last_step=int(steps[-1]) if count else int(self.run.planned_steps[-1]),
            layers=names,
            metrics=metrics,
            measures=measures,
            predictions=_shares(self.run.predictions(), count),
            weightwatcher=_WeightWatcher(self.spectra, names),
            observed=observed,
            inferred=inferred,
            events=find_events(steps, observed, inferred, measures, names),
        )


class _WeightWatcher(Mapping[str, Mapping[str, Array]]):
    """WeightWatcher's columns by the layer's name on screen, each read once, when first asked for."""

    def __init__(self, spectra: Spectra, layers: Sequence[str]) -> None:
        self._spectra, self._layers = spectra, {safe_name(layer): layer for layer in layers}
        self._known: dict[str, Mapping[str, Array]] = {}

    def __getitem__(self, shown: str) -> Mapping[str, Array]:
        if shown not in self._known:
            self._known[shown] = self._read(self._layers[shown])
        return self._known[shown]

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
    """Counts of predicted labels [n, classes] as shares of all test images."""
    if predictions is None:
        return None
    counts = predictions[:count].astype(np.float64)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0))


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
    labels = inferred if all(label == "unknown" for label in observed) else observed
    events = [
        Event(index, int(steps[index]), "phase", f"{labels[index]} begins")
        for index in range(1, len(labels))
        if labels[index] not in ("unknown", labels[index - 1])
    ]
    for layer in layers:
        for name, words in (("num_traps", "first trap"), ("num_entry_traps", "first trap by large entries")):
            found = np.flatnonzero(measures[name, layer] > 0)
            if len(found):
                index = int(found[0])
                events.append(Event(index, int(steps[index]), "trap", f"{safe_name(layer)}: {words}"))
    return tuple(sorted(events, key=lambda event: event.index))
